"""Limits that a market plans for, and those of the steps ahead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlmp_cosim.market.settings import MarketSettings


@pytest.mark.parametrize(("margin", "low", "high"), [(0.0, 0.95, 1.05), (0.01, 0.96, 1.04), (0.05, 1.0, 1.0)])
def test_a_margin_narrows_the_band_from_both_sides(margin: float, low: float, high: float) -> None:
    settings = MarketSettings(voltage_margin_pu=margin)
    assert (settings.voltage_low_pu, settings.voltage_high_pu) == pytest.approx((low, high))


@pytest.mark.parametrize(("band", "low", "high"), [(0.02, 0.93, 1.07), (0.005, 0.945, 1.055)])
def test_later_steps_have_a_wider_band(band: float, low: float, high: float) -> None:
    later = MarketSettings(horizon_voltage_pu=band).later
    assert (later.voltage_min_pu, later.voltage_max_pu) == pytest.approx((low, high))


def test_nothing_else_differs_later() -> None:
    settings = MarketSettings(method="pac", voltage_margin_pu=0.01, tolerance=1e-6)
    back = replace(settings.later, voltage_min_pu=0.95, voltage_max_pu=1.05)
    assert back == settings


def test_without_a_band_later_is_as_now() -> None:
    settings = MarketSettings(horizon_voltage_pu=0.0)
    assert settings.later is settings
