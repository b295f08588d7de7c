"""Terms over time in the corners: empty and full stores, losses, oldest debts first, reasons in order."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.horizon.terms import (
    MISSED_PRICE,
    Ahead,
    Comfort,
    Later,
    Owed,
    Ramp,
    Rebound,
    Session,
    Store,
    reason_against,
)

STORE = Store(50.0, 100.0, 10.0, 0.8, 0.5)


@pytest.mark.parametrize(
    ("energy", "hours", "bounds"),
    [
        (10.0, 1.0, (-112.5, 0.0)),
        (100.0, 1.0, (0.0, 45.0)),
        (50.0, 1.0, (-62.5, 20.0)),
        (50.0, 0.25, (-250.0, 80.0)),
        (5.0, 1.0, (-118.75, 0.0)),
        (120.0, 1.0, (0.0, 55.0)),
    ],
)
def test_powers_until_it_is_full_and_until_it_is_empty(
    energy: float, hours: float, bounds: tuple[float, float]
) -> None:
    assert STORE.bounds(energy, hours) == pytest.approx(bounds)


@pytest.mark.parametrize(("hours", "left"), [(0.0, 50.0), (1.0, 40.0), (2.0, 32.0), (0.5, 50.0 * 0.8**0.5)])
def test_a_leak_takes_its_share_every_hour(hours: float, left: float) -> None:
    leaky = replace(STORE, loss_per_hour=0.2)
    assert leaky.kept(50.0, hours) == pytest.approx(left)
    assert leaky.after(50.0, 0.0, hours) == pytest.approx(left)


@given(st.floats(10.0, 100.0), st.floats(0.0, 0.5), st.floats(0.1, 2.0))
def test_what_has_leaked_cannot_be_given(energy: float, loss: float, hours: float) -> None:
    leaky = replace(STORE, loss_per_hour=loss)
    assert leaky.bounds(energy, hours)[1] <= STORE.bounds(energy, hours)[1] + 1e-9
    assert leaky.bounds(energy, hours)[0] <= STORE.bounds(energy, hours)[0] + 1e-9


@given(st.floats(-50.0, 50.0), st.floats(0.0, 50.0))
def test_the_more_is_given_the_less_is_left(kw: float, more: float) -> None:
    assert STORE.after(50.0, kw + more, 0.5) <= STORE.after(50.0, kw, 0.5) + 1e-9


def test_two_half_steps_are_one_step() -> None:
    leaky = replace(STORE, loss_per_hour=0.0)
    halves = leaky.after(leaky.after(50.0, 6.0, 0.5), 6.0, 0.5)
    assert halves == pytest.approx(leaky.after(50.0, 6.0, 1.0))


REBOUND = Rebound(0.5, 2.0, 50.0, (Owed(4.0, 3.0), Owed(6.0, 1.0)))


@pytest.mark.parametrize(
    ("kw", "owed"),
    [
        (0.0, (Owed(4.0, 2.0), Owed(3.0, 2.0))),
        (-6.0, (Owed(4.0, 2.0),)),
        (-8.0, (Owed(2.0, 2.0),)),
        (-10.0, ()),
        (-99.0, ()),
        (2.0, (Owed(4.0, 2.0), Owed(4.0, 2.0))),
    ],
)
def test_the_debt_with_the_nearest_end_is_served_first(kw: float, owed: tuple[Owed, ...]) -> None:
    """Six are due within the hour; whatever is put off beside them comes back by half."""
    assert REBOUND.after(kw, 1.0) == owed


def test_what_is_overdue_stays_due() -> None:
    late = Rebound(1.0, 2.0, 50.0, (Owed(6.0, 0.5),))
    assert late.after(0.0, 0.25) == (Owed(6.0, 0.25),)


def test_nothing_owed_nothing_put_off_leaves_nothing() -> None:
    assert Rebound(1.0, 2.0, 50.0).after(0.0, 1.0) == ()
    assert Rebound(1.0, 2.0, 50.0).after(-5.0, 1.0) == ()


@pytest.mark.parametrize(
    ("deviation", "kw", "hours", "after"),
    [
        (2.0, 0.0, 4.0, 2.0 / math.e),
        (0.0, -10.0, 0.5, 0.5),
        (0.0, 10.0, 0.5, -0.5),
        (1.0, 0.0, 0.0, 1.0),
    ],
)
def test_warmth_decays_and_follows_what_is_consumed(
    deviation: float, kw: float, hours: float, after: float
) -> None:
    assert Comfort(0.0, -2.0, 2.0, 4.0, 0.1).after(deviation, kw, hours) == pytest.approx(after)


def test_cooling_cools() -> None:
    assert Comfort(0.0, -2.0, 2.0, 4.0, -0.1).after(0.0, -10.0, 1.0) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("ahead", "couples"),
    [
        (Ahead(), False),
        (Ahead(later=Later(p_max_kw=(1.0,))), False),
        (Ahead(sessions=()), True),
        (Ahead(store=STORE), True),
        (Ahead(rebound=REBOUND), True),
        (Ahead(ramp=Ramp(1.0, 0.0)), True),
        (Ahead(comfort=Comfort(0.0, -1.0, 1.0, 1.0, 1.0)), True),
    ],
)
def test_only_what_ties_steps_together_couples(ahead: Ahead, couples: bool) -> None:
    assert ahead.couples is couples


def test_a_session_is_worth_what_missing_it_costs() -> None:
    assert Session(1.0, 2.0, 3.0).value == MISSED_PRICE


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (Ahead(), ""),
        (Ahead(sessions=()), ""),
        (Ahead(sessions=(), ramp=Ramp(1.0, 0.0)), ""),
        (Ahead(rebound=REBOUND, store=STORE), ""),
        (
            Ahead(sessions=(), rebound=REBOUND),
            "sessions stand alone: a store or a rebound would be tied to the same power",
        ),
        (
            Ahead(store=replace(STORE, discharge_efficiency=0.0)),
            "store.discharge_efficiency is 0; expected more than 0 and at most 1",
        ),
        (
            Ahead(store=replace(STORE, loss_per_hour=-0.1)),
            "store.loss_per_hour is -0.1; expected 0 to below 1",
        ),
        (Ahead(store=replace(STORE, min_kwh=100.0)), "store.min_kwh of 100 is not below max_kwh of 100"),
        (Ahead(store=replace(STORE, end_value=math.inf)), "a value of store is not a finite number"),
        (Ahead(sessions=(Session(1.0, math.nan, 3.0),)), "a value of sessions is not a finite number"),
        (Ahead(sessions=(Session(1.0, 0.0, 3.0),)), "a session ends at 0 h and starts at 0 h"),
        (
            Ahead(sessions=(Session(1.0, 2.0, 3.0, value=-1.0),)),
            "a session's energy_kwh, kw_max or value is negative",
        ),
        (
            Ahead(rebound=replace(REBOUND, share=2.5)),
            "rebound.share is 2.5; expected more than 0 and at most 2",
        ),
        (
            Ahead(rebound=replace(REBOUND, kw_max=0.0)),
            "rebound.window_h and rebound.kw_max have to be more than 0",
        ),
        (
            Ahead(rebound=replace(REBOUND, owed=(Owed(math.inf, 1.0),))),
            "a value of rebound is not a finite number",
        ),
        (Ahead(ramp=Ramp(math.inf, 0.0)), "a value of ramp is not a finite number"),
        (Ahead(ramp=Ramp(-1.0, 0.0)), "ramp.kw_per_minute is -1; expected more than 0"),
        (Ahead(comfort=Comfort(0.0, 2.0, 1.0, 1.0, 1.0)), "comfort.min_k of 2 is not below max_k of 1"),
        (
            Ahead(comfort=Comfort(0.0, -1.0, 1.0, 0.0, 1.0)),
            "comfort.time_constant_h has to be more than 0, and kelvin_per_kwh not 0",
        ),
        (Ahead(later=Later(cost_linear=(1.0, math.nan))), "a value of later is not a finite number"),
    ],
)
def test_the_first_thing_wrong_is_said(ahead: Ahead, reason: str) -> None:
    assert reason_against(ahead) == reason


def test_an_unset_value_of_a_debt_is_no_fault() -> None:
    """Without a cost of its own, what is owed at the end is priced by the market."""
    assert math.isnan(REBOUND.end_value)
    assert reason_against(Ahead(rebound=REBOUND)) == ""
