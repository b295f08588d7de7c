"""What came out of a run in a few lines: figures on paper, words for people, and JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.runners.judge import summary as module
from dlmp_cosim.runners.judge.summary import Summary, binding_limits, lines, summarise, summary_command
from tests.runners.judge.paper import paper_run, strict

AUDIT: dict[str, Any] = {
    "audit/rounds": [2.0, 5.0],
    "audit/settled": [1.0, 0.0],
    "audit/trial_voltage_error": [1e-5, -3e-4],
    "audit/trial_head_error": [0.5, math.nan],
    "audit/violations": [0.0, 3.0],
    "audit/violations_unpriced": [0.0, 1.0],
}


def run(records: list[Any] | None = None, /, expected: int = 2, **changes: Any) -> Any:
    told = {key.replace("__", "/"): value for key, value in changes.items()}
    return paper_run(AUDIT | told, {"market/clearing": records or [{}, {}]}, expected=expected)


def limit(kind: str, where: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "where": where, **more}


EXCEEDED = {"limits": [limit("rating", "line.a_b:1.2", exceeded=True)]}


def test_energies_are_power_times_hours() -> None:
    found = summarise(run())
    assert found.wholesale_kwh == pytest.approx(0.5 * (21 + 27))
    assert found.generation_kwh == pytest.approx(0.5 * 10)
    assert found.served_kwh == pytest.approx(0.5 * 54)
    assert found.losses_kwh == pytest.approx(0.5 * 4)
    assert found.curtailed_kwh == pytest.approx(0.5 * 6), "of the flexible load alone"


def test_prices_are_over_time_and_nodes() -> None:
    found = summarise(run())
    assert (found.lmp_mean, found.dlmp_mean) == pytest.approx((40.0, 44.0))
    assert (found.dlmp_low, found.dlmp_high) == (30.0, 60.0)


def test_extreme_voltages_are_named_by_their_node() -> None:
    found = summarise(run(feeder__voltage_magnitude=[[1.0, 1, 1, 1, 1.04, 1], [1.0, 1, 1, 0.96, 1, 1]]))
    assert (found.voltage_low, found.voltage_low_node) == (0.96, "b.1")
    assert (found.voltage_high, found.voltage_high_node) == (1.04, "b.2")


def test_what_is_dark_has_no_lowest_voltage() -> None:
    found = summarise(run(feeder__voltage_magnitude=[[0.0] * 6, [1.0, 1, 1, 0.96, 1, 1.01]]))
    assert (found.voltage_low, found.voltage_low_node) == (0.96, "b.1")
    assert (found.voltage_high, found.voltage_high_node) == (1.01, "b.3")


def test_a_run_that_was_always_dark_has_no_voltage(told: Told) -> None:
    table = strict(told(run(feeder__voltage_magnitude=np.zeros((2, 6))), "--json").output)
    assert table["voltage_low"] is None
    assert table["voltage_high"] is None


def test_the_audit_is_summed_up_over_what_there_is() -> None:
    found = summarise(run())
    assert (found.settled, found.rounds_mean, found.rounds_max) == (1, 3.5, 5.0)
    assert (found.voltage_error, found.head_error) == (3e-4, 0.5)
    assert (found.violations, found.violations_unpriced) == (3, 1)


def test_prices_with_a_penalty_stand_apart() -> None:
    found = summarise(run([{}, EXCEEDED]))
    assert found.penalty_intervals == 1
    assert (found.dlmp_low_unpenalised, found.dlmp_high_unpenalised) == (30.0, 36.0)


def test_where_every_interval_has_a_penalty_nothing_is_left() -> None:
    found = summarise(run([EXCEEDED, EXCEEDED]))
    assert math.isnan(found.dlmp_low_unpenalised)
    assert ("it contains penalty prices", "in 2 intervals; all of them") in lines(found)


def test_limits_are_counted_by_bus_and_element() -> None:
    records = [
        {"limits": [limit("voltage_low", "b.1"), limit("rating", "line.a_b:1.2"), limit("tap", "r.1")]},
        {"limits": [limit("voltage_low", "b.3"), limit("outage", "a")]},
    ]
    assert list(binding_limits(run(records)).items()) == [
        ("lower voltage at b", 2),
        ("rating of line.a_b", 1),
        ("supply at a", 1),
        ("tap r", 1),
    ]


@pytest.mark.parametrize("phases", [("b.1", "b.2", "b.3"), ("b.1",)])
def test_a_limit_counts_an_interval_once_however_many_phases_it_has(phases: tuple[str, ...]) -> None:
    records = [{"limits": [limit("voltage_low", where) for where in phases]}, {}]
    assert binding_limits(run(records)) == {"lower voltage at b": 1}


@pytest.fixture
def plain() -> Summary:
    return summarise(run())


def test_without_limits_the_line_says_none(plain: Summary) -> None:
    assert dict(lines(plain))["limits that set prices"] == "none"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "l0 in 9 intervals"),
        (3, "l0 in 9; l1 in 8; l2 in 7 intervals"),
        (5, "l0 in 9; l1 in 8; l2 in 7; 2 more intervals"),
    ],
)
def test_at_most_three_limits_are_named(plain: Summary, count: int, said: str) -> None:
    bound = replace(plain, binding={f"l{k}": 9 - k for k in range(count)})
    assert dict(lines(bound))["limits that set prices"] == said


def test_lines_have_units_and_thousands(plain: Summary) -> None:
    said = dict(lines(replace(plain, served_kwh=1_234_567.8, losses_kwh=-0.2, voltage_low=0.94996)))
    assert said["demand served"] == "1,234,568 kWh"
    assert said["lowest voltage"] == "0.9500 pu at a.1"
    assert said["average real d-LMP"] == "44.00 $/MWh (30.00 to 60.00)"
    assert said["intervals finished"] == "2 of 2"


Told = Callable[..., Result]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Call the command on a file that reads as a run."""

    def call(found: Any, *options: str) -> Result:
        file = tmp_path / "results.h5"
        file.touch()
        monkeypatch.setattr(module, "Results", lambda _: found)
        return CliRunner(env={"COLUMNS": "200"}).invoke(summary_command, [str(file), *options])

    return call


def test_a_table_names_the_study_and_its_file(told: Told, tmp_path: Path) -> None:
    result = told(run())
    assert result.exit_code == 0
    rows = [line.split("\t") for line in result.output.splitlines()]
    assert rows[0] == ["paper"]
    assert rows[-1] == ["results", str(tmp_path / "results.h5")]


@pytest.mark.parametrize(
    ("options", "line"), [((), "intervals finished\t2 of 5"), (("--json",), '  "expected": 5,')]
)
def test_a_run_cut_short_is_told_and_fails(told: Told, options: tuple[str, ...], line: str) -> None:
    result = told(run(expected=5), *options)
    assert result.exit_code == 1
    assert line in result.stdout.splitlines()
    assert result.stderr == "Error: 3 intervals are missing\n"


def test_a_run_without_intervals_is_none(told: Told, tmp_path: Path) -> None:
    nothing = run(expected=5)
    nothing.intervals = 0
    result = told(nothing)
    assert (result.exit_code, result.output) == (
        1,
        f"Error: {tmp_path / 'results.h5'}: no interval finished\n",
    )


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (run([EXCEEDED, EXCEEDED]), {"dlmp_low_unpenalised", "dlmp_high_unpenalised"}),
        (run(audit__trial_head_error=[math.nan] * 2), {"head_error"}),
    ],
    ids=["all penalties", "no prediction"],
)
def test_a_figure_that_there_is_not_is_null_in_json(told: Told, found: Any, missing: set[str]) -> None:
    table = strict(told(found, "--json").output)
    assert {name for name, value in table.items() if value is None} == missing


@pytest.mark.parametrize(
    ("kind", "where", "named"),
    [
        ("voltage_low", "feeder.7.1", "lower voltage at feeder.7"),
        ("voltage_high", "b.2-1", "upper voltage at b"),
        ("rating", "line.a:b:1.3", "rating of line.a:b"),
        ("rating", "transformer.t.1:2.1", "rating of transformer.t.1"),
        ("outage", "sub.1", "supply at sub.1"),
    ],
)
def test_odd_names_of_buses_and_elements_stay_whole(kind: str, where: str, named: str) -> None:
    records = [{"limits": [{"kind": kind, "where": where}]}, {}]
    assert binding_limits(run(records)) == {named: 1}
