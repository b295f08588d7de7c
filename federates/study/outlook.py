"""What is expected of the steps ahead: which they are, their prices and their demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.emissions import carbon_cost
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.series import load_series, peak_demand
from dlmp_cosim.federates.study.series_sections import FORECASTS
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.market.horizon.outlook import Outlook, Step
from dlmp_cosim.market.horizon.steps import Span, StepGroup, spans
from dlmp_cosim.market.isone import read_series, resample
from dlmp_cosim.market.isone.clock import day_start, eastern_day
from dlmp_cosim.market.offers import WholesalePrice


def horizon_spans(scenario: Scenario, interval: int) -> tuple[Span, ...]:
    """Lay out the steps that an interval clears, the interval itself first.

    Parameters
    ----------
    scenario : Scenario
        Says which steps.
    interval : int
        The interval, from 0.
    """
    section, clock = scenario.market, scenario.clock
    groups = tuple(StepGroup(60 * group.minutes, group.steps) for group in section.horizon)
    last: int | None = clock.intervals
    if section.horizon_end == "none":
        last = None
    elif section.horizon_end == "midnight":
        last = _midnight(clock, interval)
    return spans(groups, clock.period_s, interval, last)


def _midnight(clock: Clock, interval: int) -> int:
    """First interval that starts at or after the next local midnight."""
    now = clock.utc(interval)
    end = day_start(eastern_day(now) + timedelta(days=1))
    return interval + -(-(end - now) // clock.period_s)


def intervals_seen(scenario: Scenario) -> int:
    """Say how many intervals from the start of the run on its horizons reach."""
    return max(horizon_spans(scenario, k)[-1].after for k in range(scenario.clock.intervals))


class Forecaster:
    """Says in every interval what is expected of the steps ahead.

    Parameters
    ----------
    study : Study
        Names the forecasts and the files behind them.

    Raises
    ------
    InputError
        When a file cannot be used, or the horizon reaches beyond the data.
    """

    def __init__(self, study: Study) -> None:
        scenario = study.scenario
        self._scenario, self._clock = scenario, study.clock
        self._load_scale = scenario.feeder.load_scale
        seen = replace(study.clock, intervals=max(intervals_seen(scenario), study.clock.intervals))
        names = scenario.forecast
        self._price = _series(study, "price", names.price, seen, (_day_ahead_price, _price_as_it_comes))
        self._ratio = _series(study, "demand", names.demand, seen, (_day_ahead_ratio, _ratio_as_it_comes))

    def outlook(self, network: Network, interval: int, price: WholesalePrice, ratio: float) -> Outlook:
        """Say what is expected; the first step is the interval as it is.

        Parameters
        ----------
        network : Network
            The feeder.
        interval : int
            Which interval.
        price : WholesalePrice
            Price now.
        ratio : float
            Demand ratio now.
        """
        hours = self._clock.period_s / 3600.0
        steps = []
        for k, span in enumerate(horizon_spans(self._scenario, interval)):
            expected, share = price, ratio
            if k:
                lmp = price.lmp if self._price is None else float(self._price[span.first : span.after].mean())
                expected = WholesalePrice(lmp=lmp, energy=lmp, reactive=price.reactive)
                share = ratio if self._ratio is None else float(self._ratio[span.first : span.after].mean())
            demand = self._demand(network, span, share)
            steps.append(Step(span, span.intervals * hours, expected, demand))
        return Outlook(tuple(steps))

    def _demand(self, network: Network, span: Span, ratio: float) -> ComplexArray:
        """Demand of a step: the mean over its intervals where loads have profiles of their own."""
        last = self._clock.intervals - 1
        at = range(span.first, span.after) if network.profiles else (span.first,)
        each = [nominal_demand(network, min(k, last), ratio, self._load_scale) for k in at]
        return np.asarray(np.mean(each, axis=0))


Reader = Callable[[Study, Clock], FloatArray]


def _series(
    study: Study, what: str, name: str, clock: Clock, readers: tuple[Reader, Reader]
) -> FloatArray | None:
    """Find the expected value of every interval; None where the present one is expected to last."""
    if name == "persistence":
        return None
    if name not in FORECASTS:
        return read_forecast(study, what, name, clock, FORECASTS)
    day_ahead, perfect = readers
    try:
        return (day_ahead if name == "day_ahead" else perfect)(study, clock)
    except InputError as error:
        if clock.intervals <= study.clock.intervals:
            raise
        raise InputError(
            f"the horizon reaches beyond the data, to {clock.label(clock.intervals)}: {error}",
            where=f"{study.scenario_file} market.horizon",
            expected='data to there, or horizon_end = "run"',
        ) from None


def read_forecast(study: Study, what: str, name: str, clock: Clock, known: Sequence[str]) -> FloatArray:
    """Read a forecast from the file that a scenario names.

    Parameters
    ----------
    study : Study
        The study.
    what : str
        Key of its section ``forecast``.
    name : str
        What the key says.
    clock : Clock
        The intervals wanted.
    known : sequence of str
        Names that would not be files.

    Raises
    ------
    InputError
        When there is no such file, or it is no forecast.
    """
    where = f"{study.scenario_file} forecast.{what}"
    if not study.data_file(name).is_file():
        raise unknown_name("forecast", name, known, where=where)
    return read_steps(study.data_file(name), clock, where)


def _price_as_it_comes(study: Study, clock: Clock) -> FloatArray:
    return load_series(study, clock).lmp


def _ratio_as_it_comes(study: Study, clock: Clock) -> FloatArray:
    return load_series(study, clock).demand_ratio


def _day_ahead_price(study: Study, clock: Clock) -> FloatArray:
    """Day-ahead prices, scaled as those of the run are."""
    table = study.scenario.wholesale
    files = [study.data_file(name) for name in table.files]
    series = read_series(files, location=table.location, market="day_ahead")
    values: FloatArray = resample(series, clock.period_s, clock.start_utc, clock.intervals).values
    return values * load_series(study, study.clock).scale + carbon_cost(study, clock)


def _day_ahead_ratio(study: Study, clock: Clock) -> FloatArray:
    """Demand that cleared day ahead, as a share of the same peak as the demand that came."""
    table = study.scenario.wholesale
    files = [study.data_file(name) for name in table.demand_files or table.files]
    place = table.demand_location or table.location
    series = read_series(files, quantity="load", location=place, market="day_ahead")
    values: FloatArray = resample(series, clock.period_s, clock.start_utc, clock.intervals).values
    return values / peak_demand(study)
