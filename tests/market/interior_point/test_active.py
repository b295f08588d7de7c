"""Searches for the pieces: a guess that is right stays, one that is wrong says what fits better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.agents.neighbours import alone
from dlmp_cosim.market.interior_point.active import Guess, known_variables, next_guess
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.limits import Pairs, find_discs
from dlmp_cosim.market.interior_point.method import Agreement, iterate
from dlmp_cosim.market.interior_point.pieces import (
    AT_LOWER,
    AT_SOFT_LOWER,
    AT_UPPER,
    BELOW,
    BETWEEN,
    find_breaks,
    joined,
)
from dlmp_cosim.market.interior_point.workspace import make_workspace
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees

NONE = np.zeros(0)
NO_PAIRS = Pairs(NONE, NONE, NONE, NONE, NONE, NONE)


def optimum(problem: AtomicProblem) -> Agreement:
    agreed = iterate(problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=1e-8)
    assert agreed.converged
    return agreed


def searched(problem: AtomicProblem, guess: Guess, pairs: Pairs = NO_PAIRS, t: float = 0.0) -> Guess:
    """The next guess of an agent that holds the whole problem."""
    work, breaks = make_workspace(problem, make_plan(problem)), find_breaks(problem)
    known, discs = known_variables(work), find_discs(problem)
    return alone(next_guess(work, breaks, known, discs, pairs, guess, t))


def started(problem: AtomicProblem, pieces: IntArray, x: FloatArray | None = None) -> Guess:
    """A guess of pieces with prices of nothing."""
    n = len(problem.linear)
    return Guess(np.zeros(n) if x is None else x, np.zeros(n), np.zeros(len(problem.row_lower)), pieces)


def all_between(problem: AtomicProblem) -> IntArray:
    return np.full(len(problem.linear), BETWEEN, dtype=np.int64)


@settings(max_examples=15)
@given(trees(8), st.integers(0, 50), st.floats(-2.0, -0.3))
def test_the_right_pieces_give_the_optimum_and_stay(parent: list[int], seed: int, low: float) -> None:
    problem = network(parent, seed=seed, low=low)
    agreed = optimum(problem)
    start = Guess(agreed.x, joined(agreed.multipliers), -agreed.y, agreed.multipliers.pieces)
    found = searched(problem, start)
    np.testing.assert_array_equal(found.pieces, start.pieces)
    np.testing.assert_allclose(found.x, agreed.x, atol=1e-6)
    np.testing.assert_allclose(found.multipliers, -agreed.y, atol=1e-4)
    assert found.primal < 1e-8


@settings(max_examples=15)
@given(trees(8), st.integers(0, 50))
def test_prices_balance_costs_and_rows_for_any_guess(parent: list[int], seed: int) -> None:
    """Stationarity holds by construction: what is wrong with a guess is where its prices and values lie."""
    problem = network(parent, seed=seed)
    pieces = np.random.default_rng(seed).integers(0, 7, len(problem.linear))
    pieces[: problem.n_state] = BETWEEN
    found = searched(problem, started(problem, pieces))
    gradient = problem.quadratic * found.x + problem.linear + problem.rows.T @ found.multipliers
    np.testing.assert_allclose(found.prices, -gradient, atol=1e-12)
    np.testing.assert_allclose(problem.rows @ found.x, problem.row_lower, atol=1e-7)


def test_a_guess_is_not_changed_by_the_next() -> None:
    problem = network(chain(3), low=-0.4)
    start = started(problem, all_between(problem))
    before = start.x.copy(), start.pieces.copy()
    searched(problem, start)
    np.testing.assert_array_equal(start.x, before[0])
    np.testing.assert_array_equal(start.pieces, before[1])


def test_one_bus_is_searched_in_two_steps_by_hand() -> None:
    """Power costs 1 from the grid and 2 + p at the bus: the bus gives nothing, at a price of 1 for less."""
    problem = network([-1], load=0.4)
    linear, quadratic = problem.linear.copy(), problem.quadratic.copy()
    linear[2], quadratic[2] = 2.0, 1.0
    problem = replace(problem, linear=linear, quadratic=quadratic)
    first = searched(problem, started(problem, all_between(problem)))
    assert first.x[2] == pytest.approx(-1.0)
    assert first.pieces[2] == AT_LOWER
    assert first.primal == pytest.approx(1.0)
    second = searched(problem, first)
    assert second.x == pytest.approx([0.4, -0.4 * problem.rows[1, 0], 0.0])
    assert second.prices[2] == pytest.approx(-1.0)
    assert (second.primal, second.pieces[2]) == (0.0, AT_LOWER)


def test_a_resource_without_a_curve_lies_nowhere_between_its_limits() -> None:
    problem = network(chain(3))
    flat = replace(problem, quadratic=np.zeros_like(problem.quadratic))
    start = started(flat, all_between(flat))
    found = searched(flat, start)
    assert found.primal == np.inf
    np.testing.assert_array_equal(found.pieces, start.pieces)
    at_limit = all_between(flat)
    at_limit[flat.n_state :] = AT_UPPER
    assert np.isfinite(searched(flat, started(flat, at_limit)).primal)


def test_a_soft_limit_pays_its_penalty_below_and_is_held_at_it() -> None:
    """The last voltage of a chain, first let go at its penalty, then pulled up to its limit."""
    problem = network(chain(3), low=-0.3)
    last = problem.n_state - 1
    pieces = all_between(problem)
    pieces[last] = BELOW
    assert searched(problem, started(problem, pieces)).prices[last] == pytest.approx(-problem.penalty[last])
    pieces[last] = AT_SOFT_LOWER
    assert searched(problem, started(problem, pieces)).x[last] == pytest.approx(-0.3, abs=1e-4)


@pytest.mark.parametrize(("held", "known"), [(AT_LOWER, 0.0), (AT_UPPER, None)])
def test_a_resource_at_its_limit_is_there_to_the_last_digit(held: int, known: float | None) -> None:
    problem = network(chain(4), seed=3)
    pieces = all_between(problem)
    pieces[problem.n_state + 2] = held
    at = problem.n_state + 2
    assert searched(problem, started(problem, pieces)).x[at] == (
        problem.upper[at] if known is None else known
    )


def test_known_variables_are_resources_and_what_has_no_room() -> None:
    problem = network(chain(3))
    low, high = problem.lower.copy(), problem.upper.copy()
    low[0] = high[0] = 0.1
    work = make_workspace(replace(problem, lower=low, upper=high), make_plan(problem))
    assert known_variables(work).tolist() == [True, *[False] * 5, *[True] * 3]


def test_a_disc_comes_nearer_to_its_product_with_every_guess() -> None:
    problem = network(chain(2), per_bus=2, price=3.0)
    problem = replace(problem, discs=np.array([[6, 7]]), disc_radius=np.array([0.3]))
    pairs = NO_PAIRS._replace(disc_slack=np.array([0.1]), disc_price=np.array([1.0]))
    pieces = all_between(problem)
    pieces[[4, 5]] = AT_UPPER
    guess, products = started(problem, pieces, np.full(8, 0.05)), []
    for t in (1e-2, 1e-4, 1e-6, *[1e-8] * 9):
        guess = searched(problem, guess, pairs=pairs, t=t)
        products.append(float(pairs.disc_slack[0] * pairs.disc_price[0]))
    assert products[-1] == pytest.approx(1e-8, rel=1e-3)
    assert np.hypot(*guess.x[6:8]) == pytest.approx(0.3, abs=1e-5)
    np.testing.assert_allclose(guess.x[6:8], optimum(problem).x[6:8], atol=1e-4)
