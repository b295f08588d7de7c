"""Rounds, times and what is varied: the figures of `dlmp bench` and `dlmp convergence`."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.pac.negotiate import USUAL
from dlmp_cosim.market.pac.step_sizes import local_gains, uniform_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.walk import Day
from dlmp_cosim.runners.measure import bench, convergence, timing
from dlmp_cosim.runners.measure.convergence import (
    Row,
    as_data,
    by_tolerance,
    levels_table,
    rounds_table,
    study_model,
    summary,
    try_choice,
)
from dlmp_cosim.runners.measure.tolerances import (
    TOLERANCES,
    Choice,
    Level,
    Sample,
    cold_levels,
    rounds_to_pass,
    take_samples,
    warm_levels,
)
from dlmp_cosim.runners.measure.variations import GROUPS, PUBLISHED, USUAL_CHOICE, steeper
from tests.runners.conftest import make_study


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four intervals around nine o'clock: the first two without, the others with limits that bind."""
    folder = tmp_path_factory.mktemp("bench")
    return make_study(
        folder / "morning", start='"2020-08-25T08:00:00"', intervals="4", period_s="1800", method='"central"'
    )


@pytest.fixture(scope="module")
def binding(morning: Path) -> list[Sample]:
    return take_samples(Day(load_study(morning)), MarketSettings(method="pac-accelerated"), 2, binding=True)


def level(
    tolerance: float, rounds: int, cost: float = 0.0, price: float = 0.0, *, converged: bool = True
) -> Level:
    return Level(tolerance, rounds, 8 * rounds, 20 * rounds, cost, price, converged)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([], None),
        ([level(0.1, 10)], 10),
        ([level(0.1, 10, price=0.2), level(0.01, 50), level(0.001, 80)], 50),
        ([level(0.1, 10), level(0.01, 50, cost=2e-4), level(0.001, 80)], 80),
        ([level(0.1, 10), level(0.01, 50, price=0.11)], None),
        ([level(0.1, 10), level(0.01, 50, converged=False)], 10),
        ([level(0.1, 10), level(0.01, 50, price=0.11, converged=False)], None),
        ([level(0.1, 10, price=0.2), level(0.01, 50, converged=False)], None),
    ],
)
def test_rounds_count_from_where_a_clearing_keeps_passing(levels: list[Level], expected: int | None) -> None:
    assert rounds_to_pass(levels) == expected


def test_samples_are_intervals_with_what_went_before(morning: Path, binding: list[Sample]) -> None:
    day = Day(load_study(morning))
    everything = take_samples(day, MarketSettings(), 9)
    assert [sample.case.interval for sample in everything] == [1, 2, 3]
    assert [sample.before.interval for sample in everything] == [0, 1, 2]
    assert {sample.case.interval for sample in binding} == {2, 3}
    assert take_samples(day, MarketSettings(voltage_max_pu=1.2, rating_scale=9.0), 3, binding=True) == []


def test_tighter_tolerances_take_more_rounds_and_leave_smaller_errors(binding: list[Sample]) -> None:
    levels = cold_levels(binding[0], USUAL_CHOICE, stop=False)
    assert [item.tolerance for item in levels] == list(TOLERANCES)
    rounds = [item.rounds for item in levels]
    assert rounds == sorted(rounds)
    assert rounds[-1] > 3 * rounds[0]
    assert levels[-1].price < 1e-2 < levels[0].price
    assert levels[-1].passes
    for item in levels:
        # Three pairs of agents talk two ways in every round but those of the sweeps.
        assert 3 * item.rounds < item.messages < 6 * item.rounds
    short = cold_levels(binding[0], USUAL_CHOICE)
    assert short == levels[: len(short)]
    assert rounds_to_pass(short) == rounds_to_pass(levels)


def test_warm_starts_begin_where_the_interval_before_ended(binding: list[Sample]) -> None:
    """Before an interval that comes twice, there is next to nothing left to negotiate."""
    again = replace(binding[-1], before=binding[-1].case, state_before=binding[-1].state)
    cold, warm = (clear(again, USUAL_CHOICE, stop=False)[-1] for clear in (cold_levels, warm_levels))
    assert warm.passes
    assert 3 * warm.rounds < cold.rounds


def test_a_choice_changes_what_it_says(binding: list[Sample]) -> None:
    one = Choice("agents", "1", settings=(("agents", 1),))
    assert one.market(binding[0], 1e-3).settings == replace(binding[0].settings, agents=1, tolerance=1e-3)
    often = replace(USUAL_CHOICE, tuning=replace(USUAL, check_every=1))
    assert cold_levels(binding[0], often)[0].rounds % 10 != 0


def test_every_choice_is_named_once_and_differs_from_the_usual() -> None:
    choices = [choice for group in (*GROUPS, *PUBLISHED) for choice in group]
    names = [(choice.group, choice.name) for choice in choices]
    assert len(set(names)) == len(names)
    alike = [choice for choice in choices if choice.tuning == USUAL and not choice.settings]
    assert alike == [USUAL_CHOICE]


@pytest.mark.parametrize(
    "choose", [lambda p: steeper(p, 9.0), uniform_gains, lambda p: uniform_gains(p, 9.0)]
)
def test_gains_of_the_study_keep_the_bound(binding: list[Sample], choose: Any) -> None:
    sample = binding[0]
    model = Choice("", "").market(sample, 1e-3).model
    anchor = model.anchor(sample.state, sample.case.demand, sample.case.offers)
    problem: AtomicProblem = model.problem(anchor, sample.case.offers, sample.case.price)
    gains = choose(problem)
    scaled = np.sqrt(gains.sigma)[:, None] * problem.rows.toarray() * np.sqrt(gains.tau)
    assert np.linalg.norm(scaled, 2) <= 1 + 1e-9
    usual = local_gains(problem)
    assert steeper(problem, 9.0).sigma == pytest.approx(3 * usual.sigma)


def test_a_row_sums_its_samples_up(binding: list[Sample]) -> None:
    row = try_choice(binding, USUAL_CHOICE, cold_levels)
    assert len(row.rounds) == len(binding)
    assert all(row.rounds)
    # Six a round between areas, three in a sweep of two hops.
    assert 3 < row.messages < 6
    never = Row("g", "c", [30, None, 10], 8.0, 36.0)
    assert (never.median, never.most) == (30.0, math.inf)


def test_tables_for_people() -> None:
    levels = [[level(0.1, 10, 1e-3, 2.0), level(0.01, 40)], [level(0.1, 30, 3e-3, 1.0), level(0.01, 60)]]
    found = summary(by_tolerance(levels)[0])
    assert (found.rounds_median, found.rounds_max, found.cost_max, found.price_median) == (
        20.0,
        30,
        3e-3,
        1.5,
    )
    rows = [Row("gains", "a", [10], 8.0, 36.0), Row("gains", "b", [None], 8.0, 36.0)]
    assert len(rounds_table("nodal", rows).rows) == 2
    assert len(levels_table("nodal", levels).rows) == 2
    assert json.loads(json.dumps(as_data(rows, levels)))["tolerance"]["0.01"]["rounds_max"] == 60


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_figure_of_equal_levels_is_equal(tmp_path: Path, kind: str) -> None:
    levels = {"nodal": [[level(0.1, 10, 1e-3, 2.0), level(0.01, 40)]]}
    for name in ("one", "two"):
        convergence.draw(levels, tmp_path / f"{name}.{kind}")
    one, two = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("one", "two"))
    assert len(one) > 2000
    assert one == two


def test_a_figure_of_an_unknown_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    command = ["ieee123_day", "--figure", str(tmp_path / "figure.bmp")]
    done = CliRunner().invoke(convergence.convergence_command, command)
    assert done.exit_code == 1
    assert "a figure cannot be 'bmp'; expected one of png, svg, pdf" in done.output


def test_no_figure_of_an_unknown_kind_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of png, svg, pdf"):
        convergence.draw({}, tmp_path / "figure.xls")


def test_a_small_convergence_study(morning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convergence, "GROUPS", GROUPS[:1])
    studied: dict[str, Any] = {}

    def study(samples: Sequence[Sample], **options: Any) -> Any:
        studied["samples"], studied["nodal"] = samples, study_model(samples, **options)
        return studied["nodal"]

    monkeypatch.setattr(convergence, "study_model", study)
    figure = tmp_path / "figure.png"
    command = [str(morning), "--samples", "1", "--model", "nodal"]
    arguments = [*command, "--figure", str(figure), "--json"]
    result = CliRunner().invoke(convergence.convergence_command, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["nodal"]
    assert [row["choice"] for row in found["rounds"]] == ["from the interval before", "usual"]
    assert list(found["tolerance"]) == [f"{tolerance:g}" for tolerance in TOLERANCES]
    assert figure.stat().st_size > 2000
    # What was studied is told to people without being studied again.
    monkeypatch.setattr(convergence, "study_model", lambda *_, **__: studied["nodal"])
    monkeypatch.setattr(convergence, "take_samples", lambda *_, **__: studied["samples"])
    result = CliRunner().invoke(convergence.convergence_command, command)
    assert "nodal: tolerance" in result.stdout


def test_the_bench_prints_every_figure(morning: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "time_distopf", lambda: "distopf is not installed")
    command = [str(morning), "--samples", "1", "--repeats", "1", "--no-published"]
    result = CliRunner().invoke(bench.bench_command, [*command, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["pac_warm_over_distopf"] is None
    for name in ("pac_warm_over_cvxpy", "pac_cold_over_cvxpy", "pac_warm_over_clarabel"):
        assert found[name] == found["ratios"]["nodal"][name]
    assert set(found["rounds"]) == {
        f"{model}{what}" for model in ("nodal", "branch_flow") for what in ("", ", limits binding")
    }
    for name, row in found["rounds"].items():
        assert row["samples"] == 1
        assert 0 < row["warm_median"] <= row["warm_max"]
        took = found["seconds"][name]
        assert all(seconds > 0 for seconds in took.values())
        assert found["ratios"][name]["pac_warm_over_cvxpy"] == took["pac_warm"] / took["cvxpy"]
    assert found["reading_over_pandas"] == found["seconds"]["reading"] / found["seconds"]["reading_pandas"]
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["clarabel"]


def test_people_read_every_figure_on_a_narrow_screen() -> None:
    row = {"pac_warm_over_cvxpy": 0.25, "pac_cold_over_cvxpy": 0.5}
    found = {
        "rounds": {"nodal": {"samples": 1}},
        "seconds": {"nodal": {"pac_warm": 0.01}, "distopf": 0.6, "reading": 0.2},
        "ratios": {"nodal": row},
        "reading_over_pandas": 1.4,
        "machine": {"distopf": 'pip install "dlmp-cosim[bench]"'},
    }
    console = Console(file=io.StringIO(), width=60)
    bench.show(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    for line in (
        "distopf, seconds: 0.6",
        'distopf: pip install "dlmp-cosim[bench]"',
        "reading / pandas: 1.4",
    ):
        assert line in text.splitlines()


def test_a_day_without_binding_limits_is_timed_as_a_whole_only(
    morning: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "time_distopf", lambda: 1.0)
    free = MarketSettings(voltage_max_pu=1.2, rating_scale=9.0)
    with bench._progress(quiet=True) as progress:
        found = bench.measure(Day(load_study(morning)), free, 1, 1, progress)
    assert found["rounds"]["nodal, limits binding"]["samples"] == 0
    assert set(found["ratios"]) == {"nodal", "branch_flow"}
    assert {"day_setup", "day_clear", "pac_warm"} <= set(found["seconds"]["branch_flow"])


def test_published_methods_are_counted_too(binding: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a budget that they cannot keep: none of them passes, and that is what it says."""
    monkeypatch.setattr(bench, "PUBLISHED_ROUNDS", 20)
    monkeypatch.setattr(bench, "take_samples", lambda *_, **__: binding[:1])
    interval = f"interval {binding[0].case.interval}"
    found = bench.published_rounds(None, binding[0].settings)  # type: ignore[arg-type]
    assert found == {method: {interval: None} for method in ("pac", "nst-pac", "pac-accelerated")}


def test_what_never_passes_is_no_number() -> None:
    assert bench.as_number(None) == math.inf
    assert bench.as_number(30) == 30.0
    assert bench.count_rounds([]) == {
        "samples": 0, "cold_median": 0.0, "cold_max": 0.0, "warm_median": 0.0, "warm_max": 0.0
    }  # fmt: skip


def test_ratios_by_hand() -> None:
    times = {"pac_warm": 2.0, "pac_cold": 3.0, "cvxpy": 8.0, "clarabel": 4.0}
    assert timing.ratios(times, 100.0) == {
        "pac_warm_over_cvxpy": 0.25,
        "pac_cold_over_cvxpy": 0.375,
        "pac_warm_over_clarabel": 0.5,
        "pac_warm_over_distopf": 0.02,
    }
    assert timing.ratios(times, "not installed")["pac_warm_over_distopf"] is None


def test_distopf_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distopf", None)
    assert "pip install" in str(timing.time_distopf())


def test_distopf_is_timed_after_a_first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[dict[str, str]] = []

    def run_opf(**options: str) -> None:
        runs.append(options)
        time.sleep(0.02 if len(runs) > 1 else 0.2)

    fake = SimpleNamespace(CASES_DIR=Path(), create_case=lambda _: SimpleNamespace(run_opf=run_opf))
    monkeypatch.setitem(__import__("sys").modules, "distopf", fake)
    took = timing.time_distopf()
    assert isinstance(took, float)
    assert 0.02 <= took < 0.2
    assert runs == [{"wrapper": "matrix", "objective": "loss"}] * 4
