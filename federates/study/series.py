"""Prices and demand of a study, brought to its intervals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from federates.runtime.clock import Clock
from federates.study.study import Study
from feeders.network import FloatArray
from market.isone import Series, demand_ratio, read_series, resample, scale_to_mean
from market.isone.clock import day_start, eastern_day
from market.isone.series import with_values


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
    """

    lmp: FloatArray
    energy: FloatArray
    congestion: FloatArray
    loss: FloatArray
    demand_ratio: FloatArray
    source: dict[str, object]


def load_series(study: Study) -> WholesaleSeries:
    """Read the scenario's price and demand files and bring them to its intervals.

    A price file without parts counts as energy alone, and the source says so.

    Raises
    ------
    InputError
        When a file cannot be used or does not cover the run.
    """
    table, clock = study.scenario.wholesale, study.clock
    price = read_series(
        [study.data_file(name) for name in table.files], location=table.location, market=table.market
    )
    price = resample(price, clock.period_s, clock.start_utc, clock.intervals)
    if table.scale_to_mean:
        price = scale_to_mean(price, table.scale_to_mean)
    demand = read_series(
        [study.data_file(name) for name in table.demand_files or table.files],
        quantity="load",
        location=table.demand_location or table.location,
    )
    ratio = demand_ratio(_days_of_run(demand, clock))
    ratio = resample(ratio, clock.period_s, clock.start_utc, clock.intervals)
    nothing = np.zeros(clock.intervals)
    energy, congestion, loss = price.parts or (price.values, nothing, nothing)
    source: dict[str, object] = {
        "price": _origin(price),
        "demand": _origin(ratio),
        "parts": bool(price.parts),
    }
    return WholesaleSeries(price.values, energy, congestion, loss, ratio.values, source)


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
