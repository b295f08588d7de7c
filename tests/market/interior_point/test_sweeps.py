"""The sweeps against a dense solution of the same system."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.fronts import Plan, make_plan
from dlmp_cosim.market.interior_point.sweeps import Store, System, make_store, sweep_down, sweep_up
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees


def system_of(problem: AtomicProblem, rng: np.random.Generator) -> System:
    """Random costs and curvatures, one variable known."""
    n, m = len(problem.linear), len(problem.row_lower)
    curve = np.where(np.isfinite(problem.lower), 0.1 + rng.random(n), 10.0 ** rng.uniform(-3, 6, n))
    cost = rng.standard_normal((2, n))
    curve[m], cost[:, m] = np.inf, 0.0
    mate = np.full(n, -1)
    return System(problem.rows.data, curve, np.zeros(n), cost, rng.standard_normal(m), mate)


def swept(problem: AtomicProblem, system: System, t: float) -> tuple[FloatArray, FloatArray, Plan, Store]:
    """Variables and multipliers by sweeps."""
    plan = make_plan(problem)
    store = make_store(plan.fronts, len(problem.linear))
    assert sweep_up(plan.fronts, system, store) == -1
    x, m = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    sweep_down(plan.fronts, system, store, t, x, m)
    return x, m, plan, store


def dense(problem: AtomicProblem, system: System, t: float) -> tuple[FloatArray, FloatArray]:
    """The same by a dense solver; a known variable stays where it is."""
    a, n = problem.rows.toarray(), len(problem.linear)
    known = np.isinf(system.curve)
    hessian = np.diag(np.where(known, 1.0, system.curve))
    paired = np.flatnonzero(system.mate >= 0)
    hessian[paired, system.mate[paired]] = system.cross[paired]
    top = np.where(known[:, None], 0.0, a.T)
    whole = np.block([[hessian, top], [a, np.zeros((len(a), len(a)))]])
    cost = np.where(known, 0.0, system.cost[0] + t * system.cost[1])
    solution = np.linalg.solve(whole, np.concatenate([-cost, system.right]))
    return solution[:n], solution[n:]


@given(trees(), st.integers(0, 1000), st.floats(0.0, 2.0))
def test_sweeps_solve_the_newton_system(parent: list[int], seed: int, t: float) -> None:
    problem = network(parent, per_bus=2, seed=seed)
    system = system_of(problem, np.random.default_rng(seed))
    x, m, _, _ = swept(problem, system, t)
    true_x, true_m = dense(problem, system, t)
    scale = max(1.0, np.abs(true_m).max(), np.abs(true_x).max())
    assert np.abs(x - true_x).max() < 1e-8 * scale
    assert np.abs(m - true_m).max() < 1e-8 * scale


@pytest.mark.parametrize("loops", [[(5, 0)], [(7, 2), (4, 0)]])
def test_loops_are_solved_too(loops: list[tuple[int, int]]) -> None:
    problem = network(chain(8), loops=loops)
    system = system_of(problem, np.random.default_rng(1))
    x, m, _, _ = swept(problem, system, 0.5)
    true_x, true_m = dense(problem, system, 0.5)
    np.testing.assert_allclose(x, true_x, atol=1e-9)
    np.testing.assert_allclose(m, true_m, atol=1e-9)


def test_the_two_powers_of_a_disc_answer_together() -> None:
    problem = network(chain(5), per_bus=2)
    m = len(problem.row_lower)
    problem = replace(problem, discs=np.array([[m + 2, m + 3]]), disc_radius=np.array([0.5]))
    system = system_of(problem, np.random.default_rng(2))
    system.mate[m + 2], system.mate[m + 3] = m + 3, m + 2
    system.cross[m + 2 : m + 4] = 0.05
    x, _, _, _ = swept(problem, system, 1.0)
    np.testing.assert_allclose(x, dense(problem, system, 1.0)[0], atol=1e-10)


def test_a_message_tells_of_nothing_but_what_lies_behind_it() -> None:
    """Another cost at one bus changes the messages on its way to the root, and no other."""
    problem = network([-1, 0, 1, 0, 3, 3])
    first = system_of(problem, np.random.default_rng(3))
    _, _, plan, store = swept(problem, first, 0.0)
    before = store.sent.copy()
    changed = first._replace(cost=first.cost.copy())
    bus = 4
    changed.cost[0, len(problem.row_lower) + bus] += 1.0
    _, _, _, after = swept(problem, changed, 0.0)
    moved = {
        k
        for k in range(len(plan.fronts.own_ptr) - 1)
        if not np.array_equal(
            before[store.sent_ptr[k] : store.sent_ptr[k + 1]],
            after.sent[after.sent_ptr[k] : after.sent_ptr[k + 1]],
        )
    }
    own = {int(plan.fronts.own[plan.fronts.own_ptr[k]]): k for k in range(problem.n_atom)}
    assert own[bus] in moved
    assert moved < set(own.values())
    assert len(moved) <= plan.height


def test_a_network_that_is_not_determined_is_found_out() -> None:
    problem = network(chain(3))
    rows = problem.rows.copy()
    rows.data[:] = 0.0
    plan = make_plan(problem)
    system = system_of(replace(problem, rows=rows), np.random.default_rng(0))
    system.curve[: len(problem.row_lower)] = 0.0
    assert sweep_up(plan.fronts, system, make_store(plan.fronts, len(problem.linear))) >= 0


def test_a_bus_with_rows_alone_does_not_determine_them() -> None:
    """Its rows read variables of its neighbour's only, and no curvature tells that they are new."""
    problem = network(chain(3))
    atom = np.where(problem.variable_atom == 2, 1, problem.variable_atom)
    problem = replace(problem, variable_atom=atom)
    fronts = make_plan(problem).fronts
    store = make_store(fronts, len(problem.linear))
    assert sweep_up(fronts, system_of(problem, np.random.default_rng(0)), store) == 1
