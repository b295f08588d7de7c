"""What a market that looks ahead says of its steps, in numbers that are told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.federates.contract.heard import price_at
from dlmp_cosim.federates.contract.horizon import horizon_text
from dlmp_cosim.federates.study.series_sections import ForecastSection
from dlmp_cosim.market.horizon.outlook import HorizonPlan, Outlook, PlannedStep, Step
from dlmp_cosim.market.horizon.steps import Span
from dlmp_cosim.market.offers import WholesalePrice
from tests.handmade import chain, generator, load

NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), generator("cell", "b")])
OUTLOOK = Outlook(
    (
        Step(Span(8, 9), 0.25, WholesalePrice(30.0), np.array([40.0 + 10j])),
        Step(Span(9, 12), 0.75, WholesalePrice(50.0), np.array([20.0 + 5j])),
    )
)


def planned(head: float, base: float) -> PlannedStep:
    price = base + np.array([0.0, 0.0, 0.0, 1.0, 2.0, 6.0])
    voltage = np.array([1.0, 1.01, 1.02, 0.97, 0.0, 0.99])
    return PlannedStep(np.array([10.0 + 1j, -head]), price, voltage, head)


PLAN = HorizonPlan(
    OUTLOOK, (planned(90.0, 30.0), planned(70.0, 50.0)), ("cell",), {"cell": np.array([5.0, 7.5])},
    ("cell is 2 kWh short",), (), 12.5,
)  # fmt: skip


def told(plan: HorizonPlan | None) -> dict[str, Any]:
    text: dict[str, Any] = json.loads(horizon_text(NETWORK, ForecastSection(), 8, OUTLOOK, plan))
    return text


def test_what_was_expected_is_told_without_a_plan() -> None:
    found = told(None)
    assert found == {
        "interval": 8,
        "forecast": {"price": "day_ahead", "demand": "day_ahead", "pv": "persistence"},
        "steps": [
            {"first": 8, "after": 9, "lmp": 30.0, "demand_kw": 40.0},
            {"first": 9, "after": 12, "lmp": 50.0, "demand_kw": 20.0},
        ],
        "resources": {}, "short": [], "both_ways": [], "cost": None,
    }  # fmt: skip


def test_a_plan_says_prices_voltages_and_powers_of_every_step() -> None:
    found = told(PLAN)
    first = found["steps"][0]
    assert (first["head_kw"], first["dlmp_low"], first["dlmp_high"]) == (90.0, 30.0, 36.0)
    assert first["dlmp_mean"] == pytest.approx(31.5)
    assert (first["voltage_low"], first["voltage_high"]) == (0.97, 1.02), "a dead node has no voltage"
    assert (found["short"], found["cost"]) == (["cell is 2 kWh short"], 12.5)


def test_resources_with_terms_over_time_have_their_plan() -> None:
    (name,) = told(PLAN)["resources"]
    row = told(PLAN)["resources"][name]
    assert name == "cell"
    assert (row["kw"], row["energy_kwh"]) == ([-90.0, -70.0], [5.0, 7.5])
    assert row["dlmp"] == pytest.approx([33.0, 53.0])


def test_a_resource_sees_the_mean_price_of_its_phases() -> None:
    price = np.array([0.0, 0.0, 0.0, 10.0, 20.0, 60.0])
    assert price_at(NETWORK, NETWORK.resources[0], price) == pytest.approx(30.0)
