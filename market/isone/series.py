"""One typed time series of prices or demand, and the plain arithmetic on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import day_length, day_start, days_between, eastern_day, eastern_text

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Quantity = Literal["lmp", "load"]

UNITS: dict[str, str] = {"lmp": "$/MWh", "load": "MW"}
HIGH_PRICE = 1000.0
"""Prices above this are counted, never clipped [$/MWh]."""


@dataclass(frozen=True, eq=False)
class Series:
    """Values of one quantity at one location over equal intervals.

    Attributes
    ----------
    quantity : {"lmp", "load"}
        Price or demand.
    unit : str
        ``$/MWh``, ``MW``, or ``pu`` for a demand ratio.
    location : str
        Name of the location, such as ``.Z.NEMASSBOST``; empty when neither file nor caller states one.
    location_id : str
        Its number, such as ``4008``; empty when unknown.
    market : str
        ``real_time_final``, ``real_time_preliminary``, ``real_time``, ``day_ahead``; for demand also
        ``total``, ``native``, ``zonal_estimate``, ``system``; ``unstated`` when the file does not say.
    step_s : int
        Length of every interval [s].
    start : ndarray of int64, shape (n,)
        Interval starts, strictly ascending [s since 1970-01-01 UTC].
    values : ndarray of float64, shape (n,)
        Mean over each interval [unit].
    energy, congestion, loss : ndarray of float64, shape (n,), or None
        Parts of a price [unit]; None when the file does not give them.
    derived : tuple of str
        What was computed or assumed rather than read, in order.
    warnings : tuple of str
        What is suspicious about the files.
    sources : tuple of str
        Files that contributed.
    duplicates : int
        Exact duplicate rows that were dropped.
    superseded : int
        Preliminary rows replaced by final ones.
    gaps : tuple of (int, int)
        Missing stretches [s UTC, from and to] within the Eastern days that the series touches.
    """

    quantity: Quantity
    unit: str
    location: str
    location_id: str
    market: str
    step_s: int
    start: IntArray
    values: FloatArray
    energy: FloatArray | None = None
    congestion: FloatArray | None = None
    loss: FloatArray | None = None
    derived: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    duplicates: int = 0
    superseded: int = 0
    gaps: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for array in (self.start, self.values, *self.parts):
            array.setflags(write=False)

    def __len__(self) -> int:
        return int(self.start.size)

    @property
    def parts(self) -> tuple[FloatArray, ...]:
        """Energy, congestion and loss, or nothing when the file has no parts."""
        if self.energy is None or self.congestion is None or self.loss is None:
            return ()
        return (self.energy, self.congestion, self.loss)

    @property
    def times(self) -> pd.DatetimeIndex:
        """Interval starts as time-zone-aware stamps in America/New_York."""
        # For who asks: federates read series without waiting for pandas.
        import pandas as pd

        return pd.DatetimeIndex(pd.to_datetime(self.start, unit="s", utc=True)).tz_convert("America/New_York")

    @property
    def negative(self) -> int:
        """Number of negative values; they are kept."""
        return int((self.values < 0.0).sum())

    @property
    def high(self) -> int:
        """Number of prices above 1000 $/MWh; they are kept. Always 0 for demand."""
        return int((self.values > HIGH_PRICE).sum()) if self.quantity == "lmp" else 0

    @property
    def missing(self) -> int:
        """Number of intervals within the gaps."""
        return sum((stop - start) // self.step_s for start, stop in self.gaps)

    @property
    def days(self) -> tuple[tuple[str, int, int], ...]:
        """For every Eastern day touched: its date (ISO), intervals present, intervals a full day has."""
        if not len(self):
            return ()
        first, last = eastern_day(int(self.start[0])), eastern_day(int(self.start[-1]))
        rows = []
        for day in days_between(first, last):
            begin, length = day_start(day), day_length(day)
            low, high = np.searchsorted(self.start, [begin, begin + length])
            rows.append((day.isoformat(), int(high - low), length // self.step_s))
        return tuple(rows)


def part_names(series: Series) -> tuple[str, ...]:
    """Names of the price parts that `series` has: all three or none."""
    return ("energy", "congestion", "loss") if series.parts else ()


def with_values(
    series: Series, start: IntArray, values: FloatArray, parts: Sequence[FloatArray], step_s: int
) -> Series:
    """Return `series` on another time axis; `parts` holds as many arrays as ``series.parts``.

    Parameters
    ----------
    series : Series
        Where all else comes from.
    start : ndarray of int, shape (n,)
        Starts of the intervals [s UTC].
    values : ndarray, shape (n,)
        Values [unit of the series].
    parts : sequence of ndarray, shape (n,) each
        Parts of a price that the series has, in the order of ``part_names(series)`` [unit of the series].
    step_s : int
        Length of an interval [s].
    """
    columns = dict(zip(part_names(series), parts, strict=True))
    return replace(
        series,
        start=start,
        values=values,
        energy=columns.get("energy"),
        congestion=columns.get("congestion"),
        loss=columns.get("loss"),
        step_s=step_s,
    )


def find_gaps(start: IntArray, step_s: int, begin: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return the stretches of [`begin`, `end`) that intervals of `step_s` at `start` do not cover [s UTC].

    Parameters
    ----------
    start : ndarray of int, shape (n,)
        Starts of the intervals, ascending [s UTC].
    step_s : int
        Length of an interval [s].
    begin, end : int
        Stretch to be covered, the end excluded [s UTC].
    """
    edges = np.concatenate([[begin - step_s], start, [end]])
    holes = np.flatnonzero(np.diff(edges) > step_s)
    return tuple((int(edges[i] + step_s), int(edges[i + 1])) for i in holes)


def scale_to_mean(series: Series, mean: float) -> Series:
    """Multiply `series` and its parts so that the mean becomes `mean` [unit of the series].

    The factor is recorded in ``derived``.

    Parameters
    ----------
    series : Series
        Prices or demand.
    mean : float
        Mean to be reached [unit of the series].

    Raises
    ------
    InputError
        When the series is empty or has mean zero, or `mean` is not a finite number.
    """
    old = float(series.values.mean()) if len(series) else 0.0
    if old == 0.0 or not math.isfinite(mean):
        raise InputError(
            f"a series with mean {old:g} cannot be scaled to mean {mean:g}",
            where="scale_to_mean",
            expected="a finite mean and a series whose mean is not zero",
        )
    factor = mean / old
    scaled = with_values(
        series, series.start, series.values * factor, [part * factor for part in series.parts], series.step_s
    )
    note = f"scaled by {factor:.6f} from mean {old:.3f} to mean {mean:g} {series.unit}"
    return replace(scaled, derived=(*series.derived, note))


def demand_ratio(series: Series) -> Series:
    """Divide a demand series by its peak: values in pu of the peak.

    Interpolating the result afterwards may exceed 1 slightly between two high intervals.

    The peak is that of the whole series, so pass the day (or year) that the ratio should refer to.

    Raises
    ------
    InputError
        When the series is not demand, is empty, or its peak is not positive.
    """
    if series.quantity != "load":
        raise InputError("only demand has a demand ratio", where="demand_ratio", expected="quantity 'load'")
    peak = float(series.values.max()) if len(series) else 0.0
    if peak <= 0.0:
        raise InputError(f"the demand peak is {peak:g} MW", where="demand_ratio", expected="a positive peak")
    when = eastern_text(int(series.start[int(series.values.argmax())]))
    note = f"divided by the peak of {peak:.3f} {series.unit} at {when}"
    return replace(series, values=series.values / peak, unit="pu", derived=(*series.derived, note))


def fill_gaps(series: Series, max_gap_s: int = 3600) -> Series:
    """Fill gaps inside a series: a price keeps its last value, demand goes on a straight line.

    Gaps before the first and after the last value are not filled.

    Parameters
    ----------
    series : Series
        The series with gaps.
    max_gap_s : int
        Longest gap that may be filled [s].

    Raises
    ------
    InputError
        When a gap inside the series is longer than `max_gap_s`.
    """
    inner = [gap for gap in series.gaps if series.start[0] < gap[0] and gap[1] <= series.start[-1]]
    for begin, end in inner:
        if end - begin > max_gap_s:
            raise InputError(
                f"gap of {(end - begin) // 60} min from {eastern_text(begin)} to {eastern_text(end)}",
                where=", ".join(series.sources) or "series",
                expected=f"gaps of at most {max_gap_s // 60} min, or another file that covers it",
            )
    if not inner:
        return series
    added = np.concatenate([np.arange(begin, end, series.step_s) for begin, end in inner])
    start = np.sort(np.concatenate([series.start, added])).astype(np.int64)
    columns = [_at(series, column, start) for column in (series.values, *series.parts)]
    filled = with_values(series, start, columns[0], columns[1:], series.step_s)
    how = "the price before" if series.quantity == "lmp" else "a straight line"
    note = f"{added.size} missing intervals filled with {how}"
    outer = tuple(gap for gap in series.gaps if gap not in inner)
    return replace(filled, gaps=outer, derived=(*series.derived, note))


def _at(series: Series, column: FloatArray, start: IntArray) -> FloatArray:
    if series.quantity == "lmp":
        held: FloatArray = column[np.searchsorted(series.start, start, side="right") - 1]
        return held
    return np.interp(start, series.start, column)
