"""Newton steps of a whole horizon: what nothing ties is solved apart, earlier prices help, budgets hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.horizon.problem import HorizonProblem
from dlmp_cosim.market.interior_point.carried import carry
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.horizon import Course, Opening, iterate_horizon
from dlmp_cosim.market.interior_point.method import iterate
from dlmp_cosim.market.problem.atoms import objective
from tests.market.horizon.test_problem import TREE, horizon, solved
from tests.market.interior_point.chains import chain, network

NOBODY = np.zeros(0, dtype=np.int64)


def untied(*prices: float) -> HorizonProblem:
    """Steps of one chain at prices of their own, without a resource that lasts."""
    steps = tuple(network(chain(5), price=price, low=-0.8) for price in prices)
    return HorizonProblem(steps, (), NOBODY)


def resumed(at: HorizonProblem, before: Course, tolerance: float = 1e-6, **options: int) -> Course:
    opening = Opening(before.x, before.own, before.multipliers)
    return iterate_horizon(at, carry(at.steps[0], at.power), opening, tolerance=tolerance, **options)


def dearer(at: HorizonProblem, factor: float) -> HorizonProblem:
    return replace(at, steps=tuple(replace(step, linear=step.linear * factor) for step in at.steps))


def test_steps_that_nothing_ties_are_solved_as_if_alone() -> None:
    at = untied(0.6, 1.0, 2.5)
    course = solved(at)
    assert course.converged
    for problem, x, y in zip(at.steps, course.x, course.y, strict=True):
        alone = iterate(problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=1e-7)
        assert objective(problem, x) == pytest.approx(objective(problem, alone.x), abs=1e-6)
        np.testing.assert_allclose(y, alone.y, atol=1e-3)


def test_one_step_is_a_horizon_too() -> None:
    course = solved(untied(1.0))
    assert course.converged
    assert (len(course.x), len(course.own), len(course.multipliers)) == (1, 0, 2)


def test_a_store_draws_where_power_is_cheap_and_gives_where_it_is_dear() -> None:
    at = horizon(list(TREE), 4, 7, (3,))
    base = solved(at)
    steps = tuple(replace(step, linear=step.linear.copy()) for step in at.steps)
    for step, price in zip(steps, (0.5, 0.5, 4.0, 4.0), strict=True):
        step.linear[0] = price
    moved = solved(replace(at, steps=steps))
    power = [float(x[at.power[0]]) for x in moved.x]
    assert min(power[2:]) > max(power[:2])
    assert (base.converged, moved.converged) == (True, True)


def test_earlier_prices_save_steps_and_find_the_same() -> None:
    at = horizon(list(TREE), 5, 2, (1, 4))
    nearly = dearer(at, 1.02)
    cold, warm = solved(nearly), resumed(nearly, solved(at))
    assert warm.converged
    assert warm.steps < cold.steps
    for one, other in zip(warm.x, cold.x, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_prices_that_mislead_are_left_behind() -> None:
    at = horizon(list(TREE), 3, 2, (1, 4))
    good = solved(at)
    wrong = tuple(replace(m, limits=m.limits[::-1] * 1e4) for m in good.multipliers)
    again = resumed(at, replace(good, multipliers=wrong, x=tuple(-x for x in good.x)))
    assert again.converged
    for one, other in zip(again.x, good.x, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("most", [1, 4])
def test_a_budget_is_kept_and_said(most: int) -> None:
    at = horizon(list(TREE), 3, 2, (1, 4))
    opening = Opening(tuple(np.zeros(len(s.linear)) for s in at.steps), np.zeros(len(at.own.linear)))
    course = iterate_horizon(at, carry(at.steps[0], at.power), opening, tolerance=1e-8, max_steps=most)
    assert (course.steps, course.converged) == (most, False)
    assert max(course.primal, course.dual) > 1e-8
    for problem, x in zip(at.steps, course.x, strict=True):
        np.testing.assert_allclose(problem.rows @ x, problem.row_lower, atol=1e-7)


def test_a_budget_spent_on_earlier_prices_is_not_spent_twice() -> None:
    at = horizon(list(TREE), 3, 2, (1, 4))
    before = solved(at)
    far = resumed(dearer(at, 3.0), before, tolerance=1e-9, max_steps=6)
    assert (far.steps, far.converged) == (6, False)


def test_the_same_horizon_gives_the_same_bits() -> None:
    """Two threads sweep its steps; nothing of theirs is added up in the order in which they end."""
    at = horizon(list(TREE), 6, 4, (3, 6))
    one, other = solved(at), solved(at)
    for a, b in zip((*one.x, *one.y, one.own), (*other.x, *other.y, other.own), strict=True):
        assert a.tobytes() == b.tobytes()


def test_rows_that_determine_nothing_are_an_error() -> None:
    at = untied(1.0)
    step = replace(at.steps[0], penalty=0 * at.steps[0].penalty)
    rows = step.rows.copy()
    rows.data[:] = 0.0
    with pytest.raises(ClearingError, match="the rows of the network do not determine it: an agent cannot"):
        solved(replace(at, steps=(replace(step, rows=rows),)))


def beside(at: HorizonProblem, **one: float) -> HorizonProblem:
    """The same horizon, its first coupling with a variable more that is in no row."""
    coupling = at.couplings[0]
    usual = {"lower": -np.inf, "soft_lower": -np.inf, "soft_upper": np.inf}
    names = ("lower", "soft_lower", "soft_upper", "penalty", "linear", "quadratic")
    more = {name: np.append(getattr(coupling, name), one.get(name, usual.get(name, 0.0))) for name in names}
    own = np.column_stack([coupling.own, np.zeros(len(coupling.own))])
    return replace(at, couplings=(replace(coupling, own=own, **more), *at.couplings[1:]))


@pytest.mark.parametrize(
    ("one", "value"),
    [
        pytest.param({"lower": 0.4, "linear": 2.0}, 0.4, id="at its bound"),
        pytest.param({"linear": -3.0, "quadratic": 2.0}, 1.5, id="where its cost is least"),
        pytest.param({"soft_upper": 0.7, "penalty": 5.0, "linear": -1.0}, 0.7, id="at its soft limit"),
    ],
)
def test_a_variable_in_no_row_is_cleared_by_itself(one: dict[str, float], value: float) -> None:
    at = horizon(list(TREE), 2, 0, (1,))
    course, alone = solved(beside(at, **one)), solved(at)
    assert course.converged
    assert course.own[-1] == pytest.approx(value, abs=1e-4)
    np.testing.assert_allclose(course.own[:-1], alone.own, atol=1e-3)


def test_a_variable_that_nothing_holds_is_an_error() -> None:
    with pytest.raises(ClearingError, match="terms of a resource over time do not determine what it"):
        solved(beside(horizon(list(TREE), 2, 0, (1,))))


def test_terms_that_determine_nothing_are_an_error() -> None:
    at = horizon(list(TREE), 2, 0, (1,))
    twice = at.couplings[0].own.copy()
    twice[1] = twice[0]
    loose = replace(at.couplings[0], own=twice)
    with pytest.raises(ClearingError, match="terms of a resource over time do not determine what it"):
        solved(replace(at, couplings=(loose,)))
