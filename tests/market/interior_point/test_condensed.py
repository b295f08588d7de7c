"""The step of the sweeps without sweeps: against a dense solution, and what it leaves to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import alone
from dlmp_cosim.market.interior_point.condensed import FEW, Condensed
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.sweeps import System
from dlmp_cosim.market.interior_point.workspace import make_workspace
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.factors import Factors, WholeFactors, factorise
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_sweeps import dense
from tests.market.interior_point.test_tree import trees

STIFFNESS = 1e6


def factors(problem: AtomicProblem) -> Factors | WholeFactors:
    return factorise(problem.rows, problem.n_state, make_plan(problem).network)


def system_of(problem: AtomicProblem, held: list[int], seed: int = 0) -> System:
    """Random costs; stiff where variables are held, and a resource that is known."""
    rng, n, m = np.random.default_rng(seed), len(problem.linear), problem.n_state
    curve = np.zeros(n)
    curve[m:] = 0.1 + rng.random(n - m)
    curve[held], curve[m] = STIFFNESS, np.inf
    mate = np.full(n, -1, dtype=np.int64)
    cost = rng.standard_normal((2, n))
    return System(problem.rows.data, curve, np.zeros(n), cost, rng.standard_normal(m), mate)


def check(problem: AtomicProblem, system: System, found: tuple[FloatArray, FloatArray] | None) -> None:
    """It is the dense solution; a variable that is known stays."""
    assert found is not None
    known = np.isinf(system.curve)
    for mine, other in zip(found, dense(problem, system, 0.7), strict=True):
        scale = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(mine, other, atol=1e-7 * scale)
    assert (found[0][known] == 0.0).all()


@given(trees(12), st.integers(0, 10**6), st.sets(st.integers(0, 23), max_size=FEW))
def test_it_is_the_newton_step(parent: list[int], seed: int, held: set[int]) -> None:
    problem = network(parent, per_bus=2, seed=seed)
    system = system_of(problem, [j for j in sorted(held) if j < problem.n_state], seed)
    check(problem, system, Condensed(problem, factors(problem)).solve(system, 0.7))


def test_loops_have_the_step_of_general_factors_too() -> None:
    problem = network(chain(8), loops=[(7, 2), (4, 0)])
    system, general = system_of(problem, [9, 12]), factorise(problem.rows, problem.n_state, None)
    check(problem, system, Condensed(problem, general).solve(system, 0.7))


def test_the_two_powers_of_a_disc_answer_together() -> None:
    problem = network(chain(5), per_bus=2)
    m = problem.n_state
    problem = replace(problem, discs=np.array([[m + 2, m + 3]]), disc_radius=np.array([0.5]))
    system = system_of(problem, [7])
    system.mate[m + 2], system.mate[m + 3] = m + 3, m + 2
    system.cross[m + 2 : m + 4] = 0.05
    check(problem, system, Condensed(problem, factors(problem)).solve(system, 0.7))


def test_what_was_held_before_is_kept_and_changes_nothing() -> None:
    problem = network(chain(9), per_bus=2)
    used, one, other = (Condensed(problem, factors(problem)) for _ in range(3))
    first, second = system_of(problem, [11, 13], 1), system_of(problem, [11, 16], 2)
    used.solve(first, 0.1)
    again, fresh = used.solve(second, 0.4), one.solve(second, 0.4)
    assert again is not None
    assert fresh is not None
    assert again[0].tobytes() == fresh[0].tobytes()
    assert again[1].tobytes() == fresh[1].tobytes()
    back, before = used.solve(first, 0.1), other.solve(first, 0.1)
    assert back is not None
    assert before is not None
    assert back[0].tobytes() == before[0].tobytes()


def test_there_is_room_for_any_number_of_held_variables_one_step_after_another() -> None:
    problem = network(chain(12), per_bus=2)
    used = Condensed(problem, factors(problem))
    for k, first in enumerate([12, 17, 15, 12]):
        system = system_of(problem, list(range(first, first + FEW - 1)), k)
        found, fresh = used.solve(system, 0.3), Condensed(problem, factors(problem)).solve(system, 0.3)
        assert found is not None
        assert fresh is not None
        assert found[0].tobytes() == fresh[0].tobytes()


@pytest.mark.parametrize(
    ("what", "held", "curve", "fits"),
    [
        ("as many as it is for", list(range(9, 9 + FEW)), {}, True),
        ("one more", list(range(9, 10 + FEW)), {}, False),
        ("a network variable that is known", [], {11: np.inf}, False),
        ("a resource without a curve", [], {20: 0.0}, False),
        ("nothing held", [], {}, True),
    ],
)
def test_the_rest_is_left_to_sweeps(what: str, held: list[int], curve: dict[int, float], fits: bool) -> None:
    problem = network(chain(9), per_bus=2)
    system = system_of(problem, held)
    for j, value in curve.items():
        system.curve[j] = value
    assert (Condensed(problem, factors(problem)).solve(system, 0.7) is not None) == fits, what


def test_a_voltage_that_nothing_moves_is_left_to_sweeps() -> None:
    """Held without stiffness to give in, and with every resource known, it has no equation."""
    problem = network(chain(3))
    system = system_of(problem, [4])
    system.curve[problem.n_state :] = np.inf
    system.curve[4] = np.finfo(float).max
    assert Condensed(problem, factors(problem)).solve(system, 0.7) is None


@pytest.mark.parametrize("held", [[], [10], [10, 12, 15]])
def test_a_workspace_takes_the_same_step_with_and_without(held: list[int]) -> None:
    problem = network(chain(8), per_bus=2)
    plan = make_plan(problem)
    without, has = make_workspace(problem, plan), make_workspace(problem, plan, None, factors(problem))
    for work in (without, has):
        given_ = system_of(problem, held, 3)
        for name in ("curve", "cross", "cost"):
            getattr(work.system, name)[:] = getattr(given_, name)
    steps = [alone(work.solve(np.zeros(work.n), 0.5)) for work in (without, has)]
    assert np.isnan(has.store.seen).all(), "it did not sweep"
    assert steps[0] is not None
    assert steps[1] is not None
    for one, other in zip(*steps, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert alone(has.solve(np.zeros(has.n), 0.5, sound=False)) is None
