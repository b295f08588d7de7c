"""What a run did to the world outside the feeder: CO2, and the LMP where it answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.emissions import KG_PER_T
from dlmp_cosim.market.supply import SupplyCurve


@dataclass(frozen=True)
class Emissions:
    """CO2 of a run.

    Attributes
    ----------
    wholesale_t : float
        Net energy at the head times the marginal rate of its interval: what the feeder adds [t].
    own_t : float
        Emitted by generators on the feeder [t].
    total_t : float
        Both [t].
    intensity_kg_per_mwh : float
        Total over what was served.
    price_usd_per_t : float
        Price of CO2.
    cost_usd : float
        Total at that price: at the head it is part of what the wholesale side is paid; the rest is borne by
        the generators [$].
    """

    wholesale_t: float
    own_t: float
    total_t: float
    intensity_kg_per_mwh: float
    price_usd_per_t: float
    cost_usd: float


@dataclass(frozen=True)
class Answer:
    """How the LMP answered what the feeder draws.

    Attributes
    ----------
    rise_mean, rise_max : float
        Rise of the LMP, mean over time and largest [$/MWh].
    gap_cleared : float
        Largest distance of the LMP paid from the supply curve at the power that the final clearing expects
        [$/MWh].
    gap_realised : float
        The same at the power that AC realised, after controls acted [$/MWh].
    """

    rise_mean: float
    rise_max: float
    gap_cleared: float
    gap_realised: float


def read_emissions(results: Results, served_kwh: float) -> Emissions | None:
    """Add up the CO2 of a run; None where no marginal rate is on record.

    Parameters
    ----------
    results : Results
        The run.
    served_kwh : float
        Energy that all loads were served [kWh].
    """
    if "wholesale/emission_rate" not in results:
        return None
    section, hours = results.scenario["emissions"], results.period_h
    head = results.values("feeder/head_power_real").sum(axis=1)
    bought = hours / 1e3 * float(results.values("wholesale/emission_rate") @ head)
    rates = np.array([section["own"].get(name, 0.0) for name in results.network.resource_ids])
    own = hours / 1e3 * float((results.values("feeder/injection_real") @ rates).sum())
    total = bought + own
    return Emissions(
        wholesale_t=bought / KG_PER_T,
        own_t=own / KG_PER_T,
        total_t=total / KG_PER_T,
        intensity_kg_per_mwh=over(total, served_kwh / 1e3),
        price_usd_per_t=section["price"],
        cost_usd=total / KG_PER_T * section["price"],
    )


def read_answer(results: Results) -> Answer | None:
    """Hold the LMP of a run against its supply curve; None where it was given."""
    if "wholesale/lmp_answer" not in results:
        return None
    told = results.source["supply"]
    curve = SupplyCurve(tuple(told["kw"]), tuple(told["rise"]))
    rise = results.values("wholesale/lmp_answer")
    cleared, realised = (
        np.array([curve.rise_at(kw) for kw in results.values(key).sum(axis=1).tolist()])
        for key in ("market/predicted_head_power_real", "feeder/head_power_real")
    )
    return Answer(
        rise_mean=float(rise.mean()),
        rise_max=float(rise.max()),
        gap_cleared=float(np.abs(rise - cleared).max()),
        gap_realised=float(np.abs(rise - realised).max()),
    )


def over(part: float, whole: float) -> float:
    """Return a ratio; NaN where there is nothing to divide by.

    Parameters
    ----------
    part, whole : float
        What is divided, and by what; nothing is divided by 0 or less.
    """
    return part / whole if whole > 0.0 else float("nan")
