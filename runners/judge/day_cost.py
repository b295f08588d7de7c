"""What a run cost, part by part, as its AC states came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlmp_cosim.federates.contract.ahead import read_ahead
from dlmp_cosim.federates.contract.limits import is_sound
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.market.horizon.terms import Ahead
from dlmp_cosim.runners.judge.offered import owned_rows


@dataclass(frozen=True)
class DayCost:
    """Cost of a run, from what AC realised.

    Attributes
    ----------
    energy_usd : float
        Bought at the LMP but for losses, and resources' own costs.
    losses_usd : float
        Losses at the LMP.
    wear_usd : float
        Wear of stores.
    voltage_usd, congestion_usd : float
        Penalties of voltages and ratings that AC states broke.
    total_usd : float
        All of it.
    peak_kw : float
        Largest head power.
    losses_kwh : float
        Energy lost.
    """

    energy_usd: float
    losses_usd: float
    wear_usd: float
    voltage_usd: float
    congestion_usd: float
    total_usd: float
    peak_kw: float
    losses_kwh: float


def day_cost(results: Results) -> DayCost:
    """Sum up what a run cost.

    Parameters
    ----------
    results : Results
        An open results file.
    """
    hours, lmp = results.period_h, results.values("wholesale/lmp")
    head = results.values("feeder/head_power_real").sum(axis=1)
    losses = results.values("feeder/losses_real")
    own, wear = _own_costs(results)
    section = results.scenario["market"]
    penalty = {"rating": section["rating_penalty"]}
    broken = {"voltage": 0.0, "congestion": 0.0}
    for verdict in results.records("audit/verdict"):
        for item in verdict["violations"]:
            kind = "congestion" if item["kind"] == "rating" else "voltage"
            excess = abs(item["value"] - item["limit"]) / (item["limit"] if kind == "congestion" else 1.0)
            broken[kind] += hours * excess * penalty.get(item["kind"], section["voltage_penalty"])
    energy = hours / 1e3 * float(lmp @ (head - losses)) + own
    lost = hours / 1e3 * float(lmp @ losses)
    return DayCost(
        energy_usd=energy,
        losses_usd=lost,
        wear_usd=wear,
        voltage_usd=broken["voltage"],
        congestion_usd=broken["congestion"],
        total_usd=energy + lost + wear + broken["voltage"] + broken["congestion"],
        peak_kw=float(head.max(initial=0.0)),
        losses_kwh=hours * float(losses.sum()),
    )


def _own_costs(results: Results) -> tuple[float, float]:
    """Sum the costs that resources offered for what they were dispatched to, and the wear of stores [$].

    What a storage bids is a value that it expects of later, and no cost.
    """
    hours, resources = results.period_h, results.network.resources
    power = results.values("market/dispatch_real")
    own = wear = 0.0
    for interval, k, row in owned_rows(results):
        offered, worn = _costs(row, float(power[interval, k]))
        own += hours / 1e3 * offered if resources[k].kind != "storage" else 0.0
        wear += hours / 1e3 * worn
    return own, wear


def _costs(row: Mapping[str, Any], kw: float) -> tuple[float, float]:
    """Cost and wear of a power by its offer [$/MWh times kW]; nothing by one that no market takes."""
    linear, quadratic = row.get("cost_linear"), row.get("cost_quadratic", 0.0)
    if not (is_sound(linear) and is_sound(quadratic)):
        return 0.0, 0.0
    try:
        ahead = read_ahead(row["ahead"]) if row.get("ahead") else Ahead()
    except ValueError:
        return 0.0, 0.0
    if ahead.rebound is not None:
        kw = max(kw, 0.0)
    worn = ahead.store.wear * abs(kw) if ahead.store is not None else 0.0
    return float(linear) * kw + float(quadratic) * kw**2 / 2, worn  # type: ignore[arg-type]
