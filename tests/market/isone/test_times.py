"""Interval starts of rows: by stamps, by hours, with both daylight-saving days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import HOUR, day_start
from dlmp_cosim.market.isone.columns import find_roles
from dlmp_cosim.market.isone.table import Table
from dlmp_cosim.market.isone.times import Times, read_times, second_pass

DAY, SPRING, AUTUMN = date(2020, 8, 25), date(2024, 3, 10), date(2024, 11, 3)


def table(header: str, *rows: str, **more: object) -> Table:
    """Rows in the way a file has them, from line 2 on."""
    cells = [row.split(",") for row in rows]
    made = Table("a.csv", "table", tuple(header.split(",")), cells, range(2, 2 + len(cells)))
    return replace(made, **more)  # type: ignore[arg-type]


def times(made: Table, keys: Sequence[str] = ()) -> Times:
    return read_times(made, find_roles(made.columns), keys or [""] * len(made.rows))


def local(found: Times) -> list[str]:
    """Starts as an Eastern clock shows them, with their offset."""
    zone = ZoneInfo("America/New_York")
    return [datetime.fromtimestamp(start, zone).strftime("%d %H:%M%z") for start in found.start.tolist()]


@pytest.mark.parametrize(
    ("header", "rows", "starts", "step"),
    [
        pytest.param(
            "Interval Start,LMP",
            ["2020-08-25 13:00:00-04:00,1", "2020-08-25 13:05:00-04:00,1"],
            ["25 13:00-0400", "25 13:05-0400"],
            300,
            id="stamps with their offset",
        ),
        pytest.param(
            "Interval Start UTC,LMP",
            ["2020-08-25 17:00:00,1", "2020-08-25T18:00:00Z,1"],
            ["25 13:00-0400", "25 14:00-0400"],
            HOUR,
            id="a column that says that it is in UTC",
        ),
        pytest.param(
            "Interval_Start_UTC,LMP",
            ["01/25/2020 17:00,1", "01/25/2020 06:00 PM,1"],
            ["25 12:00-0500", "25 13:00-0500"],
            HOUR,
            id="in UTC, as US text",
        ),
        pytest.param(
            "Interval Start,Interval End,LMP",
            ["2020-01-25 13:00,2020-01-25 13:15,1"],
            ["25 13:00-0500"],
            900,
            id="one row whose end tells its length",
        ),
        pytest.param(
            "Date,Hour Ending,LMP",
            ["08/25/2020,01,1", "08/25/2020,24,1"],
            ["25 00:00-0400", "25 23:00-0400"],
            HOUR,
            id="hours that end",
        ),
        pytest.param(
            "Time,Interval Start,LMP",
            ["08/25/2020 13:07,08/25/2020 13:00,1", "08/25/2020 13:12,08/25/2020 13:05,1"],
            ["25 13:00-0400", "25 13:05-0400"],
            300,
            id="a column called time may hold anything where another is the start",
        ),
    ],
)
def test_starts(header: str, rows: list[str], starts: list[str], step: int) -> None:
    found = times(table(header, *rows))
    assert local(found) == starts
    assert found.step_s == step
    assert (found.derived, found.warnings) == ((), ())


def test_a_clock_takes_its_day_from_the_report() -> None:
    found = times(table("Local Time,LMP", "13:00:00,1", "01:05:00 PM,1", day=DAY, step_s=300))
    assert local(found) == ["25 13:00-0400", "25 13:05-0400"]


def test_an_autumn_day_has_an_hour_twice() -> None:
    hours = [f"{hour:02d}" for hour in (1, 2)] + ["02X", "03"]
    found = times(table("Date,Hour Ending,LMP", *(f"11/03/2024,{hour},1" for hour in hours)))
    assert local(found) == ["03 00:00-0400", "03 01:00-0400", "03 01:00-0500", "03 02:00-0500"]


def test_both_passes_are_told_apart_by_order() -> None:
    rows = [f"11/03/2024 {at},1" for at in ("00:30", "01:00", "01:30", "01:00", "01:30", "02:00")]
    found = times(table("Timestamp,LMP", *rows))
    assert local(found)[1:5] == ["03 01:00-0400", "03 01:30-0400", "03 01:00-0500", "03 01:30-0500"]
    assert found.derived == ("both passes of 01:00-02:00 on 2024-11-03 told apart by the order of rows",)


def test_locations_pass_an_hour_on_their_own() -> None:
    """Rows of two places after each other are no repetition."""
    rows = [f"11/03/2024 {at},1" for at in ("01:00", "01:30", "01:00", "01:30")]
    found = times(table("Timestamp,LMP", *rows), ["a", "a", "b", "b"])
    assert local(found) == ["03 01:00-0400", "03 01:30-0400"] * 2
    assert found.warnings == ("01:00-02:00 occurs once on 2024-11-03; taken as daylight time",)


def test_flat_years_give_an_hour_to_both_passes() -> None:
    rows = [f"2020-11-01,{hour},1" for hour in (1, 2, 3)]
    found = times(table("Date,Hr_End,RT_LMP", *rows, flat_autumn=True))
    assert sorted(local(found)) == ["01 00:00-0400", "01 01:00-0400", "01 01:00-0500", "01 02:00-0500"]
    assert found.rows.tolist() == [0, 1, 2, 1]
    assert found.derived == ("hour ending 2 of 2020-11-01 stands for both passes of 01:00-02:00",)


def test_flat_years_lose_the_hour_that_spring_has_not() -> None:
    rows = [f"2024-03-10,{hour},1" for hour in (2, 3, 4)]
    found = times(table("Date,Hr_End,RT_LMP", *rows, flat_autumn=True))
    assert local(found) == ["10 01:00-0500", "10 03:00-0400"]
    assert found.rows.tolist() == [0, 2]
    assert found.warnings == ("hour ending 3 of 2024-03-10 does not exist; the row was left out",)


def test_odd_seconds_are_set_back_and_counted() -> None:
    rows = [f"08/25/2020 {at},1" for at in ("13:00:00", "13:05:12", "13:10:59")]
    found = times(table("Timestamp,LMP", *rows, step_s=300))
    assert (found.start % 300).tolist() == [0, 0, 0]
    assert found.derived == ("2 times with odd seconds set back to the interval start",)


def test_rows_of_another_day_are_counted() -> None:
    rows = [f"{day} 12:00,1" for day in ("2020-08-24", "2020-08-25", "2020-08-26")]
    found = times(table("Timestamp,LMP", *rows, day=DAY, step_s=HOUR))
    assert found.warnings == ("2 rows lie outside 2020-08-25, the day of the report",)


SAYS = "a time such as 2020-08-25 13:05:00-04:00, 08/25/2020 13:05:00 or 13:05:00"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            table("LMP", "1"),
            "a.csv header: no column holds the time; expected such as 'Interval Start', 'Date/Time', "
            "'Local Time', or 'Date' with 'Hour Ending'",
            id="no time",
        ),
        pytest.param(
            table("Timestamp,LMP", "2020-08-25 13:00,1", "yesterday,1"),
            f"a.csv:3 Timestamp: 'yesterday' is not a valid time; expected {SAYS}",
            id="no such time",
        ),
        pytest.param(
            table(
                "Interval Start,Interval End,LMP",
                "2020-08-25 13:00,2020-08-25 13:05,1",
                "2020-08-25 13:05,2020-08-25 13:15,1",
            ),
            "a.csv:3 Interval End: '2020-08-25 13:15' contradicts the interval start "
            "2020-08-25 13:05-04:00; expected 2020-08-25 13:10-04:00",
            id="an interval of another length",
        ),
        pytest.param(
            table("Interval Start UTC,Interval Start,LMP", "2020-08-25 17:00,2020-08-25 12:00,1"),
            "a.csv:2 Interval Start: '2020-08-25 12:00' contradicts the interval start "
            "2020-08-25 13:00-04:00; expected 2020-08-25 13:00-04:00",
            id="two starts that differ",
        ),
        pytest.param(
            table("Timestamp,LMP", "2024-03-10 01:00,1", "2024-03-10 02:00,1"),
            "a.csv:3: 2024-03-10 has no hour from 02:00 to 03:00; "
            "expected 23 hours on the day daylight saving begins",
            id="an hour that spring has not",
        ),
        pytest.param(
            table("Timestamp,LMP", *(f"2024-11-03 {at},1" for at in ("01:30", "01:00", "01:30", "01:30"))),
            "a.csv:2: the two passes of 01:00-02:00 on 2024-11-03 cannot be told apart at the location; "
            "expected rows in order of time, or stamps with their offset",
            id="an autumn without order",
        ),
        pytest.param(
            table("Local Time,LMP", "13:00,1"),
            "a.csv: the rows have a clock time but no date; "
            "expected a line 'Report for: MM/DD/YYYY' or a file name with YYYYMMDD",
            id="a clock without a day",
        ),
        pytest.param(
            table("Local Time,LMP", "13:00,1", day=DAY, step_s=HOUR),
            "a.csv: an hourly report with 'Local Time' does not say whether it is the start or the end; "
            "expected the report file with 'Date' and 'Hour Ending'",
            id="an hour that may start or end",
        ),
        pytest.param(
            table("Hour Ending,LMP", "1,1"),
            "a.csv header: hours without a date; expected a column 'Date'",
            id="hours of no day",
        ),
        pytest.param(
            table("Date,Hour Ending,LMP", "25.8.2020,1,1"),
            "a.csv:2 Date: '25.8.2020' is not a valid date; expected MM/DD/YYYY",
            id="a date of elsewhere",
        ),
        pytest.param(
            table("Date,Hour Ending,LMP", "08/25/2020,25,1"),
            "a.csv:2 Hour Ending: '25' is not a valid hour ending on 2020-08-25; "
            "expected 01 to 24, and 02X on the day daylight saving ends",
            id="a twenty-fifth hour",
        ),
        pytest.param(
            table("Date,Hour Ending,LMP", "08/25/2020,02X,1"),
            "a.csv:2 Hour Ending: '02X' is not a valid hour ending on 2020-08-25; "
            "expected 01 to 24, and 02X on the day daylight saving ends",
            id="a second pass in summer",
        ),
        pytest.param(
            table("Timestamp,LMP", "2020-08-25 13:00,1", "2020-08-25 13:00,1"),
            "a.csv: the length of the intervals cannot be told from one time; "
            "expected two times or more, or a column 'Interval End'",
            id="one time",
        ),
        pytest.param(
            table("Timestamp,LMP", "2020-08-25 13:00,1", "2020-08-25 13:07,1"),
            "a.csv: intervals of 420 s; expected whole minutes that divide the hour",
            id="seven minutes",
        ),
        pytest.param(
            table("Timestamp,LMP", "2020-08-25 13:00,1", "2020-08-25 15:00,1"),
            "a.csv: intervals of 7200 s; expected whole minutes that divide the hour",
            id="two hours",
        ),
        pytest.param(
            table("Timestamp,LMP", "2020-08-25 13:02,1", step_s=300),
            "a.csv:2: the time 2020-08-25 13:02-04:00 is off the grid of 5 min; "
            "expected interval starts at multiples of the step",
            id="off the grid",
        ),
        pytest.param(
            table("Timestamp,LMP", "2020-08-25 13:02:30,1", step_s=60),
            "a.csv:2: the time 2020-08-25 13:02-04:00 is off the grid of 1 min; "
            "expected interval starts at multiples of the step",
            id="seconds off a grid of minutes",
        ),
    ],
)
def test_times_that_cannot_be_told(made: Table, message: str) -> None:
    with pytest.raises(InputError) as caught:
        times(made)
    assert str(caught.value) == message


@settings(max_examples=40)
@given(st.integers(1, 12), st.booleans())
def test_an_hour_passed_twice_in_order_is_told_apart(steps: int, interleaved: bool) -> None:
    once = [HOUR + 300 * k for k in range(steps)]
    if interleaved:
        seconds = [second for second in once for _ in range(2)]
        assert second_pass(seconds) == [False, True] * steps
    else:
        assert second_pass(once + once) == [False] * steps + [True] * steps


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 11), min_size=1, unique=True),
    st.lists(st.integers(0, 11), min_size=1, unique=True),
)
def test_a_gap_in_either_pass_does_not_confuse_them(first: list[int], second: list[int]) -> None:
    """As long as the clock goes back once, and is seen to."""
    first, second = sorted(first), sorted(second)
    flags = second_pass(first + second)
    if second[0] <= first[-1]:
        assert flags == [False] * len(first) + [True] * len(second)
    else:
        assert flags == [False] * (len(first) + len(second))


@settings(max_examples=40)
@given(st.sampled_from([DAY, SPRING, AUTUMN]), st.sampled_from([300, 900, HOUR]))
def test_a_whole_day_with_offsets_comes_back_in_order(day: date, step: int) -> None:
    zone = ZoneInfo("America/New_York")
    hours = {DAY: 24, SPRING: 23, AUTUMN: 25}[day]
    starts = [day_start(day) + k * step for k in range(hours * HOUR // step)]
    rows = [f"{datetime.fromtimestamp(start, zone).isoformat(sep=' ')},1" for start in starts]
    found = times(table("Interval Start,LMP", *rows, day=day))
    assert found.start.tolist() == starts
    assert (found.step_s, found.derived, found.warnings) == (step, (), ())
