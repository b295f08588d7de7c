"""Clearing a horizon: against the central reference, a textbook program, and the market of one interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.central.horizon import CentralHorizon
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.horizon.market import HorizonMarket
from dlmp_cosim.market.horizon.outlook import HorizonPlan, offers_ahead
from dlmp_cosim.market.horizon.terms import Ahead, Comfort, Later, Owed, Ramp, Rebound, Session, Store
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, accept_offers
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.horizon.support import Case, case, stiff_store, stored, textbook
from tests.market.support import Sample, mixed, mixed_offers

PRICES = (22.0, 18.0, 35.0, 41.0, 30.0, 25.0)
RATIOS = (0.9, 0.8, 1.0, 1.1, 1.0, 0.85)
TIGHT = MarketSettings(method="interior-point", tolerance=1e-6, voltage_min_pu=0.97)
STORE = Ahead(store=Store(30.0, 60.0, 5.0, 0.95, 0.9, 0.01, end_kwh=25.0, end_value=20.0, wear=0.5))
SESSIONS = Ahead(sessions=(Session(30.0, 4.5, 12.0, 0.5), Session(25.0, 9.0, 6.0, 2.0)))
REBOUND = Ahead(rebound=Rebound(1.0, 2.0, 20.0, (Owed(6.0, 1.0), Owed(3.0, 2.0))))
RAMP = Ahead(ramp=Ramp(0.1, -10.0))
COMFORT = Ahead(comfort=Comfort(0.2, -1.0, 1.0, 6.0, 0.05))


def horizon(ahead: Ahead, name: str = "store") -> Case:
    """A horizon of the circuit with one of everything, one of its offers with terms over time."""
    offers = list(stored(mixed_offers(), ahead, name))
    if ahead.sessions is not None:
        offers = [replace(o, p_min_kw=-18.0, p_max_kw=0.0) if o.resource == name else o for o in offers]
    if ahead.rebound is not None or ahead.comfort is not None:
        offers = [
            replace(o, p_min_kw=-20.0, cost_linear=4.0, cost_quadratic=0.05) if o.resource == name else o
            for o in offers
        ]
    return case(shifting(), offers, PRICES, RATIOS)


def shifting() -> Sample:
    """The circuit with one of everything, its flexible loads able to consume more."""
    circuit = mixed()
    able = [replace(r, kw_more=20.0) if r.load else r for r in circuit.network.resources]
    return circuit.with_resources(*able)


def clear(at: Case, settings: MarketSettings = TIGHT) -> Clearing:
    return HorizonMarket(at.network, settings).clear_ahead(at.state, at.outlook, at.offers)


def plan_of(clearing: Clearing) -> HorizonPlan:
    assert clearing.plan is not None
    return clearing.plan


TERMS = {
    "store": (STORE, "store"),
    "sessions": (SESSIONS, "store"),
    "rebound": (REBOUND, "flex_wye"),
    "ramp": (RAMP, "store"),
    "comfort": (COMFORT, "flex_delta"),
    "both": (replace(STORE, ramp=Ramp(0.2, 0.0)), "store"),
    "out of reach": (Ahead(store=Store(90.0, 60.0, 5.0, 0.95, 0.9, end_kwh=900.0)), "store"),
}


@pytest.mark.parametrize("terms", TERMS)
def test_sweeps_agree_with_the_central_reference(terms: str) -> None:
    at = horizon(*TERMS[terms])
    market = HorizonMarket(at.network, TIGHT)
    plan = plan_of(market.clear_ahead(at.state, at.outlook, at.offers))
    accepted, refused = accept_offers(at.network, at.offers)
    assert not refused
    by_step = offers_ahead(at.network, accepted, at.outlook)
    reference = CentralHorizon(at.network, TIGHT).solve(market.anchors, at.outlook, by_step)
    assert plan.cost == pytest.approx(reference.cost, rel=2e-7)
    for mine, theirs in zip(plan.steps, reference.steps, strict=True):
        assert np.abs(mine.price - theirs.price_real).max() < 0.02
        assert np.abs(mine.dispatch - theirs.dispatch).max() < 0.05


@pytest.mark.parametrize("method", ["pac-accelerated", "central"])
@pytest.mark.parametrize("terms", ["store", "sessions", "rebound"])
def test_every_method_finds_the_same_optimum(terms: str, method: Method) -> None:
    at = horizon(*TERMS[terms])
    mine = clear(at)
    settings = replace(TIGHT, method=method, tolerance=3e-6, agents=2, negotiation_rounds=200_000)
    other = clear(at, settings)
    assert (mine.status, other.status) == ("solved", "solved")
    assert plan_of(other).cost == pytest.approx(plan_of(mine).cost, rel=1e-4)
    assert np.abs(other.prices.real - mine.prices.real).max() < 0.1


@pytest.mark.parametrize("method", ["pac", "nst-pac"])
def test_published_negotiations_take_a_horizon_too(method: Method) -> None:
    at = case(
        stiff_store(), [Offer("store", -50.0, 50.0, 0.0, 0.2, ahead=STORE)], (20.0, 40.0, 30.0), (1.0,) * 3
    )
    settings = replace(TIGHT, voltage_min_pu=0.9)
    mine = clear(at, settings)
    other = clear(at, replace(settings, method=method, tolerance=1e-4, negotiation_rounds=400_000))
    assert other.status == "solved"
    assert plan_of(other).cost == pytest.approx(plan_of(mine).cost, rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_a_store_that_cannot_move_prices_earns_what_the_textbook_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = (30.0 + 25.0 * rng.random(24)).tolist()
    store = Store(60.0, 150.0, 10.0, 0.93, 0.96, 0.002, end_kwh=60.0, wear=float(rng.random()))
    at = case(
        stiff_store(), [Offer("store", -50.0, 50.0, 0.0, ahead=Ahead(store=store))], prices, (1.0,) * 24
    )
    plan = plan_of(clear(at))
    power = np.array([step.dispatch[0].real for step in plan.steps])
    best, _ = textbook(prices, store, 50.0)
    earned = float(np.array(prices) @ power - store.wear * np.abs(power).sum()) / 1e3
    assert earned == pytest.approx(best, rel=1e-6)


def test_energy_is_conserved_and_nothing_goes_both_ways() -> None:
    at = horizon(STORE)
    clearing = clear(at)
    plan, store = plan_of(clearing), STORE.store
    assert store is not None
    k = at.network.resource_ids.index("store")
    energy = store.energy_kwh
    for t, step in enumerate(plan.steps):
        energy = store.after(energy, float(step.dispatch[k].real), 1.0)
        assert plan.energy_kwh["store"][t] == pytest.approx(energy, abs=1e-9)
    assert plan.energy_kwh["store"].min() > store.min_kwh - 1e-3
    assert plan.energy_kwh["store"][-1] > store.end_kwh - 1e-3
    assert plan.both_ways == ()
    assert plan.short == ()


def test_burning_energy_at_a_negative_price_is_said() -> None:
    full = Ahead(store=Store(60.0, 60.0, 0.0, 0.9, 0.9))
    offers = [Offer("store", -50.0, 50.0, 0.0, ahead=full)]
    plan = plan_of(clear(case(stiff_store(), offers, (-30.0, 20.0, 20.0), (1.0,) * 3)))
    assert "store would charge and discharge" in plan.both_ways[0]
    assert "-30.00 $/MWh" in plan.both_ways[0]


def test_the_first_step_never_takes_more_than_the_store_holds() -> None:
    nearly = Ahead(store=Store(1.0, 60.0, 0.0, 0.9, 0.9))
    offers = [Offer("store", -50.0, 50.0, 0.0, ahead=nearly)]
    clearing = clear(case(stiff_store(), offers, (60.0, 20.0, 20.0), (1.0,) * 3))
    assert nearly.store is not None
    assert nearly.store.after(1.0, float(clearing.dispatch[0].real), 1.0) >= -1e-12
    assert clearing.dispatch[0].real == pytest.approx(0.9, abs=1e-3)


def test_one_step_without_terms_is_the_market_of_one_interval() -> None:
    at = case(mixed(), mixed_offers(), PRICES[:1], RATIOS[:1])
    price, demand = at.outlook.steps[0].price, at.outlook.steps[0].demand
    mine = clear(at)
    plain = NodalMarket(at.network, TIGHT).clear(at.state, demand, at.offers, price)
    assert mine.plan is None
    assert mine.cost == plain.cost
    np.testing.assert_array_equal(mine.dispatch, plain.dispatch)
    np.testing.assert_array_equal(mine.prices.real, plain.prices.real)


def test_an_owner_who_knows_of_no_horizon_is_cleared_as_ever() -> None:
    at = case(mixed(), mixed_offers(), PRICES, RATIOS)
    price, demand = at.outlook.steps[0].price, at.outlook.steps[0].demand
    mine, plain = clear(at), NodalMarket(at.network, TIGHT).clear(at.state, demand, at.offers, price)
    assert np.abs(mine.dispatch - plain.dispatch).max() < 0.02
    assert np.abs(mine.prices.real - plain.prices.real).max() < 0.01


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    at = horizon(STORE)
    market = HorizonMarket(at.network, TIGHT)
    for _ in range(6):
        last = market.clear_ahead(at.state, at.outlook, at.offers)
    again = market.clear_ahead(at.state, at.outlook, at.offers)
    assert plan_of(again).cost == pytest.approx(plan_of(last).cost, rel=1e-6)
    assert again.rounds < clear(at).rounds


def test_what_a_session_cannot_get_is_named_and_the_market_goes_on() -> None:
    late = Ahead(sessions=(Session(30.0, 1.0, 12.0),))
    clearing = clear(horizon(late))
    assert clearing.status == "solved"
    assert plan_of(clearing).short == ("store misses 18.00 kWh of its sessions",)
    assert clearing.dispatch[at_store()].real == pytest.approx(-12.0, abs=1e-3)


def at_store() -> int:
    return mixed().network.resource_ids.index("store")


def test_an_end_that_is_out_of_reach_is_named() -> None:
    high = Ahead(store=Store(5.0, 900.0, 0.0, 0.9, 0.9, end_kwh=800.0))
    clearing = clear(horizon(high))
    assert clearing.status == "solved"
    assert plan_of(clearing).short == ("store holds 113.0 kWh at the end of the horizon, not 800 kWh",)
    assert clearing.dispatch[at_store()].real == pytest.approx(-20.0, abs=1e-3)


def test_what_is_curtailed_comes_back_within_its_window() -> None:
    at = horizon(REBOUND, "flex_wye")
    plan, k = plan_of(clear(at)), at.network.resource_ids.index("flex_wye")
    rebound = REBOUND.rebound
    assert rebound is not None
    for step in plan.steps:
        overdue = sum(item.energy_kwh for item in rebound.owed if item.end_h <= 0)
        assert overdue < 1e-3
        rebound = replace(rebound, owed=rebound.after(float(step.dispatch[k].real), 1.0))
    assert max(step.dispatch[k].real for step in plan.steps) > 10.0


def test_lists_of_later_steps_have_to_fit_the_horizon() -> None:
    at = horizon(replace(STORE, later=Later(p_max_kw=(1.0, 2.0))))
    clearing = clear(at)
    assert clearing.refused == ("store: later.p_max_kw has 2 values; the horizon has 5 later steps",)
    assert clearing.dispatch[at_store()] == 0


def test_limits_of_later_steps_hold() -> None:
    at = horizon(replace(STORE, later=Later(p_min_kw=(-1.0,) * 5, p_max_kw=(2.0,) * 5)))
    power = np.array([step.dispatch[at_store()].real for step in plan_of(clear(at)).steps])
    assert power[1:].max() < 2.0 + 1e-4
    assert power[1:].min() > -1.0 - 1e-4
