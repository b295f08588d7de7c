"""The published figures beside ours: computed from arrays that are known by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.market.money.payment_schemes import MODELS, Money, Scenario
from dlmp_cosim.runners.compare.replication import (
    Day,
    Figure,
    compare,
    price_figures,
    replication_command,
    spreads,
)
from dlmp_cosim.runners.compare.scenarios import Outcome


def day() -> Day:
    """Two hours, two nodes."""
    return Day(
        lmp=np.array([20.0, 40.0]),
        real=np.array([[20.0, 22.0], [40.0, 80.0]]),
        reactive=np.array([[1.0, -1.0], [4.0, 2.0]]),
        demand=np.array([0.5, 1.0]),
        hours=1.0,
    )


def outcome(name: Scenario, load_usd: float, kwh: float) -> Outcome:
    money = Money(load_usd, 0.0, 0.0, 10.0, load_usd, 0.0, 10.0)
    return Outcome(name, money, {"load": kwh}, [1.0, 5.0], 1, 0.95, 1.05, 0)


def figures() -> dict[str, Figure]:
    outcomes = {name: outcome(name, 30.0 if name == "market" else 90.0, 100.0) for name in MODELS}
    outcomes["market"] = outcome("market", 30.0, 90.0)
    return {figure.name: figure for figure in compare(day(), outcomes)}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("average LMP", "0.0300 $/kWh"),
        ("average real d-LMP", "0.0405 $/kWh"),
        ("average real d-LMP over average LMP", "+35.0 %"),
        ("highest over lowest real d-LMP in one interval", "median 1.55, at most 2.00"),
        ("highest over lowest reactive d-LMP at one node over the day", "median of 1 nodes 4.00"),
        ("correlation of reactive d-LMP and demand", "1.00"),
        ("hour of the highest LMP", "2"),
        ("hour of the peak load", "2"),
        ("hour in which resources are used most", "2"),
        (
            "load served, market against the scenarios without demand response",
            "90 against at least 100 kWh (-10.0 %)",
        ),
        ("net revenue of the operator, Market", "20 $"),
        ("what customers pay, market against the cheapest tariff", "30 against 90 $"),
    ],
)
def test_figures_by_hand(name: str, ours: str) -> None:
    assert figures()[name].ours == ours


def test_every_figure_has_a_published_one() -> None:
    assert all(figure.published for figure in figures().values())


def test_a_price_that_changes_sign_has_no_ratio() -> None:
    found = spreads(np.array([[1.0, 3.0], [-1.0, 3.0], [-2.0, -6.0], [0.0, 1.0]]))
    assert found == pytest.approx([3.0, np.nan, 3.0, np.nan], nan_ok=True)


def test_prices_that_all_change_sign_have_no_figure() -> None:
    other = Day(np.ones(2), np.array([[1.0, -1.0]] * 2), np.array([[1.0], [-1.0]]), np.array([0.5, 1.0]), 1.0)
    found = {figure.name: figure.ours for figure in price_figures(other)}
    assert "not defined" in found["highest over lowest real d-LMP in one interval"]
    assert (
        found["highest over lowest reactive d-LMP at one node over the day"]
        == "median of 0 nodes not defined"
    )


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(replication_command, [str(tmp_path), "--json"])
    assert result.exit_code == 1
    assert "there is no such file" in result.output
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.output)
