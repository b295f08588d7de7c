"""What an owner may know of prices ahead: the day-ahead prices of the study's own files."""

from __future__ import annotations

from dlmp_cosim.federates.study.emissions import carbon_cost
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.isone import read_series, resample


def day_ahead_prices(study: Study) -> FloatArray:
    """Return the day-ahead LMP of every interval and what CO2 adds to it, shape (n_interval,) [$/MWh].

    Raises
    ------
    InputError
        When the study's price files hold none for the run.
    """
    table, clock = study.scenario.wholesale, study.clock
    series = read_series(
        [study.data_file(name, "wholesale.files") for name in table.files],
        location=table.location,
        market="day_ahead",
    )
    values: FloatArray = resample(series, clock.period_s, clock.start_utc, clock.intervals).values
    return values + carbon_cost(study, clock)
