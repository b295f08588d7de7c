"""A wholesale price that answers: settled pairs on the curve, paid as settled, and today's run without."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import make_study as make_toy

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.link import Link
from dlmp_cosim.federates.runtime.local import run_local
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.federates.wholesale import Wholesale
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.answering import SETTLED, AnsweringMarket, drawn
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.supply import SupplyCurve
from dlmp_cosim.runners.judge.gaps import make_market
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.judge.performance import performance
from dlmp_cosim.runners.judge.walk import Day

DAY = Path(__file__).parents[2] / "configs" / "ieee123_day"
SLOPE = 10.0
CURVE = SupplyCurve.straight(SLOPE, 0.0)


def study(folder: Path, text: str, market: str = "") -> Study:
    """Three hours of the project's day with more in its wholesale table."""
    shutil.copytree(DAY, folder)
    file = folder / "scenario.toml"
    told = file.read_text().replace("[wholesale]\n", f"[wholesale]\n{text}\n")
    told = told.replace("[market]\n", f"[market]\n{market}\n").replace("period_s = 300 ", "period_s = 3600 ")
    told = told.replace("intervals = 288", "intervals = 3").replace("T00:00:00", "T14:00:00")
    file.write_text(told.replace("results/ieee123_day/results.h5", str(folder / "run.h5")))
    return load_study(folder)


def ran(made: Study, run: Callable[[Study], None] = run_direct) -> Results:
    run(made)
    return Results(made.results_file)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return ran(study(tmp_path_factory.mktemp("given") / "study", ""))


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return ran(study(tmp_path_factory.mktemp("answered") / "study", f"slope = {SLOPE}"))


def test_what_is_settled_lies_on_the_supply_curve(given: Results, answered: Results) -> None:
    rise = answered.values("wholesale/lmp_answer")
    assert answered.values("wholesale/lmp") == pytest.approx(given.values("wholesale/lmp") + rise)
    expected = answered.values("market/predicted_head_power_real").sum(axis=1) * SLOPE / 1e3
    assert np.abs(rise - expected).max() <= SETTLED
    found = performance(answered).answer
    assert found is not None
    assert found.gap_cleared == pytest.approx(np.abs(rise - expected).max(), abs=1e-9)
    before_controls = answered.values("audit/trial_head_error")
    assert np.abs(before_controls).max() * SLOPE / 1e3 <= SETTLED


def test_prices_and_dispatch_follow_the_settled_lmp(given: Results, answered: Results) -> None:
    lmp = answered.values("wholesale/lmp")
    assert answered.values("market/dlmp_real_energy")[:, 0].tolist() == lmp.tolist()
    assert [record["lmp"] for record in answered.records("market/clearing")] == lmp.tolist()
    less = given.values("feeder/head_power_real").sum(axis=1) - answered.values("feeder/head_power_real").sum(
        axis=1
    )
    assert (less > 100.0).all()


def test_it_settles_within_the_rounds_and_the_ledger_balances(answered: Results) -> None:
    assert answered.values("audit/settled").all()
    account = account_for(answered)
    assert abs(account.imbalance_usd) < 1e-6
    head = answered.values("feeder/head_power_real").sum(axis=1)
    assert account.money.wholesale_usd == pytest.approx(answered.values("wholesale/lmp") @ head / 1e3)


def test_the_settled_pair_is_the_optimum_of_feeder_and_supply_together(tmp_path: Path) -> None:
    """At the price of any other quantity, what is bought, supplied and offered costs more."""
    made = study(tmp_path / "study", f"slope = {SLOPE}")
    day = Day(made)
    market = make_market(day.network, made.scenario.market.settings)
    case, state = next(day.forecasts([]))

    def together(clearing: Clearing, price: float) -> float:
        kw = drawn(clearing)
        return clearing.cost + (case.price.lmp - price) * kw / 1e3 + CURVE.cost(kw)

    settled = AnsweringMarket(market, CURVE).clear(state, case.demand, case.offers, case.price)
    assert settled.head_price is not None
    least = together(settled, settled.head_price)
    for more in (-15.0, -6.0, -2.0, 2.0, 6.0, 15.0):
        price = settled.head_price + more
        other = market.clear(state, case.demand, case.offers, replace(case.price, lmp=price))
        assert together(other, price) > least


def test_no_slope_is_the_run_without_the_key_to_the_bit(given: Results, tmp_path: Path) -> None:
    same = ran(study(tmp_path / "study", "slope = 0.0\nslope_from_kw = 500"))
    assert same.keys == given.keys
    for key in given.keys:
        if key.startswith(("feeder/", "market/", "audit/", "wholesale/")):
            there = [run.texts(key) if key in TEXTS else run.values(key) for run in (given, same)]
            assert np.array_equal(there[0], there[1], equal_nan=key not in TEXTS), key


TEXTS = ("market/clearing", "audit/verdict", "feeder/status")


@pytest.mark.federation
def test_a_federation_gives_the_same(answered: Results, tmp_path: Path) -> None:
    between = ran(study(tmp_path / "study", f"slope = {SLOPE}"), run_local)
    for key in ("wholesale/lmp", "wholesale/lmp_answer", "market/dispatch_real", "market/dlmp_real"):
        assert np.array_equal(between.values(key), answered.values(key))


def test_controls_settled_together_end_on_the_curve_too(tmp_path: Path) -> None:
    found = ran(study(tmp_path / "study", f"slope = {SLOPE}", 'controls = "together"'))
    quality = performance(found).answer
    assert quality is not None
    settled = found.values("audit/settled") == 1
    head = found.values("feeder/head_power_real").sum(axis=1)
    rise = found.values("wholesale/lmp_answer")
    assert settled.any()
    assert np.abs(rise - head * SLOPE / 1e3)[settled].max() <= 2 * SETTLED


def test_a_horizon_settles_its_first_step(tmp_path: Path) -> None:
    found = ran(study(tmp_path / "study", f"slope = {SLOPE}", "horizon = [{ minutes = 60 }]"))
    quality = performance(found).answer
    assert quality is not None
    assert quality.gap_cleared <= SETTLED
    plans = found.records("market/horizon")
    assert [len(plan["steps"]) for plan in plans] == [3, 2, 1]


def test_a_held_interval_is_paid_at_what_the_forecast_draws(tmp_path: Path) -> None:
    rules = "settle_head_kw = 1e-9\nsettle_voltage_pu = 1e-12"
    made = study(tmp_path / "study", f"slope = {SLOPE}")
    file = made.scenario_file
    text = file.read_text().replace("settle_head_kw = 0.1", rules.splitlines()[0])
    file.write_text(text.replace("settle_voltage_pu = 1e-4", rules.splitlines()[1]))
    found = ran(load_study(made.folder))
    assert all(record["held"] for record in found.records("market/clearing"))
    predicted = found.values("market/predicted_head_power_real").sum(axis=1)
    assert found.values("wholesale/lmp_answer") == pytest.approx(predicted * SLOPE / 1e3, abs=1e-9)


def test_a_market_that_says_no_lmp_is_named(tmp_path: Path, scripted: type) -> None:
    made = load_study(make_toy(tmp_path / "study", intervals=1))
    section = made.scenario.wholesale.model_copy(update={"slope": 5.0})
    changed = replace(made, scenario=made.scenario.model_copy(update={"wholesale": section}))
    link: Link = scripted({2.0: {"market/clearing": '{"interval":0,"status":"final","lmp":"dear"}'}})
    with pytest.raises(FederationError, match="lacks the LMP"):
        Wholesale(changed).run(link)
