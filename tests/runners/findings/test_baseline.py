"""What an inflated baseline gains under three rules, on one load and three intervals."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from dlmp_cosim.runners.findings.baseline import payments
from tests.handmade import chain, generator, load

SHED = replace(generator("shed", "b"), kind="flexible_load", load="x")
NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), SHED])
TIMES = pd.date_range("2020-08-25", periods=3, freq="30min", tz="UTC")
PRICES = {"b.1": [30.0, 60.0, 90.0], "b.2": [30.0, 60.0, 90.0], "b.3": [60.0, 60.0, 0.0]}
"""Means over phases of 40, 60 and 60 $/MWh."""


def run(award: list[float], used: list[float]) -> Any:
    frames = {
        "market/dispatch_real": pd.DataFrame({"g": [99.0] * 3, "shed": award}, index=TIMES),
        "feeder/load_real": pd.DataFrame({"x": used}, index=TIMES),
        "market/dlmp_real": pd.DataFrame(PRICES, index=TIMES),
    }
    return SimpleNamespace(network=NETWORK, frame=frames.__getitem__)


def test_a_claimed_baseline_is_paid_for_what_never_was() -> None:
    """A fifth more than 100 kW is 20 kW, at 40 and 60 $/MWh for half an hour each; the last is not called."""
    table = payments(run([10.0, 20.0, 0.0], [90.0, 80.0, 100.0]), 0.2)
    honest = (10.0 * 40.0 + 20.0 * 60.0) * 0.5 / 1e3
    assert table.loc["award"].tolist() == pytest.approx([honest, honest, 0.0])
    gain = (20.0 * 40.0 + 20.0 * 60.0) * 0.5 / 1e3
    assert table.loc["claimed baseline"].tolist() == pytest.approx([honest, honest + gain, gain])
    assert table.loc["bought baseline"].tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_without_inflation_a_claim_is_the_award() -> None:
    table = payments(run([10.0, 20.0, 5.0], [90.0, 80.0, 95.0]), 0.0)
    assert table.loc["claimed baseline", "honest"] == pytest.approx(table.loc["award", "honest"])
    assert table["gain"].tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_an_award_of_next_to_nothing_calls_nobody() -> None:
    table = payments(run([5e-4, 0.0, 0.0], [100.0] * 3), 0.5)
    assert table["inflated"].tolist() == [0.0, 0.0, 0.0]
