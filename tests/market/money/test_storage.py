"""The books of a store, against hand-made days."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.horizon.terms import Store
from dlmp_cosim.market.money.storage import account_store, foresight
from tests.market.horizon.support import textbook

STORE = Store(50.0, 100.0, 0.0, 0.9, 0.8, wear=1.0)


def test_foresight_buys_cheap_and_sells_dear() -> None:
    # 50 kWh are there; the cheap hour fills the rest, the dear hour sells 40 kW for an hour.
    earned = foresight(Store(50.0, 100.0, 0.0, 0.9, 0.8, end_kwh=50.0), 40.0, np.array([10.0, 90.0]), 1.0)
    sold = 0.8 * 0.9 * 40.0
    assert earned == pytest.approx((sold * 90.0 - 40.0 * 10.0) / 1e3)


@settings(max_examples=20, deadline=None)
@given(prices=st.lists(st.floats(5.0, 90.0), min_size=2, max_size=12))
def test_foresight_is_the_textbook_program(prices: list[float]) -> None:
    store = Store(50.0, 100.0, 5.0, 0.9, 0.8, 0.01, end_kwh=20.0, wear=1.0)
    assert foresight(store, 40.0, np.array(prices), 0.5) == pytest.approx(
        textbook(prices, store, 40.0, 0.5)[0]
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-20.0, 20.0), min_size=1, max_size=10), st.floats(5.0, 90.0))
def test_nobody_earns_more_than_foresight(powers: list[float], level: float) -> None:
    price = level * (1 + 0.5 * np.sin(np.arange(len(powers))))
    energy, power = STORE.energy_kwh, []
    for kw in powers:
        low, high = STORE.bounds(energy, 1.0)
        power.append(float(np.clip(kw, low, high)))
        energy = STORE.after(energy, power[-1], 1.0)
    account = account_store(STORE, 20.0, np.array(power), price, 1.0, None)
    assert account.earned <= account.foresight + 1e-6
    assert account.energy_kwh[-1] == pytest.approx(energy)


def test_an_owner_who_lost_is_made_whole() -> None:
    price = np.array([60.0, 20.0])
    account = account_store(STORE, 50.0, np.array([-10.0, 7.2]), price, 1.0, np.array([59.0, 50.0]))
    assert account.earned == pytest.approx((-600.0 + 144.0 - 17.2) / 1e3)
    assert account.kept == pytest.approx(0.0, abs=1e-12)
    assert account.uplift == pytest.approx(-account.earned)
    assert account.conserved_kwh < 1e-12


def test_what_an_owner_says_otherwise_shows() -> None:
    account = account_store(STORE, 50.0, np.array([-10.0]), np.array([20.0]), 1.0, np.array([58.0]))
    assert account.conserved_kwh == pytest.approx(1.0)


def test_terms_without_a_way_are_said() -> None:
    with pytest.raises(ClearingError, match="best course cannot be found"):
        foresight(Store(0.0, 100.0, 0.0, end_kwh=90.0), 1.0, np.array([10.0]), 1.0)


LOSSY = Store(0.0, 10.0, 0.0, 0.9, 0.9)


@pytest.mark.parametrize(
    ("store", "prices", "earned"),
    [
        pytest.param(LOSSY, [-50.0], 10.0 / 0.9 * 50.0, id="it is paid to fill up, and no more"),
        pytest.param(Store(10.0, 10.0, 0.0, 0.9, 0.9), [-50.0], 0.0, id="a full one has no room"),
        pytest.param(
            Store(10.0, 10.0, 0.0, 0.9, 0.9),
            [-5.0, -50.0],
            -9.0 * 5.0 + 10.0 / 0.9 * 50.0,
            id="it pays to be rid",
        ),
        pytest.param(LOSSY, [-50.0, 30.0], 10.0 / 0.9 * 50.0 + 9.0 * 30.0, id="and sells later"),
        pytest.param(Store(0.0, 10.0), [-50.0, 0.0], 10.0 * 50.0, id="without losses"),
    ],
)
def test_energy_is_not_burnt_by_charging_and_giving_at_once(
    store: Store, prices: list[float], earned: float
) -> None:
    """At 100 kW it would be worth thousands, and no store can do it."""
    assert foresight(store, 100.0, np.array(prices), 1.0) == pytest.approx(earned / 1e3)


@settings(max_examples=15, deadline=None)
@given(prices=st.lists(st.floats(-60.0, 90.0), min_size=1, max_size=6))
def test_foresight_is_the_best_of_all_ways_to_charge_or_give(prices: list[float]) -> None:
    """By dynamic programming over a grid of energies, which every power of the store keeps to."""
    levels = np.arange(0.0, 4.0)
    store, best = Store(0.0, 3.0, 0.0, 0.5, 0.5), np.where(levels == 0.0, 0.0, -np.inf)
    for price in prices:
        rise = levels[None, :] - levels[:, None]
        power = np.where(rise > 0.0, -rise / 0.5, -rise * 0.5)
        best = (best[:, None] + price * power / 1e3).max(axis=0)
    assert foresight(store, 6.0, np.array(prices), 1.0) == pytest.approx(best.max(), abs=1e-6)
