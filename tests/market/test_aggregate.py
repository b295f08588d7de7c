"""One offer for many devices, and one award shared: fits, limits and conservation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.aggregate import Window, best, fitted, missed, shared, window

DEVICES = st.lists(
    st.tuples(st.floats(-50, 50), st.floats(0, 60), st.floats(-100, 200)), min_size=1, max_size=60
).map(lambda rows: window([(low, low + width, cost) for low, width, cost in rows]))


@given(DEVICES, st.floats(0, 1))
def test_an_award_within_the_limits_is_shared_to_rounding(devices: Window, share: float) -> None:
    least, most = float(devices.low.sum()), float(devices.high.sum())
    kw = least + share * (most - least)
    power, left = shared(devices, kw)
    assert abs(left) < 1e-9
    assert abs(float(power.sum()) - kw) < 1e-9
    assert (power >= devices.low - 1e-12).all()
    assert (power <= devices.high + 1e-12).all()


@given(DEVICES, st.floats(0, 1))
def test_no_other_sharing_costs_less(devices: Window, share: float) -> None:
    least, most = float(devices.low.sum()), float(devices.high.sum())
    kw = least + share * (most - least)
    power, _ = shared(devices, kw)
    even = devices.low + share * (devices.high - devices.low)
    assert devices.spent(power) <= devices.spent(even) + 1e-9


def test_what_nobody_can_do_is_named() -> None:
    devices = window([(0.0, 5.0, 1.0), (-3.0, -1.0, 2.0)])
    power, left = shared(devices, 10.0)
    assert power.tolist() == [5.0, -1.0]
    assert left == 6.0
    power, left = shared(devices, -9.0)
    assert power.tolist() == [0.0, -3.0]
    assert left == -6.0


def test_a_line_through_an_even_staircase_is_its_slope() -> None:
    """Steps of 1 kW whose costs rise by 2 $/MWh, met in the middle."""
    devices = window([(0.0, 1.0, 10.0 + 2.0 * k) for k in range(1000)])
    line = fitted(devices, 1010.0)
    assert line.quadratic == pytest.approx(2.0, rel=1e-2)
    assert line.linear + line.quadratic * 500.0 == pytest.approx(1010.0)


@given(DEVICES, st.floats(-100, 200))
def test_a_fit_never_falls_and_asks_for_the_best_at_the_expected_price(devices: Window, price: float) -> None:
    line = fitted(devices, price)
    assert line.quadratic >= 0.0
    moves = devices.high > devices.low
    if (devices.high - devices.low).sum() > 1e-2:
        level = min(max(price, devices.cost[moves].min()), devices.cost[moves].max())
        wanted = float(best(devices, price).sum())
        assert line.linear + line.quadratic * wanted == pytest.approx(level, abs=1e-6)


def test_devices_that_cost_less_than_the_price_are_not_held_back() -> None:
    """All but the last step of roofs are below every price that may come."""
    devices = window([(0.0, 10.0, 0.5 * k) for k in range(5)])
    line = fitted(devices, 35.0)
    assert line.linear + line.quadratic * 50.0 <= 2.0 + 1e-9


def test_devices_that_cannot_move_have_a_flat_line() -> None:
    line = fitted(window([(2.0, 2.0, 30.0), (-1.0, -1.0, 10.0)]), 50.0)
    assert (line.linear, line.quadratic) == (20.0, 0.0)


@given(DEVICES, st.floats(0, 1), st.floats(-100, 200))
def test_what_is_missed_is_never_negative_and_nothing_at_the_best(
    devices: Window, share: float, price: float
) -> None:
    power = devices.low + share * (devices.high - devices.low)
    assert missed(devices, power, price) >= -1e-9
    assert missed(devices, best(devices, price), price) == pytest.approx(0.0, abs=1e-9)


def test_what_is_missed_is_what_the_price_would_have_paid() -> None:
    devices = window([(0.0, 10.0, 20.0), (-5.0, 0.0, 60.0)])
    assert best(devices, 50.0).tolist() == [10.0, -5.0]
    assert missed(devices, np.array([0.0, -5.0]), 50.0) == pytest.approx(10 * 30 / 1e3)
    assert missed(devices, np.array([10.0, 0.0]), 50.0) == pytest.approx(5 * 10 / 1e3)
