"""Tariffs by hand on two customers and four hours, and what holds on any day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlmp_cosim.market.money.tariffs import TITLES, Bill, TariffName, TariffTerms, Usage, bills, exposed

TERMS = TariffTerms(peak_hours=(18, 19), critical_hours=1, block_share=0.5)


def usage(kwh: np.ndarray, price: np.ndarray) -> Usage:
    hours = np.arange(len(kwh))
    return Usage(kwh, kwh * price / 1e3, hours, 16 + hours % 8)


def day() -> Usage:
    """The first customer uses energy evenly, the second in the dear hour alone; one price for both."""
    return usage(
        np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 4.0], [1.0, 0.0]]),
        np.array([[20.0], [20.0], [100.0], [40.0]]),
    )


def bill_of(name: TariffName, found: list[Bill]) -> Bill:
    return next(bill for bill in found if bill.tariff == name)


def test_rates_by_hand() -> None:
    found = bills(day(), TERMS)
    mean = (20 + 20 + 5 * 100 + 40) / 8
    assert bill_of("flat", found).rate == pytest.approx([mean] * 4)
    assert bill_of("time_of_use", found).rate == pytest.approx([20, 20, 90, 90])
    assert bill_of("critical_peak", found).rate == pytest.approx([80 / 3, 80 / 3, 100, 80 / 3])
    assert bill_of("hourly", found).rate == pytest.approx([20, 20, 100, 40])


def test_a_flat_rate_moves_money_to_who_uses_the_dear_hour() -> None:
    found = bills(day(), TERMS)
    even, peaky = bill_of("flat", found).usd
    assert even == pytest.approx(4 * 72.5 / 1e3)
    assert peaky == pytest.approx(4 * 72.5 / 1e3)
    assert bill_of("hourly", found).usd == pytest.approx([0.18, 0.4])


def test_the_block_is_bought_at_the_mean_price_and_the_rest_floats() -> None:
    found = bills(day(), TERMS)
    block, hourly = bill_of("block_and_index", found), bill_of("hourly", found)
    assert block.usd == pytest.approx(hourly.usd)
    assert block.spike_usd == pytest.approx([0.05, 0.35])
    assert hourly.spike_usd == pytest.approx([0.1, 0.4])


def test_who_bears_a_spike() -> None:
    share = exposed(bills(day(), TERMS), day())
    assert share["flat"] == share["time_of_use"] == share["critical_peak"] == 0.0
    assert share["hourly"] == pytest.approx(1.0)
    assert share["block_and_index"] == pytest.approx(0.8)


def test_a_flat_rate_does_not_swing_and_an_hourly_one_does() -> None:
    found = bills(day(), TERMS)
    assert bill_of("flat", found).spread == pytest.approx([0.0, 0.0], abs=1e-9)
    assert bill_of("hourly", found).spread[0] == pytest.approx(np.std([20, 20, 100, 40]))


def test_every_tariff_is_there_in_order() -> None:
    assert [bill.tariff for bill in bills(day())] == list(TITLES)


energies = hnp.arrays(np.float64, (6, 3), elements=st.one_of(st.just(0.0), st.floats(1e-3, 50.0)))
prices = hnp.arrays(np.float64, (6, 3), elements=st.floats(-20.0, 200.0))


@given(energies, prices)
def test_every_tariff_collects_what_the_prices_collect(kwh: np.ndarray, price: np.ndarray) -> None:
    found = usage(kwh, price)
    for bill in bills(found, TERMS):
        assert bill.usd.sum() == pytest.approx(found.usd.sum(), abs=1e-6)
        assert np.isfinite(bill.spread).all()


@given(energies, st.floats(1.0, 100.0))
def test_one_price_for_all_makes_all_tariffs_equal(kwh: np.ndarray, price: float) -> None:
    found = bills(usage(kwh, np.full((6, 3), price)), TERMS)
    for bill in found:
        assert bill.usd == pytest.approx(found[0].usd, abs=1e-6)
        assert (
            bill.spread[kwh.sum(axis=0) > 1e-3] == pytest.approx(0.0, abs=1e-3)
            or bill.tariff == "block_and_index"
        )
