"""The verdict of a run of several feeders, on runs that are told."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dlmp_cosim.runners.judge import substation as module
from dlmp_cosim.runners.judge.substation import SubstationVerdict, judge_substation, tell_substation
from tests.runners.judge.meeting import FOLDER, RECORDS, record, substation, told_by
from tests.runners.judge.paper import FINE, paper_run

LOW = {"kind": "voltage_low", "where": "b.1", "value": 0.94, "limit": 0.95, "priced": False}
DARK = {"kind": "outage", "where": "a", "value": 0.0, "limit": 0.95, "priced": False}


def feeder(*violations: dict[str, Any], expected: int = 2) -> Any:
    """Results of a feeder whose first interval has violations."""
    audit: dict[str, Any] = {
        "audit/settled": [1.0, 1.0],
        "audit/rounds": [2.0, 3.0],
        "audit/trial_voltage_error": [1e-5, math.nan],
        "audit/trial_head_error": [0.1, 0.2],
    }
    records = [FINE | {"violations": list(violations)}, FINE]
    return paper_run(audit, {"audit/verdict": records}, expected=expected)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Judge a run beside the results of its feeders."""

    def judge(run: Any, north: Any = None, south: Any = None) -> SubstationVerdict:
        runs = {"north.h5": north or feeder(), "south.h5": south or feeder()}
        told_by(monkeypatch, runs, module)
        return judge_substation(run)

    return judge


def test_figures_of_the_run_are_summed_up(judged: Any) -> None:
    found = judged(substation())
    assert (found.status, found.intervals, found.expected) == ("feasible", 4, 4)
    assert (found.settled, found.with_adder, found.peak_kw) == (3, 2, 120.0)
    assert [(item.name, item.settled) for item in found.feeders] == [("north", 2), ("south", 2)]
    assert found.ancillary is None


@pytest.mark.parametrize(
    ("adder", "furthest"), [([0.0, 4.0, -6.5, 1.0], -6.5), ([0.0, 4.0, -3.0, 1.0], 4.0), ([0.0] * 4, 0.0)]
)
def test_the_largest_adder_keeps_its_sign(judged: Any, adder: list[float], furthest: float) -> None:
    assert judged(substation({"substation/adder": adder})).adder_max == furthest


def test_power_that_only_flows_back_has_no_peak(judged: Any) -> None:
    assert judged(substation({"substation/head_power_real": [-5.0] * 4})).peak_kw == 0.0


@pytest.mark.parametrize(
    ("rules", "causes"),
    [
        ({"import_max_kw": 110.0}, []),
        ({"import_max_kw": 109.0}, [("import", 1, 120.0, 109.0)]),
        ({"import_max_kw": 109.0, "tolerance_kw": 20.0}, []),
        ({"import_max_kw": 125.0, "margin_kw": 50.0}, []),
        ({"export_max_kw": 25.0}, [("export", 2, -40.0, -25.0)]),
        ({"ramp_kw_per_minute": 9.0}, [("ramp_down", 2, -40.0, -15.0)]),
        ({"peak_target_kw": 1.0, "peak_price": 5.0}, []),
    ],
)
def test_shared_limits_are_judged_by_what_was_drawn(judged: Any, rules: Any, causes: list[Any]) -> None:
    found = judged(substation(substation=rules))
    assert [(v.interval, v.cause, v.kw, v.limit_kw) for v in found.violations] == [
        (interval, cause, kw, limit) for cause, interval, kw, limit in causes
    ]
    assert found.status == ("violated" if causes else "feasible")


def test_a_rating_counts_reactive_power_too(judged: Any) -> None:
    run = substation(
        {"substation/head_power_reactive": [0.0, 160.0, 0.0, 0.0]},
        substation={"rating_kva": 180.0, "tolerance_kw": 0.0},
    )
    (only,) = judged(run).violations
    assert (only.cause, only.interval) == ("rating", 1)
    assert only.limit_kw == pytest.approx(math.sqrt(180.0**2 - 160.0**2))


STOP = record(stopped=["south stopped: its market failed"])


@pytest.mark.parametrize(
    ("north", "south", "records", "status"),
    [
        (feeder(), feeder(), RECORDS, "feasible"),
        (feeder(LOW), feeder(), RECORDS, "violated"),
        (feeder(), feeder(expected=3), RECORDS, "unknown"),
        (feeder(LOW), feeder(expected=3), RECORDS, "violated"),
        (feeder(), feeder(LOW, expected=3), RECORDS, "violated"),
        (feeder(), feeder(), [*RECORDS[:3], STOP], "unknown"),
        (feeder(), feeder(LOW), [*RECORDS[:3], STOP], "violated"),
    ],
)
def test_the_worst_of_all_is_the_verdict(
    judged: Any, north: Any, south: Any, records: list[Any], status: str
) -> None:
    assert judged(substation(records=records), north, south).status == status


def test_a_run_cut_short_is_not_known_to_be_feasible(judged: Any) -> None:
    assert judged(substation(expected=5)).status == "unknown"
    assert judged(substation(expected=5, substation={"import_max_kw": 50.0})).status == "violated"


def test_a_feeder_without_results_is_unknown_and_the_others_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told_by(monkeypatch, {"north.h5": feeder(LOW)}, module)
    found = judge_substation(substation(records=[*RECORDS[:3], STOP]))
    assert [(item.status, item.intervals) for item in found.feeders] == [("violated", 2), ("unknown", 0)]
    assert found.feeders[1].stopped == "south stopped: its market failed"


def test_demand_in_the_dark_is_not_served(judged: Any) -> None:
    north, south = judged(substation(), feeder(DARK)).feeders
    assert (north.unserved_kwh, south.unserved_kwh) == (0.5 * 30.0, 0.0)


def shown(verdict: SubstationVerdict) -> list[str]:
    file = io.StringIO()
    module._show(Console(file=file, width=300), verdict)
    return file.getvalue().splitlines()


def test_the_table_tells_what_is_worst_and_what_was_not_served(judged: Any) -> None:
    lines = shown(judged(substation(substation={"import_max_kw": 90.0}), feeder(DARK)))
    assert lines[0] == "verdict: violated"
    assert "largest adder\t4.00 $/MWh" in lines
    assert "worst: import in interval 1, 120.0 kW at a limit of 90.0 kW" in lines
    assert "south\tfeasible\t2\t2\t0" in lines
    assert lines[-1] == "north: 15.0 kWh were not served, its head was open"


@pytest.mark.parametrize(
    "reason", ["south stopped: [market] model is unknown", "south stopped: [/tmp/x] [b]is full[/b]"]
)
def test_a_reason_is_told_as_it_is(judged: Any, reason: str) -> None:
    lines = shown(judged(substation(records=[*RECORDS[:3], record(stopped=[reason])])))
    assert lines[-1] == reason


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (substation(), 0),
        (substation(substation={"import_max_kw": 50.0}), 2),
        (substation(expected=9), 1),
    ],
)
def test_exit_codes_and_json_agree(
    judged: Any, capsys: pytest.CaptureFixture[str], run: Any, code: int
) -> None:
    judged(run)
    assert tell_substation(run, as_json=True) == code
    table = json.loads(capsys.readouterr().out)
    assert table["status"] == ("feasible", "unknown", "violated")[code]
    assert "ancillary" not in table


def test_results_of_feeders_lie_beside_those_of_the_substation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def find(path: Path) -> Any:
        asked.append(path)
        return feeder()

    monkeypatch.setattr(module, "Results", find)
    judge_substation(substation(names=("one", "t-2")))
    assert asked == [FOLDER / "one.h5", FOLDER / "t-2.h5"]
