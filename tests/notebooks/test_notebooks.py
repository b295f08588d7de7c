"""The notebooks of the documentation run from top to bottom, and show what they say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.federation, pytest.mark.timeout(600)]


def executed(name: str, folder: Path) -> list[str]:
    """Run a notebook in a folder with the studies in it, and return the text of every code cell's output."""
    shutil.copytree(ROOT / "configs", folder / "configs")
    notebook: Any = nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    return ["".join(map(_text, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


def _text(output: Any) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


@pytest.mark.parametrize("name", ["first_look", "sweep"])
def test_it_imports_by_the_name_that_is_installed(name: str) -> None:
    """In a checkout the bare names of the rooms would do as well."""
    notebook: Any = nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "from dlmp_cosim.runners.api import" in code
    assert not re.search(r"^\s*(from|import) (feeders|market|federates|runners)\b", code, re.MULTILINE)


@pytest.mark.usefixtures("quick_starts")
def test_a_first_look(tmp_path: Path) -> None:
    said = executed("first_look", tmp_path)
    assert said[0] == "(0, 6)"
    assert "$/MWh" in said[1]
    assert "83.1" in said[2]
    assert "<xarray.DataArray 'market/dlmp_real' (time: 6)>" in said[3]
    assert "net_revenue_usd" in said[4]
    assert "Figure" in said[6]
    assert said[7] == "True"


@pytest.mark.usefixtures("quick_starts")
def test_a_sweep(tmp_path: Path) -> None:
    said = executed("sweep", tmp_path)
    assert said[0].count("nodal") == said[0].count("none") == 3
    assert said[1] == "('$', 'pu', 'kWh')"
    assert (tmp_path / "results" / "notebook_sweep" / "summary.parquet").is_file()
    assert "runs" in said[4]
