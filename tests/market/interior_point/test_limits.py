"""Starts: products that are all alike, prices that fit, earlier prices taken up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.interior_point.limits import centred, find_limits, inside, prices_by_kind, resumed
from tests.market.interior_point.chains import chain, network


@pytest.mark.parametrize("t", [1.0, 1e-3, 1e-9])
def test_a_start_is_centred_and_fits_what_is_inside(t: float) -> None:
    problem = network(chain(6))
    limits, x = find_limits(problem), inside(problem, np.linspace(-4, 4, len(problem.linear)))
    pairs = centred(limits, x, t)
    np.testing.assert_allclose(pairs.slack * pairs.price, t, rtol=1e-9)
    soft = np.isfinite(limits.cap)
    np.testing.assert_allclose((pairs.excess * pairs.missing)[soft], t, rtol=1e-9)
    room = limits.sign * (limits.bound - x[limits.variable])
    np.testing.assert_allclose(pairs.slack - pairs.excess, room, rtol=1e-5, atol=1e-5)


def test_a_variable_without_room_has_no_limit() -> None:
    problem = network(chain(3))
    fixed = replace(problem, upper=np.where(np.isfinite(problem.lower), problem.lower, problem.upper))
    assert not np.isinf(find_limits(fixed).cap).any()


def test_a_start_stays_off_the_walls() -> None:
    problem = network(chain(3))
    boxed = np.isfinite(problem.lower)
    for x in (np.full(len(boxed), -9.0), np.full(len(boxed), 9.0)):
        moved = inside(problem, x)
        assert (moved[boxed] > problem.lower[boxed]).all()
        assert (moved[boxed] < problem.upper[boxed]).all()
        np.testing.assert_array_equal(moved[~boxed], x[~boxed])


def test_earlier_prices_are_taken_up_where_they_say_more() -> None:
    problem = network(chain(4))
    limits, x = find_limits(problem), inside(problem, np.zeros(len(problem.linear)))
    prices = np.zeros(len(limits.variable))
    prices[0], prices[-1] = 0.7, 1e9
    pairs = resumed(limits, x, prices, np.zeros(0), 1e-3)
    assert pairs.price[0] == pytest.approx(0.7)
    assert pairs.price[-1] < limits.cap[-1]
    assert (pairs.price > 0).all()
    assert (pairs.slack > 0).all()


def test_prices_come_back_by_variable() -> None:
    problem = network(chain(2))
    limits = find_limits(problem)
    pairs = centred(limits, inside(problem, np.zeros(len(problem.linear))), 1.0)
    found = prices_by_kind(limits, pairs, len(problem.linear))
    assert found.shape == (4, len(problem.linear))
    assert np.count_nonzero(found) == len(limits.variable)
