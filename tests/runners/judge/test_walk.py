"""A study's day without HELICS: what is known of an interval, and the feeder's answers in order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toys import ToyEngine, make_study

from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import FederationError, FeederError
from dlmp_cosim.runners.judge import walk as module
from dlmp_cosim.runners.judge.walk import Case, Day

NOTHING = np.zeros(2, dtype=np.complex128)


class Scripted(ToyEngine):
    """The toy engine, which keeps what it was asked and may fail."""

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        self.asked: list[tuple[complex, complex, bool]] = []
        self.converges = True

    def solve(self, demand: Any, injection: Any, *, controls: bool) -> Any:
        self.asked.append((complex(demand.sum()), complex(injection.sum()), controls))
        state = super().solve(demand, injection, controls=controls)
        return replace(state, converged=self.converges)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return load_study(make_study(tmp_path_factory.mktemp("walk") / "study", intervals=5))


@pytest.fixture
def engine(toy: Study, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = Scripted(toy.network)
    monkeypatch.setattr(module, "open_engine", lambda _: made)
    return made


@pytest.fixture
def day(toy: Study, engine: Scripted) -> Day:
    assert engine.network is toy.network
    return Day(toy)


def test_a_case_has_the_price_and_demand_of_its_interval(day: Day, toy: Study) -> None:
    from dlmp_cosim.federates.study.series import load_series

    series, case = load_series(toy), day.case(3)
    assert case.interval == 3
    assert case.price.lmp == series.lmp[3]
    assert case.price.energy + case.price.congestion + case.price.loss == pytest.approx(case.price.lmp)
    assert case.demand == pytest.approx(toy.network.listed_demand * series.demand_ratio[3])


def test_offers_are_those_of_the_asset_table(day: Day) -> None:
    case = day.case(0)
    offers = {offer.resource: offer for offer in case.offers}
    assert offers["dg"].p_max_kw == 300.0
    load_a = case.demand.real[day.network.load_ids.index("load_a")]
    assert offers["flex"].p_max_kw == pytest.approx(0.2 * load_a)


def test_load_scale_scales_demand_and_what_may_be_spared(toy: Study, engine: Scripted) -> None:
    del engine
    feeder = toy.scenario.feeder.model_copy(update={"load_scale": 2.0})
    double = Day(replace(toy, scenario=toy.scenario.model_copy(update={"feeder": feeder}))).case(1)
    single = Day(toy).case(1)
    assert double.demand == pytest.approx(2.0 * single.demand)
    assert [offer.p_max_kw for offer in double.offers] == pytest.approx(
        [300.0, 2.0 * single.offers[1].p_max_kw]
    )


def test_an_answer_is_to_what_the_dispatch_leaves(day: Day, engine: Scripted) -> None:
    case = day.case(0)
    day.answer(case, np.array([40.0 + 5.0j, 3.0 + 0.0j]), controls=False)
    ((demand, injected, controls),) = engine.asked
    share = 3.0 / case.demand[0].real
    assert demand == pytest.approx(case.demand.sum() - share * case.demand[0])
    assert injected == pytest.approx(40.0 + 5.0j)
    assert not controls


def test_a_power_flow_that_does_not_converge_is_named_by_its_interval(day: Day, engine: Scripted) -> None:
    engine.converges = False
    with pytest.raises(FeederError) as failure:
        day.answer(day.case(2), NOTHING, controls=True)
    assert str(failure.value) == "the power flow of interval 2 did not converge"


def test_a_dispatch_beyond_what_a_resource_has_is_refused(day: Day) -> None:
    with pytest.raises(FederationError, match=r"asks 301 kVA of dg; it has 300$"):
        day.answer(day.case(0), np.array([301.0 + 0.0j, 0.0]), controls=False)


@pytest.mark.parametrize(("every", "intervals"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (9, [0])])
def test_every_nth_interval_comes_in_order(day: Day, every: int, intervals: list[int]) -> None:
    assert [case.interval for case, _ in day.forecasts([], every)] == intervals


def test_each_forecast_has_the_dispatch_before_it(day: Day, engine: Scripted) -> None:
    dispatches: list[Any] = []
    for case, _ in day.forecasts(dispatches, 2):
        dispatches.append(np.array([10.0 * (case.interval + 1) + 0.0j, 0.0]))
    assert [injected.real for _, injected, _ in engine.asked] == [0.0, 10.0, 30.0]
    assert all(controls for *_, controls in engine.asked)


def test_an_own_price_of_carbon_is_in_the_offers(toy: Study, engine: Scripted, tmp_path: Path) -> None:
    del engine
    folder = make_study(tmp_path / "carbon", intervals=5)
    (folder / "rates.csv").write_text("minutes,value\n0,300\n")
    with (folder / "scenario.toml").open("a") as file:
        file.write('[emissions]\nrates = "rates.csv"\nprice = 40.0\nown = {dg = 450.0}\n')
    plain, priced = Day(toy).case(0), Day(load_study(folder)).case(0)
    assert priced.offers[0].cost_linear - plain.offers[0].cost_linear == pytest.approx(0.45 * 40.0)
    assert priced.price.lmp - plain.price.lmp == pytest.approx(0.3 * 40.0)


def test_a_case_can_be_asked_again(day: Day) -> None:
    one, other = day.case(4), day.case(4)
    assert isinstance(one, Case)
    assert (one.price, one.offers) == (other.price, other.offers)
    np.testing.assert_array_equal(one.demand, other.demand)
