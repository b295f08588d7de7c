"""Columns with units, and Arrow tables made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from dlmp_cosim.feeders.errors import InputError, ResultsError

Kind = Literal["text", "integer", "number", "flag", "time", "day"]
TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
    "day": pa.date32(),
}
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        Its name.
    kind : {"text", "integer", "number", "flag", "time", "day"}
        What its cells are; any may be empty.
    unit : str
        Unit of the cells; empty where there is none.
    meaning : str
        One line for people.
    """

    name: str
    kind: Kind
    unit: str = ""
    meaning: str = ""

    @property
    def field(self) -> pa.Field:
        """Arrow's field, its metadata under ``unit`` and ``meaning``."""
        return pa.field(self.name, TYPES[self.kind], metadata={"unit": self.unit, "meaning": self.meaning})


def arrow_table(columns: Sequence[Column], cells: Mapping[str, Any], about: Mapping[str, str]) -> pa.Table:
    """Make a table.

    Parameters
    ----------
    columns : sequence of Column
        In order.
    cells : mapping of str to sequence
        Cells of every column by its name.
    about : mapping of str to str
        Metadata of the whole table.
    """
    schema = pa.schema([column.field for column in columns], metadata=dict(about))
    return pa.table({column.name: cells[column.name] for column in columns}, schema=schema)


def table_of_rows(
    columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], about: Mapping[str, str]
) -> pa.Table:
    """Make a table of rows; a cell that a row lacks is empty.

    Parameters
    ----------
    columns : sequence of Column
        Columns of the table, in order; other cells of a row are left out.
    rows : iterable of mapping
        Cells by the name of their column.
    about : mapping of str to str
        What to attach to the whole table.
    """
    kept = list(rows)
    return arrow_table(
        columns, {column.name: [row.get(column.name) for row in kept] for column in columns}, about
    )


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet or CSV, by the ending of its name; a file is there whole or not at all.

    In CSV, which has no metadata, units stand in the head of a column, as in ``lmp [$/MWh]``.

    Parameters
    ----------
    table : pyarrow.Table
        The table; its fields carry their units.
    path : Path
        Where to, ending in ``.parquet`` or ``.csv``; its folder is made when it is not there.

    Raises
    ------
    InputError
        When the ending says neither.
    ResultsError
        When it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path.suffix!r} is no kind of table", where=str(path), expected=" or ".join(SUFFIXES)
        )
    draft = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            pa.csv.write_csv(table.rename_columns([_headed(field) for field in table.schema]), draft)
        else:
            pa.parquet.write_table(table, draft, compression="zstd")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None


def unit_of(field: pa.Field) -> str:
    """Return the unit of an Arrow field of ours; empty when it has none."""
    return str((field.metadata or {}).get(b"unit", b"").decode())


def _headed(field: pa.Field) -> str:
    unit = unit_of(field)
    return f"{field.name} [{unit}]" if unit else field.name
