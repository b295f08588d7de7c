"""Eastern time as ISO New England writes it, in both daylight-saving directions."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.isone.clock import (
    day_length,
    day_start,
    eastern_day,
    eastern_text,
    is_repeated,
    is_skipped,
    parse_clock,
    parse_date,
    parse_hour_ending,
    parse_stamp,
    to_utc,
)
from dlmp_cosim.market.isone.times import second_pass

SPRING, AUTUMN, PLAIN = date(2024, 3, 10), date(2024, 11, 3), date(2020, 8, 25)
EASTERN = ZoneInfo("America/New_York")


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25), (PLAIN, 24), (date(2020, 3, 8), 23)])
def test_day_length(day: date, hours: int) -> None:
    assert day_length(day) == hours * 3600
    assert eastern_day(day_start(day)) == day
    assert eastern_day(day_start(day) - 1) == day - timedelta(days=1)


@given(st.dates(date(1990, 1, 1), date(2099, 12, 30)), st.integers(0, 287))
def test_local_times_round_trip_through_utc(day: date, slot: int) -> None:
    second = slot * 300
    if is_skipped(day, second):
        return
    for later in (False, True) if is_repeated(day, second) else (False,):
        local = datetime.fromtimestamp(to_utc(day, second, later=later), EASTERN)
        assert (local.date(), local.hour * 3600 + local.minute * 60) == (day, second)
        assert local.fold == int(later)


@given(st.integers(631152000 + 86400, 4070908800 - 86400))
def test_stamps_with_offset_give_back_their_second(utc: int) -> None:
    for text in (
        datetime.fromtimestamp(utc, EASTERN).isoformat(),
        datetime.fromtimestamp(utc, UTC).isoformat(sep=" "),
        datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    ):
        stamp = parse_stamp(text)
        assert stamp is not None
        assert stamp.utc == utc
        assert stamp.day == eastern_day(utc)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2020-13-01",
        "2020-02-30 00:00",
        "08/25/20",
        "2020-08-25 24:00",
        "2020-08-25 10:60",
        "2020-08-25T10:00:00-05:00",  # Eastern time is four hours behind on this day
        "2020-08-25T10:00:00+02:00",
        "2920-08-25 10:00",
        "1020-08-25 10:00",
        "8/25/2020 13:00 PM",
        "2020-08-25 10:00 EDT",
        "\uff12020-08-25",
        "2020-W35-2",
    ],
)
def test_damaged_stamps_are_not_times(text: str) -> None:
    assert parse_stamp(text) is None


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2020-08-25", 0),
        ("08/25/2020 13:05:00", 47100),
        ("8/25/2020 1:05", 3900),
        ("8/25/2020 12:05:00 AM", 300),
        ("8/25/2020 1:05 PM", 47100),
        ("2020-08-25T13:05:00.000", 47100),
    ],
)
def test_stamps_without_offset(text: str, second: int) -> None:
    stamp = parse_stamp(text)
    assert stamp is not None
    assert (stamp.day, stamp.second, stamp.utc) == (PLAIN, second, None)


def test_dates_and_clock_times() -> None:
    assert parse_date("08/25/2020") == parse_date("2020-08-25") == parse_date("2020-08-25 00:00:00") == PLAIN
    assert parse_date("2020-08-25 01:00") is None
    assert parse_clock("23:55:00") == 86100
    assert parse_clock("0:05") == 300
    assert parse_clock("12:05:00 AM") == 300
    assert parse_clock("24:00:00") is None
    assert parse_clock("00:05:61") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01", (0, False)),
        ("1", (0, False)),
        ("24", (82800, False)),
        ("02X", (3600, True)),
        ("02x", (3600, True)),
    ],
)
def test_hour_ending(text: str, expected: tuple[int, bool]) -> None:
    assert parse_hour_ending(text) == expected


@pytest.mark.parametrize("text", ["0", "25", "", "03X", "1.5", "-1", "٣"])
def test_damaged_hour_ending(text: str) -> None:
    assert parse_hour_ending(text) is None


def test_the_autumn_hours_are_an_hour_apart() -> None:
    first, second = to_utc(AUTUMN, 3600), to_utc(AUTUMN, 3600, later=True)
    assert second - first == 3600
    assert eastern_text(first) == "2024-11-03 01:00-04:00"
    assert eastern_text(second) == "2024-11-03 01:00-05:00"
    assert to_utc(AUTUMN, 7200) - second == 3600


def test_second_pass_by_order() -> None:
    hour = list(range(3600, 7200, 300))
    assert second_pass(hour + hour) == [False] * 12 + [True] * 12
    assert second_pass([second for second in hour for _ in range(2)]) == [False, True] * 12
    assert second_pass(hour) == [False] * 12
    assert second_pass(hour[1:] + hour) == [False] * 11 + [True] * 12
    assert second_pass(hour + hour[:4]) == [False] * 12 + [True] * 4
    assert second_pass(hour * 3) is None
    assert second_pass([3600, 4200, 3900, 4500, 3600]) is None
