"""Columns with units, and tables that are there whole or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError, ResultsError
from dlmp_cosim.runners.tables.columns import (
    TYPES,
    Column,
    Kind,
    arrow_table,
    table_of_rows,
    unit_of,
    write_table,
)

PRICE, NAME = Column("lmp", "number", "$/MWh", "price at the head"), Column("name", "text", "", "who")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "a"),
        ("integer", 2**40),
        ("number", 1.5),
        ("flag", True),
        ("time", datetime(2020, 8, 25, 4, tzinfo=UTC)),
        ("day", date(2020, 8, 25)),
    ],
)
def test_every_kind_of_cell_may_be_empty(kind: Kind, value: Any) -> None:
    table = table_of_rows([Column("x", kind)], [{"x": value}, {}, {"x": None}], {})
    assert table["x"].to_pylist() == [value, None, None]
    assert table.schema.field("x").type == TYPES[kind]


def test_columns_know_their_unit_and_meaning() -> None:
    table = arrow_table([PRICE, NAME], {"lmp": [1.0], "name": ["a"]}, {"study": "day"})
    assert [unit_of(field) for field in table.schema] == ["$/MWh", ""]
    assert table.schema.field("lmp").metadata[b"meaning"] == b"price at the head"
    assert table.schema.metadata == {b"study": b"day"}


def test_a_field_of_somebody_else_has_no_unit() -> None:
    assert unit_of(pa.field("x", pa.int64())) == ""


def test_cells_that_no_column_asks_for_are_left_out() -> None:
    table = table_of_rows([NAME], iter([{"name": "a", "more": 1}]), {})
    assert table.column_names == ["name"]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(allow_nan=False), st.none() | st.text(max_size=5)), max_size=8))
def test_parquet_keeps_everything(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[float, str | None]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    rows = [{"lmp": lmp, "name": name} for lmp, name in cells]
    table = table_of_rows([PRICE, NAME], rows, {"study": "day"})
    write_table(table, path)
    read = pyarrow.parquet.read_table(path)
    assert read.equals(table)
    assert read.schema.field("lmp").metadata == table.schema.field("lmp").metadata


def test_units_stand_in_the_head_of_csv(tmp_path: Path) -> None:
    write_table(table_of_rows([PRICE, NAME], [{"lmp": 1.5, "name": 'a "b", c'}, {}], {}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == '"lmp [$/MWh]","name"\n1.5,"a ""b"", c"\n,\n'


def test_a_folder_is_made_and_nothing_is_left_beside(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "t.csv"
    write_table(table_of_rows([NAME], [], {}), path)
    assert [item.name for item in path.parent.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.CSV"])
def test_another_ending_is_no_table(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        write_table(table_of_rows([NAME], [], {}), tmp_path / name)
    suffix = Path(name).suffix
    assert (
        str(caught.value) == f"{tmp_path / name}: {suffix!r} is no kind of table; expected .parquet or .csv"
    )


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_where_a_file_stands_for_the_folder_nothing_can_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / name
    with pytest.raises(ResultsError, match="cannot be written") as caught:
        write_table(table_of_rows([NAME], [], {}), path)
    assert str(caught.value).startswith(f"{path}: cannot be written: ")


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.mkdir()
    with pytest.raises(ResultsError, match="cannot be written"):
        write_table(table_of_rows([NAME], [], {}), path)
    assert [item.name for item in tmp_path.iterdir()] == ["t.csv"]
