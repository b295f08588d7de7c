"""What a run cost, part by part, as its AC states came out."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dlmp_cosim.federates.contract.ahead import read_ahead
from dlmp_cosim.federates.results.run import Results


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
    place = {resource.name: k for k, resource in enumerate(resources)}
    own = wear = 0.0
    for key in results.keys:
        if not key.endswith("/offer"):
            continue
        for k, text in enumerate(results.texts(key)):
            for row in json.loads(text).get("offers", []) if text else []:
                kw = float(power[k, place[row["resource"]]])
                ahead = read_ahead(row["ahead"]) if row.get("ahead") else None
                if ahead is not None and ahead.rebound is not None:
                    kw = max(kw, 0.0)
                if resources[place[row["resource"]]].kind != "storage":
                    own += (
                        hours / 1e3 * (row["cost_linear"] * kw + row.get("cost_quadratic", 0.0) * kw**2 / 2)
                    )
                if ahead is not None and ahead.store is not None:
                    wear += hours / 1e3 * ahead.store.wear * abs(kw)
    return own, wear
