"""`dlmp ancillary`: what is refused, what is printed, and what is drawn beside another run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.runners.judge import ancillary_command as module
from dlmp_cosim.runners.judge.ancillary_command import ancillary_command
from tests.runners.judge.meeting import record, substation

RULES = {"reserve": {"requirement_kw": 5.0, "minutes": 15.0}}
VALUES = {
    "substation/deviation": [0.0, 60.0, -70.0, 50.0],
    "reserve/requirement": [5.0, 5.0, 5.0, 5.0],
    "reserve/procured": [5.0, 5.0, 3.0, 5.0],
    "reserve/price": [1.0, 2.0, 900.0, 1.0],
}
CALLED = record(
    ancillary={
        "awards": {"north": {"g": {"reserve": 5.0}}},
        "called": {"north": {"g": {"reserve": 5.0}}},
        "delivered": {"north": {"g": {"reserve": 2.0}}},
    }
)
Told = Callable[..., Result]


def run(**more: Any) -> Any:
    return substation(VALUES, [record(), CALLED, record(), record()], **({"ancillary": RULES} | more))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Call the command on runs by the names of their files."""

    def call(*options: str, **runs: Any) -> Result:
        for name in runs:
            (tmp_path / f"{name}.h5").touch()
        monkeypatch.setattr(module, "Results", lambda path: runs[path.stem])
        words = [str(tmp_path / word) if word.endswith((".h5", ".png")) else word for word in options]
        return CliRunner(env={"COLUMNS": "300"}).invoke(ancillary_command, [str(tmp_path / "own.h5"), *words])

    return call


def test_requirements_and_calls_are_told(told: Told) -> None:
    lines = told(own=run()).output.splitlines()
    assert lines[2] == "reserve\t1 intervals\t2.00\t226.00\t900.00\t0\t0\t1"
    assert "north.g, reserve called in interval 1: short, 3.0 kW missing at most" in lines
    assert "the verdict counts (unpriced) requirements missed in 1 intervals, and 1 calls" in lines
    assert lines[-1] == "north.g\treserve\t1\t1\t1.2\t0.5\tshort"


def test_the_longest_time_off_is_over_intervals_in_a_row(told: Told) -> None:
    table = json.loads(told("--json", own=run()).output)
    assert (table["out_of_band"], table["longest_minutes"]) == (2, 30.0)
    assert table["band_kw"] == 50.0, "and 50 kW off are within it"


def test_json_has_every_call(told: Told) -> None:
    (only,) = json.loads(told("--json", own=run()).output)["answers"]
    assert (only["feeder"], only["begin"], only["end"], only["answer"]) == ("north", 1, 2, "short")
    assert (only["called_kwh"], only["delivered_kwh"]) == (1.25, 0.5)


@pytest.mark.parametrize(
    ("rules", "violated"),
    [({}, 1), ({"verdict": "all"}, 1), ({"verdict": "none"}, 0), ({"tolerance_kw": 2.5}, 0)],
)
def test_the_scenario_says_what_counts(told: Told, rules: dict[str, Any], violated: int) -> None:
    table = json.loads(told("--json", own=run(ancillary=RULES | rules)).output)
    assert table["products"][0]["counted_intervals"] == violated
    assert table["products"][0]["short_intervals"] == 1, "missed all the same"


def bare() -> Any:
    """A substation that has no market of capacity."""
    return substation()


def test_results_without_a_market_are_refused_by_name(told: Told, tmp_path: Path) -> None:
    result = told(own=bare())
    what = "expected results of a substation whose scenario has an [ancillary] table"
    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path / 'own.h5'}: {what}\n"


def test_so_are_those_beside_it(told: Told, tmp_path: Path) -> None:
    result = told("--beside", "other.h5", own=run(), other=bare())
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {tmp_path / 'other.h5'}: expected results of a substation")


def test_another_run_without_products_may_be_drawn_beside(
    told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(module, "draw_ancillary", lambda *arguments: drawn.append(arguments))
    own, other = run(), run(ancillary={})
    assert told("--beside", "other.h5", "--figure", "x.png", own=own, other=other).exit_code == 0
    assert drawn == [(own, other, tmp_path / "x.png")]


def test_a_scenario_without_the_table_is_told(told: Told, tmp_path: Path) -> None:
    result = told(own=substation(VALUES))
    assert result.output == f"Error: {tmp_path / 'own.h5'}: its scenario has no [ancillary]\n"
