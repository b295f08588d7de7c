"""`dlmp substation`: when shared limits had a price, and what counts as the same as one program of all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.runners.judge import together as module
from dlmp_cosim.runners.judge.central_adder import AdderGap
from dlmp_cosim.runners.judge.together import PASSES_COST, PASSES_PRICE, spells, substation_command
from tests.runners.judge.meeting import RECORDS, substation
from tests.runners.judge.paper import paper_run

Told = Callable[..., Result]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Call the command on a run, with gaps that the program of all would find."""

    def call(run: Any, *options: str, gaps: tuple[AdderGap, ...] = ()) -> Result:
        file = tmp_path / "results.h5"
        file.touch()
        monkeypatch.setattr(module, "Results", lambda _: run)
        monkeypatch.setattr(module, "adder_gaps", lambda _run, every: list(gaps)[::every])
        return CliRunner(env={"COLUMNS": "200"}).invoke(substation_command, [str(file), *options])

    return call


def test_an_adder_in_a_row_is_one_spell_named_by_its_first_limit() -> None:
    (only,) = spells(substation())
    assert (only["begin"], only["intervals"], only["limit"]) == ("2020-08-25 12:15", 2, "import")
    assert (only["adder_mean"], only["kw_mean"], only["exchanges_mean"]) == (1.0, 40.0, 7.0)
    assert only["adder_max"] == 4.0


def test_the_largest_adder_is_that_of_the_largest_size() -> None:
    (only,) = spells(substation({"substation/adder": [0.0, 4.0, -9.0, 0.0]}))
    assert only["adder_max"] == -9.0


def test_spells_apart_are_told_apart() -> None:
    found = spells(substation({"substation/adder": [3.0, 0.0, 0.0, 1.0]}))
    assert [(row["begin"], row["intervals"]) for row in found] == [
        ("2020-08-25 12:00", 1),
        ("2020-08-25 12:45", 1),
    ]


def test_without_an_adder_that_is_said(told: Told) -> None:
    calm = substation({"substation/adder": [0.0] * 4})
    assert spells(calm) == []
    assert told(calm).output.splitlines()[-1] == "no shared limit had a price"


def test_a_row_has_two_digits_of_money_and_none_of_power(told: Told) -> None:
    row = told(substation()).output.splitlines()[1]
    assert row.split("\t") == ["2020-08-25 12:15", "2", "import", "1.00", "4.00", "40", "7"]


GAP = AdderGap(1, 4.0, 4.0 + PASSES_PRICE / 2, 0.3, -PASSES_COST / 2)


@pytest.mark.parametrize(
    ("gap", "code"),
    [
        (GAP, 0),
        (AdderGap(1, 4.0, 4.2, 0.3, 0.0), 2),
        (AdderGap(1, 4.0, 3.8, 0.3, 0.0), 2),
        (AdderGap(1, 4.0, 4.0, 0.3, -2 * PASSES_COST), 2),
        (AdderGap(1, 4.0, 4.0, 0.3, 0.0, {"reserve": -0.2}), 2),
        (AdderGap(1, 4.0, 4.0, 500.0, 0.0), 0),
    ],
    ids=["within", "too low", "too high", "cheaper", "a product", "power alone"],
)
def test_a_price_or_a_cost_that_differs_fails(told: Told, gap: AdderGap, code: int) -> None:
    assert told(substation(), "--verify", "1", gaps=(gap,)).exit_code == code


def test_the_largest_differences_are_told(told: Told) -> None:
    other = AdderGap(2, 0.0, 0.01, 2.5, 5e-6, {"reserve": 0.02})
    said = told(substation(), "--verify", "1", gaps=(GAP, other)).output.splitlines()[-1]
    assert said == (
        "against one program of all feeders, 2 intervals: prices differ by 0.050 $/MWh at most, "
        "a feeder's power by 2.50 kW, cost by 5.0e-05"
    )


def test_json_has_spells_and_gaps(told: Told) -> None:
    table = json.loads(told(substation(), "--verify", "1", "--json", gaps=(GAP,)).output)
    assert table["spells"][0]["limit"] == "import"
    assert table["gaps"][0]["central"] == 4.05


def test_nothing_is_held_against_the_program_unless_asked(told: Told) -> None:
    assert json.loads(told(substation(), "--json", gaps=(GAP,)).output)["gaps"] == []


def test_results_of_one_feeder_are_refused(told: Told, tmp_path: Path) -> None:
    result, what = told(paper_run()), "holds the results of one feeder; expected those of a substation"
    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path / 'results.h5'}: {what}\n"


def test_a_gap_is_the_largest_of_adder_and_products() -> None:
    assert AdderGap(0, 1.0, 3.0, 0.0, 0.0).gap == 2.0
    assert AdderGap(0, 1.0, 1.0, 0.0, 0.0, {"reserve": -4.0, "regulation_up": 3.0}).gap == 4.0
    assert AdderGap(0, 1.0, 1.0, 0.0, 0.0).gap == 0.0


def test_a_spell_at_the_end_of_the_run_ends_with_it() -> None:
    run = substation({"substation/adder": [0.0, 0.0, 0.0, 2.0]}, RECORDS[::-1])
    assert [row["intervals"] for row in spells(run)] == [1]
