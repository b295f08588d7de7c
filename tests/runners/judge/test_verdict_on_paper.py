"""The verdict of runs that are told: exit codes, JSON, and words, without a federation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.market.audit import Violation
from dlmp_cosim.runners.judge import verdict as module
from dlmp_cosim.runners.judge.verdict import places, read_notes, read_records, unserved_kwh, verdict_command
from tests.runners.judge.paper import FINE, paper_run, strict

LOW = Violation("voltage_low", "b.1", 0.94, 0.95, priced=True)
HOT = Violation("rating", "line.a_b:1.1", 120.0, 100.0, priced=False)
DARK = Violation("outage", "a", 0.0, 0.95, priced=False)
AUDIT = {
    "audit/settled": [1.0, 1.0],
    "audit/rounds": [1.0, 3.0],
    "audit/trial_voltage_error": [1e-5, 2e-4],
    "audit/trial_head_error": [0.2, -0.9],
}


def audited(*broken: list[Violation], **more: Any) -> Any:
    """The run on paper with so many broken limits in each of its two intervals."""
    rows = [list(item) for item in broken] + [[]] * (2 - len(broken))
    verdicts = [FINE | {"violations": [asdict(item) for item in row]} for row in rows]
    texts = {"audit/verdict": verdicts} | more.pop("texts", {})
    return paper_run(AUDIT | more.pop("values", {}), texts, **more)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call the command on a run that is told."""

    def call(run: Any, *options: str) -> Result:
        monkeypatch.setattr(module, "Results", lambda _: run)
        return CliRunner(env={"COLUMNS": "200"}).invoke(verdict_command, [__file__, *options])

    return call


@pytest.mark.parametrize(
    ("run", "status", "code"),
    [
        pytest.param(audited(), "feasible", 0, id="nothing broken"),
        pytest.param(audited([LOW]), "violated", 2, id="a limit broken"),
        pytest.param(audited(expected=3), "unknown", 1, id="cut short"),
        pytest.param(audited([LOW], expected=3), "violated", 2, id="broken, and cut short"),
        pytest.param(
            audited(texts={"audit/verdict": [FINE, FINE | {"converged": False}]}),
            "unknown",
            1,
            id="no power flow",
        ),
    ],
)
def test_a_run_is_judged_by_its_audit(judged: Any, run: Any, status: str, code: int) -> None:
    found = judged(run, "--json")
    assert (strict(found.stdout)["status"], found.exit_code) == (status, code)


def test_figures_are_those_of_the_worst_interval(judged: Any) -> None:
    table = strict(judged(audited([LOW], [LOW, HOT]), "--json").stdout)
    assert table["intervals"] == table["settled"] == 2
    assert table["rounds_max"] == 3
    assert table["voltage_error_max_pu"] == 2e-4
    assert table["head_error_max_kw"] == 0.9, "whichever way it was off"
    assert (table["violations"], table["violations_unpriced"]) == (3, 1)
    assert table["worst_violation_pu"] == pytest.approx(0.2), "of its rating"


def test_a_figure_that_there_is_not_is_null(judged: Any) -> None:
    nan = float("nan")
    values = {"audit/trial_voltage_error": [nan, nan], "audit/trial_head_error": [nan, nan]}
    table = strict(judged(audited(values=values), "--json").stdout)
    assert table["voltage_error_max_pu"] is None
    assert table["status"] == "feasible"


def test_a_run_without_an_audit_cannot_be_judged(judged: Any) -> None:
    found = judged(paper_run())
    assert found.exit_code == 1
    assert found.stderr == "error: results.h5: holds no audit/verdict; was the recorder part of the run?\n"


def test_an_interval_that_lacks_a_number_of_its_audit_has_none() -> None:
    run = audited(texts={"audit/verdict": [FINE | {"head_error_kw": None}, FINE]})
    first, second = read_records(run)
    assert first.verdict.head_error_kw != first.verdict.head_error_kw
    assert second.verdict.head_error_kw == 0.1


def test_places_of_a_run_are_listed_worst_first() -> None:
    found = places(read_records(audited([LOW, HOT], [LOW])))
    assert [(place.kind, place.where, place.intervals, place.unpriced) for place in found] == [
        ("rating", "line.a_b:1.1", 1, 1),
        ("voltage_low", "b.1", 2, 0),
    ]


def test_places_that_are_equally_bad_are_in_order_of_their_names() -> None:
    others = [Violation("voltage_low", name, 0.94, 0.95, priced=True) for name in ("c.1", "a.1", "b.1")]
    assert [place.where for place in places(read_records(audited(others)))] == ["a.1", "b.1", "c.1"]


def test_one_place_may_break_two_limits() -> None:
    high = Violation("voltage_high", "b.1", 1.06, 1.05, priced=True)
    assert {place.kind for place in places(read_records(audited([LOW, high])))} == {
        "voltage_low",
        "voltage_high",
    }


def test_the_table_names_ten_places_and_counts_the_others(judged: Any) -> None:
    many = [Violation("voltage_low", f"b{k:02}.1", 0.94, 0.95, priced=False) for k in range(12)]
    lines = judged(audited(many)).stdout.splitlines()
    assert [line.split("\t")[1] for line in lines if line.startswith("voltage_low")] == [
        f"b{k:02}.1" for k in range(10)
    ]
    assert "and 2 more places" in lines


def test_a_clean_run_names_no_place(judged: Any) -> None:
    lines = judged(audited()).stdout.splitlines()
    assert lines[0] == "verdict: feasible"
    assert "intervals finished\t2 of 2" in lines
    assert "limits broken, over all intervals\t0" in lines
    assert not [line for line in lines if line.startswith("limit\t")]


def test_energy_of_dark_intervals_was_not_served(judged: Any) -> None:
    run = audited([], [DARK])
    assert unserved_kwh(run, read_records(run)) == 12.0
    assert strict(judged(run, "--json").stdout)["unserved_kwh"] == 12.0
    assert "12.0 kWh were not served: the head of the feeder was open" in judged(run).stdout


def test_where_the_head_stays_closed_all_is_served() -> None:
    run = audited([LOW], [HOT])
    assert unserved_kwh(run, read_records(run)) == 0.0


@pytest.mark.parametrize(
    ("records", "notes"),
    [
        ([{}, {}], {}),
        ([{"notes": ["odd"]}, {}], {"odd": 1}),
        ([{"notes": ["odd", "even"]}, {"notes": ["odd"]}], {"odd": 2, "even": 1}),
    ],
)
def test_what_a_market_says_of_itself_is_counted(records: list[Any], notes: dict[str, int]) -> None:
    assert read_notes(audited(texts={"market/clearing": records})) == notes


@pytest.mark.parametrize("note", ["[bold]odd[/bold]", ":tada:", "<i>"])
def test_notes_are_told_as_they_are(judged: Any, note: str) -> None:
    shown = judged(audited(texts={"market/clearing": [{"notes": [note]}, {}]})).stdout
    assert f"in 1 of 2 intervals {note}\n" in shown


def test_a_file_that_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise ResultsError("results.h5: is no results file")

    monkeypatch.setattr(module, "Results", broken)
    found = CliRunner().invoke(verdict_command, [__file__, "--json"])
    assert (found.exit_code, found.stdout, found.stderr) == (1, "", "error: results.h5: is no results file\n")
