"""Bring a series to the clearing period without changing its energy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import HOUR, eastern_text
from dlmp_cosim.market.isone.series import FloatArray, IntArray, Series, find_gaps, with_values


def resample(series: Series, period_s: int, start: int, intervals: int) -> Series:
    """Return `series` at intervals of `period_s` from `start` on.

    Shorter periods hold a price and interpolate demand (continuous, not negative, the mean over every
    interval of the file kept); longer periods take the mean over time. Either way the integral over time is
    kept, and what was done is recorded in ``derived``. Periods of equal length are passed through.

    Parameters
    ----------
    series : Series
        Prices or demand.
    period_s : int
        Length of the new intervals; must divide the hour [s].
    start : int
        Start of the first new interval, a multiple of `period_s` [s UTC].
    intervals : int
        Number of new intervals.

    Raises
    ------
    InputError
        When the period does not divide the hour, `start` is off the grid or the series has a hole there.
    """
    _check_grid(period_s, start, intervals)
    edges = start + period_s * np.arange(intervals + 1, dtype=np.int64)
    run = _covering_run(series, int(edges[0]), int(edges[-1]))
    if period_s == series.step_s:
        first = int(np.searchsorted(series.start, start))
        chosen = slice(first, first + intervals)
        columns = [column[chosen].copy() for column in (series.values, *series.parts)]
        return replace(
            with_values(series, edges[:-1], columns[0], columns[1:], period_s),
            gaps=(),
            derived=series.derived,
        )
    mean = _curve_mean if series.quantity == "load" and period_s < series.step_s else _step_mean
    knots = series.start[run]
    columns = [mean(knots, column[run], series.step_s, edges) for column in (series.values, *series.parts)]
    changed = with_values(series, edges[:-1], columns[0], columns[1:], period_s)
    return replace(changed, gaps=(), derived=(*series.derived, _note(series, period_s)))


def _note(series: Series, period_s: int) -> str:
    old, new = f"{series.step_s // 60} min", f"{period_s // 60} min"
    if period_s > series.step_s:
        return f"averaged over time from {old} to {new}"
    how = "held" if series.quantity == "lmp" else "interpolated with every mean kept"
    return f"{how} from {old} to {new}"


def _check_grid(period_s: int, start: int, intervals: int) -> None:
    if period_s < 60 or period_s % 60 or HOUR % period_s:
        raise InputError(
            f"period of {period_s} s",
            where="period_s",
            expected="whole minutes that divide the hour, such as 300",
        )
    if intervals < 1:
        raise InputError(f"{intervals} intervals", where="intervals", expected="at least one")
    if start % period_s:
        raise InputError(
            f"start {eastern_text(start)} is not a multiple of {period_s} s",
            where="start",
            expected=f"such as {eastern_text(start - start % period_s)}",
        )


def _covering_run(series: Series, begin: int, end: int) -> slice:
    """Return the stretch without gaps that covers [begin, end), as wide as the series allows."""
    step = series.step_s
    low = begin - begin % step
    inside = series.start[(series.start >= low) & (series.start < end)]
    holes = find_gaps(inside, step, low, end + (-end) % step)
    if holes:
        missing = ", ".join(f"{eastern_text(a)} to {eastern_text(b)}" for a, b in holes[:3])
        more = f" and {len(holes) - 3} more" if len(holes) > 3 else ""
        raise InputError(
            f"no {series.quantity} of {series.location or 'this location'} for {missing}{more}",
            where=", ".join(series.sources) or "series",
            expected="files that cover the whole study, or fill_gaps for short holes",
        )
    breaks = np.flatnonzero(np.diff(series.start) != step) + 1
    at = int(np.searchsorted(series.start, low))
    first = int(breaks[breaks <= at].max(initial=0))
    last = int(breaks[breaks > at].min(initial=len(series)))
    return slice(first, last)


def _step_mean(knots: IntArray, values: FloatArray, step_s: int, edges: IntArray) -> FloatArray:
    """Mean over each new interval of values held over theirs."""
    origin = knots[0]
    area = np.concatenate([[0.0], np.cumsum(values)]) * step_s
    index = np.minimum((edges - origin) // step_s, values.size - 1)
    at_edges = area[index] + values[index] * (edges - origin - index * step_s)
    return _held(values, index, edges, origin, step_s, np.diff(at_edges) / np.diff(edges))


def _held(
    values: FloatArray, index: IntArray, edges: IntArray, origin: int, step_s: int, mean: FloatArray
) -> FloatArray:
    """Take the value itself where a new interval lies within an old one: exact, no rounding of sums."""
    within = edges[1:] - origin <= (index[:-1] + 1) * step_s
    return np.where(within, values[index[:-1]], mean)


def _curve_mean(knots: IntArray, values: FloatArray, step_s: int, edges: IntArray) -> FloatArray:
    """Mean over each new interval of a continuous curve whose mean over each old interval is its value.

    The curve is the slope of a monotone cubic through the running energy: continuous because the cubic is
    smooth, not negative because it never falls while demand is not negative.
    """
    if values.size < 2:
        return _step_mean(knots, values, step_s, edges)
    # A quarter of a second to import, and only demand at finer steps needs it.
    from scipy.interpolate import PchipInterpolator

    hours = np.arange(values.size + 1, dtype=np.float64)
    energy = PchipInterpolator(hours, np.concatenate([[0.0], np.cumsum(values)]))
    at_edges = energy((edges - knots[0]) / step_s)
    return np.asarray(np.diff(at_edges) * (step_s / np.diff(edges)), dtype=np.float64)
