"""A file as rows of text with named columns, whatever its format was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.readers.csv_table import NUMBER
from dlmp_cosim.market.isone.series import FloatArray

_MISSING = {"", "nan", "NaN", "None", "null"}


@dataclass(frozen=True)
class Table:
    """Rows of text as read from one file or sheet.

    Attributes
    ----------
    source : str
        File, and sheet where there is one.
    layout : str
        What the file is, for people.
    columns : tuple of str
        Column names.
    rows : sequence of sequences of str
        One entry per column, stripped.
    lines : sequence of int
        Line (or record) number of every row, for messages.
    hints : str
        Text of the file that may tell the market: title and comments.
    source_hints : str
        Name and folder of the file, which may tell what its text does not.
    market : str
        Market of a demand column whose name does not say; empty when the format does not either.
    step_s : int
        Step that the format states [s]; 0 when it does not.
    day : datetime.date or None
        Date of rows that only carry a clock time.
    flat_autumn : bool
        Whether the format has 24 rows on every day, daylight saving or not.
    place : str
        Location of all rows when the format states it outside the columns; empty otherwise.
    derived, warnings : tuple of str
        As in `Series`.
    seen : int
        Data rows of the file, counting those that a location filter left out.
    """

    source: str
    layout: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    hints: str = ""
    source_hints: str = ""
    market: str = ""
    step_s: int = 0
    day: date | None = None
    flat_autumn: bool = False
    place: str = ""
    derived: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seen: int = 0

    def at(self, row: int, column: int) -> str:
        """Return file, line and column of one cell, for an error.

        Parameters
        ----------
        row : int
            Position in `rows`.
        column : int
            Position in `columns`.
        """
        return f"{self.source}:{self.lines[row]} {self.columns[column]}"

    def texts(self, column: int) -> list[str]:
        """Return the text of one column."""
        return [row[column] for row in self.rows]


def numbers(table: Table, column: int) -> FloatArray:
    """Return one column as numbers; an empty cell becomes nan.

    Parameters
    ----------
    table : Table
        The table.
    column : int
        Position of the column.

    Returns
    -------
    ndarray, shape (n_row,)
        Its numbers, in the unit of the file.

    Raises
    ------
    InputError
        For text that is not a plain finite number.
    """
    values = np.empty(len(table.rows), dtype=np.float64)
    for at, text in enumerate(table.texts(column)):
        if NUMBER.fullmatch(text):
            values[at] = float(text)
        elif text in _MISSING:
            values[at] = np.nan
        else:
            raise InputError(
                f"{text!r} is not a number", where=table.at(at, column), expected="a finite number"
            )
    if np.isinf(values).any():
        at = int(np.flatnonzero(np.isinf(values))[0])
        raise InputError("the number is too large", where=table.at(at, column), expected="a finite number")
    return values


@dataclass(frozen=True)
class Origin:
    """Where rows come from.

    Attributes
    ----------
    source : str
        What the user gave, for messages.
    name, folder : str
        File name and the folder it lies in; both empty for a DataFrame.
    """

    source: str
    name: str
    folder: str

    @property
    def hints(self) -> str:
        """Folder and name, lower case."""
        return f"{self.folder}/{self.name}".lower()


def decode(data: bytes, origin: Origin) -> str:
    """Return UTF-8 text, with or without a byte order mark.

    Parameters
    ----------
    data : bytes
        The whole file.
    origin : Origin
        Where it is from, for messages.

    Raises
    ------
    InputError
        When the bytes are not UTF-8 text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError("not text", where=f"{origin.source}:{line}", expected="UTF-8 text") from error
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise InputError("not text", where=f"{origin.source}:{line}", expected="UTF-8 text")
    return text
