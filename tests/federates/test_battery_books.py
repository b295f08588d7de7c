"""The books of a battery: what stored energy is worth, from hand-worked days to any day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dlmp_cosim.federates.battery import BatterySettings, energy_values, stored

PLAIN = BatterySettings(energy_kwh=10.0, start_kwh=0.0, charge_efficiency=1.0, discharge_efficiency=1.0)
LOSSY = BatterySettings(energy_kwh=10.0, start_kwh=0.0, charge_efficiency=0.8, discharge_efficiency=0.5)
LEVELS = np.linspace(0.0, 10.0, 11)


@pytest.mark.parametrize(
    ("kw", "rate"), [(0.0, 0.0), (10.0, -20.0), (-10.0, 8.0), (1e-9, -2e-9), (-1e-9, 8e-10)]
)
def test_losses_fall_on_the_side_of_the_store(kw: float, rate: float) -> None:
    assert stored(kw, LOSSY) == pytest.approx(rate)


@given(st.floats(0.01, 1e3))
def test_what_goes_in_comes_out_less_both_losses(kw: float) -> None:
    gained = stored(-kw, LOSSY)
    assert stored(gained * 0.5, LOSSY) == pytest.approx(-gained)
    assert gained * 0.5 == pytest.approx(0.4 * kw)


def test_at_the_end_energy_is_worth_the_mean_price_less_the_loss_of_selling() -> None:
    worth = energy_values(np.array([20.0, 40.0]), LEVELS, LOSSY, 10.0)
    assert worth.shape == (3, 11)
    assert worth[-1] == pytest.approx([15.0] * 11)


def test_one_price_leaves_energy_at_that_price() -> None:
    worth = energy_values(np.full(4, 30.0), LEVELS, PLAIN, 10.0)
    assert worth == pytest.approx(np.full((5, 11), 30.0))


def test_a_lossless_battery_values_energy_at_what_it_saves_or_fetches() -> None:
    worth = energy_values(np.array([10.0, 50.0, 30.0]), LEVELS, PLAIN, 100.0)
    assert worth[1:, 5] == pytest.approx([50.0, 30.0, 30.0])
    assert worth[0, 5] == pytest.approx(10.0), "a kWh more is one less to buy at 10"


def test_a_narrow_connection_leaves_the_rest_for_the_second_best_price() -> None:
    """An interval moves 2 kWh: of 10 kWh, 2 go at 50, 2 at 40, and the rest at the mean price."""
    worth = energy_values(np.array([50.0, 40.0, 0.0]), LEVELS, PLAIN, 2.0)
    assert worth[0][1] == pytest.approx(50.0)
    assert worth[0][3] == pytest.approx(40.0)
    assert worth[0][8] == pytest.approx(30.0)


def test_wear_is_taken_off_what_energy_earns() -> None:
    worn = PLAIN.model_copy(update={"wear": 4.0})
    assert energy_values(np.array([50.0, 50.0]), LEVELS, worn, 100.0)[0][5] == pytest.approx(50.0)
    assert energy_values(np.array([80.0, 20.0]), LEVELS, worn, 100.0)[0][5] == pytest.approx(76.0)


def test_a_battery_that_cannot_move_keeps_its_end_value() -> None:
    worth = energy_values(np.array([10.0, 90.0]), LEVELS, PLAIN, 0.0)
    assert worth == pytest.approx(np.full((3, 11), 50.0))


def test_room_is_worth_something_where_a_price_is_negative() -> None:
    """Energy in store keeps one from being paid to draw."""
    worth = energy_values(np.array([-40.0, 40.0]), LEVELS, PLAIN, 100.0)
    assert worth[0][5] == pytest.approx(-40.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1.0, 200.0), min_size=1, max_size=8), st.floats(1.0, 50.0))
def test_values_lie_between_what_energy_costs_and_what_it_fetches(prices: list[float], most: float) -> None:
    worth = energy_values(np.array(prices), LEVELS, LOSSY, most)
    top = max(prices)
    assert worth.min() >= min(prices) * 0.5 - 1e-6
    assert worth.max() <= top / 0.8 + 1e-6


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-50.0, 200.0), min_size=1, max_size=6), st.floats(0.1, 10.0))
def test_values_scale_with_prices(prices: list[float], factor: float) -> None:
    one = energy_values(np.array(prices), LEVELS, LOSSY, 5.0)
    other = energy_values(factor * np.array(prices), LEVELS, LOSSY, 5.0)
    np.testing.assert_allclose(other, factor * one, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"energy_kwh": 0.0}, "energy_kwh"),
        ({"reserve_kwh": -1.0}, "reserve_kwh"),
        ({"charge_efficiency": 0.0}, "charge_efficiency"),
        ({"discharge_efficiency": 1.1}, "discharge_efficiency"),
        ({"wear": -0.1}, "wear"),
        ({"loss_per_hour": 1.0}, "loss_per_hour"),
        ({"end_kwh": -1.0}, "end_kwh"),
        ({"energy_kwh": float("nan")}, "energy_kwh"),
        ({"start_kwh": float("inf")}, "start_kwh"),
        ({"colour": 1.0}, "colour"),
    ],
)
def test_settings_that_no_battery_has_are_refused_by_their_key(change: dict[str, float], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BatterySettings(**{"energy_kwh": 100.0, "start_kwh": 50.0, **change})  # type: ignore[arg-type]
    assert [detail["loc"] for detail in caught.value.errors()] == [(key,)]
