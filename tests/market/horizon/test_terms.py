"""What terms over time mean on their own, and which are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.horizon.terms import (
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

STORE = Store(50.0, 100.0, 10.0, 0.9, 0.8, 0.01)


def test_charging_loses_and_discharging_loses() -> None:
    assert STORE.after(50.0, -10.0, 0.5) == pytest.approx(50.0 * 0.99**0.5 + 4.5)
    assert STORE.after(50.0, 8.0, 0.5) == pytest.approx(50.0 * 0.99**0.5 - 5.0)


@given(energy=st.floats(10, 100), hours=st.floats(0.05, 4))
def test_powers_within_bounds_keep_the_energy_within_limits(energy: float, hours: float) -> None:
    low, high = STORE.bounds(energy, hours)
    assert low <= 0.0 <= high
    assert STORE.after(energy, low, hours) == pytest.approx(100.0)
    assert STORE.after(energy, high, hours) >= min(10.0, STORE.kept(energy, hours)) - 1e-9


def test_what_is_put_off_is_owed_and_what_is_due_is_served_first() -> None:
    rebound = Rebound(1.0, 2.0, 50.0)
    once = Rebound(1.0, 2.0, 50.0, rebound.after(10.0, 1.0))
    assert once.owed == (Owed(10.0, 2.0),)
    twice = Rebound(1.0, 2.0, 50.0, once.after(5.0, 1.0))
    assert twice.owed == (Owed(10.0, 1.0), Owed(5.0, 2.0))
    # Ten are due: they are served, and as much fresh demand is put off to end at nothing more consumed.
    assert twice.after(0.0, 1.0) == (Owed(5.0, 1.0), Owed(10.0, 2.0))
    assert twice.after(-12.0, 1.0) == (Owed(3.0, 1.0),)


@given(powers=st.lists(st.floats(-20, 20), min_size=1, max_size=8))
def test_what_is_owed_is_what_was_curtailed_less_what_came_back(powers: list[float]) -> None:
    rebound, total = Rebound(1.0, 3.0, 50.0), 0.0
    for kw in powers:
        total = max(total + kw, 0.0)
        rebound = Rebound(1.0, 3.0, 50.0, rebound.after(kw, 1.0))
        assert sum(item.energy_kwh for item in rebound.owed) == pytest.approx(total, abs=1e-9)


def test_consuming_more_warms_and_warmth_fades() -> None:
    comfort = Comfort(1.0, -2.0, 2.0, 4.0, 0.1)
    assert comfort.after(1.0, -5.0, 1.0) == pytest.approx(math.exp(-0.25) + 0.5)


WRONG = {
    "efficiency": (Ahead(store=Store(1, 2, charge_efficiency=1.2)), "store.charge_efficiency is 1.2"),
    "crossed": (Ahead(store=Store(1, 2, 3)), "store.min_kwh of 3 is not below max_kwh of 2"),
    "leaky": (Ahead(store=Store(1, 2, loss_per_hour=1.0)), "store.loss_per_hour is 1"),
    "wear": (Ahead(store=Store(1, 2, wear=-1.0)), "store.wear is -1"),
    "nan": (Ahead(store=Store(math.nan, 2)), "a value of store is not a finite number"),
    "session": (Ahead(sessions=(Session(1, 2, 3, 4),)), "a session ends at 2 h and starts at 4 h"),
    "negative": (Ahead(sessions=(Session(-1, 2, 3),)), "is negative"),
    "tied": (Ahead(store=Store(1, 2), sessions=()), "sessions stand alone"),
    "ramp": (Ahead(ramp=Ramp(0, 0)), "ramp.kw_per_minute is 0"),
    "share": (Ahead(rebound=Rebound(0, 1, 1)), "rebound.share is 0"),
    "window": (Ahead(rebound=Rebound(1, 0, 1)), "rebound.window_h"),
    "owed": (Ahead(rebound=Rebound(1, 1, 1, (Owed(-1, 1),))), "rebound.owed has a negative energy"),
    "band": (Ahead(comfort=Comfort(0, 1, 1, 1, 1)), "comfort.min_k of 1 is not below max_k of 1"),
    "slope": (Ahead(comfort=Comfort(0, 0, 1, 1, 0)), "kelvin_per_kwh not 0"),
    "later": (Ahead(later=Later(p_max_kw=(math.inf,))), "a value of later is not a finite number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_terms_are_refused_by_name(case: str) -> None:
    ahead, reason = WRONG[case]
    assert reason in reason_against(ahead)


def test_sound_terms_are_not() -> None:
    assert reason_against(Ahead(store=STORE, ramp=Ramp(1.0, 0.0))) == ""
