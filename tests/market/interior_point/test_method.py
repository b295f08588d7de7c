"""The method: the optimum of an independent solver, whatever the tree, and how many steps it takes."""

from __future__ import annotations

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point import method
from dlmp_cosim.market.interior_point.active import may_arrive
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.method import (
    FIRST_PRODUCT,
    PATIENCE,
    RESUMED_PRODUCT,
    Agreement,
    iterate,
)
from dlmp_cosim.market.interior_point.pieces import AT_UPPER
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees

TIGHT = 1e-6


def agree(problem: AtomicProblem, **options: float) -> Agreement:
    """Iterate from nothing."""
    return iterate(problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=TIGHT, **options)


def optimum(problem: AtomicProblem) -> tuple[float, FloatArray]:
    """Cost and duals of the rows by Clarabel."""
    x = cp.Variable(len(problem.linear))
    boxed = np.flatnonzero(np.isfinite(problem.lower))
    soft = np.flatnonzero(problem.penalty > 0)
    beyond = cp.pos(problem.soft_lower[soft] - x[soft])
    over = soft[np.isfinite(problem.soft_upper[soft])]
    cost = cp.sum(cp.multiply(problem.quadratic, cp.square(x))) / 2 + problem.linear @ x
    cost += problem.penalty[soft] @ beyond
    if len(over):
        cost += problem.penalty[over] @ cp.pos(x[over] - problem.soft_upper[over])
    rows = problem.rows @ x == problem.row_lower
    held = [rows, x[boxed] >= problem.lower[boxed], x[boxed] <= problem.upper[boxed]]
    held += [cp.norm(x[pair]) <= r for pair, r in zip(problem.discs, problem.disc_radius, strict=True)]
    task = cp.Problem(cp.Minimize(cost), held)
    task.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return float(task.value), np.asarray(rows.dual_value)


@settings(deadline=None, max_examples=40)
@given(trees(15), st.integers(0, 500), st.floats(-3.0, -0.2))
def test_every_tree_finds_the_optimum(parent: list[int], seed: int, low: float) -> None:
    """Limits idle, binding and beyond reach."""
    problem = network(parent, seed=seed, low=low, per_bus=2)
    agreed = agree(problem)
    assert agreed.converged
    cost, _ = optimum(problem)
    assert objective(problem, agreed.x) == pytest.approx(cost, abs=1e-4 * max(1.0, abs(cost)))


def test_duals_are_prices() -> None:
    problem = network(chain(6), low=-0.5)
    agreed = agree(problem)
    _, duals = optimum(problem)
    assert (agreed.multipliers.limits[3] > 1e-3).any()
    np.testing.assert_allclose(agreed.y, -duals, atol=1e-4)


def test_a_price_is_the_change_of_the_cost() -> None:
    problem = network(chain(6), low=-0.5)
    agreed = agree(problem)
    for row in range(6):
        step = np.zeros(len(problem.row_lower))
        step[row] = 1e-4
        costs = [
            objective(moved, agree(moved).x)
            for sign in (1, -1)
            for moved in (replace(problem, row_lower=problem.row_lower + sign * step),)
        ]
        assert (costs[0] - costs[1]) / 2e-4 == pytest.approx(agreed.y[row], abs=1e-3)


def test_steps_do_not_grow_with_the_way() -> None:
    """Chains of 10 to 160 buses, flows and limits alike: steps stay, hops of a step grow as the way."""
    steps, heights = [], []
    for n in (10, 40, 160):
        problem = network(chain(n), load=3.0 / n, low=-0.4 * n**0.5)
        agreed = agree(problem)
        assert agreed.converged
        steps.append(agreed.steps)
        heights.append(make_plan(problem).height)
    assert heights == [5, 20, 80]
    assert max(steps) <= 2 * min(steps)


def test_an_inverter_runs_on_its_disc() -> None:
    problem = network(chain(4), per_bus=2, price=3.0)
    m = len(problem.row_lower)
    problem = replace(problem, discs=np.array([[m + 4, m + 5]]), disc_radius=np.array([0.2]))
    agreed = agree(problem)
    assert agreed.converged
    assert np.hypot(*agreed.x[m + 4 : m + 6]) == pytest.approx(0.2, abs=1e-5)
    assert objective(problem, agreed.x) == pytest.approx(optimum(problem)[0], abs=1e-5)


def test_a_disc_with_a_fixed_power_leaves_the_other_what_it_can() -> None:
    problem = network(chain(2), per_bus=2, price=9.0)
    m = len(problem.row_lower)
    lower, upper = problem.lower.copy(), problem.upper.copy()
    lower[m] = upper[m] = 0.15
    problem = replace(
        problem, lower=lower, upper=upper, discs=np.array([[m, m + 1]]), disc_radius=np.array([0.2])
    )
    agreed = agree(problem)
    assert agreed.x[m] == 0.15
    assert agreed.x[m + 1] == pytest.approx((0.2**2 - 0.15**2) ** 0.5, abs=1e-5)


def test_loops_find_the_optimum() -> None:
    problem = network(chain(8), loops=[(7, 1), (5, 0)], low=-1.0)
    assert objective(problem, agree(problem).x) == pytest.approx(optimum(problem)[0], abs=1e-5)


def test_earlier_prices_save_steps() -> None:
    problem = network(chain(20), low=-1.5)
    cold = agree(problem)
    nearly = replace(problem, linear=problem.linear * 1.01)
    warm = iterate(nearly, make_plan(nearly), cold.x, cold.multipliers, tolerance=TIGHT)
    assert warm.converged
    assert warm.steps < agree(nearly).steps


def test_the_pieces_of_a_neighbouring_optimum_need_a_step_or_two() -> None:
    """Prices a hundredth higher, the same limits binding: one step finds the optimum and one confirms it."""
    problem = network(chain(20), low=-1.5)
    cold = agree(problem)
    nearly = replace(problem, linear=problem.linear * 1.01)
    warm = iterate(nearly, make_plan(nearly), cold.x, cold.multipliers, tolerance=TIGHT)
    assert warm.steps <= 2
    np.testing.assert_allclose(warm.y, agree(nearly).y, atol=1e-5)


def test_a_narrow_resource_with_a_steep_cost_is_found_between_its_limits() -> None:
    """Worth 0.7 more than it costs at its lower limit and 0.1 less at its upper one: it belongs between."""
    problem, steep, width = network(chain(6), low=-0.5), 2e4, 4e-5
    last = len(problem.linear) - 1
    curve, linear, upper = problem.quadratic.copy(), problem.linear.copy(), problem.upper.copy()
    curve[last], upper[last] = steep, problem.lower[last] + width
    linear[last] += 100.0
    problem = replace(problem, quadratic=curve, upper=upper, linear=linear)
    cold = agree(problem)
    assert cold.x[last] == pytest.approx(problem.lower[last], abs=1e-9)
    linear = linear.copy()
    linear[last] = cold.y[last % 6] - 0.7
    cheaper = replace(problem, linear=linear)
    warm = iterate(cheaper, make_plan(cheaper), cold.x, cold.multipliers, tolerance=TIGHT)
    assert warm.converged
    assert warm.steps <= 3
    assert warm.x[last] - problem.lower[last] == pytest.approx(0.7 / steep, rel=0.01)


def test_limits_that_share_a_price_hold_nobody_up() -> None:
    """Two voltages that a switch makes one, to nine digits: how they share their price never settles."""
    problem = network(chain(6), low=-0.5)
    rows, right = problem.rows.tolil(), problem.row_lower.copy()
    rows[11, 5], right[11] = 0.0, 1e-9
    problem = replace(problem, rows=rows.tocsr(), row_lower=right, row_upper=right)
    cold = agree(problem)
    assert (cold.multipliers.limits[3, 10:12] > 1e-3).all()
    nearly = replace(problem, linear=problem.linear * 1.01)
    warm = iterate(nearly, make_plan(nearly), cold.x, cold.multipliers, tolerance=1e-5)
    assert warm.converged
    assert warm.steps <= 2
    assert objective(nearly, warm.x) == pytest.approx(optimum(nearly)[0], abs=1e-6)


def test_a_tight_tolerance_is_met() -> None:
    """Slacks are told to digits that their limit and variable do not have."""
    problem = network(chain(20), low=-1.5, penalty=3e3)
    agreed = iterate(problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=1e-7)
    assert agreed.converged
    assert max(agreed.primal, agreed.dual) <= 1e-7


def test_limits_far_beyond_reach_take_their_penalty() -> None:
    """Every voltage is out of reach, at ten thousand times the price of power."""
    problem = network(chain(12), load=1.0, low=-0.01, penalty=1e4)
    agreed = agree(problem)
    assert agreed.converged
    beyond = agreed.x[12:24] < -0.01 - 1e-6
    assert beyond.any()
    np.testing.assert_allclose(agreed.multipliers.soft_lower[12:24][beyond], 1e4, rtol=1e-6)
    assert objective(problem, agreed.x) == pytest.approx(optimum(problem)[0], rel=1e-6)


def test_prices_that_mislead_are_left_behind() -> None:
    problem = network(chain(20), low=-1.5)
    cold = agree(problem)
    wrong = replace(cold.multipliers, limits=cold.multipliers.limits[::-1] * 1e3)
    again = iterate(problem, make_plan(problem), -cold.x, wrong, tolerance=TIGHT)
    assert again.converged
    assert objective(problem, again.x) == pytest.approx(objective(problem, cold.x), abs=1e-6)


@pytest.mark.parametrize(
    ("before", "misfit", "goes_on"),
    [(100.0, 2.0, True), (2.0, 1.7, True), (2.0, 1.9, False), (1e-3, 0.09, True), (0.05, 0.2, False)],
)
def test_a_search_goes_on_while_misfits_fall_or_are_small(
    before: float, misfit: float, *, goes_on: bool
) -> None:
    assert may_arrive(before, misfit) is goes_on


def test_a_misfit_that_is_no_number_ends_a_search() -> None:
    assert not may_arrive(2.0, float("nan"))


def test_an_approach_that_gets_no_nearer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products never fall: earlier prices have their ten steps, a start from nothing all the rest."""
    problem = network(chain(20), low=-1.5)
    cold = agree(problem)
    monkeypatch.setattr(method, "BEHIND", -1.0)
    elsewhere = replace(cold.multipliers, pieces=np.full_like(cold.multipliers.pieces, AT_UPPER))
    nearly = replace(problem, linear=problem.linear * 1.01)
    again = iterate(nearly, make_plan(nearly), cold.x, elsewhere, tolerance=TIGHT, max_steps=40)
    products = again.trace[:, 0]
    assert (products == RESUMED_PRODUCT).sum() == PATIENCE
    assert (products[-20:] == FIRST_PRODUCT).all()
    assert (again.steps, again.converged) == (40, False)


def test_the_same_problem_gives_the_same_bits() -> None:
    problem = network([-1, 0, 0, 1, 1, 2, 2], low=-0.7)
    assert agree(problem).x.tobytes() == agree(problem).x.tobytes()


def test_a_budget_that_is_spent_says_so() -> None:
    agreed = agree(network(chain(6), low=-1.0), max_steps=3)
    assert agreed.steps == 3
    assert not agreed.converged


def test_a_budget_spent_on_earlier_prices_keeps_what_it_bought() -> None:
    problem = network(chain(20), low=-1.5)
    cold = agree(problem)
    nearly = replace(problem, linear=problem.linear * 1.01)
    elsewhere = replace(cold.multipliers, pieces=np.full_like(cold.multipliers.pieces, AT_UPPER))
    short = iterate(nearly, make_plan(nearly), cold.x, elsewhere, tolerance=TIGHT, max_steps=6)
    assert (short.steps, short.converged) == (6, False)
    assert np.isfinite([short.primal, short.dual]).all()
    assert np.abs(nearly.rows @ short.x - nearly.row_lower).max() < 1e-9


def test_ten_thousand_resources_share_a_bus() -> None:
    problem = network(chain(2), per_bus=10_000, load=900.0, low=-500.0)
    plan = make_plan(problem)
    assert np.diff(plan.fronts.own_ptr).max() <= 8
    agreed = iterate(problem, plan, np.zeros(len(problem.linear)))
    assert agreed.converged
    rate = problem.linear + problem.quadratic * agreed.x - problem.rows.T @ agreed.y
    middle = (agreed.x > problem.lower + 1e-3) & (agreed.x < problem.upper - 1e-3)
    middle &= np.isfinite(problem.lower)
    assert middle.sum() > 100
    assert np.abs(rate[middle]).max() < 1e-3


def test_one_bus_needs_no_message() -> None:
    problem = network([-1])
    plan = make_plan(problem)
    assert (plan.height, plan.messages, plan.most) == (0, 0, 0)
    assert agree(problem).converged


def test_rows_that_determine_nothing_are_an_error() -> None:
    problem = network(chain(3))
    empty = problem.rows.copy()
    empty.data[:] = 0.0
    with pytest.raises(ClearingError, match="do not determine"):
        iterate(replace(problem, rows=empty, penalty=0 * problem.penalty), make_plan(problem), np.zeros(9))
