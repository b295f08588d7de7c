"""`dlmp convergence` on levels that are told: what is summed up, printed, and refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.measure import convergence as module
from dlmp_cosim.runners.measure.convergence import (
    Row,
    as_data,
    by_tolerance,
    convergence_command,
    levels_table,
    rounds_table,
    summary,
    try_choice,
)
from dlmp_cosim.runners.measure.tolerances import Choice, Level
from tests.runners.judge.paper import strict


def level(tolerance: float = 0.1, rounds: int = 10, cost: float = 1e-5, price: float = 0.01) -> Level:
    return Level(tolerance, rounds, 6 * rounds, 30 * rounds, cost, price, converged=True)


FAILED = Level(0.1, 100_000, 0, 0, math.inf, math.inf, converged=False)
ONE = [level(), level(0.01, 40, 1e-6, 0.001)]
OTHER = [level(rounds=20, cost=3e-5, price=0.05), level(0.01, 80, 2e-6, 0.002)]


@pytest.mark.parametrize(
    ("rounds", "middle", "most"),
    [([10, 30, 20], 20.0, 30.0), ([10, None, 20], 20.0, math.inf), ([None, None, 5], math.inf, math.inf)],
)
def test_a_sample_that_never_passes_is_beyond_all_others(
    rounds: list[int | None], middle: float, most: float
) -> None:
    row = Row("g", "c", rounds, 0.0, 0.0)
    assert (row.median, row.most) == (middle, most)


def test_messages_are_of_a_round_over_all_samples() -> None:
    told = iter([ONE, OTHER])
    row = try_choice([1, 2], Choice("g", "c"), lambda *_: next(told))  # type: ignore[list-item]
    assert (row.group, row.choice, row.rounds) == ("g", "c", [10, 20])
    assert (row.messages, row.scalars) == (6.0, 30.0)


def test_a_choice_that_takes_no_rounds_sends_nothing() -> None:
    still = [Level(0.1, 0, 0, 0, 0.0, 0.0, converged=True)]
    row = try_choice([1], Choice("g", "c"), lambda *_: still)  # type: ignore[list-item]
    assert (row.rounds, row.messages) == ([0], 0.0)


def test_levels_are_grouped_by_tolerance_and_summed_up() -> None:
    first, second = by_tolerance([ONE, OTHER])
    assert first == [ONE[0], OTHER[0]]
    found = summary(second)
    assert (found.rounds_median, found.rounds_max) == (60.0, 80)
    assert (found.cost_median, found.cost_max) == pytest.approx((1.5e-6, 2e-6))
    assert (found.price_median, found.price_max) == pytest.approx((0.0015, 0.002))


def rows(table: Any) -> list[list[str]]:
    return [list(row) for row in table.rows]


def test_a_group_is_named_once_and_never_is_a_word() -> None:
    found = rows(
        rounds_table(
            "nodal",
            [Row("a", "x", [5], 6.4, 30.0), Row("a", "y", [None], 0.0, 0.0), Row("b", "z", [1], 1, 1)],
        )
    )
    assert found == [
        ["a", "x", "5", "5", "6", "30"],
        ["", "y", "never", "never", "0", "0"],
        ["b", "z", "1", "1", "1", "1"],
    ]


def test_a_tolerance_is_told_with_what_it_means() -> None:
    assert rows(levels_table("nodal", [ONE, OTHER]))[0] == [
        "0.1", "15", "20", "2.0e-05", "3.0e-05", "0.030", "0.050",
    ]  # fmt: skip


def test_data_has_a_summary_a_tolerance() -> None:
    table = as_data([Row("g", "c", [5], 1.0, 2.0)], [ONE])
    assert list(table["tolerance"]) == ["0.1", "0.01"]
    assert table["rounds"] == [{"group": "g", "choice": "c", "rounds": [5], "messages": 1.0, "scalars": 2.0}]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call the command on samples and levels that are told."""

    def call(samples: Sequence[Any], levels: list[list[Level]], *options: str) -> Result:
        section = SimpleNamespace(settings=MarketSettings())
        study = SimpleNamespace(scenario=SimpleNamespace(market=section))
        monkeypatch.setattr(module, "find_study", lambda _: study)
        monkeypatch.setattr(module, "Day", lambda _: None)
        monkeypatch.setattr(module, "take_samples", lambda *_, **__: list(samples))
        monkeypatch.setattr(
            module, "study_model", lambda *_, **__: ([Row("g", "c", [None], 0.0, 0.0)], levels)
        )
        return CliRunner().invoke(convergence_command, ["ieee123_day", "--model", "nodal", *options])

    return call


def test_a_day_on_which_nothing_binds_has_nothing_to_converge(told: Callable[..., Result]) -> None:
    result = told([], [])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert result.output.startswith(
        "Error: ieee123_day: no interval of it has a limit with a price in the model 'nodal'; expected"
    )


def test_json_has_null_for_an_error_that_there_is_not(told: Callable[..., Result]) -> None:
    """A clearing that failed is off by more than any number."""
    table = strict(told([1], [[FAILED]], "--json").output)["nodal"]
    assert table["tolerance"]["0.1"]["cost_max"] is None
    assert table["rounds"][0]["rounds"] == [None]


def test_tables_are_told_without_json(told: Callable[..., Result]) -> None:
    lines = told([1], [ONE]).output.splitlines()
    assert lines[0] == "nodal: rounds"
    assert "nodal: tolerance" in lines
