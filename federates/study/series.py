"""Prices and demand of a study, brought to its intervals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.emissions import carbon_cost, emission_rates
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.isone import Series, demand_ratio, read_series, resample, scale_to_mean
from dlmp_cosim.market.isone.clock import day_start, eastern_day
from dlmp_cosim.market.isone.series import with_values


@dataclass(frozen=True)
class WholesaleSeries:
    """What the wholesale federate replays, one entry per interval.

    Attributes
    ----------
    lmp, energy, congestion, loss : ndarray, shape (n_interval,)
        Price at the feeder head and its parts [$/MWh].
    demand_ratio : ndarray, shape (n_interval,)
        Demand as a share of its peak.
    source : dict
        Files, location and everything derived.
    scale : float
        Factor on the prices as published.
    emission : ndarray, shape (n_interval,)
        Marginal emission rate at the head [kg/MWh]; its price is part of `lmp`, and none of the three parts.
    """

    lmp: FloatArray
    energy: FloatArray
    congestion: FloatArray
    loss: FloatArray
    demand_ratio: FloatArray
    source: dict[str, object]
    scale: float = 1.0
    emission: FloatArray = field(default_factory=lambda: np.zeros(0))


def load_series(study: Study, seen: Clock | None = None) -> WholesaleSeries:
    """Read the scenario's price and demand files and bring them to its intervals.

    A price file without parts counts as energy alone, and the source says so.

    Parameters
    ----------
    study : Study
        Names the files.
    seen : Clock, optional
        More intervals than those of the run, for who looks ahead; scale and peak are those of the run.

    Raises
    ------
    InputError
        When a file cannot be used or does not cover the run.
    """
    if seen is not None and seen.intervals > study.clock.intervals:
        return _beyond(study, seen)
    table, clock = study.scenario.wholesale, study.clock
    price = read_series(
        [study.data_file(name, "wholesale.files") for name in table.files],
        location=table.location,
        market=table.market,
    )
    price = resample(price, clock.period_s, clock.start_utc, clock.intervals)
    published = float(price.values.mean())
    if table.scale_to_mean:
        price = scale_to_mean(price, table.scale_to_mean)
    ratio = demand_ratio(_days_of_run(_demand(study), clock))
    ratio = resample(ratio, clock.period_s, clock.start_utc, clock.intervals)
    scale = table.scale_to_mean / published if table.scale_to_mean else 1.0
    nothing = np.zeros(clock.intervals)
    energy, congestion, loss = price.parts or (price.values, nothing, nothing)
    source: dict[str, object] = {
        "price": _origin(price),
        "demand": _origin(ratio),
        "parts": bool(price.parts),
    }
    rates = emission_rates(study, clock)
    lmp = price.values
    if study.scenario.emissions.price:
        lmp = lmp + carbon_cost(study, clock)
        source["carbon_price"] = study.scenario.emissions.price
    return WholesaleSeries(lmp, energy, congestion, loss, ratio.values, source, scale, rates)


def peak_demand(study: Study) -> float:
    """Return the demand that a demand ratio of 1 stands for [MW]."""
    return float(_days_of_run(_demand(study), study.clock).values.max())


def _demand(study: Study) -> Series:
    table = study.scenario.wholesale
    return read_series(
        [study.data_file(name, "wholesale.demand_files") for name in table.demand_files or table.files],
        quantity="load",
        location=table.demand_location or table.location,
    )


def _beyond(study: Study, seen: Clock) -> WholesaleSeries:
    """Read further than the run: its own series, and what comes after it by the same scale and peak."""
    own, table, n = load_series(study), study.scenario.wholesale, study.clock.intervals
    files = [study.data_file(name) for name in table.files]
    price = read_series(files, location=table.location, market=table.market)
    more = resample(price, seen.period_s, seen.start_utc, seen.intervals).values[n:] * own.scale
    more = more + carbon_cost(study, seen)[n:]
    demand = resample(_demand(study), seen.period_s, seen.start_utc, seen.intervals).values[n:]
    nothing = np.zeros(len(more))
    return replace(
        own,
        lmp=np.append(own.lmp, more),
        energy=np.append(own.energy, more),
        congestion=np.append(own.congestion, nothing),
        loss=np.append(own.loss, nothing),
        demand_ratio=np.append(own.demand_ratio, demand / peak_demand(study)),
        emission=emission_rates(study, seen),
    )


def _days_of_run(series: Series, clock: Clock) -> Series:
    """Keep the whole Eastern days that the run touches: their peak is what demand is a share of."""
    begin = day_start(eastern_day(clock.start_utc))
    end = day_start(eastern_day(clock.utc(clock.intervals) - 1) + timedelta(days=1))
    kept = (series.start >= begin) & (series.start < end)
    return with_values(series, series.start[kept], series.values[kept], (), series.step_s)


def _origin(series: Series) -> dict[str, object]:
    return {
        "location": series.location,
        "market": series.market,
        "derived": list(series.derived),
        "warnings": list(series.warnings),
    }
