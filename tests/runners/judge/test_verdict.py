"""The judgement of a run: figures, exit codes, and a bad day that has to be caught."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.market.audit import IntervalRecord, Verdict, Violation
from dlmp_cosim.market.balanced.outcome import NEGATIVE_LMP
from dlmp_cosim.runners.judge.verdict import places, read_records, verdict_command
from tests.runners.conftest import make_study

KEYS = {
    "intervals",
    "settled",
    "rounds_max",
    "voltage_error_max_pu",
    "head_error_max_kw",
    "violations",
    "violations_unpriced",
    "worst_violation_pu",
    "status",
    "unserved_kwh",
    "notes",
}
FINE = Verdict(True, 1e-5, 0.01, 0.01, 0.01, 1e-7, ())


@pytest.fixture(scope="module")
def bad_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours of full load with the taps held neutral and nobody to help: AC falls below 0.95 pu."""
    folder = tmp_path_factory.mktemp("bad")
    study = load_study(
        make_study(
            folder / "bad",
            model='"none"',
            regulators='"neutral"',
            start='"2020-08-25T15:00:00"',
            intervals="3",
            period_s="3600",
            anchored="false",
            on_failure='"dispatch_anyway"',
            file=f'"{folder / "bad.h5"}"',
        )
    )
    run_direct(study)
    return study.results_file


def test_a_market_that_holds_its_limits_is_feasible(short_run: Path) -> None:
    result = CliRunner().invoke(verdict_command, [str(short_run), "--json"])
    table = json.loads(result.stdout)
    assert set(table) == KEYS
    assert result.exit_code == 0
    assert table["status"] == "feasible"
    assert table["settled"] == table["intervals"] == 6
    assert table["voltage_error_max_pu"] <= 1e-4
    assert table["head_error_max_kw"] <= 0.1


def test_a_bad_day_is_caught(bad_day: Path) -> None:
    result = CliRunner().invoke(verdict_command, [str(bad_day), "--json"])
    table = json.loads(result.stdout)
    assert result.exit_code == 2
    assert table["status"] == "violated"
    assert table["violations"] > 3 * 40
    assert table["violations_unpriced"] == table["violations"]


def test_the_table_names_the_worst_place_first(bad_day: Path) -> None:
    result = CliRunner().invoke(verdict_command, [str(bad_day)])
    with Results(bad_day) as run:
        worst = places(read_records(run))[0]
    assert "verdict: violated" in result.stdout
    assert worst.where in result.stdout
    assert "more places" in result.stdout


def test_a_run_cut_short_cannot_be_told(copied_run: Path) -> None:
    with h5py.File(copied_run, "r+") as file:
        file.attrs["intervals_expected"] = 7
    result = CliRunner().invoke(verdict_command, [str(copied_run), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["status"] == "unknown"


def test_what_the_model_says_of_its_clearings_is_told_with_its_intervals(copied_run: Path) -> None:
    with h5py.File(copied_run, "r+") as file:
        for k in (1, 4):
            record = json.loads(file["market/clearing"].asstr()[k]) | {"notes": [NEGATIVE_LMP]}
            file["market/clearing"][k] = json.dumps(record)
    table = json.loads(CliRunner().invoke(verdict_command, [str(copied_run), "--json"]).stdout)
    assert table["notes"] == {NEGATIVE_LMP: 2}
    shown = CliRunner().invoke(verdict_command, [str(copied_run)]).stdout
    assert f"in 2 of 6 intervals {NEGATIVE_LMP}" in shown
    assert "is never exact" in NEGATIVE_LMP


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "nothing.h5"
    result = CliRunner().invoke(verdict_command, [str(file)])
    assert result.exit_code == 1
    assert str(file) in result.stderr


def test_places_gather_and_sort() -> None:
    low = Violation("voltage_low", "65.1", 0.94, 0.95, True)
    lower = replace(low, value=0.93, priced=False)
    hot = Violation("rating", "1-7.1", 540.0, 530.0, False)
    records = [
        IntervalRecord(True, 1, 0.0, 0.0, replace(FINE, violations=(low, hot))),
        IntervalRecord(True, 1, 0.0, 0.0, replace(FINE, violations=(lower,))),
    ]
    first, second = places(records)
    assert (first.where, first.intervals, first.unpriced, first.worst) == ("65.1", 2, 1, lower)
    assert (second.where, second.intervals) == ("1-7.1", 1)
