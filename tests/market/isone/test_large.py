"""A five-minute day with every location, and a year of hourly prices."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlmp_cosim.market.isone import read_series, resample
from dlmp_cosim.market.isone.clock import day_start
from dlmp_cosim.runners.measure.reading import WANTED, write_five_minute_day


@pytest.fixture(scope="module")
def five_minute_day(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_five_minute_day(tmp_path_factory.mktemp("5min-rt-final"))


def test_five_minute_day_of_13_megabytes(five_minute_day: list[Path]) -> None:
    assert sum(path.stat().st_size for path in five_minute_day) > 13e6
    series = read_series(five_minute_day, location=WANTED)
    assert (len(series), series.missing, series.warnings) == (288, 0, ())
    np.testing.assert_allclose(series.values, np.tile(20.08 + 0.01 * np.arange(48), 6), atol=1e-9)


def test_a_subset_of_the_six_files_lists_what_is_missing(five_minute_day: list[Path]) -> None:
    series = read_series([five_minute_day[0], five_minute_day[2], five_minute_day[3]], location=4001)
    assert (len(series), series.missing) == (144, 144)
    assert [(begin - day_start(date(2020, 8, 25))) // 3600 for begin, _ in series.gaps] == [4, 16]


def test_a_year_of_hourly_prices_replays_at_five_minutes(tmp_path: Path) -> None:
    hours = pd.date_range("2020-01-01", "2021-01-01", freq="h", tz="America/New_York", inclusive="left")
    labels = [f"{time:%Y-%m-%d},{time.hour + 1 if not time.fold else '02X'}" for time in hours]
    values = np.round(30 + 20 * np.sin(np.arange(len(hours)) / 24), 2)
    lines = [
        "Date,Hr_End,RT_LMP,RT_Demand",
        *(f"{a},{b},{1000 + b}" for a, b in zip(labels, values, strict=True)),
    ]
    path = tmp_path / "year.csv"
    path.write_text("\n".join([*lines, ""]))
    start, intervals = day_start(date(2020, 1, 1)), 366 * 288
    price = resample(read_series(path, location="HUB"), 300, start, intervals)
    demand = resample(read_series(path, quantity="load"), 300, start, intervals)
    np.testing.assert_array_equal(price.values[::12], values)
    np.testing.assert_allclose(demand.values.reshape(-1, 12).mean(axis=1), 1000 + values, rtol=1e-11)
