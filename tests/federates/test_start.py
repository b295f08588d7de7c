"""What federates import before they start: every run pays for it once a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

LIGHT = ("wholesale", "feeder", "assets", "market", "recorder", "battery", "substation", "host")
PACKAGE = "dlmp_cosim"
CLEARING = (
    f"{PACKAGE}.market.clearing",
    f"{PACKAGE}.market.isone",
    f"{PACKAGE}.feeders.readers.network_json",
)
"""What clears a market, reads prices and states a network: an owner of one interval at a time needs none."""
HEAVY = ("pandas", "pyarrow", "scipy", "numba", "cvxpy", "matplotlib")


@pytest.mark.parametrize("command", [False, True], ids=["federates", "dlmp run"])
def test_what_is_heavy_is_imported_where_it_is_used(command: bool) -> None:
    """The libraries of markets that negotiate, of interpolation and of tables: not by merely starting."""
    modules = [f"dlmp_cosim.federates.{name}" for name in LIGHT]
    if command:
        modules = ["dlmp_cosim.runners.run.commands", "dlmp_cosim.runners.broker"]
    assert imported(modules, HEAVY) == "[]\n"


def test_an_owner_starts_without_what_clears_a_market() -> None:
    """Twenty owners are twenty processes: what each imports is paid for twenty times."""
    assert imported(["dlmp_cosim.federates.assets"], CLEARING) == "[]\n"
    assert imported(["dlmp_cosim.federates.market"], CLEARING[:1]) == f"{list(CLEARING[:1])}\n"


def imported(modules: Sequence[str], looked_for: Sequence[str]) -> str:
    """Import modules in a process of its own, and say which of others that brings."""
    code = f"import sys, {', '.join(modules)}\nprint(sorted({set(looked_for)} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout
