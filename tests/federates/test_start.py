"""What federates import before they start: every run pays for it once a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = ("wholesale", "feeder", "assets", "market", "recorder", "battery", "substation", "host")
HEAVY = ("pandas", "pyarrow", "scipy", "numba", "cvxpy", "matplotlib")


@pytest.mark.parametrize("command", [False, True], ids=["federates", "dlmp run"])
def test_what_is_heavy_is_imported_where_it_is_used(command: bool) -> None:
    """The libraries of markets that negotiate, of interpolation and of tables: not by merely starting."""
    modules = [f"dlmp_cosim.federates.{name}" for name in LIGHT]
    if command:
        modules = ["dlmp_cosim.runners.run.commands", "dlmp_cosim.runners.broker"]
    code = f"import sys, {', '.join(modules)}\nprint(sorted({set(HEAVY)} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
