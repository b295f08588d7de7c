"""Negotiation against the central reference, through the command; and the benchmark's pieces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from federates.study import load_study
from market.clearing import Clearing, Prices
from runners.bench import BUDGETS, errors, rounds_needed, take_samples
from runners.verify import Answer, gather, verify_command
from runners.walk import Day

ROOT = Path(__file__).parents[2]
NOTHING = np.zeros(2)
KEYS = {
    "intervals",
    "cost_gap_max",
    "dlmp_gap_max",
    "rounds_cold",
    "rounds_warm_median",
    "rounds_warm_max",
    "inexact",
    "exactness_gap_max",
}


def clearing(cost: float, price: float, rounds: int = 10) -> Clearing:
    return Clearing(
        dispatch=np.array([100.0 + 0j]),
        voltage_magnitude=np.ones(2),
        power_from=np.zeros(1, dtype=complex),
        head=np.zeros(1, dtype=complex),
        losses_kw=0.0,
        prices=replace(Prices(*([NOTHING] * 10)), real=np.array([price, price])),
        cost=cost,
        rounds=rounds,
    )


def answer(cost: float, price: float, slack: float = 0.0) -> Answer:
    return Answer(cost, np.array([price, price]), np.array([90.0]), slack)


@pytest.mark.timeout(240)
def test_both_models_are_held_to_their_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(verify_command, ["ieee123_day", "--every", "48", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(found) == {"three_phase", "branch_flow"}
    for gaps in found.values():
        assert set(gaps) >= KEYS
        assert gaps["intervals"] == 6
        assert gaps["cost_gap_max"] <= 1e-4
        assert gaps["dlmp_gap_max"] <= 0.1
        assert gaps["not_converged"] == 0
    assert found["three_phase"]["rounds_cold"] <= 2000
    assert found["branch_flow"]["rounds_cold"] <= 1500


def test_a_gap_is_found_and_does_not_pass() -> None:
    gaps = gather([(clearing(101.0, 30.0), answer(100.0, 29.5))], [700])
    assert gaps.cost_gap_max == pytest.approx(0.01)
    assert gaps.dlmp_gap_max == pytest.approx(0.5)
    assert gaps.dispatch_gap_max_kw == pytest.approx(10.0)
    assert gaps.rounds_cold == 700
    assert not gaps.passed


def test_an_inexact_relaxation_is_no_reference() -> None:
    gaps = gather([(clearing(101.0, 30.0), answer(80.0, 10.0, slack=15.0))], [])
    assert (gaps.intervals, gaps.inexact, gaps.cost_gap_max) == (1, 1, 0.0)
    assert gaps.exactness_gap_max == 15.0
    assert gaps.passed


def test_a_clearing_that_misses_its_tolerance_does_not_pass() -> None:
    missed = replace(clearing(100.0, 30.0), status="not_converged")
    assert not gather([(missed, answer(100.0, 30.0))], []).passed


def test_an_unknown_study_is_named() -> None:
    result = CliRunner().invoke(verify_command, ["ieee123_dya"])
    assert result.exit_code == 1
    assert "ieee123_dya" in result.output


def test_errors_are_relative_in_cost_and_absolute_in_price() -> None:
    cost, price = errors(clearing(101.0, 30.0), answer(100.0, 29.0))
    assert cost == pytest.approx(0.01)
    assert price == pytest.approx(1.0)


@pytest.mark.timeout(240)
def test_a_warm_start_needs_no_more_rounds_than_the_budget_that_passes() -> None:
    study = load_study(ROOT / "configs" / "ieee123_day")
    settings = study.scenario.market.settings
    day = Day(study)
    day.intervals = 4
    (sample,) = take_samples(day, settings, 1)
    cold = rounds_needed(day.network, settings, sample, warm=False)
    warm = rounds_needed(day.network, settings, sample, warm=True)
    assert cold is not None
    assert warm is not None
    assert BUDGETS[0] <= warm <= cold <= BUDGETS[-1]
