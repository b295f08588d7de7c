"""Runs of feeders that meet at a substation, told without files: a reader finds the run that a path names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dlmp_cosim.feeders.errors import ResultsError
from tests.runners.judge.paper import NETWORK, FinishedRun

FOLDER = Path("run")
VALUES: dict[str, Any] = {
    "substation/adder": [0.0, 4.0, -2.0, 0.0],
    "substation/head_power_real": [100.0, 120.0, -40.0, 60.0],
    "substation/head_power_reactive": [0.0] * 4,
    "substation/settled": [1.0, 1.0, 0.0, 1.0],
    "substation/exchanges": [1.0, 6.0, 8.0, 1.0],
}
"""Quarters of an hour: an adder from above, then one from below."""


def record(**more: Any) -> dict[str, Any]:
    return {"binding": None, "limits": [], "stopped": [], **more}


RECORDS = [record(), record(binding="import"), record(binding="export"), record()]


def substation(
    values: Mapping[str, Any] | None = None,
    records: list[Any] | None = None,
    *,
    names: tuple[str, ...] = ("north", "south"),
    **more: Any,
) -> Any:
    """Results of a substation; `more` are tables of its scenario, and `expected`."""
    expected = more.pop("expected", 4)
    scenario = {
        "study": {"name": "meeting"},
        "feeders": [{"name": name, "study": name} for name in names],
        "results": {"file": "results.h5"},
        **more,
    }
    return FinishedRun(
        NETWORK,
        VALUES | dict(values or {}),
        {"substation/record": records or RECORDS},
        scenario=scenario,
        period_h=0.25,
        expected=expected,
        path=FOLDER / "results.h5",
    )


def told_by(patch: pytest.MonkeyPatch, runs: Mapping[str, Any], *modules: ModuleType) -> None:
    """Let modules find runs by the names of their files."""

    def find(path: Path) -> Any:
        if path.name not in runs:
            raise ResultsError(f"{path}: there is no such file")
        return runs[path.name]

    for module in modules:
        patch.setattr(module, "Results", find)
