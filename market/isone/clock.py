"""Eastern prevailing time: stamps as ISO New England writes them, and both daylight-saving days.

Times are seconds since 1970-01-01 UTC. A local time is a date and the seconds shown by the clock on the wall.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
HOUR = 3600
YEARS = range(1990, 2100)
"""Years that a stamp may have; anything else is damage."""

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_US = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?: ?([AP]M))?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AP]M))?", re.ASCII)
_HOUR_ENDING = re.compile(r"(\d{1,2})(?:\.0)?|(02X)", re.ASCII)


@dataclass(frozen=True)
class Stamp:
    """A time as read: local, and also in UTC when the text carries its offset.

    Attributes
    ----------
    day : datetime.date
        Local date.
    second : int
        Seconds shown by the local clock, 0 to 86399.
    utc : int or None
        Seconds UTC when the text says so.
    """

    day: date
    second: int
    utc: int | None = None


@lru_cache(maxsize=4096)
def day_start(day: date) -> int:
    """Return the start of an Eastern day [s UTC]."""
    return int(datetime.combine(day, time(), ZONE).timestamp())


@lru_cache(maxsize=4096)
def day_length(day: date) -> int:
    """Return the length of an Eastern day: 23, 24 or 25 hours [s]."""
    return day_start(day + timedelta(days=1)) - day_start(day)


def eastern_day(utc: int) -> date:
    """Return the Eastern date of a time [s UTC]."""
    return datetime.fromtimestamp(utc, ZONE).date()


def eastern_text(utc: int) -> str:
    """Return a time [s UTC] as Eastern text with its offset, ``2020-08-25 16:00-04:00``."""
    return datetime.fromtimestamp(utc, ZONE).isoformat(sep=" ", timespec="minutes")


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the dates from `first` to `last`, both included.

    Parameters
    ----------
    first, last : datetime.date
        Ends of the range; nothing is yielded when `last` comes first.
    """
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)


def is_skipped(day: date, second: int) -> bool:
    """Tell whether the local time falls into the hour that a spring day does not have.

    Parameters
    ----------
    day : datetime.date
        Eastern date.
    second : int
        Local time as clocks show it [s after midnight].
    """
    return day_length(day) == 23 * HOUR and 2 * HOUR <= second < 3 * HOUR


def is_repeated(day: date, second: int) -> bool:
    """Tell whether the local time falls into the hour that an autumn day has twice.

    Parameters
    ----------
    day : datetime.date
        Eastern date.
    second : int
        Local time as clocks show it [s after midnight].
    """
    return day_length(day) == 25 * HOUR and HOUR <= second < 2 * HOUR


def to_utc(day: date, second: int, *, later: bool = False) -> int:
    """Return a local time as seconds UTC; `later` means the second pass of a repeated hour.

    The caller rejects times in a skipped hour first.

    Parameters
    ----------
    day : datetime.date
        Eastern date.
    second : int
        Local time as clocks show it [s after midnight].
    later : bool
        Whether it is the second pass of a repeated hour; of no effect at other times.
    """
    shift = 0
    if second >= 2 * HOUR or (later and is_repeated(day, second)):
        shift = day_length(day) - 24 * HOUR
    return day_start(day) + second + shift


def parse_date(text: str) -> date | None:
    """Return the date in ``MM/DD/YYYY`` or ``YYYY-MM-DD`` text (a midnight after it is ignored), or None."""
    stamp = parse_stamp(text)
    return stamp.day if stamp and stamp.second == 0 and stamp.utc is None else None


def parse_stamp(text: str) -> Stamp | None:
    """Return the stamp in ISO or US text, or None when the text is neither or no such time exists.

    An offset must be UTC or the one that Eastern time has at that moment.
    """
    iso = _ISO.fullmatch(text)
    if iso:
        year, month, day, hour, minute, second, offset = iso.groups()
        return _stamp((year, month, day), (hour, minute, second), "", offset)
    us = _US.fullmatch(text)
    if us:
        month, day, year, hour, minute, second, half = us.groups()
        return _stamp((year, month, day), (hour, minute, second), half, None)
    return None


def in_utc(stamp: Stamp | None) -> Stamp | None:
    """Return a stamp of a column that is in UTC: text without an offset is no local time there."""
    if stamp is None or stamp.utc is not None:
        return stamp
    return _with_offset(stamp.day, stamp.second, "Z")


def parse_clock(text: str) -> int | None:
    """Return the seconds since midnight of ``HH:MM[:SS]`` text, or None."""
    match = _CLOCK.fullmatch(text)
    return _seconds(match.groups()[:3], match[4]) if match else None


def parse_hour_ending(text: str) -> tuple[int, bool] | None:
    """Return (local second of the interval start, second pass?) of ``01``..``24`` or ``02X``, or None."""
    match = _HOUR_ENDING.fullmatch(text.upper())
    if not match:
        return None
    if match[2]:
        return HOUR, True
    hour = int(match[1])
    return ((hour - 1) * HOUR, False) if 1 <= hour <= 24 else None


def _seconds(parts: tuple[str | None, ...], half: str | None) -> int | None:
    hour, minute, second = (int(part or 0) for part in parts)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "PM" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * HOUR + minute * 60 + second


def _stamp(
    ymd: tuple[str, str, str], hms: tuple[str | None, ...], half: str | None, offset: str | None
) -> Stamp | None:
    second = _seconds(hms, half)
    year, month, number = (int(part) for part in ymd)
    if second is None or year not in YEARS:
        return None
    try:
        day = date(year, month, number)
    except ValueError:
        return None
    return _with_offset(day, second, offset) if offset else Stamp(day, second)


def _with_offset(day: date, second: int, offset: str) -> Stamp | None:
    digits = offset.replace(":", "")
    shift = 0 if digits == "Z" else int(digits[1:3]) * HOUR + int(digits[3:]) * 60
    shift = -shift if digits.startswith("-") else shift
    utc = int(datetime.combine(day, time(), UTC).timestamp()) + second - shift
    local = datetime.fromtimestamp(utc, ZONE)
    east = local.utcoffset()
    if shift and (east is None or shift != east.total_seconds()):
        return None
    midnight = local.hour * HOUR + local.minute * 60 + local.second
    return Stamp(local.date(), midnight, utc)
