"""`dlmp table`: what pandas, polars and DuckDB read back, and units where they belong."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.runners.tables.columns import Column, table_of_rows, unit_of, write_table
from dlmp_cosim.runners.tables.command import table_command

pytestmark = pytest.mark.federation


def run(*arguments: object) -> Result:
    return CliRunner().invoke(table_command, [str(item) for item in arguments])


def test_every_reader_reads_the_same(short_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.parquet"
    assert run(short_run, "-o", out).exit_code == 0
    with Results(short_run) as results:
        expected = results.values("wholesale/lmp")
    read = {
        "pandas": pd.read_parquet(out)["wholesale/lmp"].to_numpy(),
        "polars": pl.read_parquet(out)["wholesale/lmp"].to_numpy(),
        "duckdb": duckdb.read_parquet(str(out)).fetchnumpy()["wholesale/lmp"],
    }
    for values in read.values():
        assert np.array_equal(values, expected)
    table = pyarrow.parquet.read_table(out)
    assert unit_of(table.schema.field("wholesale/lmp")) == "$/MWh"
    assert unit_of(table.schema.field("settlement/net_revenue")) == "$"
    assert str(table["time"][0].as_py()) == "2020-08-25 17:00:00+00:00"
    assert all(field.metadata[b"meaning"] for field in table.schema)


def test_a_topic_with_places_is_wide_or_long(short_run: Path, tmp_path: Path) -> None:
    wide, long = tmp_path / "wide.parquet", tmp_path / "long.parquet"
    assert run(short_run, "-o", wide, "--topic", "market/dlmp_real").exit_code == 0
    assert run(short_run, "-o", long, "--topic", "market/dlmp_real", "--long").exit_code == 0
    side, down = pd.read_parquet(wide), pd.read_parquet(long)
    again = down.pivot_table(index="time", columns="node", values="value")
    for node in ("150.1", "83.3"):
        assert np.array_equal(side[f"market/dlmp_real/{node}"], again[node])


def test_csv_has_units_in_its_head(short_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "day.csv"
    assert (
        run(short_run, "-o", out, "--topic", "wholesale/lmp", "--topic", "feeder/losses_real").exit_code == 0
    )
    assert (
        out.read_text().splitlines()[0].replace('"', "")
        == "time,wholesale/lmp [$/MWh],feeder/losses_real [kW]"
    )
    assert len(pd.read_csv(out)) == 6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "day.xls"], "expected .parquet or .csv"),
        (["-o", "day.csv", "--topic", "market/dlmp_rael"], "did you mean 'market/dlmp_real'?"),
        (["-o", "day.csv", "--long"], "expected one --topic"),
        (["-o", "day.csv", "--topic", "market/dlmp_real:mean"], "expected --long with it"),
        (["-o", "/proc/nowhere/day.csv"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_said(short_run: Path, arguments: list[str], says: str) -> None:
    done = run(short_run, *arguments)
    assert done.exit_code == 1
    assert says in done.output


def test_a_cell_that_a_row_lacks_is_empty(tmp_path: Path) -> None:
    table = table_of_rows(
        [Column("a", "integer"), Column("b", "text")], [{"a": 1}, {"b": "x"}], {"sweep": "s"}
    )
    write_table(table, tmp_path / "t.parquet")
    again = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert again.to_pylist() == [{"a": 1, "b": None}, {"a": None, "b": "x"}]
    assert again.schema.metadata[b"sweep"] == b"s"
