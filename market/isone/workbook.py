"""The SMD hourly workbook: one sheet per zone and one for hub and system."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.places import SHEET, SYSTEM, Place, find_place
from dlmp_cosim.market.isone.table import Origin, Table

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    SyntaxError,
    RuntimeError,
    ArithmeticError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What a damaged archive or its XML makes the libraries raise."""


def read_workbook(file: BinaryIO, origin: Origin, place: Place | None = None) -> Iterator[Table]:
    """Read the hourly sheets of a workbook, only those of `place` when it is given.

    Parameters
    ----------
    file : binary file
        The workbook, open for reading.
    origin : Origin
        Where it is from, for messages.
    place : Place, optional
        Location whose sheets are kept; all by default.

    Raises
    ------
    InputError
        When the file is damaged, has no hourly sheet, or the `excel` extra is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise InputError(
            "reading a workbook needs openpyxl",
            where=origin.source,
            expected='pip install "dlmp-cosim[excel]"',
        ) from error
    try:
        _check_archive(file)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        tables = [_sheet(book[name], name, origin) for name in book.sheetnames if _wanted(name, place)]
    except DAMAGE as error:
        raise InputError(
            f"damaged workbook: {error}", where=origin.source, expected="an .xlsx file as downloaded"
        ) from error
    found = [table for table in tables if table is not None]
    if not found:
        raise InputError(
            "no hourly sheet for the location" if place else "no hourly sheet",
            where=origin.source,
            expected=f"sheets such as {SHEET}, NEMA with columns Date, Hr_End, RT_LMP",
        )
    yield from found


def _check_archive(file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        broken = archive.testzip()
    if broken:
        raise ValueError(f"checksum of {broken}")
    file.seek(0)


def _wanted(name: str, place: Place | None) -> bool:
    if place is None:
        return True
    keys = {find_place(name, quantity).key for quantity in ("lmp", "load")}
    return place.key in keys or (place == SYSTEM and name == SHEET)


def _sheet(sheet: Worksheet, name: str, origin: Origin) -> Table | None:
    """Return the hourly rows of a sheet, or None when it is a sheet of notes."""
    lines = [[_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    head = next((at for at, row in enumerate(lines[:20]) if {"Date", "Hr_End"} <= set(row)), None)
    if head is None:
        return None
    width = max(at for at, cell in enumerate(lines[head]) if cell) + 1
    numbered = [(at + 1, row[:width]) for at, row in enumerate(lines) if at > head and any(row)]
    for number, row in numbered:
        if len(row) < width:
            raise ValueError(f"row {number} of sheet {name} has {len(row)} cells")
    date = lines[head].index("Date")
    years = {row[date][:4] for _, row in numbered}
    return Table(
        f"{origin.source}[{name}]",
        "SMD hourly workbook",
        tuple(lines[head][:width]),
        [row for _, row in numbered],
        [number for number, _ in numbered],
        source_hints="",
        flat_autumn=any(year.isdigit() and int(year) < 2024 for year in years),
        place=name,
        seen=len(numbered),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value).strip()
