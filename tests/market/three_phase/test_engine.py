"""Clearing again and again: rounds with the AC feeder, warm starts, the same bytes, honest status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from feeders.engine import Regulators
from feeders.errors import ClearingError
from feeders.network import ComplexArray
from feeders.opendss.feeder import OpenDssFeeder
from feeders.setpoints import failed_state
from market.clearing import Clearing
from market.offers import WholesalePrice
from market.pac import clear as negotiation
from market.pac.negotiate import Tuning
from market.settings import MarketSettings
from market.three_phase.market import Market
from tests.market.conftest import Situation
from tests.market.support import (
    Anchoring,
    anchored_rounds,
    idle,
    mixed,
    mixed_offers,
    money,
    solve,
    study_case,
    terms_to_offers,
)

SETTLED = {"voltage_pu": 1e-4, "head_kw": 0.1}
DAY = (
    (0.55, 19.0),
    (0.56, 19.5),
    (0.62, 24.0),
    (0.63, 60.0),
    (0.80, 45.0),
    (0.95, 30.0),
    (0.96, 26.7),
    (1.00, 120.0),
    (0.99, 110.0),
    (0.40, -15.0),
    (0.41, 0.0),
    (0.42, 8.0),
)
"""Demand ratios and prices [$/MWh] of a rough day: ramps, a spike, a glut."""


def held(case_demand: ComplexArray, dispatch: ComplexArray, feeder: OpenDssFeeder) -> ComplexArray:
    """The last dispatch cut to the demand of a new interval."""
    network, left = feeder.network, dispatch.copy()
    position = {name: k for k, name in enumerate(network.load_ids)}
    for k, resource in enumerate(network.resources):
        if resource.load:
            asked = case_demand[position[resource.load]]
            share = min(dispatch[k].real / asked.real, 1.0)
            left[k] = share * asked
    return left


def play_day(regulators: Regulators, settings: MarketSettings) -> list[list[Anchoring]]:
    """Every interval of `DAY`: forecast with the last dispatch and acting controls, then the rounds."""
    network, terms = study_case()
    feeder = OpenDssFeeder(network, regulators=regulators, tolerance=1e-9)
    market = Market(network, settings)
    dispatch, day = idle(network), []
    for ratio, lmp in DAY:
        demand = ratio * network.listed_demand
        kept = held(demand, dispatch, feeder)
        curtailed, injected = demand.copy(), kept.copy()
        position = {name: k for k, name in enumerate(network.load_ids)}
        for k, resource in enumerate(network.resources):
            if resource.load:
                curtailed[position[resource.load]] -= kept[k]
                injected[k] = 0.0
        forecast = feeder.solve(curtailed, injected, controls=True)
        offers = terms_to_offers(network, terms, demand)
        rounds = anchored_rounds(market, feeder, forecast, demand, offers, WholesalePrice(lmp), 6, **SETTLED)
        day.append(rounds)
        dispatch = rounds[-1].clearing.dispatch
    return day


@pytest.mark.parametrize("regulators", ["automatic", "neutral"])
def test_every_interval_settles_within_four_rounds(regulators: Regulators) -> None:
    """Prediction equals AC to 1e-4 pu and 0.1 kW, with limits that bind and prices below zero."""
    for (ratio, lmp), rounds in zip(DAY, play_day(regulators, MarketSettings()), strict=True):
        last = rounds[-1]
        assert len(rounds) <= 4, (ratio, lmp)
        assert last.voltage_pu <= SETTLED["voltage_pu"]
        assert abs(last.head_kw) <= SETTLED["head_kw"]
        assert all(item.clearing.status == "solved" for item in rounds)
        magnitude = np.abs(last.state.voltage[3:])
        assert magnitude.min() > 0.95 - 1e-4
        assert not any(limit.exceeded for limit in last.clearing.limits)


def test_each_round_comes_closer(usual: Situation) -> None:
    market = Market(usual.network, MarketSettings(tolerance=1e-6))
    rounds = anchored_rounds(
        market, usual.feeder, usual.state, usual.demand, usual.offers, WholesalePrice(26.7), 4
    )
    gaps = [item.voltage_pu for item in rounds]
    assert gaps[1] < 0.5 * gaps[0]
    assert gaps[3] < 0.1 * gaps[0]
    assert abs(rounds[3].head_kw) < 0.01


def test_where_it_settles_does_not_depend_on_where_it_began(usual: Situation) -> None:
    """From no dispatch and from everything at full output: the same money, power and prices."""
    market = Market(usual.network, MarketSettings(tolerance=1e-6))
    price = WholesalePrice(26.7)
    full = np.array([offer.p_max_kw * (1 + 1j * (offer.reactive_ratio or 0.0)) for offer in usual.offers])
    left, injected = usual.demand.copy(), full.copy()
    for k, resource in enumerate(usual.network.resources):
        if resource.load:
            left[usual.network.load_ids.index(resource.load)] -= full[k]
            injected[k] = 0.0
    crowded = usual.feeder.solve(left, injected, controls=False)
    ends = [
        anchored_rounds(market, usual.feeder, start, usual.demand, usual.offers, price, 8)[-1]
        for start in (usual.state, crowded)
    ]
    costs = [money(e.state, e.clearing.dispatch, usual.network, usual.offers, price) for e in ends]
    assert costs[0] == pytest.approx(costs[1], rel=1e-5)
    a, b = (end.clearing for end in ends)
    assert np.abs(a.prices.real - b.prices.real).max() < 0.02
    # Reactive power is flat: it stops where it no longer matters, not at one point.
    assert np.abs(a.dispatch.real - b.dispatch.real).max() < 1.0


@pytest.mark.parametrize("name", ["usual", "sagging", "light"])
def test_a_settled_clearing_costs_what_the_feeder_costs(situations: dict[str, Situation], name: str) -> None:
    """No damping, penalty or anchor is left in the reported cost."""
    case, price = situations[name], WholesalePrice(26.7, reactive=1.0)
    market = Market(case.network, MarketSettings(tolerance=1e-5))
    last = anchored_rounds(market, case.feeder, case.state, case.demand, case.offers, price, 4)[-1]
    paid = money(last.state, last.clearing.dispatch, case.network, case.offers, price)
    assert last.clearing.cost == pytest.approx(paid, rel=2e-5)
    assert last.clearing.losses_kw == pytest.approx(last.state.losses.real, abs=0.02)
    assert np.abs(last.clearing.power_from - last.state.power_from).max() < 0.1
    assert np.abs(last.clearing.head - last.state.head).max() < 0.1


def test_the_market_never_costs_more_than_doing_nothing(situations: dict[str, Situation]) -> None:
    wide = MarketSettings(voltage_min_pu=0.8, voltage_max_pu=1.2, rating_scale=10.0)
    for case in situations.values():
        for lmp in (-20.0, 20.0, 80.0):
            price = WholesalePrice(lmp)
            market = Market(case.network, wide)
            last = anchored_rounds(market, case.feeder, case.state, case.demand, case.offers, price, 4)[-1]
            paid = money(last.state, last.clearing.dispatch, case.network, case.offers, price)
            nothing = money(case.state, idle(case.network), case.network, (), price)
            assert paid <= nothing + 1e-6


def test_a_warm_start_is_shorter_than_a_cold_one(sagging: Situation) -> None:
    """A voltage limit binds while demand and price drift; repeating an interval takes next to nothing."""
    network, terms = study_case()
    settings = MarketSettings(tolerance=1e-5)
    warm, cold_rounds, warm_rounds = Market(network, settings), 0, 0
    for k, ratio in enumerate(np.linspace(0.95, 1.0, 6)):
        demand = ratio * network.listed_demand
        offers, price = terms_to_offers(network, terms, demand), WholesalePrice(26.7 + 0.2 * k)
        state = solve(sagging.feeder, demand)
        first = warm.clear(state, demand, offers, price)
        again = warm.clear(state, demand, offers, price)
        cold = Market(network, settings).clear(state, demand, offers, price)
        assert {first.status, again.status, cold.status} == {"solved"}
        assert again.rounds <= 0.5 * cold.rounds
        assert first.cost == pytest.approx(cold.cost, rel=1e-5)
        if k:
            warm_rounds += first.rounds
            cold_rounds += cold.rounds
    assert warm_rounds < 0.8 * cold_rounds, (warm_rounds, cold_rounds)


def test_without_limits_the_answer_is_there_at_once(light: Situation) -> None:
    """Resources answer prices that nothing bends: one check of the stopping rule, cold or warm."""
    wide = MarketSettings(voltage_min_pu=0.8, voltage_max_pu=1.2, rating_scale=10.0)
    for agents in (0, 1, 8):
        market = Market(light.network, replace(wide, agents=agents))
        for lmp in (26.7, 31.0, 5.0):
            found = market.clear(light.state, light.demand, light.offers, WholesalePrice(lmp))
            assert found.rounds == 10
            assert found.limits == ()


def same(a: Clearing, b: Clearing) -> bool:
    """Whether two clearings are equal to the last bit."""
    vectors = ("dispatch", "voltage_magnitude", "power_from", "head")
    kinds = vars(a.prices)
    return (
        all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in vectors)
        and all(getattr(a.prices, name).tobytes() == getattr(b.prices, name).tobytes() for name in kinds)
        and (a.cost, a.limits, a.rounds, a.messages, a.scalars)
        == (b.cost, b.limits, b.rounds, b.messages, b.scalars)
        and (a.primal_residual, a.dual_residual) == (b.primal_residual, b.dual_residual)
    )


@pytest.mark.parametrize("method", ["pac-accelerated", "pac", "nst-pac"])
@pytest.mark.parametrize("agents", [0, 3])
def test_the_same_inputs_give_the_same_bytes(method: str, agents: int) -> None:
    network = mixed(0.35)
    chosen = MarketSettings(
        method=method,  # type: ignore[arg-type]
        agents=agents,
        voltage_min_pu=0.963,
        voltage_max_pu=1.1,
        max_rounds=3000,
    )
    runs = []
    for _ in range(2):
        feeder = OpenDssFeeder(network, regulators="held", tolerance=1e-9)
        market = Market(network, chosen)
        state = solve(feeder)
        runs.append(
            anchored_rounds(
                market, feeder, state, network.listed_demand, mixed_offers(), WholesalePrice(30.0), 3
            )
        )
    assert all(same(a.clearing, b.clearing) for a, b in zip(*runs, strict=True))
    assert runs[0][-1].state.voltage.tobytes() == runs[1][-1].state.voltage.tobytes()


def test_a_day_replays_to_the_same_bytes() -> None:
    days = [play_day("automatic", MarketSettings()) for _ in range(2)]
    for one, other in zip(*days, strict=True):
        assert all(same(a.clearing, b.clearing) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("agents", "method"), [(8, "pac-accelerated"), (0, "pac-accelerated"), (0, "pac")])
def test_too_few_rounds_are_reported(sagging: Situation, agents: int, method: str) -> None:
    few = MarketSettings(agents=agents, method=method, max_rounds=20, tolerance=1e-6)  # type: ignore[arg-type]
    found = Market(sagging.network, few).clear(
        sagging.state, sagging.demand, sagging.offers, WholesalePrice(26.7)
    )
    assert found.status == "not_converged"
    assert max(found.primal_residual, found.dual_residual) > 1e-6
    assert np.isfinite(found.prices.real).all()


def test_effort_is_counted(sagging: Situation) -> None:
    for agents in (1, 4, 0):
        settings = MarketSettings(agents=agents)
        market = Market(sagging.network, settings)
        found = market.clear(sagging.state, sagging.demand, sagging.offers, WholesalePrice(26.7))
        assert found.rounds % 10 == 0
        if agents == 1:
            assert found.messages == found.scalars == 0
            continue
        # Values up and duals down, or the other way: two each way over every boundary, none at the root's.
        neighbours = (int(market.area.max()) if agents else market.model.grid.tree.n_atom - 1) * 4
        assert found.messages <= neighbours * found.rounds
        assert found.messages >= neighbours // 2 * found.rounds
        assert found.scalars >= found.messages


def test_limits_that_nobody_watched_join_in(sagging: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching nothing at first ends at the same place; running out of extensions is not called solved."""
    price, settings = WholesalePrice(26.7), MarketSettings(tolerance=1e-6)

    def clear(margin: float = 0.1) -> Clearing:
        market = Market(sagging.network, settings, Tuning(watch_margin=margin))
        return market.clear(sagging.state, sagging.demand, sagging.offers, price)

    usual = clear()
    late = clear(-1e9)
    assert late.status == "solved"
    assert late.cost == pytest.approx(usual.cost, rel=1e-6)
    assert {limit.where for limit in late.limits} == {limit.where for limit in usual.limits} != set()
    monkeypatch.setattr(negotiation, "MAX_EXTENSIONS", 1)
    assert clear(-1e9).status == "not_converged"


NAN = float("nan")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: {"price": WholesalePrice(NAN)}, "the price at the head is not a finite number"),
        (lambda _: {"price": WholesalePrice(20.0, reactive=NAN)}, "the price at the head"),
        (lambda _: {"price": WholesalePrice(float("inf"))}, "the price at the head"),
        (lambda c: {"demand": np.where(np.arange(len(c.demand)) == 3, NAN, c.demand)}, "a demand is not"),
        (
            lambda c: {"state": failed_state(c.network, c.demand, idle(c.network), c.state.tap, 5)},
            "did not converge",
        ),
        (lambda c: {"state": replace(c.state, voltage=c.state.voltage * NAN)}, "a voltage of the AC state"),
        (lambda c: {"state": replace(c.state, power_from=c.state.power_from * NAN)}, "a branch power"),
    ],
)
def test_numbers_that_are_not_there_are_no_basis(
    usual: Situation, spoil: Callable[[Situation], dict[str, object]], message: str
) -> None:
    """Refused before anything is done: the market clears the next interval as if nothing had happened."""
    market = Market(usual.network, MarketSettings())
    good = {
        "state": usual.state,
        "demand": usual.demand,
        "offers": usual.offers,
        "price": WholesalePrice(26.7),
    }
    with pytest.raises(ClearingError, match=message):
        market.clear(**(good | spoil(usual)))  # type: ignore[arg-type]
    fresh = Market(usual.network, MarketSettings())
    assert same(market.clear(**good), fresh.clear(**good))  # type: ignore[arg-type]
