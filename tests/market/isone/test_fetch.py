"""Downloading through gridstatus, with a stand-in that honours its documented interface."""

import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import read_series
from dlmp_cosim.market.isone.fetch import fetch_day

DAY = date(2020, 8, 25)


class NoDataFoundException(Exception):  # noqa: N818 - the name gridstatus uses
    pass


class ISONE:
    """The four methods used: one Eastern day in, a table with gridstatus' columns out."""

    def get_lmp_real_time_5_min(self, date: str) -> pd.DataFrame:
        return self._lmp(date, "5min", "REAL_TIME_5_MIN")

    def get_lmp_real_time_hourly(self, date: str) -> pd.DataFrame:
        return self._lmp(date, "h", "REAL_TIME_HOURLY")

    def get_lmp_day_ahead_hourly(self, date: str) -> pd.DataFrame:
        raise NoDataFoundException(f"nothing on {date}")

    def get_load(self, date: str) -> pd.DataFrame:
        frame = self._times(date, "5min")
        frame["Load"] = 10000.0 + np.arange(len(frame))
        return frame

    @staticmethod
    def _times(day: str, step: str) -> pd.DataFrame:
        start = pd.Timestamp(day, tz="US/Eastern")
        times = pd.date_range(start, start + pd.DateOffset(days=1), freq=step, inclusive="left")
        return pd.DataFrame(
            {
                "Time": times,
                "Interval Start": times,
                "Interval End": times + pd.Timedelta(step.replace("h", "1h")),
            }
        )

    def _lmp(self, day: str, step: str, market: str) -> pd.DataFrame:
        tables = []
        for name, kind, loss in ((".H.INTERNAL_HUB", "HUB", 0.1), (".Z.NEMASSBOST", "LOAD ZONE", 0.4)):
            frame = self._times(day, step)
            energy = 20.0 + np.arange(len(frame)) / 10
            frame = frame.assign(Market=market, Location=name)
            frame["Location Type"] = kind
            tables.append(
                frame.assign(LMP=(energy + loss).round(2), Energy=energy, Congestion=0.0, Loss=loss)
            )
        return pd.concat(tables, ignore_index=True)


@pytest.fixture
def gridstatus(monkeypatch: pytest.MonkeyPatch) -> None:
    package, base = ModuleType("gridstatus"), ModuleType("gridstatus.base")
    package.ISONE = ISONE  # type: ignore[attr-defined]
    base.NoDataFoundException = NoDataFoundException  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gridstatus", package)
    monkeypatch.setitem(sys.modules, "gridstatus.base", base)


@pytest.mark.usefixtures("gridstatus")
def test_a_day_is_written_and_read_back(tmp_path: Path) -> None:
    files = fetch_day(DAY, tmp_path / "data", location="NEMA")
    assert [file.name for file in files] == ["lmp_real_time_5_min_20200825.csv", "load_native_20200825.csv"]
    price = read_series(files[0])
    assert (price.location, price.market, price.step_s, len(price), price.missing) == (
        ".Z.NEMASSBOST",
        "real_time",
        300,
        288,
        0,
    )
    np.testing.assert_allclose(price.values, 20.4 + np.arange(288) / 10)
    assert len(price.parts) == 3
    demand = read_series(files[1], quantity="load")
    assert (demand.market, len(demand), demand.missing) == ("native", 288, 0)


@pytest.mark.usefixtures("gridstatus")
@pytest.mark.parametrize(("day", "hours"), [(date(2024, 3, 10), 23), (date(2024, 11, 3), 25)])
def test_daylight_saving_days_survive(tmp_path: Path, day: date, hours: int) -> None:
    (file,) = fetch_day(day, tmp_path, location="4000", products=["real_time_hourly"])
    series = read_series(file)
    assert (len(series), series.missing) == (hours, 0)


@pytest.mark.usefixtures("gridstatus")
def test_errors_are_clear(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"day_ahead_hourly of 2020-08-25: nothing on 2020-08-25.*da-lmp"):
        fetch_day(DAY, tmp_path, location="NEMA", products=["day_ahead_hourly"])
    with pytest.raises(InputError, match=r"unknown location '\.Z\.MAINE'"):
        fetch_day(DAY, tmp_path, location="MAINE")
    with pytest.raises(InputError, match="did you mean 'real_time_5_min'"):
        fetch_day(DAY, tmp_path, location="NEMA", products=["real_time_5min"])
    with pytest.raises(InputError, match="no data for the year 1066"):
        fetch_day(date(1066, 1, 1), tmp_path, location="NEMA")


@pytest.mark.usefixtures("gridstatus")
def test_connection_failures_are_input_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object, date: str) -> pd.DataFrame:
        raise ConnectionError(f"no route for {date}")

    monkeypatch.setattr(ISONE, "get_load", refuse)
    with pytest.raises(InputError, match="no route for 2020-08-25"):
        fetch_day(DAY, tmp_path, location="NEMA", products=["load"])


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gridstatus", None)
    with pytest.raises(InputError, match=r'pip install "dlmp-cosim\[fetch\]"'):
        fetch_day(DAY, tmp_path, location="NEMA")
