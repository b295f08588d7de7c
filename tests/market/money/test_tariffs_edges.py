"""Tariffs on odd days: nobody at home, one interval, several intervals an hour, prices below nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.market.money.tariffs import Bill, TariffName, TariffTerms, Usage, bills, exposed

Rows = list[list[float]]


def usage(kwh: Rows, price: list[float], hour: list[int] | None = None, first: int = 16) -> Usage:
    energy = np.array(kwh, dtype=float)
    hours = np.array(range(len(kwh)) if hour is None else hour)
    return Usage(energy, energy * np.array(price)[:, None] / 1e3, hours, (first + hours) % 24)


def named(found: list[Bill]) -> dict[TariffName, Bill]:
    return {bill.tariff: bill for bill in found}


def test_a_day_of_one_interval_has_one_price_under_every_tariff() -> None:
    found = bills(usage([[2.0, 3.0]], [40.0]))
    for bill in found:
        assert bill.rate.tolist() == [40.0]
        assert bill.usd == pytest.approx([0.08, 0.12])
        assert bill.spread == pytest.approx([0.0, 0.0])


def test_who_used_nothing_pays_nothing_and_has_no_spread() -> None:
    for bill in bills(usage([[1.0, 0.0], [3.0, 0.0]], [20.0, 60.0])):
        assert (bill.usd[1], bill.spread[1], bill.spike_usd[1]) == (0.0, 0.0, 0.0)


def test_a_day_on_which_nobody_used_anything_costs_nothing() -> None:
    day = usage([[0.0, 0.0], [0.0, 0.0]], [20.0, 60.0])
    for bill in bills(day):
        assert not bill.usd.any()
        assert np.isfinite(bill.spread).all()
    assert set(exposed(bills(day), day).values()) == {0.0}


def test_intervals_of_an_hour_share_its_rate() -> None:
    found = named(bills(usage([[1.0], [3.0], [2.0], [2.0]], [10.0, 50.0, 20.0, 20.0], [0, 0, 1, 1])))
    assert found["hourly"].rate == pytest.approx([40.0, 40.0, 20.0, 20.0])


def test_the_peak_rate_is_for_local_hours() -> None:
    terms = TariffTerms(peak_hours=(0,))
    day = usage([[1.0]] * 3, [10.0, 90.0, 20.0], first=23)
    assert named(bills(day, terms))["time_of_use"].rate == pytest.approx([15.0, 90.0, 15.0])


@pytest.mark.parametrize(
    ("count", "rate"),
    [
        (0, [35.0, 35.0, 35.0, 35.0]),
        (1, [80 / 3, 80 / 3, 60.0, 80 / 3]),
        (2, [15.0, 50.0, 50.0, 15.0]),
        (9, [35.0, 35.0, 35.0, 35.0]),
    ],
)
def test_as_many_of_the_dearest_hours_as_are_asked_for_are_critical(count: int, rate: list[float]) -> None:
    day = usage([[1.0]] * 4, [10.0, 40.0, 60.0, 30.0])
    if count == 2:
        rate = [20.0, 50.0, 50.0, 20.0]
    found = named(bills(day, TariffTerms(critical_hours=count)))
    assert found["critical_peak"].rate == pytest.approx(rate)


def test_of_hours_equally_dear_the_first_is_critical() -> None:
    day = usage([[1.0]] * 3, [50.0, 50.0, 20.0])
    assert named(bills(day, TariffTerms(critical_hours=1)))["critical_peak"].rate == pytest.approx(
        [50.0, 35.0, 35.0]
    )


def test_negative_prices_are_passed_on() -> None:
    found = named(bills(usage([[1.0], [1.0]], [-30.0, 10.0])))
    assert found["flat"].usd == pytest.approx([-0.02])
    assert found["hourly"].rate == pytest.approx([-30.0, 10.0])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_fixed_block_bears_no_spike(share: float) -> None:
    day = usage([[1.0], [1.0]], [20.0, 60.0])
    found = bills(day, TariffTerms(block_share=share))
    assert exposed(found, day)["block_and_index"] == pytest.approx(1.0 - share)


def test_who_uses_less_than_his_block_in_the_dear_hour_gains_by_a_spike() -> None:
    bill = named(bills(usage([[9.0, 1.0], [1.0, 9.0]], [20.0, 60.0]), TariffTerms(block_share=0.5)))
    assert bill["block_and_index"].spike_usd[0] < 0.0 < bill["block_and_index"].spike_usd[1]


def test_a_spread_is_weighted_by_energy() -> None:
    found = named(bills(usage([[3.0], [1.0]], [20.0, 60.0])))
    assert found["hourly"].spread == pytest.approx([np.sqrt((3 * 10.0**2 + 30.0**2) / 4)])


def test_a_tariff_only_moves_money_between_customers() -> None:
    day = usage([[1.0, 2.0, 0.5], [0.0, 4.0, 1.0], [3.0, 0.0, 2.0]], [20.0, 90.0, -5.0])
    owed = day.usd.sum()
    assert [bill.usd.sum() for bill in bills(day)] == pytest.approx([owed] * 5)
