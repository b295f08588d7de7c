"""Negotiation held to the central reference over a day: the gaps, and that a gap is caught."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.market.models import ReferenceAnswer
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.gaps import (
    COST_GAP,
    PRICE_GAP,
    Gaps,
    gather,
    make_market,
    make_reference,
    negotiated,
)
from dlmp_cosim.runners.judge.verify import verify_command
from dlmp_cosim.runners.judge.walk import Day
from tests.runners.conftest import make_study

NAMES = {"intervals", "cost_gap_max", "dlmp_gap_max", "rounds_cold", "rounds_warm_median", "rounds_warm_max"}


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hours in which voltage limits bind in both models."""
    folder = tmp_path_factory.mktemp("verify")
    return make_study(
        folder / "afternoon", start='"2020-08-25T09:00:00"', intervals="3", period_s="600", method='"central"'
    )


def test_a_day_passes_and_says_how_closely(afternoon: Path) -> None:
    """A study that clears centrally is negotiated all the same: else there would be nothing to compare."""
    result = CliRunner().invoke(verify_command, [str(afternoon), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) == {"nodal", "branch_flow"}
    for gaps in found.values():
        assert NAMES <= set(gaps) == {field.name for field in fields(Gaps)}
        assert gaps["intervals"] == 3
        assert gaps["cost_gap_max"] + gaps["dlmp_gap_max"] > 0
        assert gaps["cost_gap_max"] <= COST_GAP
        assert gaps["dlmp_gap_max"] <= PRICE_GAP
        assert gaps["dispatch_gap_max_kw"] < 1.0
        assert gaps["not_converged"] == 0
        assert gaps["rounds_warm_max"] >= gaps["rounds_warm_median"] > 0
        assert gaps["rounds_cold"] > 0
    assert found["nodal"]["binding"] > 0
    assert found["nodal"]["exactness_gap_max"] == 0.0 < found["branch_flow"]["exactness_gap_max"]


def test_a_table_for_people(afternoon: Path) -> None:
    result = CliRunner().invoke(verify_command, [str(afternoon), "--every", "3"])
    assert result.exit_code == 0, result.output
    for name in NAMES:
        assert name in result.stdout


def test_a_market_that_stops_too_early_is_caught(tmp_path: Path) -> None:
    study = make_study(
        tmp_path / "loose",
        start='"2020-08-25T16:00:00"',
        intervals="1",
        period_s="3600",
        model='"nodal"\ntolerance = 0.2',
    )
    result = CliRunner().invoke(verify_command, [str(study), "--json"])
    assert result.exit_code == 2, result.output
    gaps = json.loads(result.stdout)["nodal"]
    assert gaps["dlmp_gap_max"] > PRICE_GAP
    assert gaps["not_converged"] == 0


def test_an_unknown_study_is_refused() -> None:
    result = CliRunner().invoke(verify_command, ["ieee123_dya"])
    assert result.exit_code == 1
    assert "ieee123_day" in result.output


def ours(**values: Any) -> Any:
    """A clearing as far as `gather` looks."""
    usual: dict[str, Any] = {"cost": 100.0, "rounds": 40, "limits": (), "status": "solved"}
    usual |= {"prices": SimpleNamespace(real=np.full(3, 30.0)), "dispatch": np.array([5.0 + 1j])}
    return SimpleNamespace(**usual | values)


THEIRS = ReferenceAnswer(
    cost=100.0,
    price_real=np.full(3, 30.0),
    price_reactive=np.zeros(3),
    award=np.array([5.0 + 0j]),
    slack=0.0,
    seconds=0.0,
)


def test_gaps_by_hand() -> None:
    other = ours(
        cost=100.02, rounds=90, limits=("one",), prices=SimpleNamespace(real=np.array([30.0, 29.8, 30.1]))
    )
    lazy = ours(cost=103.0, rounds=70, status="not_converged", dispatch=np.array([4.5 + 1j]))
    found = gather(
        [(ours(rounds=500), THEIRS), (other, THEIRS), (lazy, replace(THEIRS, slack=2.0))], cold=[500, 20]
    )
    assert found == Gaps(
        intervals=3,
        inexact=1,
        inexact_cost_gap_max=pytest.approx(0.03),
        binding=1,
        cost_gap_max=pytest.approx(2e-4),
        dlmp_gap_max=pytest.approx(0.2),
        dispatch_gap_max_kw=0.0,
        exactness_gap_max=2.0,
        rounds_cold=500,
        rounds_warm_median=80.0,
        rounds_warm_max=90,
        rounds_binding_median=90.0,
        not_converged=1,
    )
    assert not found.passed
    assert gather([(ours(), THEIRS)], cold=[]).passed


@pytest.mark.parametrize("field", ["cost_gap_max", "dlmp_gap_max", "not_converged"])
def test_each_gap_fails_on_its_own(field: str) -> None:
    fine = gather([(ours(), THEIRS), (ours(), THEIRS)], cold=[10])
    assert fine.passed
    assert not replace(fine, **{field: 1}).passed


def test_a_cheap_interval_is_judged_by_the_dollar() -> None:
    """Near a cost of nothing a relative gap would mean nothing."""
    near = replace(THEIRS, cost=1e-6)
    assert gather([(ours(cost=5e-5), near)], cold=[]).cost_gap_max == pytest.approx(4.9e-5)


@pytest.mark.parametrize("model", ["nodal", "branch_flow"])
def test_the_reference_is_what_its_market_clears_centrally(afternoon: Path, model: Any) -> None:
    day = Day(load_study(afternoon))
    settings = MarketSettings(model=model, method="central")
    case = day.case(1)
    state = day.answer(case, np.zeros(len(day.network.resources), dtype=np.complex128), controls=True)
    central = make_reference(day.network, settings)
    answer = central.answer(state, case.demand, case.offers, case.price)
    clearing = make_market(day.network, settings).clear(state, case.demand, case.offers, case.price)
    assert clearing.cost == pytest.approx(answer.cost, rel=1e-6)
    assert clearing.prices.real == pytest.approx(answer.price_real, abs=1e-3)
    assert clearing.dispatch.real == pytest.approx(answer.award.real, abs=0.05)
    assert negotiated(settings).method == "interior-point"
    assert negotiated(replace(settings, method="pac")).method == "pac"


def test_a_day_is_walked_in_order_from_the_last_dispatch(afternoon: Path) -> None:
    day = Day(load_study(afternoon))
    dispatches: list[Any] = []
    heads = []
    for case, state in day.forecasts(dispatches):
        assert case.interval == len(heads)
        heads.append(state.head.real.sum())
        full = np.zeros(len(day.network.resources), dtype=np.complex128)
        for k, resource in enumerate(day.network.resources):
            full[k] = resource.kw_max if resource.kind == "generator" else 0.0
        dispatches[:] = [full]
    generated = sum(r.kw_max for r in day.network.resources if r.kind == "generator")
    assert heads[0] - heads[1] == pytest.approx(generated, rel=0.1)
    assert [case.interval for case, _ in Day(load_study(afternoon)).forecasts([], every=2)] == [0, 2]
