from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.substation.limits import (
    SharedLimit,
    SharedRules,
    adder_range,
    allowed,
    binding,
    excess,
    limits_of,
    shared_cost,
)

TWO = (SharedLimit("peak", 900.0, 50.0), SharedLimit("import", 1000.0, 200.0))
BOTH = (*TWO, SharedLimit("export", -300.0, 80.0, above=False))


def test_a_rating_leaves_room_beside_reactive_power() -> None:
    upper, lower = limits_of(SharedRules(rating_kva=500.0, margin_kw=10.0), 300.0, None, 5.0)
    assert (upper.kw, lower.kw) == (390.0, -390.0)
    assert (upper.above, lower.above) == (True, False)


def test_a_ramp_starts_from_what_was_drawn() -> None:
    rules = SharedRules(ramp_kw_per_minute=20.0)
    assert limits_of(rules, 0.0, None, 5.0) == ()
    assert [limit.kw for limit in limits_of(rules, 0.0, 400.0, 5.0)] == [500.0, 300.0]


def test_nothing_shared_is_no_limit() -> None:
    assert limits_of(SharedRules(), 100.0, 50.0, 5.0) == ()
    assert allowed((), 0.0) == (-math.inf, math.inf)
    assert excess((), 0.0, 1e6) == 0.0


@pytest.mark.parametrize(
    ("adder", "powers"),
    [
        (0.0, (-300.0, 900.0)),
        (20.0, (900.0, 900.0)),
        (50.0, (900.0, 1000.0)),
        (120.0, (1000.0, 1000.0)),
        (250.0, (1000.0, math.inf)),
        (-10.0, (-300.0, -300.0)),
        (-80.0, (-math.inf, -300.0)),
    ],
)
def test_prices_of_limits_add_up(adder: float, powers: tuple[float, float]) -> None:
    assert allowed(BOTH, adder) == powers


def test_what_binds_is_the_limit_that_the_adder_belongs_to() -> None:
    found = [binding(BOTH, adder) for adder in (0.0, 20.0, 120.0, -5.0)]
    assert [limit and limit.cause for limit in found] == [None, "peak", "import", "export"]


@given(st.floats(-2000, 2000), st.floats(-80, 250), st.floats(-80, 250))
def test_the_excess_does_not_rise_with_the_adder(kw: float, one: float, other: float) -> None:
    """Which is what makes the root of the aggregate the only one."""
    assert excess(BOTH, max(one, other), kw) <= excess(BOTH, min(one, other), kw) + 1e-9


@given(st.floats(-2000, 2000))
def test_the_price_of_a_power_is_the_slope_of_its_penalty(kw: float) -> None:
    """An adder that goes with a power is a subgradient of what the limits cost there."""
    least, most = adder_range(BOTH)
    step = 1e-3
    below = (shared_cost(BOTH, kw) - shared_cost(BOTH, kw - step)) / step * 1e3
    above = (shared_cost(BOTH, kw + step) - shared_cost(BOTH, kw)) / step * 1e3
    held = [a for a in (least, -30.0, 0.0, 20.0, 50.0, 120.0, most) if excess(BOTH, a, kw) == 0.0]
    assert all(below - 1e-3 <= adder <= above + 1e-3 for adder in held)
