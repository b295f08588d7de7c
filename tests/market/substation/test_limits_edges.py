"""Shared limits in the corners: none, crossed, capped, and more reactive power than a rating has room for."""

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

IMPORT, PEAK = SharedLimit("import", 1000.0, 200.0), SharedLimit("peak", 900.0, 50.0)
EXPORT, RAMP = (
    SharedLimit("export", -300.0, 80.0, above=False),
    SharedLimit("ramp_down", -500.0, 20.0, above=False),
)


@pytest.mark.parametrize(
    ("rules", "limits"),
    [
        (SharedRules(import_max_kw=500.0), [("import", 500.0, True)]),
        (SharedRules(import_max_kw=500.0, margin_kw=20.0), [("import", 480.0, True)]),
        (SharedRules(export_max_kw=200.0), [("export", -200.0, False)]),
        (SharedRules(export_max_kw=200.0, margin_kw=20.0), [("export", -180.0, False)]),
        (SharedRules(export_max_kw=0.0), [("export", 0.0, False)]),
        (SharedRules(rating_kva=50.0), [("rating", 40.0, True), ("rating", -40.0, False)]),
        (SharedRules(rating_kva=30.0), [("rating", 0.0, True), ("rating", 0.0, False)]),
        (SharedRules(rating_kva=20.0), [("rating", 0.0, True), ("rating", 0.0, False)]),
        (SharedRules(ramp_kw_per_minute=2.0), [("ramp_up", 110.0, True), ("ramp_down", 90.0, False)]),
        (SharedRules(ramp_kw_per_minute=0.0), [("ramp_up", 100.0, True), ("ramp_down", 100.0, False)]),
        (SharedRules(peak_target_kw=70.0, peak_price=5.0, margin_kw=1.0), [("peak", 69.0, True)]),
        (SharedRules(peak_target_kw=70.0), []),
    ],
)
def test_rules_become_limits(rules: SharedRules, limits: list[tuple[str, float, bool]]) -> None:
    """Thirty kvar are drawn, and 100 kW were before; an interval has five minutes."""
    found = limits_of(rules, 30.0, 100.0, 5.0)
    assert [(limit.cause, limit.kw, limit.above) for limit in found] == limits


def test_the_first_interval_has_no_ramp() -> None:
    assert limits_of(SharedRules(ramp_kw_per_minute=1.0), 0.0, None, 5.0) == ()


def test_a_peak_gives_way_at_its_own_price_and_all_else_at_the_penalty() -> None:
    rules = SharedRules(import_max_kw=9.0, peak_target_kw=5.0, peak_price=12.0, penalty=700.0)
    assert {limit.cause: limit.cap for limit in limits_of(rules, 0.0, None, 5.0)} == {
        "import": 700.0,
        "peak": 12.0,
    }


def test_kvar_count_alike_in_both_directions() -> None:
    rules = SharedRules(rating_kva=50.0)
    assert limits_of(rules, 30.0, None, 5.0) == limits_of(rules, -30.0, None, 5.0)


@pytest.mark.parametrize(
    ("limits", "ends"),
    [
        ((), (0, 0)),
        ((IMPORT, PEAK), (0, 250.0)),
        ((EXPORT,), (-80.0, 0)),
        ((IMPORT, EXPORT, RAMP), (-100.0, 200.0)),
    ],
)
def test_an_adder_ends_where_all_limits_give_way(
    limits: tuple[SharedLimit, ...], ends: tuple[float, float]
) -> None:
    assert adder_range(limits) == ends


@pytest.mark.parametrize(
    ("adder", "powers"),
    [
        (-1.0, (-300.0, -300.0)),
        (-79.9, (-300.0, -300.0)),
        (-80.0, (-500.0, -300.0)),
        (-90.0, (-500.0, -500.0)),
        (-100.0, (-math.inf, -500.0)),
        (-101.0, (-math.inf, -math.inf)),
        (1.0, (math.inf, math.inf)),
    ],
)
def test_limits_below_are_held_one_after_the_other(adder: float, powers: tuple[float, float]) -> None:
    assert allowed((RAMP, EXPORT), adder) == powers


def test_crossed_limits_leave_the_upper_one() -> None:
    crossed = (SharedLimit("import", 100.0, 50.0), SharedLimit("export", 200.0, 50.0, above=False))
    assert allowed(crossed, 0.0) == (100.0, 100.0)
    assert excess(crossed, 0.0, 150.0) == 50.0


@pytest.mark.parametrize("kw", [-1e4, -300.0, 0.0, 900.0, 950.0, 1e4])
def test_a_power_that_goes_with_an_adder_has_no_excess(kw: float) -> None:
    limits = (IMPORT, PEAK, EXPORT)
    inside = -300.0 <= kw <= 900.0
    assert (excess(limits, 0.0, kw) == 0.0) is inside
    assert excess(limits, 20.0, kw) == kw - 900.0


@pytest.mark.parametrize(
    ("adder", "cause"),
    [
        (0.0, None),
        (1.0, "peak"),
        (50.0, "peak"),
        (51.0, "import"),
        (999.0, "import"),
        (-1.0, "export"),
        (-80.0, "export"),
        (-81.0, "ramp_down"),
        (-999.0, "ramp_down"),
    ],
)
def test_an_adder_names_the_limit_that_it_holds(adder: float, cause: str | None) -> None:
    found = binding((IMPORT, PEAK, EXPORT, RAMP), adder)
    assert (found.cause if found else None) == cause


def test_no_limit_binds_where_there_is_none() -> None:
    assert binding((), 5.0) is None
    assert binding((EXPORT,), 5.0) is None


@pytest.mark.parametrize(
    ("kw", "usd_per_hour"),
    [(0.0, 0.0), (900.0, 0.0), (950.0, 2.5), (1100.0, 30.0), (-300.0, 0.0), (-400.0, 8.0), (-600.0, 26.0)],
)
def test_power_beyond_limits_costs_their_caps(kw: float, usd_per_hour: float) -> None:
    assert shared_cost((IMPORT, PEAK, EXPORT, RAMP), kw) == pytest.approx(usd_per_hour)


@given(st.floats(-2000.0, 2000.0), st.floats(-2000.0, 2000.0))
def test_the_penalty_is_convex(one: float, other: float) -> None:
    limits = (IMPORT, PEAK, EXPORT, RAMP)
    middle = shared_cost(limits, (one + other) / 2)
    assert middle <= (shared_cost(limits, one) + shared_cost(limits, other)) / 2 + 1e-9


@given(st.permutations([IMPORT, PEAK, EXPORT, RAMP]), st.floats(-120.0, 300.0))
def test_the_order_of_limits_does_not_matter(limits: list[SharedLimit], adder: float) -> None:
    sound = (IMPORT, PEAK, EXPORT, RAMP)
    assert allowed(limits, adder) == allowed(sound, adder)
    assert binding(limits, adder) == binding(sound, adder)
    assert adder_range(limits) == adder_range(sound)
