"""Sunlight for PV: a clear sky from pvlib, clouds from a seed, and tables of both."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.feeders.readers.csv_table import plain_number, said_lines

COLUMNS = ("utc", "irradiance_wm2")


@dataclass(frozen=True)
class Place:
    """Where a module stands and how it is tilted; angles in degrees, azimuth 180 is south."""

    latitude: float = 42.36
    longitude: float = -71.06
    tilt: float = 25.0
    azimuth: float = 180.0


def clear_sky(clock: Clock, place: Place) -> FloatArray:
    """Irradiance of the module's plane under a clear sky (Ineichen), shape (n_interval,) [W/m2].

    Parameters
    ----------
    clock : Clock
        The intervals; the sun stands where it does in the middle of each.
    place : Place
        Where the module is and how it is tilted.

    Raises
    ------
    InputError
        When pvlib is not installed.
    """
    try:
        import pandas as pd
        from pvlib.irradiance import get_total_irradiance
        from pvlib.location import Location
    except ModuleNotFoundError:
        raise InputError(
            "a clear sky needs pvlib", where="pvlib", expected='pip install "dlmp-cosim[pv]"'
        ) from None
    middles = [clock.utc(k) + clock.period_s // 2 for k in range(clock.intervals)]
    times = pd.to_datetime(middles, unit="s", utc=True)
    site = Location(place.latitude, place.longitude)
    sun, sky = site.get_solarposition(times), site.get_clearsky(times, model="ineichen")
    plane = get_total_irradiance(
        place.tilt, place.azimuth, sun["apparent_zenith"], sun["azimuth"], sky["dni"], sky["ghi"], sky["dhi"]
    )
    return np.asarray(plane["poa_global"].fillna(0.0).clip(lower=0.0).to_numpy(), dtype=np.float64)


def passing_clouds(intervals: int, period_s: int, seed: int, cover: float = 0.4) -> FloatArray:
    """Share of the clear sky that gets through, shape (n_interval,): the sun and clouds take turns.

    Parameters
    ----------
    intervals : int
        How many.
    period_s : int
        Length of an interval [s].
    seed : int
        The same seed gives the same clouds.
    cover : float
        Share of the time under clouds; they last ten minutes on average.
    """
    draw = np.random.default_rng(seed)
    leave = 1.0 - np.exp(-period_s / 600.0)
    arrive = leave * cover / (1.0 - cover)
    clear, cloudy = 1.0, False
    share = np.empty(intervals)
    for k in range(intervals):
        if draw.random() < (leave if cloudy else min(arrive, 1.0)):
            cloudy = not cloudy
        wanted = draw.uniform(0.2, 0.5) if cloudy else 1.0
        clear += 0.7 * (wanted - clear)
        share[k] = clear
    return share


def read_irradiance(file: Path, clock: Clock) -> FloatArray:
    """Read the irradiance of every interval of a run, shape (n_interval,) [W/m2].

    Parameters
    ----------
    file : Path
        CSV with the columns ``utc`` (2020-08-25T04:00:00Z, start of a step) and ``irradiance_wm2``.
    clock : Clock
        The run; each interval takes the step that it starts in.

    Raises
    ------
    InputError
        When the file cannot be used or does not cover the run.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            kept = list(said_lines(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(file)) from None
    try:
        rows = list(csv.reader(line for _, line in kept))
    except csv.Error as error:
        raise InputError(f"cannot be read: {error}", where=str(file)) from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise InputError("has other columns", where=str(file), expected=",".join(COLUMNS))
    times, values = _numbers([k for k, _ in kept[1:]], rows[1:], file)
    wanted = np.array([clock.utc(k) for k in range(clock.intervals)])
    at = np.searchsorted(times, wanted, side="right") - 1
    step = int(np.diff(times).min()) if len(times) > 1 else clock.period_s
    if (at < 0).any() or (wanted - times[at] >= step).any():
        raise InputError(
            "does not cover the run",
            where=str(file),
            expected=f"{clock.label(0)} to {clock.label(clock.intervals)}",
        )
    return values[at]


def _numbers(
    lines: Sequence[int], rows: Sequence[Sequence[str]], file: Path
) -> tuple[FloatArray, FloatArray]:
    """Read times [s since 1970-01-01 UTC] and irradiance [W/m2], ascending in time."""
    times: list[float] = []
    values: list[float] = []
    for k, row in zip(lines, rows, strict=False):
        try:
            moment, value = datetime.fromisoformat(row[0]), plain_number(row[1])
        except (ValueError, IndexError):
            raise InputError(
                f"line {k} is {','.join(row)!r}", where=str(file), expected="2020-08-25T04:00:00Z,512.3"
            ) from None
        if moment.tzinfo is None or not 0.0 <= value < 2000.0 or (times and moment.timestamp() <= times[-1]):
            raise InputError(
                f"line {k} is {','.join(row)!r}",
                where=str(file),
                expected="ascending UTC and 0 to 2000 W/m2",
            )
        times.append(moment.timestamp())
        values.append(value)
    return np.array(times), np.array(values)


def write_irradiance(file: Path, clock: Clock, values: FloatArray, source: str) -> None:
    """Write a table that `read_irradiance` reads; `source` becomes its first line.

    Parameters
    ----------
    file : Path
        Where to.
    clock : Clock
        The intervals.
    values : ndarray, shape (n_interval,)
        Irradiance of the module's plane [W/m2].
    source : str
        Where the values are from.
    """
    with file.open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"# {source}\n")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for k, value in enumerate(values):
            moment = datetime.fromtimestamp(clock.utc(k), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            writer.writerow([moment, f"{value:.1f}"])
