"""What any clearing of any feeder must do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.random_feeders import RandomCase, random_cases
from tests.market.support import ladder, solve

WIDE = MarketSettings(
    tolerance=1e-7,
    negotiation_rounds=100_000,
    voltage_min_pu=0.8,
    voltage_max_pu=1.2,
    voltage_penalty=2e3,
    agents=3,
)
BAND = replace(WIDE, voltage_min_pu=0.97, voltage_max_pu=1.03)
PRICE = WholesalePrice(30.0, reactive=1.0)
CENT = 1e-4
"""What two optima may differ by for their tolerance [$/h]."""

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def clear(
    case: RandomCase,
    offers: Sequence[Offer] | None = None,
    price: WholesalePrice = PRICE,
    chosen: MarketSettings = WIDE,
) -> Clearing:
    """One cold clearing; every one must be solved and make sense."""
    offers = case.offers if offers is None else offers
    clearing = NodalMarket(case.network, chosen).clear(case.state, case.demand, offers, price)
    assert clearing.status == "solved"
    assert clearing.refused == ()
    check_sense(case, offers, price, clearing)
    return clearing


def check_sense(case: RandomCase, offers: Sequence[Offer], price: WholesalePrice, found: Clearing) -> None:
    """Finite, within the offers, the LMP at the head, parts that add up."""
    for vector in (found.dispatch, found.voltage, found.power, found.head, found.prices.real):
        assert np.isfinite(vector).all()
    head = slice(0, 3)
    # What lies between the terminal and the ideal voltage behind it is 1e-4 ohm.
    near = 1e-4 * max(abs(price.lmp), 1.0) if not found.limits else 1e9
    assert np.allclose(found.prices.real[head], price.lmp, rtol=0, atol=near)
    assert np.allclose(found.prices.reactive[head], price.reactive, rtol=0, atol=near)
    prices = found.prices
    whole = prices.real_energy + prices.real_loss + prices.real_voltage + prices.real_congestion
    assert np.abs(whole - prices.real).max() < 1e-6
    position = {name: k for k, name in enumerate(case.network.resource_ids)}
    offered = {offer.resource for offer in offers}
    for name, k in position.items():
        assert name in offered or found.dispatch[k] == 0
    for offer in offers:
        power = found.dispatch[position[offer.resource]]
        assert offer.p_min_kw - 1e-9 <= power.real <= offer.p_max_kw + 1e-9
        if offer.reactive_ratio is not None:
            assert power.imag == pytest.approx(power.real * offer.reactive_ratio, abs=1e-9)
        else:
            assert offer.q_min_kvar - 1e-9 <= power.imag <= offer.q_max_kvar + 1e-9
            assert abs(power) <= offer.s_max_kva * (1 + 1e-9)


@few
@given(random_cases(least_resources=1), st.data())
def test_cheaper_supply_never_raises_the_cost(case: RandomCase, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(case.offers) - 1))
    less = data.draw(st.floats(0.0, 40.0))
    offers = list(case.offers)
    offers[k] = replace(offers[k], cost_linear=offers[k].cost_linear - less)
    for chosen in (WIDE, BAND):
        # A store that charges pays its cost as a price: cheaper is better for what it gives only.
        if offers[k].p_min_kw >= 0:
            assert clear(case, offers, chosen=chosen).cost <= clear(case, chosen=chosen).cost + CENT


@few
@given(random_cases(least_resources=1), st.data())
def test_more_supply_never_raises_the_cost(case: RandomCase, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(case.offers) - 1))
    share = data.draw(st.floats(0.0, 1.0))
    offers, without = list(case.offers), list(case.offers)
    low = offers[k].p_min_kw
    offers[k] = replace(offers[k], p_max_kw=low + share * (offers[k].p_max_kw - low))
    if low == 0:
        del without[k]
    for chosen in (WIDE, BAND):
        costs = [clear(case, some, chosen=chosen).cost for some in (case.offers, offers, without)]
        assert costs[0] <= costs[1] + CENT
        assert low < 0 or costs[1] <= costs[2] + CENT


@few
@given(random_cases())
def test_twice_the_prices_are_twice_the_prices(case: RandomCase) -> None:
    """Same dispatch to the last bit, exactly doubled prices and cost."""
    dear = [
        replace(o, cost_linear=2 * o.cost_linear, cost_quadratic=2 * o.cost_quadratic) for o in case.offers
    ]
    for chosen in (WIDE, BAND):
        once = clear(case, chosen=chosen)
        doubled = replace(chosen, voltage_penalty=2 * chosen.voltage_penalty, rating_penalty=2e4)
        twice = clear(case, dear, WholesalePrice(60.0, reactive=2.0), doubled)
        assert twice.dispatch.tobytes() == once.dispatch.tobytes()
        assert np.array_equal(twice.prices.real, 2 * once.prices.real)
        assert np.array_equal(twice.prices.reactive, 2 * once.prices.reactive)
        assert twice.cost == 2 * once.cost
        assert [limit.where for limit in twice.limits] == [limit.where for limit in once.limits]


@few
@given(random_cases(least_resources=1))
def test_the_number_of_agents_does_not_matter(case: RandomCase) -> None:
    for chosen in (WIDE, BAND):
        costs = [clear(case, chosen=replace(chosen, agents=agents)).cost for agents in (1, 2, 5, 0)]
        assert max(costs) - min(costs) < 2 * CENT, costs


@few
@given(random_cases(), st.sampled_from([-40.0, -1.0, 0.0, 0.5]))
def test_low_zero_and_negative_prices_clear(case: RandomCase, lmp: float) -> None:
    found = clear(case, price=WholesalePrice(lmp))
    position = {name: k for k, name in enumerate(case.network.resource_ids)}
    for offer in case.offers:
        if offer.p_min_kw == 0 and lmp < 0:
            assert found.dispatch[position[offer.resource]].real < 1e-6, "nobody pays to give"


@few
@given(random_cases())
def test_a_feeder_that_asks_for_nothing_clears(case: RandomCase) -> None:
    demand = np.zeros_like(case.demand)
    state = solve(case.sample.feeder(tolerance=1e-9), demand)
    offers = [replace(o, p_max_kw=0.0) if o.reactive_ratio is not None else o for o in case.offers]
    found = clear(replace(case, state=state, demand=demand, offers=tuple(offers)))
    given_out = found.dispatch.real.sum()
    assert found.head.real.sum() + given_out == pytest.approx(found.losses_kw, abs=1e-6)


@few
@given(random_cases())
def test_without_offers_the_head_serves_everything(case: RandomCase) -> None:
    found = clear(case, ())
    assert not found.dispatch.any()
    assert np.allclose(found.head, case.state.head)
    assert np.allclose(found.voltage_magnitude, np.abs(case.state.voltage))
    assert found.cost == pytest.approx(
        (PRICE.lmp * case.state.head.sum().real + PRICE.reactive * case.state.head.sum().imag) / 1e3
    )


def twins(n: int = 2) -> list[Resource]:
    return [Resource(f"g{k}", "generator", "n4", wye((1, 2, 3)), 60.0, 60.0) for k in range(n)]


def ladder_case(resources: Sequence[Resource]) -> RandomCase:
    built = ladder(4, ohm=0.3, resources=resources)
    return RandomCase(built, built.network.listed_demand, solve(built.feeder()), ())


def test_ties_are_cleared_to_the_same_cost() -> None:
    """Two equal generators at one bus, flat or rising in cost, below, at and above what they are worth."""
    case = ladder_case(twins())
    worth = float(clear(case).prices.real[-3:].mean())
    for linear in (20.0, PRICE.lmp, worth, 60.0):
        for quadratic in (0.0, 0.05):
            both = [Offer(f"g{k}", 0.0, 60.0, linear, quadratic) for k in range(2)]
            found = clear(case, both)
            powers = found.dispatch.real
            assert powers[0] == pytest.approx(powers[1], abs=1e-3)
            swapped = clear(case, both[::-1])
            assert swapped.dispatch.tobytes() == found.dispatch.tobytes()
            if quadratic == 0.0 and linear in (20.0, 60.0):
                assert powers[0] == pytest.approx(60.0 if linear == 20.0 else 0.0, abs=1e-6)


def test_one_resource_is_paid_its_marginal_cost_or_stays() -> None:
    case = ladder_case(twins(1))
    found = clear(case, [Offer("g0", 0.0, 60.0, 28.0, 0.1)])
    kw = found.dispatch[0].real
    assert 10.0 < kw < 59.0
    assert found.prices.real[-3:].mean() == pytest.approx(28.0 + 0.1 * kw, abs=1e-4)


@few
@given(random_cases(), st.sampled_from(["low", "high"]))
def test_a_limit_beyond_reach_has_its_penalty_for_a_price(case: RandomCase, side: str) -> None:
    """A band far above (or below) every voltage: all limits are exceeded, named and priced."""
    band = (1.3, 1.4) if side == "low" else (0.5, 0.6)
    chosen = replace(WIDE, voltage_min_pu=band[0], voltage_max_pu=band[1])
    found = clear(case, chosen=chosen)
    voltages = [limit for limit in found.limits if limit.kind != "rating"]
    assert {limit.where for limit in voltages} == set(case.network.point_ids)
    for limit in voltages:
        assert limit.exceeded
        assert limit.kind == f"voltage_{side}"
        assert limit.limit == band[0 if side == "low" else 1]
        node = case.network.node_index[limit.where]
        assert limit.value == pytest.approx(found.voltage_magnitude[node])
        assert limit.price == pytest.approx(chosen.voltage_penalty, rel=1e-9)
    sign = 1 if side == "low" else -1
    leaf = int(np.argmax(np.abs(found.prices.real_voltage)))
    assert sign * found.prices.real_voltage[leaf] > 1.0
    exceeded = np.array([limit.price for limit in voltages])
    assert np.all(np.diff(exceeded) <= 0), "the dearest first"


def test_an_overloaded_line_without_help_has_its_penalty_for_a_price() -> None:
    built = ladder(4, ohm=0.1, rating_a=60.0)
    network, state = built.network, solve(built.feeder())
    chosen = replace(WIDE, rating_penalty=500.0)
    found = NodalMarket(network, chosen).clear(state, network.listed_demand, (), PRICE)
    over = {
        name: amps
        for name, amps in zip(network.conductor_ids, state.current, strict=True)
        if amps > 60.0 * 1.001
    }
    assert over
    assert {limit.where for limit in found.limits} == set(over)
    for limit in found.limits:
        assert (limit.kind, limit.exceeded, limit.limit) == ("rating", True, pytest.approx(60.0))
        assert limit.value == pytest.approx(over[limit.where], rel=1e-6)
        assert limit.price == pytest.approx(500.0 / 60.0)
    behind = network.node_index["n4.1"]
    assert found.prices.real_congestion[behind] > 100.0
    assert abs(found.prices.real_congestion[network.node_index["src.1"]]) < 0.01
