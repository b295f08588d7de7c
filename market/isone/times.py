"""Interval starts of the rows of a table, daylight saving included."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import (
    HOUR,
    Stamp,
    day_length,
    day_start,
    eastern_text,
    in_utc,
    is_repeated,
    is_skipped,
    parse_clock,
    parse_date,
    parse_hour_ending,
    parse_stamp,
    to_utc,
)
from dlmp_cosim.market.isone.columns import Roles, plain
from dlmp_cosim.market.isone.series import IntArray
from dlmp_cosim.market.isone.table import Table

LOOSE_NAMES = {"time", "timestamp", "datetime"}
"""Stamp columns that need not be interval starts when a better named one is there."""


@dataclass(frozen=True)
class Times:
    """Interval starts of the rows that can be used.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Row numbers of the table; a row can occur twice (flattened autumn hour) or not at all.
    start : ndarray of int64, shape (n,)
        Interval starts [s UTC].
    step_s : int
        Interval length [s].
    derived, warnings : tuple of str
        As in `Series`.
    """

    rows: IntArray
    start: IntArray
    step_s: int
    derived: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass
class _Notes:
    derived: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Local:
    """A row's local time while daylight saving is being settled."""

    row: int
    day: date
    second: int
    later: bool = False


def read_times(table: Table, roles: Roles, keys: Sequence[str]) -> Times:
    """Return the interval starts of `table`; `keys` tells the location of every row.

    Parameters
    ----------
    table : Table
        Rows with their stamps as text.
    roles : Roles
        Which columns hold them.
    keys : sequence of str, length n_row
        Location of every row: a time is repeated only where one location has it twice.

    Raises
    ------
    InputError
        When a stamp cannot be read, does not exist, lies off the grid of the step, or the step is not known.
    """
    notes = _Notes()
    if roles.stamps or roles.hour is None:
        rows, start, step = _from_stamps(table, roles, keys, notes)
    else:
        rows, start = _from_hours(table, roles, keys, notes)
        step = HOUR
    start = _on_grid(table, rows, start, step, notes)
    if table.day is not None:
        _check_day(table.day, start, notes)
    return Times(rows, start, step, tuple(notes.derived), tuple(notes.warnings))


def _from_stamps(
    table: Table, roles: Roles, keys: Sequence[str], notes: _Notes
) -> tuple[IntArray, IntArray, int]:
    column = _stamp_column(table, roles)
    start = _column_utc(table, column, keys, notes)
    for other in roles.stamps:
        if other != column and plain(table.columns[other]) not in LOOSE_NAMES:
            _agree(table, start, _column_utc(table, other, keys, _Notes()), other, 0)
    step = table.step_s
    if roles.end is not None and start.size:
        ends = _column_utc(table, roles.end, keys, _Notes())
        step = step or int(ends[0] - start[0])
        _agree(table, start, ends, roles.end, step)
    return np.arange(start.size, dtype=np.int64), start, step or _common_step(table, start)


def _stamp_column(table: Table, roles: Roles) -> int:
    column = next(iter(roles.stamps), roles.clock if roles.clock is not None else roles.date)
    if column is None:
        raise InputError(
            "no column holds the time",
            where=f"{table.source} header",
            expected="such as 'Interval Start', 'Date/Time', 'Local Time', or 'Date' with 'Hour Ending'",
        )
    return column


def _agree(table: Table, start: IntArray, other: IntArray, column: int, ahead_s: int) -> None:
    off = np.flatnonzero(other - start != ahead_s)
    if off.size:
        at = int(off[0])
        raise InputError(
            f"{table.rows[at][column]!r} contradicts the interval start {eastern_text(int(start[at]))}",
            where=table.at(at, column),
            expected=eastern_text(int(start[at]) + ahead_s),
        )


def _column_utc(table: Table, column: int, keys: Sequence[str], notes: _Notes) -> IntArray:
    parse = _stamp_parser(table, column)
    texts = table.texts(column)
    stamps = {text: parse(text) for text in set(texts)}
    start = np.zeros(len(texts), dtype=np.int64)
    local = []
    for row, text in enumerate(texts):
        stamp = stamps[text]
        if stamp is None:
            expected = "a time such as 2020-08-25 13:05:00-04:00, 08/25/2020 13:05:00 or 13:05:00"
            raise InputError(f"{text!r} is not a valid time", where=table.at(row, column), expected=expected)
        if stamp.utc is not None:
            start[row] = stamp.utc
        else:
            local.append(_Local(row, stamp.day, stamp.second))
    _settle_autumn(table, local, keys, notes)
    for item in local:
        _reject_skipped(table, item)
        start[item.row] = to_utc(item.day, item.second, later=item.later)
    return start


def _stamp_parser(table: Table, column: int) -> Callable[[str], Stamp | None]:
    if "utc" in plain(table.columns[column]).split():
        return lambda text: in_utc(parse_stamp(text))
    if plain(table.columns[column]) != "local time":
        return parse_stamp
    if table.step_s == HOUR:
        raise InputError(
            "an hourly report with 'Local Time' does not say whether it is the start or the end",
            where=table.source,
            expected="the report file with 'Date' and 'Hour Ending'",
        )

    def clock(text: str) -> Stamp | None:
        second = parse_clock(text)
        if second is None:
            return parse_stamp(text)
        if table.day is None:
            raise InputError(
                "the rows have a clock time but no date",
                where=table.source,
                expected="a line 'Report for: MM/DD/YYYY' or a file name with YYYYMMDD",
            )
        return Stamp(table.day, second)

    return clock


def _reject_skipped(table: Table, item: _Local) -> None:
    if is_skipped(item.day, item.second):
        raise InputError(
            f"{item.day} has no hour from 02:00 to 03:00",
            where=f"{table.source}:{table.lines[item.row]}",
            expected="23 hours on the day daylight saving begins",
        )


def _settle_autumn(table: Table, local: Sequence[_Local], keys: Sequence[str], notes: _Notes) -> None:
    """Tell the two passes of a repeated hour apart by the order of the rows of each location."""
    groups: dict[tuple[date, str], list[_Local]] = defaultdict(list)
    for item in local:
        if is_repeated(item.day, item.second):
            groups[item.day, keys[item.row]].append(item)
    for (day, key), items in groups.items():
        later = second_pass([item.second for item in items])
        if later is None:
            raise InputError(
                f"the two passes of 01:00-02:00 on {day} cannot be told apart at {key or 'the location'}",
                where=f"{table.source}:{table.lines[items[0].row]}",
                expected="rows in order of time, or stamps with their offset",
            )
        for item, flag in zip(items, later, strict=True):
            item.later = flag
        if not any(later):
            notes.warnings.append(f"01:00-02:00 occurs once on {day}; taken as daylight time")
        else:
            notes.derived.append(f"both passes of 01:00-02:00 on {day} told apart by the order of rows")
    for kind in (notes.derived, notes.warnings):
        kind[:] = dict.fromkeys(kind)


def second_pass(seconds: Sequence[int]) -> list[bool] | None:
    """Tell which local times of a repeated hour belong to its second pass, from their order alone.

    Parameters
    ----------
    seconds : sequence of int
        Local times of one location in the order of the file [s].

    Returns
    -------
    list of bool or None
        One flag per entry, or None when the order is not conclusive.
    """
    counts = Counter(seconds)
    if set(counts.values()) == {2}:
        met: set[int] = set()
        flags = []
        for second in seconds:
            flags.append(second in met)
            met.add(second)
        return flags
    falls = [at for at, (before, now) in enumerate(pairwise(seconds), 1) if now <= before]
    if not falls:
        return [False] * len(seconds)
    if len(falls) > 1 or max(counts.values()) > 2:
        return None
    return [at >= falls[0] for at in range(len(seconds))]


def _from_hours(table: Table, roles: Roles, keys: Sequence[str], notes: _Notes) -> tuple[IntArray, IntArray]:
    local = [_local_hour(table, roles, row) for row in range(len(table.rows))]
    if table.flat_autumn:
        local = _unflatten(local, keys, notes)
    for item in local:
        _reject_skipped(table, item)
    rows = np.array([item.row for item in local], dtype=np.int64)
    start = [to_utc(item.day, item.second, later=item.later) for item in local]
    return rows, np.array(start, dtype=np.int64)


def _local_hour(table: Table, roles: Roles, row: int) -> _Local:
    if roles.date is None or roles.hour is None:
        raise InputError("hours without a date", where=f"{table.source} header", expected="a column 'Date'")
    day_text, hour_text = table.rows[row][roles.date], table.rows[row][roles.hour]
    day, hour = parse_date(day_text), parse_hour_ending(hour_text)
    if day is None:
        raise InputError(
            f"{day_text!r} is not a valid date", where=table.at(row, roles.date), expected="MM/DD/YYYY"
        )
    if hour is None or (hour[1] and not is_repeated(day, hour[0])):
        raise InputError(
            f"{hour_text!r} is not a valid hour ending on {day}",
            where=table.at(row, roles.hour),
            expected="01 to 24, and 02X on the day daylight saving ends",
        )
    return _Local(row, day, *hour)


def _unflatten(local: list[_Local], keys: Sequence[str], notes: _Notes) -> list[_Local]:
    """Give formats of 24 rows a day their 23 or 25 hours."""
    skipped = [item for item in local if is_skipped(item.day, item.second)]
    kept = [item for item in local if not is_skipped(item.day, item.second)]
    if skipped:
        notes.warnings.append(f"hour ending 3 of {skipped[0].day} does not exist; the row was left out")
    told = {(item.day, keys[item.row]) for item in kept if item.later}
    single = [
        item for item in kept if is_repeated(item.day, item.second) and (item.day, keys[item.row]) not in told
    ]
    if single:
        notes.derived.append(f"hour ending 2 of {single[0].day} stands for both passes of 01:00-02:00")
    return kept + [_Local(item.row, item.day, item.second, True) for item in single]


def _check_day(day: date, start: IntArray, notes: _Notes) -> None:
    begin = day_start(day)
    outside = int(((start < begin) | (start >= begin + day_length(day))).sum())
    if outside:
        notes.warnings.append(f"{outside} rows lie outside {day}, the day of the report")


def _common_step(table: Table, start: IntArray) -> int:
    steps = np.diff(np.unique(start))
    if not steps.size:
        raise InputError(
            "the length of the intervals cannot be told from one time",
            where=table.source,
            expected="two times or more, or a column 'Interval End'",
        )
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])


def _on_grid(table: Table, rows: IntArray, start: IntArray, step: int, notes: _Notes) -> IntArray:
    if step < 60 or HOUR % step:
        raise InputError(
            f"intervals of {step} s", where=table.source, expected="whole minutes that divide the hour"
        )
    rest = start % step
    stray = np.flatnonzero((rest >= 60) | ((rest > 0) & (step == 60)))
    if stray.size:
        at = int(stray[0])
        raise InputError(
            f"the time {eastern_text(int(start[at]))} is off the grid of {step // 60} min",
            where=f"{table.source}:{table.lines[int(rows[at])]}",
            expected="interval starts at multiples of the step",
        )
    if rest.any():
        notes.derived.append(f"{int((rest > 0).sum())} times with odd seconds set back to the interval start")
    return start - rest
