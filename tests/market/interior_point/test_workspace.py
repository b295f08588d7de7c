"""What the steps of one agent share, and the linear system that it solves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import BrokenWordError, Halo, Neighbours, Ties, alone
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.workspace import Workspace, make_workspace, new_system, own_curve
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees


def filled(problem: AtomicProblem, seed: int = 0) -> Workspace:
    """A workspace whose next system has random costs and curvatures."""
    work, rng = make_workspace(problem, make_plan(problem)), np.random.default_rng(seed)
    work.system.curve[:] = 0.2 + rng.random(work.n)
    work.system.cost[:] = rng.standard_normal((2, work.n))
    return work


def dense(work: Workspace, x: FloatArray, t: float) -> tuple[FloatArray, FloatArray]:
    """Step and multipliers of the same system as one matrix."""
    rows, n = work.problem.rows.toarray(), work.n
    m = len(rows)
    whole = np.block([[np.diag(work.system.curve), rows.T], [rows, np.zeros((m, m))]])
    cost = work.system.cost[0] + t * work.system.cost[1]
    found = np.linalg.solve(whole, np.concatenate([-cost, work.problem.row_lower - rows @ x]))
    return found[:n], found[n:]


@settings(max_examples=12)
@given(trees(10), st.integers(0, 50), st.floats(0.0, 1.0))
def test_a_sweep_up_and_down_solves_the_whole_system(parent: list[int], seed: int, t: float) -> None:
    work = filled(network(parent, per_bus=2), seed)
    x = np.random.default_rng(seed).standard_normal(work.n)
    solved = alone(work.solve(x.copy(), t))
    assert solved is not None
    for mine, theirs in zip(solved, dense(work, x, t), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-8)


@settings(max_examples=12)
@given(trees(10), st.integers(0, 50))
def test_rows_hold_after_any_step(parent: list[int], seed: int) -> None:
    work = filled(network(parent), seed)
    x = 5 * np.random.default_rng(seed).standard_normal(work.n)
    solved = alone(work.solve(x.copy(), 0.3))
    assert solved is not None
    work.check(x + solved[0])
    np.testing.assert_allclose(work.problem.rows @ (x + solved[0]), work.problem.row_lower, atol=1e-8)


def test_a_step_is_linear_in_the_goal_of_products() -> None:
    work = filled(network(chain(6)))
    zero, one, two = (alone(work.solve(np.zeros(work.n), t)) for t in (0.0, 1.0, 2.0))
    assert zero is not None
    assert one is not None
    assert two is not None
    np.testing.assert_allclose(two[0] - one[0], one[0] - zero[0], atol=1e-10)


def test_what_is_known_stays() -> None:
    work = filled(network(chain(4)))
    known = work.problem.n_state + 2
    work.system.curve[known], work.system.cost[:, known] = np.inf, 0.0
    solved = alone(work.solve(np.ones(work.n), 0.5))
    assert solved is not None
    assert solved[0][known] == 0.0


def test_an_agent_that_may_not_solve_does_not() -> None:
    work = filled(network(chain(3)))
    assert alone(work.solve(np.zeros(work.n), 0.1, sound=False)) is None


def test_rows_that_determine_nothing_have_no_solution() -> None:
    work = filled(network(chain(3)))
    work.system.curve[: work.problem.n_state] = 0.0
    work.system.entries[:] = 0.0
    assert alone(work.solve(np.zeros(work.n), 0.1)) is None


def test_the_same_numbers_give_the_same_bits_whatever_was_solved_before() -> None:
    """Factors of before are used again where no curvature moved."""
    fresh, used = filled(network(chain(7)), 4), filled(network(chain(7)), 9)
    alone(used.solve(np.ones(used.n), 0.2))
    used.system.curve[:], used.system.cost[:] = fresh.system.curve, fresh.system.cost
    one, other = (alone(work.solve(np.zeros(work.n), 0.7)) for work in (fresh, used))
    assert one is not None
    assert other is not None
    assert one[0].tobytes() == other[0].tobytes()
    assert one[1].tobytes() == other[1].tobytes()


def test_others_have_room_behind_own_variables() -> None:
    work = make_workspace(network(chain(3)), make_plan(network(chain(3))))
    wider = replace(work, system=work.system._replace(curve=np.zeros(work.n + 2)))
    assert (wider.n, wider.n_known) == (9, 11)
    known = wider.with_others(np.arange(9.0))
    assert known.tolist() == [*range(9), 0, 0]


def test_variables_without_room_are_known() -> None:
    problem = network(chain(3))
    upper = problem.upper.copy()
    upper[7] = problem.lower[7]
    curve = own_curve(replace(problem, upper=upper))
    assert np.flatnonzero(np.isinf(curve)).tolist() == [7]
    np.testing.assert_array_equal(np.delete(curve, 7), np.delete(problem.quadratic, 7))


def test_powers_of_a_disc_are_mates() -> None:
    problem = network(chain(2), per_bus=2)
    problem = replace(problem, discs=np.array([[4, 5], [7, 6]]), disc_radius=np.ones(2))
    assert new_system(problem).mate.tolist() == [-1, -1, -1, -1, 5, 4, 7, 6]


def with_neighbour(problem: AtomicProblem, read: list[int], area: int = 3) -> Workspace:
    """A workspace that says it heard some of its variables from a neighbour."""
    none = np.zeros(0, dtype=np.int64)
    ties = Ties(halos=(Halo(area, none, np.array(read), none, none),))
    return replace(make_workspace(problem, make_plan(problem)), near=Neighbours(ties))


@pytest.mark.parametrize(("missed", "broken"), [(0.0, False), (1e-9, False), (1e-3, True)])
def test_a_neighbour_is_held_to_rows_that_read_it(missed: float, broken: bool) -> None:
    problem = network(chain(3))
    work = with_neighbour(problem, [1])
    x = np.zeros(work.n)
    x[6:] = problem.row_lower[:3]
    x[6] += missed
    rows = replace(problem, row_lower=np.concatenate([problem.row_lower[:3], np.zeros(3)]))
    work = replace(work, problem=rows)
    if not broken:
        work.check(x)
        return
    with pytest.raises(BrokenWordError, match=r"agent 4 says what a row between the two misses by 0\.001"):
        work.check(x)


def test_a_row_between_nobody_else_accuses_nobody() -> None:
    problem = network(chain(3))
    x = np.zeros(len(problem.linear))
    with_neighbour(problem, [5]).check(x)
    with pytest.raises(BrokenWordError) as error:
        with_neighbour(problem, [6], area=0).check(x)
    assert error.value.neighbour == 0
    assert str(error.value) == "agent 1 says what a row between the two misses by 0.3: it is inconsistent"
