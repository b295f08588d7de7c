"""Delimited tables with a header (or two bare columns), and the EEI fixed-width file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import HOUR, parse_stamp
from dlmp_cosim.market.isone.columns import find_roles, plain
from dlmp_cosim.market.isone.layouts import unknown_layout
from dlmp_cosim.market.isone.places import SYSTEM
from dlmp_cosim.market.isone.series import Quantity
from dlmp_cosim.market.isone.table import Origin, Table, decode

CHART = ("begindate", "type", "mw")
GRIDSTATUS_LOAD = {"time", "interval start", "interval end", "load"}
_EEI_LINE = re.compile(r"(\d{2})(\d{2})(\d{4})([12]) {11}((?:[ \d]{4}\d){12})", re.ASCII)


def read_delimited(data: bytes, origin: Origin, quantity: Quantity | None) -> Table:
    """Read a csv table with a header line, or two columns (time, value) with or without one.

    Parameters
    ----------
    data : bytes
        The whole file.
    origin : Origin
        Where it is from, for messages.
    quantity : {"lmp", "load"} or None
        What the second of two columns holds where its name does not say; a price by default.

    Raises
    ------
    InputError
        When the text is not csv, a row has too few or too many cells, or there is no row.
    """
    text = decode(data, origin)
    lines, rows = _split(text, origin)
    if len(rows) < 2:
        raise InputError("the table has no rows", where=origin.source, expected="a header line and rows")
    derived: tuple[str, ...] = ()
    header = rows[0]
    if parse_stamp(header[0]) is not None:
        header = ["time", "value"][: len(header)]
    else:
        lines, rows = lines[1:], rows[1:]
    if len(header) == 2 and not find_roles(header).measures:
        header, derived = _two_columns(header, quantity)
    unknown = unknown_layout(header, f"{origin.source}:1")
    if unknown is not None:
        raise unknown
    _check_widths(rows, lines, len(header), origin)
    cut = (
        ()
        if data.endswith((b"\n", b"\r")) or not origin.name
        else ("the last line has no line end; is it whole?",)
    )
    table = Table(
        origin.source,
        "table",
        tuple(header),
        rows,
        lines,
        source_hints=origin.hints,
        derived=derived,
        warnings=cut,
        seen=len(rows),
    )
    return _recognised(table)


def _split(text: str, origin: Origin) -> tuple[list[int], list[list[str]]]:
    delimiter = max(",;\t", key=text[: text.find("\n")].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, rows = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(reader.line_num)
                rows.append([cell.strip() for cell in row])
    except csv.Error as error:
        raise InputError(
            f"not a csv file: {error}",
            where=f"{origin.source}:{reader.line_num}",
            expected="rows of text and commas",
        ) from error
    return lines, rows


def _check_widths(rows: Sequence[Sequence[str]], lines: Sequence[int], width: int, origin: Origin) -> None:
    for line, row in zip(lines, rows, strict=True):
        if len(row) != width:
            raise InputError(
                f"the row has {len(row)} cells",
                where=f"{origin.source}:{line}",
                expected=f"{width}, as the header",
            )


def _two_columns(header: list[str], quantity: Quantity | None) -> tuple[list[str], tuple[str, ...]]:
    """Name two bare columns: a time and a price or demand."""
    name = plain(header[1])
    if re.search(r"load|demand|\bmwh?\b", name) and "$" not in name:
        meant = "load"
    elif "$" in name or re.search(r"price|lmp", name):
        meant = "price"
    else:
        meant = "load" if quantity == "load" else "price"
    return ["time", meant], (
        f"column {header[1]!r} taken as {'demand in MW' if meant == 'load' else 'price in $/MWh'}",
    )


def _recognised(table: Table) -> Table:
    """Add what is known of a table from its columns: chart export, SMD sheet, gridstatus."""
    names = [plain(name) for name in table.columns]
    if tuple(names) == CHART:
        return _chart(table)
    if "hr end" in names and any(name in names for name in ("rt lmp", "da lmp", "rt demand")):
        return replace(table, layout="SMD hourly sheet", flat_autumn=_before_2024(table))
    if set(names) == GRIDSTATUS_LOAD:
        note = "the load that gridstatus reports is native load"
        derived = (*table.derived, note)
        return replace(table, layout="gridstatus table", market="native", place=SYSTEM.id, derived=derived)
    return (
        replace(table, layout="gridstatus table")
        if {"interval start", "interval end"} <= set(names)
        else table
    )


def _before_2024(table: Table) -> bool:
    """Tell whether a sheet is of the years that flattened the repeated hour to 24 rows."""
    date = next((at for at, name in enumerate(table.columns) if plain(name) == "date"), None)
    return date is not None and any(
        row[date][:4].isdigit() and int(row[date][:4]) < 2024 for row in table.rows
    )


def _chart(table: Table) -> Table:
    kinds = {row[1] for row in table.rows}
    if not kinds <= {"actual", "forecast"}:
        at = next(i for i, row in enumerate(table.rows) if row[1] not in {"actual", "forecast"})
        raise InputError(f"{table.rows[at][1]!r}", where=table.at(at, 1), expected="actual or forecast")
    kept = [at for at, row in enumerate(table.rows) if row[1] == "actual"]
    return Table(
        table.source,
        "chart export",
        table.columns,
        [table.rows[at] for at in kept],
        [table.lines[at] for at in kept],
        step_s=300,
        place=SYSTEM.id,
        market="system",
        derived=(f"{len(table.rows) - len(kept)} forecast rows left out",),
        warnings=table.warnings,
        seen=len(table.rows),
    )


def read_eei(data: bytes, origin: Origin) -> Table:
    """Read the EEI fixed-width file: MMDDYYYY, half of the day, 12 hourly loads [MW] of five digits.

    Parameters
    ----------
    data : bytes
        The whole file.
    origin : Origin
        Where it is from.

    Raises
    ------
    InputError
        When a line is cut or damaged, or a day lacks one of its halves.
    """
    rows, lines, halves = [], [], []
    for number, line in enumerate(io.StringIO(decode(data, origin), newline=None), 1):
        if not line.strip():
            continue
        match = _EEI_LINE.fullmatch(line.rstrip())
        if not match:
            expected = "MMDDYYYY, 1 or 2, 11 blanks and 12 loads of 5 digits"
            raise InputError("damaged line", where=f"{origin.source}:{number}", expected=expected)
        month, day, year, half, loads = match.groups()
        date = f"{year}-{month}-{day}"
        halves.append((date, half, number))
        for at in range(12):
            rows.append([date, str(at + 1 + 12 * (int(half) - 1)), loads[5 * at : 5 * at + 5].strip()])
            lines.append(number)
    warnings = _half_days(halves)
    return Table(
        origin.source,
        "EEI fixed width",
        ("Date", "Hour Ending", "System Load"),
        rows,
        lines,
        step_s=HOUR,
        flat_autumn=True,
        place=SYSTEM.id,
        warnings=warnings,
        seen=len(rows),
    )


def _half_days(halves: Sequence[tuple[str, str, int]]) -> tuple[str, ...]:
    seen: dict[str, set[str]] = {}
    for date, half, _ in halves:
        seen.setdefault(date, set()).add(half)
    return tuple(f"{date} has only one of its two lines" for date, found in seen.items() if len(found) < 2)
