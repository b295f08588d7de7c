"""`dlmp findings`: a table in Markdown, and a figure where one is wanted."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.findings import drawing
from dlmp_cosim.runners.findings.command import FINDINGS, findings_command
from dlmp_cosim.runners.tables.columns import Column, table_of_rows, write_table

TABLE = pd.DataFrame({"place": ["far", "near"], "median": [35.25, float("nan")]}).set_index("place")
Told = Callable[..., Result]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Call the command on the folder of a sweep by some name, whose finding is told."""

    def call(*options: str, name: str = "hosting", draw: Any = None) -> Result:
        table = table_of_rows([Column("run", "integer")], [{"run": 0}], {"sweep": name})
        write_table(table, tmp_path / "summary.parquet")
        shown = SimpleNamespace(table=lambda _: TABLE, draw=draw)
        monkeypatch.setattr(importlib, "import_module", lambda _: shown)
        return CliRunner().invoke(findings_command, [str(tmp_path), *options])

    return call


def figure(content: bytes = b"png") -> Any:
    def savefig(path: Path, **options: Any) -> None:
        assert options["metadata"] == {"Software": None}, "equal figures are equal bytes"
        path.write_bytes(content)

    return lambda _: SimpleNamespace(savefig=savefig)


def test_a_table_is_markdown_with_blanks_for_what_there_is_not(told: Told) -> None:
    assert told().output.splitlines() == [
        "| place | median |",
        "| --- | --- |",
        "| far | 35.25 |",
        "| near |  |",
    ]


def test_a_figure_is_named_after_the_sweep(told: Told, tmp_path: Path) -> None:
    result = told("-o", str(tmp_path / "new" / "pictures"), name="days", draw=figure())
    path = tmp_path / "new" / "pictures" / "days.png"
    assert result.output.splitlines()[:2] == [str(path), ""]
    assert path.read_bytes() == b"png"


def test_a_folder_that_cannot_be_made_is_named(told: Told, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "pictures"
    result = told("-o", str(place), draw=figure())
    assert (result.exit_code, result.output) == (1, f"Error: {place}: cannot be written: Not a directory\n")


@pytest.mark.parametrize(
    ("name", "hint"), [("hostin", "did you mean 'hosting'?"), ("", "expected one of hosting")]
)
def test_a_sweep_of_another_name_is_refused(told: Told, name: str, hint: str) -> None:
    result = told(name=name)
    assert result.exit_code == 1
    assert f"summary.parquet: unknown sweep {name!r}" in result.output
    assert hint in result.output


def test_a_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(findings_command, [str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("path", sorted(set(FINDINGS.values())))
def test_every_finding_has_a_table_and_a_figure(path: str) -> None:
    shown = importlib.import_module(path)
    assert callable(shown.table)
    assert callable(shown.draw)


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError) as failure:
        drawing.new_figure((1.0, 1.0))
    assert str(failure.value) == (
        'dlmp findings: figures need matplotlib; expected pip install "dlmp-cosim[report]"'
    )
