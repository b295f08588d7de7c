"""Reports of ISO Express line by line: what each part gives, and what is said where one is damaged."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.envelope import read_envelope
from dlmp_cosim.market.isone.places import Place, find_place
from dlmp_cosim.market.isone.table import Origin, Table

TITLE = '"C","Day Ahead Hourly LMP"'
HEADER = '"H","Date","Hour Ending","Location ID","Location Name","Locational Marginal Price"'
TYPES = '"H","Date","String","Number","String","$/MWh"'
ONE = '"D","03/17/2026","01","4008",".Z.NEMASSBOST",12.5'
TWO = '"D","03/17/2026","01","4000",".H.INTERNAL_HUB",11.5'
TRAILER = '"T","2 lines"'
WHOLE = (TITLE, HEADER, TYPES, ONE, TWO, TRAILER)


def read(lines: Sequence[str | bytes], place: Place | None = None, name: str = "report.csv") -> Table:
    data = (line if isinstance(line, bytes) else line.encode() for line in lines)
    return read_envelope((line + b"\r\n" for line in data), Origin(f"in/{name}", name, "in"), place)


def message(lines: Sequence[str | bytes]) -> str:
    """What is said of a report that cannot be used."""
    with pytest.raises(InputError) as error:
        read(lines)
    return str(error.value)


def test_a_whole_report_gives_its_rows_and_no_warning() -> None:
    table = read(WHOLE)
    assert table.columns == (
        "Date",
        "Hour Ending",
        "Location ID",
        "Location Name",
        "Locational Marginal Price",
    )
    assert table.rows == [
        ["03/17/2026", "01", "4008", ".Z.NEMASSBOST", "12.5"],
        ["03/17/2026", "01", "4000", ".H.INTERNAL_HUB", "11.5"],
    ]
    assert (table.layout, table.seen) == ("ISO Express report: Day Ahead Hourly LMP", 2)
    assert (table.warnings, table.hints) == ((), "day ahead hourly lmp")


def test_an_error_can_name_the_line_of_a_row() -> None:
    table = read((TITLE, "", HEADER, TYPES, "", ONE, "  ", TWO, TRAILER))
    assert table.lines == [6, 8]
    assert table.at(1, 2) == "in/report.csv:8 Location ID"


@pytest.mark.parametrize(
    "first",
    [
        pytest.param([codecs.BOM_UTF8 + TITLE.encode()], id="before the title"),
        pytest.param([codecs.BOM_UTF8, TITLE], id="on a line of its own"),
        pytest.param([codecs.BOM_UTF8 + b"  ", TITLE], id="before blanks"),
    ],
)
def test_a_byte_order_mark_is_no_content(first: list[str | bytes]) -> None:
    assert read([*first, *WHOLE[1:]]).layout == "ISO Express report: Day Ahead Hourly LMP"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param('D,03/17/2026,01,4008,.Z.NEMASSBOST,12.5', id="quotes gone"),
        pytest.param('D,03/17/2026,01,4008,.Z.NEMASSBOST,12.5,,,', id="padded with commas"),
        pytest.param('"D"," 03/17/2026 ","01","4008 ",".Z.NEMASSBOST"," 12.5"', id="blanks around cells"),
    ],
)  # fmt: skip
def test_a_spreadsheet_may_have_saved_it_again(row: str) -> None:
    assert read((TITLE, HEADER, TYPES, row, TWO, TRAILER)).rows == read(WHOLE).rows


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param(
            (TITLE, ONE),
            "in/report.csv:2: data before the header; expected two H lines before the first D line",
            id="no header",
        ),
        pytest.param(
            (TITLE,), "in/report.csv:1: no header; expected H lines with the column names", id="no data"
        ),
        pytest.param(
            (*WHOLE, ONE), "in/report.csv:7: data after the trailer; expected one report in a file",
            id="two reports",
        ),
        pytest.param(
            (TITLE, HEADER, TYPES, '"D","03/17/2026","01"'),
            "in/report.csv:4: the row has 2 cells; expected 5, as the header", id="short row",
        ),
        pytest.param(
            (TITLE, HEADER, TYPES, f'{ONE},"extra"'),
            "in/report.csv:4: the row has 6 cells; expected 5, as the header", id="long row",
        ),
        pytest.param(
            (TITLE, HEADER, TYPES, '"D","03/17/2026"x'),
            "in/report.csv:4: damaged line: ',' expected after '\"'; "
            "expected quoted or plain cells and commas", id="quotes",
        ),
        pytest.param((TITLE, b'"C","\xff"'), "in/report.csv:2: not text; expected UTF-8 text", id="bytes"),
        pytest.param((b'"C","\xff"',), "in/report.csv:1: not text; expected UTF-8 text", id="bytes at once"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_line(lines: Sequence[str | bytes], said: str) -> None:
    assert message(lines) == said


ORDER = "expected lines C, then two H, then D, then one T"


@pytest.mark.parametrize(
    ("lines", "kind", "line"),
    [
        pytest.param((TITLE, HEADER, TYPES, TYPES), "H", 4, id="a third header"),
        pytest.param((TITLE, HEADER, TYPES, ONE, TITLE), "C", 5, id="a comment among the data"),
        pytest.param((*WHOLE, TRAILER), "T", 7, id="a second trailer"),
        pytest.param((*WHOLE, TITLE), "C", 7, id="a comment behind the trailer"),
        pytest.param((TITLE, '"X","?"'), "X", 2, id="an unknown kind"),
        pytest.param((TITLE, "x" * 99), "x" * 20, 2, id="a long word, cut"),
    ],
)
def test_parts_out_of_order_are_refused(lines: Sequence[str], kind: str, line: int) -> None:
    assert message(lines) == f"in/report.csv:{line}: unexpected line beginning {kind!r}; {ORDER}"


@pytest.mark.parametrize(
    ("trailer", "warning"),
    [
        ('"T","2 lines"', ()),
        ('"T","2 LINES"', ()),
        ("T,2 lines,,,", ()),
        ('"T","3 lines"', ("the trailer says 3 lines but the file has 2",)),
        ('"T","two lines"', ("damaged trailer 'two lines' after 2 rows",)),
        ('"T",""', ("damaged trailer '' after 2 rows",)),
        ("", ("no trailer line after 2 rows; the file may be cut",)),
    ],
)
def test_a_trailer_that_does_not_fit_is_recorded(trailer: str, warning: tuple[str, ...]) -> None:
    assert read((*WHOLE[:-1], trailer)).warnings == warning


def test_one_line_is_a_line() -> None:
    assert read((TITLE, HEADER, TYPES, ONE, '"T","1 line"')).warnings == ()


def test_a_report_without_rows_says_so() -> None:
    table = read((TITLE, HEADER, TYPES, '"T","0 lines"'))
    assert (table.rows, table.seen) == ([], 0)
    assert table.warnings == ("the report has no data rows",)


@pytest.mark.parametrize("text", ["4008", "NEMA", ".Z.NEMASSBOST"])
def test_one_place_keeps_its_rows_and_counts_all(text: str) -> None:
    table = read(WHOLE, find_place(text, "lmp"))
    assert [row[2] for row in table.rows] == ["4008"]
    assert (table.seen, table.warnings) == (2, ())


def test_a_node_is_found_by_its_name() -> None:
    assert [row[2] for row in read(WHOLE, Place("", ".H.INTERNAL_HUB")).rows] == ["4000"]


def test_a_row_left_out_must_be_whole_too() -> None:
    short = '"D","03/17/2026","01","4000"'
    with pytest.raises(InputError, match=r"report\.csv:5: the row has 3 cells"):
        read((TITLE, HEADER, TYPES, ONE, short, TRAILER), find_place("NEMA", "lmp"))


def test_without_columns_of_places_all_rows_are_kept() -> None:
    lines = ('"C","System Load"', '"H","Date/Time","Total Load"', '"H","a","MW"', '"D","03/17/2026",9')
    assert len(read((*lines, '"T","1 lines"'), find_place("NEMA", "load")).rows) == 1


@pytest.mark.parametrize(
    ("title", "step_s", "place"),
    [
        ("Day Ahead Hourly LMP", 3600, ""),
        ("Real-Time Five-Minute LMP", 300, ""),
        ("Real-Time Five-Minute System Load", 300, "32"),
        ("Something else", 0, ""),
    ],
)
def test_a_title_tells_step_and_place(title: str, step_s: int, place: str) -> None:
    table = read((f'"C","{title}"', *WHOLE[1:]))
    assert (table.step_s, table.place) == (step_s, place)


@pytest.mark.parametrize(
    ("comments", "name", "day"),
    [
        pytest.param(["Report for: 03/17/2026"], "x.csv", date(2026, 3, 17), id="stated"),
        pytest.param(["report for: 03/17/2026 - 03/17/2026"], "x.csv", date(2026, 3, 17), id="stated twice"),
        pytest.param(["Report for: 03/17/2026 - 03/18/2026"], "x.csv", None, id="two days"),
        pytest.param([], "lmp_20260317.csv", date(2026, 3, 17), id="in the name"),
        pytest.param(["Filename: lmp_20260317.csv"], "x.csv", date(2026, 3, 17), id="in a comment"),
        pytest.param([], "lmp_20260317_20260318.csv", None, id="a range in the name"),
        pytest.param([], "lmp_20261317.csv", None, id="no such month"),
        pytest.param([], "lmp_120260317.csv", None, id="a longer number"),
        pytest.param(["Report generated 20260401"], "a_20260317", date(2026, 3, 17), id="generated later"),
        pytest.param(["Report for: 13/47/2026"], "x.csv", None, id="no such date"),
    ],
)  # fmt: skip
def test_the_day_of_a_report(comments: list[str], name: str, day: date | None) -> None:
    table = read((TITLE, *(f'"C","{text}"' for text in comments), *WHOLE[1:]), name=name)
    assert (table.day, table.warnings) == (day, ())


def test_days_that_differ_are_recorded_and_the_stated_one_holds() -> None:
    table = read((TITLE, '"C","Report for: 03/17/2026"', *WHOLE[1:]), name="lmp_20260318.csv")
    assert table.day == date(2026, 3, 17)
    assert table.warnings == ("comments and file name state different days: 2026-03-17, 2026-03-18",)


def test_what_a_report_is_for_tells_nothing_of_its_market() -> None:
    table = read((TITLE, '"C","Report for: 03/17/2026"', '"C","Final"', *WHOLE[1:]))
    assert table.hints == "day ahead hourly lmp final"


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 5))
def test_rows_of_a_place_are_those_that_a_whole_reading_has(order: list[int], wanted: int) -> None:
    rows = [f'"D","03/17/2026","01","{4000 + k}","n{k}",{k}' for k in order]
    lines = (TITLE, HEADER, TYPES, *rows, f'"T","{len(rows)} lines"')
    kept, whole = read(lines, Place(str(4000 + wanted), "")), read(lines)
    assert kept.rows == [row for row in whole.rows if row[2] == str(4000 + wanted)]
    assert (kept.seen, kept.warnings) == (whole.seen, whole.warnings)
