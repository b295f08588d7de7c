"""Tables of a study: CSV files with a line of headings, in which lines that begin with # are remarks."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.feeders.readers.csv_table import plain_number, said_lines


def read_rows(file: Path, where: str = "") -> list[dict[str, str]]:
    """Read the rows of a table, by heading.

    Parameters
    ----------
    file : Path
        A CSV file.
    where : str, optional
        Key of the scenario that names it, for messages; by default they name the file.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return list(csv.DictReader(line for _, line in said_lines(stream)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = f"{file} cannot be read" if where else "cannot be read"
        raise InputError(f"{said}: {error}", where=where or str(file)) from None


def read_numbers(file: Path, columns: Sequence[str], where: str, what: str) -> FloatArray:
    """Read a table of numbers, shape (n_row, n_column).

    Parameters
    ----------
    file : Path
        A CSV file.
    columns : sequence of str
        Headings of the columns wanted, in order.
    where : str
        Key of the scenario that names it, for messages.
    what : str
        What the table is to be, for messages.

    Raises
    ------
    InputError
        When it cannot be read, lacks a column, or holds what is no finite number.
    """
    rows = read_rows(file, where)
    try:
        numbers = [[plain_number(row[name]) for name in columns] for row in rows]
    except (KeyError, ValueError):
        raise InputError(f"{file} is no {what}", where=where, expected=",".join(columns)) from None
    return np.array(numbers, dtype=np.float64).reshape(-1, len(columns))
