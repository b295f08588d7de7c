"""Delimited tables and fixed width: delimiters, bare columns, known sheets, damaged rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.flat_files import read_delimited, read_eei
from dlmp_cosim.market.isone.series import Quantity
from dlmp_cosim.market.isone.table import Origin, Table

ORIGIN = Origin("d/f.csv", "f.csv", "d")


def read(text: str, quantity: Quantity | None = None) -> Table:
    return read_delimited(text.encode(), ORIGIN, quantity)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_any_delimiter_is_told_from_the_heading(delimiter: str) -> None:
    text = "Interval Start,LMP,Location\n2020-08-25 13:00,1.5,a\n\n2020-08-25 14:00, 2 ,b\n"
    table = read(text.replace(",", delimiter))
    assert table.columns == ("Interval Start", "LMP", "Location")
    assert table.rows == [["2020-08-25 13:00", "1.5", "a"], ["2020-08-25 14:00", "2", "b"]]
    assert list(table.lines) == [2, 4]
    assert (table.layout, table.warnings, table.derived) == ("table", (), ())


def test_a_quoted_cell_may_hold_a_delimiter() -> None:
    assert read('Time,LMP,Location\n2020-08-25,1,"a, b"\n').rows[0][2] == "a, b"


@pytest.mark.parametrize(
    ("second", "asked", "column", "note"),
    [
        ("Mw", None, "Mw", ""),
        ("Price ($/MWh)", "load", "price", "column 'Price ($/MWh)' taken as price in $/MWh"),
        ("Demand (MW)", "lmp", "load", "column 'Demand (MW)' taken as demand in MW"),
        ("Value", None, "price", "column 'Value' taken as price in $/MWh"),
        ("Value", "load", "load", "column 'Value' taken as demand in MW"),
        ("Cost of load, $", None, "price", "column 'Cost of load, $' taken as price in $/MWh"),
    ],
)
def test_the_second_of_two_columns(second: str, asked: Quantity | None, column: str, note: str) -> None:
    table = read(f'Time,"{second}"\n2020-08-25 13:00,1\n', asked)
    assert table.columns[1] == column
    assert table.derived == ((note,) if note else ())


def test_two_bare_columns_need_no_heading() -> None:
    table = read("08/25/2020 13:00,31.5\n08/25/2020 14:00,32.5\n")
    assert table.columns == ("time", "price")
    assert len(table.rows) == 2
    assert list(table.lines) == [1, 2]


@pytest.mark.parametrize(
    ("header", "row", "layout", "flat", "place"),
    [
        ("Date,Hr_End,RT_LMP", "2023-01-01,1,2", "SMD hourly sheet", True, ""),
        ("Date,Hr_End,RT_LMP", "2024-01-01,1,2", "SMD hourly sheet", False, ""),
        ("Date,Hr_End,LMP", "2020-01-01,1,2", "table", False, ""),
        ("Time,Interval Start,Interval End,Load", "x,x,x,1", "gridstatus table", False, "32"),
        ("Interval Start,Interval End,LMP", "x,x,1", "gridstatus table", False, ""),
    ],
)
def test_known_sheets_are_known_by_their_columns(
    header: str, row: str, layout: str, flat: bool, place: str
) -> None:
    table = read(f"{header}\n{row}\n")
    assert (table.layout, table.flat_autumn, table.place) == (layout, flat, place)


def test_a_chart_keeps_what_happened() -> None:
    rows = ["2020-08-25 13:00,actual,9", "2020-08-25 13:05,forecast,8", "2020-08-25 13:05,actual,7"]
    table = read("\n".join(["BeginDate,Type,Mw", *rows]) + "\n")
    assert [row[2] for row in table.rows] == ["9", "7"]
    assert list(table.lines) == [2, 4]
    assert table.derived == ("1 forecast rows left out",)
    assert (table.layout, table.step_s, table.place, table.market, table.seen) == (
        "chart export", 300, "32", "system", 3,
    )  # fmt: skip


def test_a_file_that_ends_in_a_row_may_be_cut() -> None:
    assert read("Time,LMP\n2020-08-25,1").warnings == ("the last line has no line end; is it whole?",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "d/f.csv: the table has no rows; expected a header line and rows"),
        ("Time,LMP\n\n \n", "d/f.csv: the table has no rows; expected a header line and rows"),
        ("Time,LMP\n2020-08-25,1\n2020-08-26\n", "d/f.csv:3: the row has 1 cells; expected 2, as the header"),
        ("Time,LMP,A\n2020-08-25,1,2,3\n", "d/f.csv:2: the row has 4 cells; expected 3, as the header"),
        (
            "BeginDate,Type,Mw\n2020-08-25,guess,1\n",
            "d/f.csv:2 Type: 'guess'; expected actual or forecast",
        ),
    ],
)
def test_tables_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value) == message


def test_an_open_quote_is_no_csv() -> None:
    with pytest.raises(
        InputError, match=r"^d/f\.csv:2: not a csv file: .*; expected rows of text and commas$"
    ):
        read('Time,LMP\n2020-08-25,"1\n')


def eei(day: str, half: int, loads: list[int]) -> str:
    return f"{day}{half}{'':11}" + "".join(f"{load:5d}" for load in loads)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 99_999), min_size=24, max_size=24))
def test_fixed_width_comes_back_as_it_was_written(loads: list[int]) -> None:
    text = f"{eei('08252020', 1, loads[:12])}\n\n{eei('08252020', 2, loads[12:])}\n"
    table = read_eei(text.encode(), ORIGIN)
    assert [row[1] for row in table.rows] == [str(hour) for hour in range(1, 25)]
    assert [int(row[2]) for row in table.rows] == loads
    assert {row[0] for row in table.rows} == {"2020-08-25"}
    assert (set(table.lines), table.warnings, table.flat_autumn) == ({1, 3}, (), True)


def test_half_a_day_is_told() -> None:
    table = read_eei(eei("08252020", 2, [1] * 12).encode(), ORIGIN)
    assert table.warnings == ("2020-08-25 has only one of its two lines",)
    assert table.rows[0][1] == "13"


@pytest.mark.parametrize("spoilt", [lambda line: line[:-1], lambda line: line[:8] + "3" + line[9:],
                                    lambda line: line[:20] + "12 4" + line[24:] + "x"])  # fmt: skip
def test_a_damaged_line_is_told_with_its_number(spoilt: object) -> None:
    good = eei("08252020", 1, [12345] * 12)
    with pytest.raises(InputError) as caught:
        read_eei(f"{good}\n{spoilt(good)}\n".encode(), ORIGIN)  # type: ignore[operator]
    assert str(caught.value) == (
        "d/f.csv:2: damaged line; expected MMDDYYYY, 1 or 2, 11 blanks and 12 loads of 5 digits"
    )
