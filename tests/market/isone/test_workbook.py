"""Sheets of the hourly workbook: which are read, where their rows begin, what is in a cell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.places import HUB, SYSTEM, Place, find_place
from dlmp_cosim.market.isone.reader import read_series
from dlmp_cosim.market.isone.table import Origin, Table
from dlmp_cosim.market.isone.workbook import read_workbook

HEAD = ["Date", "Hr_End", "RT_LMP"]
DAY = datetime(2025, 3, 1)
ROWS: list[list[Any]] = [[*HEAD], [DAY, 1, 20.5], [DAY, 2, 21]]

Rows = Sequence[Sequence[Any]]


def book(folder: Path, **sheets: Rows) -> Path:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name.replace("_", " "))
        for row in rows:
            sheet.append(list(row))
    path = folder / "smd.xlsx"
    made.save(path)
    return path


def tables(path: Path, place: Place | None = None) -> list[Table]:
    with path.open("rb") as file:
        return list(read_workbook(file, Origin("smd.xlsx", path.name, ""), place))


def test_a_sheet_is_a_table_of_text(tmp_path: Path) -> None:
    (table,) = tables(book(tmp_path, NEMA=ROWS))
    assert table.columns == ("Date", "Hr_End", "RT_LMP")
    assert table.rows == [["2025-03-01 00:00:00", "1", "20.5"], ["2025-03-01 00:00:00", "2", "21"]]
    assert (table.source, table.place, table.seen) == ("smd.xlsx[NEMA]", "NEMA", 2)
    assert table.at(1, 2) == "smd.xlsx[NEMA]:3 RT_LMP"


def test_sheets_of_notes_are_passed_over(tmp_path: Path) -> None:
    found = tables(book(tmp_path, Notes=[["Hourly data"], ["Date", "is local"]], NEMA=ROWS, ISO_NE_CA=ROWS))
    assert [table.place for table in found] == ["NEMA", "ISO NE CA"]


def test_a_heading_may_stand_below_a_title(tmp_path: Path) -> None:
    (table,) = tables(book(tmp_path, NEMA=[["SMD hourly"], [], *ROWS]))
    assert (table.lines, len(table.rows)) == ([4, 5], 2)


@pytest.mark.parametrize(("above", "found"), [(19, 1), (20, 0)])
def test_a_heading_is_looked_for_in_twenty_rows(tmp_path: Path, above: int, found: int) -> None:
    path = book(tmp_path, NEMA=[["note"]] * above + ROWS, ME=ROWS)
    assert len(tables(path)) == 1 + found


@pytest.mark.parametrize(
    ("name", "sheets"),
    [("NEMA", ["NEMA"]), ("4008", ["NEMA"]), (".Z.NEMASSBOST", ["NEMA"]), ("ME", ["ME"])],
)
def test_one_place_reads_its_own_sheets(tmp_path: Path, name: str, sheets: list[str]) -> None:
    path = book(tmp_path, ME=ROWS, NEMA=ROWS, ISO_NE_CA=ROWS)
    assert [table.place for table in tables(path, find_place(name, "lmp"))] == sheets


@pytest.mark.parametrize("place", [HUB, SYSTEM])
def test_hub_and_system_are_one_sheet(tmp_path: Path, place: Place) -> None:
    path = book(tmp_path, NEMA=ROWS, ISO_NE_CA=ROWS)
    assert [table.place for table in tables(path, place)] == ["ISO NE CA"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("  12.5 ", "12.5"),
        (7, "7"),
        (-3.25, "-3.25"),
        (True, "True"),
        (datetime(2025, 3, 1, 13, 5), "2025-03-01 13:05:00"),
        (date(2025, 3, 1), "2025-03-01 00:00:00"),
        (time(13, 5), "13:05:00"),
    ],
)
def test_cells_become_text(tmp_path: Path, cell: object, text: str) -> None:
    rows: Rows = [HEAD, [DAY, 1, cell], [DAY, 2, 9]]
    (table,) = tables(book(tmp_path, NEMA=rows))
    assert table.rows[0][2] == text


def test_empty_rows_and_what_lies_right_of_the_heading_do_not_count(tmp_path: Path) -> None:
    rows: Rows = [HEAD, [DAY, 1, 5, "remark"], [None, None, None], [DAY, 2, 6]]
    (table,) = tables(book(tmp_path, NEMA=rows))
    assert [row[1:] for row in table.rows] == [["1", "5"], ["2", "6"]]
    assert table.lines == [2, 4]


@pytest.mark.parametrize(("year", "flat"), [(2023, True), (2024, False), (2025, False)])
def test_autumn_has_25_hours_from_2024_on(tmp_path: Path, year: int, flat: bool) -> None:
    (table,) = tables(book(tmp_path, NEMA=[HEAD, [datetime(year, 3, 1), 1, 5]]))
    assert table.flat_autumn is flat


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (None, "smd.xlsx: no hourly sheet; expected sheets such as ISO NE CA, NEMA"),
        ("NEMA", "smd.xlsx: no hourly sheet for the location; expected sheets such as ISO NE CA, NEMA"),
    ],
)
def test_a_workbook_without_hourly_rows_is_named(tmp_path: Path, place: str | None, said: str) -> None:
    path = book(tmp_path, Notes=[["Hourly data"]])
    with pytest.raises(InputError) as error:
        tables(path, None if place is None else find_place(place, "lmp"))
    assert str(error.value) == f"{said} with columns Date, Hr_End, RT_LMP"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("#N/A", "'#N/A' is not a number; expected a finite number"),
        (True, "'True' is not a number; expected a finite number"),
        ("1e999", "the number is too large; expected a finite number"),
    ],
)
def test_a_cell_that_is_no_price_is_named_with_sheet_and_row(tmp_path: Path, cell: object, said: str) -> None:
    path = book(tmp_path, NEMA=[HEAD, [DAY, 1, 5], [DAY, 2, cell]])
    with pytest.raises(InputError) as error:
        read_series(path)
    assert str(error.value) == f"{path}[NEMA]:3 RT_LMP: {said}"
