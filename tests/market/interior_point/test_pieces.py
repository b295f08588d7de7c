"""Where a variable lies between its limits, and what its value and its price say of that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.interior_point.pieces import (
    ABOVE,
    AT_LOWER,
    AT_SOFT_LOWER,
    AT_SOFT_UPPER,
    AT_UPPER,
    BELOW,
    BETWEEN,
    WEIGHT,
    Breaks,
    end_of,
    find_breaks,
    joined,
    locate,
    price_in,
    relocate,
    split_prices,
)
from dlmp_cosim.market.problem.solution import Multipliers
from tests.market.interior_point.chains import chain, network

ALL = Breaks(*(np.array([value]) for value in (-3.0, -1.0, 1.0, 3.0, 10.0, WEIGHT)))
"""A variable with hard limits at 3, soft ones at 1 and a penalty of 10."""


@pytest.mark.parametrize(
    ("value", "price", "piece"),
    [
        (-3.0, -20.0, AT_LOWER),
        (-2.0, -10.0, BELOW),
        (-1.0, -4.0, AT_SOFT_LOWER),
        (0.0, 0.0, BETWEEN),
        (1.0, 4.0, AT_SOFT_UPPER),
        (2.0, 10.0, ABOVE),
        (3.0, 20.0, AT_UPPER),
    ],
)
def test_value_and_price_tell_the_piece(value: float, price: float, piece: int) -> None:
    assert locate(ALL, 0, value, price) == piece


@given(st.floats(-5, 5), st.floats(-30, 30))
def test_the_piece_is_where_a_proximal_step_ends(value: float, price: float) -> None:
    """The nearest point that fits is the least of limits' cost and squared distance, by brute force."""
    weight = WEIGHT
    grid = np.linspace(-3, 3, 6001)
    cost = weight * 10 * np.maximum(np.abs(grid) - 1, 0) + (grid - (value + weight * price)) ** 2 / 2
    best = grid[np.argmin(cost)]
    piece = locate(ALL, 0, value, price)
    end = end_of(ALL, 0, piece)
    found = value + weight * (price - price_in(ALL, 0, piece)) if np.isnan(end) else end
    assert found == pytest.approx(best, abs=2e-3)


def test_a_price_moves_a_variable_no_farther_than_its_cost_lets_it() -> None:
    """A steep resource at the lower end of a narrow box that is worth a bit more belongs inside it."""
    ends, none = (np.array([-3.0]), np.array([-2.9])), np.zeros(1)
    steep = Breaks(ends[0], *ends, ends[1], none, weight=np.array([1 / 20]))
    assert locate(steep, 0, -3.0, 1.9) == BETWEEN
    assert locate(steep, 0, -3.0, 2.1) == AT_UPPER


def test_the_steeper_a_cost_the_less_a_price_weighs() -> None:
    problem = network(chain(3))
    problem = replace(problem, quadratic=np.geomspace(1e-3, 1e6, len(problem.quadratic)))
    weight = find_breaks(problem).weight
    assert weight == pytest.approx(np.minimum(1 / problem.quadratic, WEIGHT))


def test_what_fits_is_not_off() -> None:
    pieces = np.zeros(1, dtype=np.int64)
    assert relocate(ALL, pieces, np.array([1.0]), np.array([4.0])) == 0.0
    assert pieces.tolist() == [AT_SOFT_UPPER]


def test_what_does_not_fit_is_off_by_its_distance() -> None:
    pieces = np.zeros(1, dtype=np.int64)
    assert relocate(ALL, pieces, np.array([1.02]), np.array([4.0])) == pytest.approx(0.02)
    assert relocate(ALL, pieces, np.array([0.0]), np.array([0.5])) == pytest.approx(0.5)


@given(st.floats(-30, 30))
def test_prices_are_split_and_joined(price: float) -> None:
    split = split_prices(ALL, np.array([price]))
    assert (split >= 0).all()
    assert (split[2:] <= 10).all()
    both = Multipliers(split, np.zeros(0), np.zeros(1, dtype=np.int64))
    assert joined(both)[0] == pytest.approx(price)


def test_limits_without_a_penalty_are_none() -> None:
    problem = network(chain(3))
    breaks = find_breaks(replace(problem, penalty=np.zeros_like(problem.penalty)))
    assert not np.isfinite(breaks.soft_lower[:6]).any()
