"""What a market that looks ahead says of its steps, as JSON."""

from __future__ import annotations

from typing import Any

from dlmp_cosim.federates.contract.heard import price_at
from dlmp_cosim.federates.contract.messages import encode
from dlmp_cosim.federates.study.series_sections import ForecastSection
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.market.horizon.outlook import HorizonPlan, Outlook, PlannedStep


def horizon_text(
    network: Network, forecast: ForecastSection, interval: int, outlook: Outlook, plan: HorizonPlan | None
) -> str:
    """Write what was expected and planned in an interval; only the first step is dispatched and paid.

    Parameters
    ----------
    network : Network
        The feeder.
    forecast : ForecastSection
        Names of the forecasts.
    interval : int
        Which interval.
    outlook : Outlook
        What was expected.
    plan : HorizonPlan or None
        What is planned; None where nothing was cleared ahead.
    """
    planned = plan.steps if plan is not None else [None] * len(outlook.steps)
    rows = []
    for step, mine in zip(outlook.steps, planned, strict=True):
        row: dict[str, Any] = {
            "first": step.span.first,
            "after": step.span.after,
            "lmp": step.price.lmp,
            "demand_kw": float(step.demand.real.sum()),
        }
        rows.append(row if mine is None else row | _planned(mine))
    return encode(
        {
            "interval": interval,
            "forecast": forecast.model_dump(),
            "steps": rows,
            "resources": {} if plan is None else _resources(network, plan),
            "short": [] if plan is None else list(plan.short),
            "both_ways": [] if plan is None else list(plan.both_ways),
            "cost": None if plan is None else plan.cost,
        }
    )


def _planned(step: PlannedStep) -> dict[str, float]:
    return {
        "head_kw": step.head_kw,
        "dlmp_mean": float(step.price.mean()),
        "dlmp_low": float(step.price.min()),
        "dlmp_high": float(step.price.max()),
        "voltage_low": float(step.voltage[step.voltage > 0].min()),
        "voltage_high": float(step.voltage.max()),
    }


def _resources(network: Network, plan: HorizonPlan) -> dict[str, dict[str, list[float]]]:
    """Plan of every resource with terms over time: powers, prices where it is, and energy of a store."""
    found = {}
    place = {resource.name: k for k, resource in enumerate(network.resources)}
    for name in plan.coupled:
        k = place[name]
        row = {
            "kw": [float(step.dispatch[k].real) for step in plan.steps],
            "dlmp": [price_at(network, network.resources[k], step.price) for step in plan.steps],
        }
        if name in plan.energy_kwh:
            row["energy_kwh"] = plan.energy_kwh[name].tolist()
        found[name] = row
    return found
