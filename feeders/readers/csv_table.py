"""Comma-separated tables whose every mistake is reported with file, line and column."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlmp_cosim.feeders.errors import InputError, nearest_name, unknown_name

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
"""How a table writes a number. Python reads more as one, such as ``1_000`` and digits of other scripts."""


def plain_number(cell: str | None) -> float:
    """Read the finite number that a cell of a table holds; ValueError when it holds none.

    Parameters
    ----------
    cell : str or None
        Its text, around which blanks do not count; None of a row that is too short.
    """
    text = (cell or "").strip()
    number = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number")
    return number


def said_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Leave blank lines of a table out, and remarks, which begin with ``#``; number the others from 1.

    Parameters
    ----------
    lines : iterable of str
        Every line of the file.
    """
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    file : str
        File name, for messages.
    line : int
        Line number in the file, from 1.
    cells : dict of str to str
        Text of each column, stripped.
    """

    file: str
    line: int
    cells: dict[str, str]

    def where(self, column: str) -> str:
        """Return ``file:line column``."""
        return f"{self.file}:{self.line} {column}"

    def error(self, column: str, what: str, expected: str = "") -> InputError:
        """Build the error for one cell.

        Parameters
        ----------
        column : str
            Name of the cell's column.
        what : str
            What is wrong with it.
        expected : str
            What would be right.
        """
        return InputError(what, where=self.where(column), expected=expected)

    def text(self, column: str) -> str:
        """Return the text of a cell, which must not be empty.

        Raises
        ------
        InputError
            When the cell is empty.
        """
        value = self.cells[column]
        if not value:
            raise self.error(column, "empty cell", "a value")
        return value

    def number(self, column: str, *, minimum: float = -math.inf, above: float = -math.inf) -> float:
        """Return a finite number of at least `minimum` and greater than `above`.

        Parameters
        ----------
        column : str
            Name of the cell's column.
        minimum : float
            Least number that is valid.
        above : float
            Number that a valid one exceeds.

        Raises
        ------
        InputError
            When the cell is no number, is not finite or is too small.
        """
        value = self.text(column)
        try:
            number = plain_number(value)
        except ValueError as error:
            raise self.error(column, str(error), "a finite number such as 12.5") from None
        if number < minimum:
            raise self.error(column, f"{value} is too small", f"at least {minimum:g}")
        if number <= above:
            raise self.error(column, f"{value} is too small", f"more than {above:g}")
        return number

    def integer(self, column: str, *, minimum: int, maximum: int) -> int:
        """Return a whole number within the limits.

        Parameters
        ----------
        column : str
            Name of the cell's column.
        minimum, maximum : int
            Limits, both included.

        Raises
        ------
        InputError
            When the cell is no whole number or lies outside.
        """
        number = self.number(column)
        if number != int(number) or not minimum <= number <= maximum:
            raise self.error(
                column, f"{self.cells[column]!r} is not valid", f"a whole number {minimum} to {maximum}"
            )
        return int(number)

    def choice(self, column: str, valid: Iterable[str], *, kind: str) -> str:
        """Return the text of a cell that must be one of the `valid` names of its `kind`.

        Parameters
        ----------
        column : str
            Name of the cell's column.
        valid : iterable of str
            Names that exist.
        kind : str
            What they stand for, in the singular, for the message.

        Raises
        ------
        InputError
            When it is not, with the nearest valid name.
        """
        value = self.text(column)
        names = list(valid)
        if value not in names:
            raise unknown_name(kind, value, names, where=self.where(column))
        return value

    def phases(self, column: str) -> tuple[int, ...]:
        """Return the phases written as letters, such as ``ac``, ascending: 1 = A, 2 = B, 3 = C.

        Raises
        ------
        InputError
            When a letter is unknown or appears twice.
        """
        value = self.text(column)
        phases = tuple(sorted("ABC".find(letter) + 1 for letter in value.upper()))
        if 0 in phases or len(set(phases)) != len(phases):
            raise self.error(
                column, f"{value!r} is not a list of phases", "letters out of A, B, C, each once"
            )
        return phases


def once(row: Row, column: str, name: str, first_line: dict[str, int]) -> None:
    """Note a name that may appear only once in a table.

    Parameters
    ----------
    row : Row
        The line that has it.
    column : str
        Its column, for the message.
    name : str
        The name; its case does not count.
    first_line : dict of str to int
        Line of every name so far; the name is added.

    Raises
    ------
    InputError
        When the name is already there.
    """
    line = first_line.setdefault(name.lower(), row.line)
    if line != row.line:
        raise row.error(column, f"{name!r} is already on line {line}", "each one once")


def read_table(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[Row]:
    """Read a table with one header line; lines that start with ``#`` are comments.

    Parameters
    ----------
    path : Path
        File, UTF-8.
    columns : sequence of str
        Columns that must be there; their order is free.
    optional : sequence of str
        Columns that may be there; cells of absent ones are empty.

    Returns
    -------
    list of Row
        One per data line, in file order.

    Raises
    ------
    InputError
        When the file cannot be read, a column is missing, unknown or given twice, or a line has too few or
        too many cells.
    """
    lines = _data_lines(path)
    if not lines:
        raise InputError("no header line", where=str(path), expected=", ".join(columns))
    header = [name.strip() for name in lines[0][1]]
    _check_header(path, lines[0][0], header, columns, optional)
    return [_row(path, number, header, cells, optional) for number, cells in lines[1:]]


def _data_lines(path: Path) -> list[tuple[int, list[str]]]:
    """Split the lines that hold something into cells, each with its line number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        near = nearest_name(path.name, (entry.name for entry in _siblings(path)))
        raise InputError("no such file", where=str(path), nearest=near) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path), expected="a UTF-8 text file") from error
    found = []
    # Lines end where editors end them: str.splitlines ends them at more than that.
    for number, line in said_lines(text.split("\n")):
        try:
            found.append((number, next(csv.reader([line], strict=True))))
        except csv.Error as error:
            raise InputError(f"not a comma-separated table: {error}", where=f"{path}:{number}") from error
    return found


def _siblings(path: Path) -> list[Path]:
    """List the folder of a file; empty when there is none."""
    return sorted(path.parent.iterdir()) if path.parent.is_dir() else []


def _check_header(
    path: Path, line: int, header: list[str], columns: Sequence[str], optional: Sequence[str]
) -> None:
    """Raise when a header misses a column, repeats one or has one that nobody reads."""
    where = f"{path.name}:{line}"
    known = [*columns, *optional]
    for name in columns:
        if name not in header:
            unread = (other for other in header if other not in known)
            raise InputError(f"column {name!r} is missing", where=where, nearest=nearest_name(name, unread))
    for name in header:
        if name not in known:
            raise unknown_name("column", name, known, where=where)
        if header.count(name) > 1:
            raise InputError(f"column {name!r} appears twice", where=where)


def _row(path: Path, line: int, header: list[str], cells: list[str], optional: Sequence[str]) -> Row:
    """Pair a line's cells with the header."""
    if len(cells) != len(header):
        raise InputError(
            f"{len(cells)} cells", where=f"{path.name}:{line}", expected=f"{len(header)}, as in the header"
        )
    named = dict.fromkeys(optional, "") | {
        name: cell.strip() for name, cell in zip(header, cells, strict=True)
    }
    return Row(path.name, line, named)
