"""The balanced market: negotiated against central, its prices against a power flow, and its edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.market import FIRST_TOLERANCE, BranchFlowMarket
from dlmp_cosim.market.balanced.model import start_state
from dlmp_cosim.market.balanced.tangents import Tangents
from dlmp_cosim.market.central.balanced import CentralBranchFlow
from dlmp_cosim.market.models import find_reference
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market import support
from tests.market.branch_flow_support import (
    CASES,
    EASY,
    FORK,
    FORK_IMPEDANCE,
    LIGHT,
    PRICE,
    RESOURCES,
    RUNAWAY,
    TIGHT,
    Case,
    balanced_at,
    clear,
    fork,
    fork_flow,
    offers,
    reference,
    stated,
    with_settings,
)
from tests.market.random_feeders import RandomCase, random_cases
from tests.market.support import ABC, apply, mixed, solve

NAMES = sorted(CASES)
HELD = {
    "voltage_low": "voltage_low",
    "voltage_high": "voltage_high",
    "rating": "rating",
    "mixed_voltage": "voltage_low",
}
"""Cases whose limits of one kind are felt and held."""
BAND = replace(TIGHT, voltage_min_pu=0.97, voltage_max_pu=1.03, voltage_penalty=2e3)
PARTS = ("energy", "loss", "voltage", "congestion")

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def bus_prices(network: Network, prices: FloatArray) -> FloatArray:
    """Price of every bus, at its first phase."""
    return prices[[network.node_index[f"{bus.name}.{bus.phases[0]}"] for bus in network.buses]]


@pytest.mark.parametrize("agents", [0, 1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_agents_agree_on_the_central_optimum(name: str, agents: int) -> None:
    found, best = clear(with_settings(CASES[name], agents=agents)), reference(CASES[name])
    n = len(CASES[name].network.resources)
    assert found.status == "solved"
    assert found.cost == pytest.approx(best.cost, rel=1e-5)
    assert np.abs(found.prices.real - best.price_real).max() < 0.02
    assert np.abs(found.prices.reactive - best.price_reactive).max() < 0.02
    ratio = {offer.resource: offer.reactive_ratio or 0.0 for offer in CASES[name].offers}
    fixed = np.array([ratio.get(item, 0.0) for item in CASES[name].network.resource_ids])
    real, reactive = best.x[-2 * n : -n], best.x[-n:]
    assert np.abs(found.dispatch.real / 1e3 - real).max() < 5e-5
    assert np.abs(found.dispatch.imag / 1e3 - reactive - fixed * real).max() < 5e-4


@few
@given(
    random_cases(least_resources=1, loops=False),
    st.sampled_from([TIGHT, BAND]),
    st.sampled_from([0, 1, 2, 5]),
)
def test_any_feeder_clears_at_the_central_optimum(
    case: RandomCase, chosen: MarketSettings, agents: int
) -> None:
    """Where the relaxation is not exact, at no better than its cost."""
    assume(any(branch.kind == "line" for branch in case.network.branches))
    market = BranchFlowMarket(case.network, replace(chosen, agents=agents))
    found = market.clear(case.state, case.demand, case.offers, PRICE)
    same = balanced_at(case.network, market.model.tree, case.state)
    best = CentralBranchFlow(case.network, chosen).solve(same, case.demand, case.offers, PRICE)
    assert found.status == "solved"
    assert abs(found.exactness_gap) < 1e-9
    assert found.cost > best.cost - 1e-4
    if best.exactness_gap < 1e-6:
        assert found.cost == pytest.approx(best.cost, rel=1e-5, abs=1e-4)
        if not found.limits:
            assert np.abs(found.prices.real - best.price_real).max() < 0.02


@pytest.mark.parametrize("name", sorted(HELD))
def test_a_limit_that_can_be_held_is_felt_and_held(name: str) -> None:
    limits = clear(CASES[name]).limits
    assert {limit.kind for limit in limits} == {HELD[name]}
    for limit in limits:
        assert not limit.exceeded
        assert limit.price > 0
        assert limit.value == pytest.approx(limit.limit, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_central_method_is_the_reference(name: str) -> None:
    found, best = clear(with_settings(CASES[name], method="central")), reference(CASES[name])
    assert (found.status, found.rounds, found.messages) == ("solved", 0, 0)
    assert found.cost == pytest.approx(best.cost, rel=1e-6)
    assert np.abs(found.prices.real - best.price_real).max() < 2e-3
    assert np.abs(found.prices.reactive - best.price_reactive).max() < 2e-3


@pytest.mark.parametrize("method", ["pac", "nst-pac"])
@pytest.mark.parametrize("name", ["no_limit", "rating"])
def test_published_methods_negotiate_the_cones_to_the_same_optimum(name: str, method: Method) -> None:
    case = with_settings(CASES[name], method=method, tolerance=1e-6)
    found, best = clear(case), reference(CASES[name])
    n = len(case.network.resources)
    assert found.status == "solved"
    assert found.messages > 0
    assert found.cost == pytest.approx(best.cost, rel=1e-5)
    assert np.abs(found.prices.real - best.price_real).max() < 0.02
    assert np.abs(found.dispatch.real / 1e3 - best.x[-2 * n : -n]).max() < 5e-5
    assert abs(found.exactness_gap) < 1e-5


def test_the_central_market_can_be_solved_again_for_other_intervals() -> None:
    """One statement, other demands, offers and prices: as if stated afresh."""
    again = CentralBranchFlow(EASY.network, TIGHT)
    same = balanced_at(EASY.network, again.tree, EASY.state)
    for share, some, price in ((0.3, offers(9.0), WholesalePrice(80.0)), (1.0, offers()[:1], PRICE)):
        demand = share * EASY.demand
        used = again.solve(same, demand, some, price)
        afresh = CentralBranchFlow(EASY.network, TIGHT).solve(same, demand, some, price)
        assert used.cost == pytest.approx(afresh.cost, rel=1e-7)
        assert np.abs(used.price_real - afresh.price_real).max() < 1e-3
    assert again.solver_seconds > 0


@pytest.mark.parametrize("name", ["no_limit", "voltage_low", "rating", "no_offers", "mixed_voltage"])
def test_the_reference_answers_in_the_units_of_a_clearing(name: str) -> None:
    """Awards with the reactive power that a fixed ratio gives, prices by node."""
    case = CASES[name]
    answer = find_reference("branch_flow", where="test")(case.network, case.settings).answer(
        case.state, case.demand, case.offers, case.price
    )
    found = clear(case)
    assert answer.cost == pytest.approx(found.cost, rel=1e-5)
    assert np.abs(answer.price_real - found.prices.real).max() < 0.02
    assert np.abs(answer.price_reactive - found.prices.reactive).max() < 0.02
    assert np.abs(answer.award - found.dispatch).max(initial=0.0) < 0.1
    assert abs(answer.slack) < 1e-5
    assert answer.seconds > 0


def test_the_reference_stands_at_the_taps_of_the_state() -> None:
    """The same demand behind regulators at neutral costs something else, as it does in the market."""
    case = CASES["mixed"]
    feeder = case.sample.feeder()
    feeder.set_taps(np.zeros(len(case.network.regulators), dtype=np.int64))
    neutral = solve(feeder, case.demand)
    central = CentralBranchFlow(case.network, case.settings)
    answers = [central.answer(s, case.demand, case.offers, case.price) for s in (case.state, neutral)]
    market = BranchFlowMarket(case.network, case.settings)
    for state, answer in zip((case.state, neutral), answers, strict=True):
        found = market.clear(state, case.demand, case.offers, case.price)
        assert answer.cost == pytest.approx(found.cost, rel=1e-5)
    assert abs(answers[0].cost / answers[1].cost - 1) > 1e-5


def test_the_central_market_names_a_solver_that_gives_up() -> None:
    """An offer that must run outside its own apparent power, which no market would accept."""
    nothing = (Offer("gen", 100.0, 100.0, 30.0, 0.0, 100.0, 100.0, 50.0),)
    with pytest.raises(ClearingError, match="reference solver"):
        reference(replace(EASY, offers=nothing))


@pytest.mark.parametrize("name", NAMES)
def test_cones_are_tight_where_the_relaxation_is_exact(name: str) -> None:
    assert abs(reference(CASES[name]).exactness_gap) < 1e-5
    assert abs(clear(CASES[name]).exactness_gap) < 1e-9


def test_a_relaxation_that_is_not_exact_says_so() -> None:
    """The reference burns power in slack cones to hold the upper voltage; no flow does that."""
    best = reference(RUNAWAY)
    assert best.exactness_gap > 1e-3
    assert clear(with_settings(RUNAWAY, method="central")).exactness_gap == pytest.approx(
        best.exactness_gap, rel=1e-3
    )


@pytest.mark.parametrize("agents", [0, 1, 3])
def test_where_the_relaxation_is_not_exact_the_market_finds_the_best_flow(agents: int) -> None:
    """One generator, so the best dispatch on the cones can be found by trying them all."""
    found = clear(with_settings(RUNAWAY, agents=agents))
    assert found.status == "solved"
    assert abs(found.exactness_gap) < 1e-9
    assert found.cost > reference(RUNAWAY).cost + 0.1
    high, unit = RUNAWAY.settings.voltage_max_pu**2, 3 * RUNAWAY.settings.voltage_penalty / 2

    def cost(kw: float) -> float:
        flow = fork_flow(RUNAWAY, np.array([kw + 0j]))
        wholesale = PRICE.lmp * flow.head.real + PRICE.reactive * flow.head.imag
        beyond = float(np.maximum(flow.v[1:] - high, 0.0).sum())
        return wholesale + (5 * kw + 0.02 * kw**2 / 2) / 1e3 + unit * beyond

    tried = np.arange(0.0, 700.0, 1.0)
    assert abs(found.dispatch[0].real - tried[np.argmin([cost(kw) for kw in tried])]) <= 1.0
    assert found.cost == pytest.approx(cost(found.dispatch[0].real), rel=1e-3)
    assert found.voltage_magnitude.max() == pytest.approx(1.02, abs=1e-4)
    assert {(limit.kind, limit.exceeded) for limit in found.limits} == {("voltage_high", False)}


def test_an_overvoltage_that_cannot_be_avoided_is_not_hidden_in_slack_cones() -> None:
    forced = replace(RUNAWAY, offers=(Offer("gen", 900.0, 900.0, 5.0),))
    found, best = clear(forced), reference(forced)
    flow = fork_flow(forced, np.array([900.0 + 0j]))
    assert best.exactness_gap > 1e-3
    assert found.voltage_magnitude.max() == pytest.approx(np.sqrt(flow.v.max()), rel=1e-6)
    assert {limit.where for limit in found.limits if limit.exceeded} >= {"c.1", "c.2", "c.3"}
    assert found.cost > best.cost + 1.0


@pytest.mark.parametrize("name", ["no_limit", "no_offers"])
def test_a_negative_price_does_not_burn_power(name: str) -> None:
    """At a negative price losses earn money, so the cones go slack; the clearing stays a flow."""
    case = replace(CASES[name], price=WholesalePrice(-20.0))
    found, best = clear(case), reference(case)
    assert best.exactness_gap > 1e-3
    assert found.status == "solved"
    assert abs(found.exactness_gap) < 1e-9
    assert found.cost > best.cost + 1.0
    flow = fork_flow(case, found.dispatch)
    assert found.head.sum() == pytest.approx(1e3 * flow.head, rel=1e-7)
    assert np.abs(found.dispatch.real).max() < 1e-6, "nobody pays to give"


@pytest.mark.parametrize(
    "name", ["no_limit", "voltage_low", "voltage_high", "rating", "loss_weight", "must_run"]
)
def test_predictions_are_the_flow_of_the_dispatch(name: str) -> None:
    case = CASES[name]
    found = clear(case)
    flow = fork_flow(case, found.dispatch)
    assert np.abs(bus_prices(case.network, found.voltage_magnitude) - np.sqrt(flow.v)).max() < 1e-8
    sent = found.power.reshape(-1, 2, 3)[:, 0].sum(axis=1)
    assert np.abs(sent / 1e3 - flow.power[1:]).max() < 1e-8
    assert found.losses_kw == pytest.approx(1e3 * FORK_IMPEDANCE.real @ flow.current, abs=1e-5)
    assert found.head.sum() == pytest.approx(1e3 * flow.head, abs=1e-5)


def test_on_a_balanced_feeder_the_prediction_is_the_ac_flow() -> None:
    case = Case(EASY.sample, TIGHT, offers()[:2])
    found = clear(case)
    ac = apply(case.sample.feeder(), case.demand, found.dispatch)
    assert np.all(found.dispatch.real[:2] > 10.0)
    assert np.abs(found.voltage_magnitude - np.abs(ac.voltage)).max() < 1e-6
    assert np.abs(found.power - ac.power).max() < 1e-2
    assert np.abs(found.head - ac.head).max() < 1e-2
    assert found.losses_kw == pytest.approx(ac.losses.real, abs=1e-2)


def test_power_balances_at_every_bus_and_phases_share_it() -> None:
    """Kirchhoff's law at every bus of the mixed feeder: sent on, received less what lines lose, drawn."""
    case = CASES["mixed"]
    found, network = clear(case), case.network
    magnitude = bus_prices(network, found.voltage_magnitude)
    balance = np.zeros(len(network.buses), dtype=np.complex128)
    np.add.at(balance, network.node_bus[network.conductor_node], -found.power)
    for item, power in zip(network.loads, case.demand, strict=True):
        k = network.bus_index[item.bus]
        exponent = {1: 0, 5: 1, 2: 2}[item.model]
        balance[k] -= power * (1 + exponent / 2 * (magnitude[k] ** 2 - 1))
    for bank in (element for element in network.elements if element.kind == "capacitor"):
        k = network.bus_index[bank.terminals[0].bus]
        kvar = 1e3 * bank.admittance_s[0, 0].imag * network.buses[k].kv_base ** 2
        balance[k] += 1j * kvar * magnitude[k] ** 2
    for resource, power in zip(network.resources, found.dispatch, strict=True):
        balance[network.bus_index[resource.bus]] += power
    assert np.abs(balance[1:]).max() < 1e-4
    assert found.head.sum() == pytest.approx(-balance[0], abs=1e-4)


def test_lines_lose_what_their_current_costs_and_conductors_share_it() -> None:
    case = CASES["mixed"]
    found, network = clear(case), case.network
    same = balanced_at(network, BranchFlowMarket(network, TIGHT).model.tree, case.state)
    where = {name: k for k, name in enumerate(network.conductor_ids)}
    magnitude = dict(
        zip((b.name for b in network.buses), bus_prices(network, found.voltage_magnitude), strict=True)
    )
    for k, link in enumerate(same.feeder.links):
        elements = [network.branches[b] for b in link]
        start = same.feeder.buses[same.feeder.parent[k + 1]]
        sent, received = (
            found.power[
                [where[f"{item.name}:{end}.{p}"] for item in elements for p in item.terminals[0].phases]
            ]
            for end in (1, 2)
        )
        assert np.ptp(sent.real) == pytest.approx(0.0, abs=1e-9)
        z = complex(same.feeder.resistance[k], same.feeder.reactance[k]) * (not same.feeder.near_zero[k])
        lost = 1e3 * z * abs(sent.sum() / 1e3) ** 2 / (magnitude[start] * same.feeder.ratio[k]) ** 2
        assert (sent + received).sum() == pytest.approx(lost, abs=1e-4)


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated", "central", "pac"])
@pytest.mark.parametrize("name", ["no_limit", "voltage_low", "mixed"])
def test_the_head_pays_the_lmp(name: str, method: Method) -> None:
    prices = clear(with_settings(CASES[name], method=method, tolerance=1e-4)).prices
    assert np.abs(prices.real[:3] - PRICE.lmp).max() < 1e-9
    assert np.abs(prices.reactive[:3] - PRICE.reactive).max() < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_parts_add_up_to_the_price(name: str) -> None:
    prices = clear(CASES[name]).prices
    for kind in ("real", "reactive"):
        parts = sum(getattr(prices, f"{kind}_{part}") for part in PARTS)
        assert np.abs(parts - getattr(prices, kind)).max() < 1e-6
    assert np.all(prices.real_energy == PRICE.lmp)
    assert np.all(prices.reactive_energy == PRICE.reactive)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_limit_that_binds_has_a_part(name: str) -> None:
    prices, kind = clear(CASES[name]).prices, HELD.get(name, "voltage_low" if name == "exceeded" else "")
    assert (np.abs(prices.real_voltage).max() > 0.1) == kind.startswith("voltage")
    assert (np.abs(prices.real_congestion).max() > 0.1) == (kind == "rating")
    if kind.startswith("voltage"):
        last = np.abs(prices.real_voltage).argmax()
        assert np.sign(prices.real_voltage[last]) == (1 if kind == "voltage_low" else -1)


@pytest.mark.parametrize("name", ["no_limit", "mixed_voltage"])
def test_prices_are_equal_on_the_phases_of_a_bus(name: str) -> None:
    case = CASES[name]
    prices = clear(case).prices
    assert len(prices.real) == len(prices.reactive) == len(case.network.node_ids)
    for bus in case.network.buses:
        nodes = [case.network.node_index[f"{bus.name}.{phase}"] for phase in bus.phases]
        for part in ("real", "reactive", "real_loss", "reactive_voltage"):
            assert np.ptp(getattr(prices, part)[nodes]) == 0.0


def test_both_ends_of_a_switch_and_of_a_regulator_have_one_price() -> None:
    network = mixed().network
    prices = bus_prices(network, clear(CASES["mixed_voltage"]).prices.real)
    for end, other in (("a", "b"), ("c", "d")):
        assert prices[network.bus_index[end]] == prices[network.bus_index[other]]
    assert abs(prices[network.bus_index["b"]] - prices[network.bus_index["c"]]) > 1e-3


@pytest.mark.parametrize("lmp", [30.0, 0.0, -12.0])
def test_without_impedance_every_price_is_the_lmp(lmp: float) -> None:
    price = WholesalePrice(lmp, reactive=2.0)
    prices = clear(Case(fork(ohm=1e-7), TIGHT, offers(), price)).prices
    assert np.abs(prices.real - lmp).max() < 1e-4
    assert np.abs(prices.reactive - 2.0).max() < 1e-4


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("lmp", [30.0, -12.0])
@pytest.mark.parametrize("name", ["no_limit", "no_offers", "must_run"])
def test_energy_and_loss_parts_are_what_a_kw_costs_the_head(name: str, lmp: float, weight: float) -> None:
    """Central differences of 1 kW and 1 kvar through the sweep; the loss weight counts losses again."""
    case = with_settings(CASES[name], loss_weight=weight)
    case = replace(case, price=WholesalePrice(lmp, reactive=2.0))
    found = clear(case)

    def spent(more: ComplexArray) -> float:
        flow = fork_flow(case, found.dispatch, more)
        losses = FORK_IMPEDANCE.real @ flow.current
        return float(lmp * flow.head.real + 2.0 * flow.head.imag + weight * lmp * losses)

    prices, n = found.prices, len(case.network.buses)
    for part, unit in (("real", 1e-3), ("reactive", 1e-3j)):
        slopes = [(spent(row * unit) - spent(-row * unit)) / 2e-3 for row in np.eye(n, dtype=np.complex128)]
        named = getattr(prices, f"{part}_energy") + getattr(prices, f"{part}_loss")
        assert np.abs(bus_prices(case.network, named) - slopes).max() < 1e-4
    assert np.ptp(prices.real_loss) > 0.5


@pytest.mark.parametrize("name", [*HELD, "exceeded", "no_limit", "loss_weight"])
def test_a_price_is_what_one_more_kw_costs_the_market(name: str) -> None:
    """Central differences of the re-cleared optimum, real and reactive, at every constant-power load."""
    case = CASES[name]
    prices, network = clear(case).prices, case.network
    step = 0.5
    for k in [k for k, load in enumerate(network.loads) if load.model == 1][::4]:
        node = network.node_index[f"{network.loads[k].bus}.{network.loads[k].phases[0]}"]
        for price, unit in ((prices.real[node], 1.0), (prices.reactive[node], 1.0j)):
            more = step * unit * np.eye(len(case.demand))[k]
            costs = [reference(case, case.demand + sign * more).cost for sign in (1, -1)]
            slope = 1e3 * (costs[0] - costs[1]) / (2 * step)
            assert price == pytest.approx(slope, rel=5e-3, abs=5e-3), (network.loads[k].name, unit)


@pytest.mark.parametrize("name", ["no_limit", "voltage_high", "rating", "loss_weight"])
def test_an_interior_resource_is_paid_its_marginal_cost(name: str) -> None:
    case = CASES[name]
    found, network, inside = clear(case), case.network, 0
    for offer in case.offers:
        k = network.resource_ids.index(offer.resource)
        node = network.node_index[f"{network.resources[k].bus}.1"]
        kw, ratio = found.dispatch[k].real, offer.reactive_ratio or 0.0
        worth = found.prices.real[node] + ratio * found.prices.reactive[node]
        marginal = offer.cost_linear + offer.cost_quadratic * kw
        at_disc = abs(found.dispatch[k]) > offer.s_max_kva - 1e-3
        if 0.1 < kw < offer.p_max_kw - 0.1 and not at_disc:
            inside += 1
            assert worth == pytest.approx(marginal, abs=2e-3)
        elif kw >= offer.p_max_kw - 0.1:
            assert worth > marginal - 2e-3
    assert inside >= 2


def test_free_reactive_power_inside_its_limits_is_worth_nothing() -> None:
    """It costs nothing to give, so its price there is zero; at a limit it is not."""
    inside = clear(LIGHT)
    gen = LIGHT.network.resource_ids.index("gen")
    node = LIGHT.network.node_index["c.1"]
    assert abs(inside.dispatch[gen].imag) < 149.0
    assert abs(inside.prices.reactive[node]) < 2e-3
    at_limit = clear(EASY)
    assert at_limit.dispatch[gen].imag == pytest.approx(150.0, abs=1e-6)
    assert at_limit.prices.reactive[node] > 1.0


def test_losses_raise_prices_away_from_the_head_and_reverse_flow_lowers_them() -> None:
    prices = bus_prices(EASY.network, clear(Case(EASY.sample)).prices.real)
    for a, b in FORK:
        assert prices[EASY.network.bus_index[b]] > prices[EASY.network.bus_index[a]]
    back = Case(
        EASY.sample, TIGHT, (Offer("gen", 300.0, 300.0, 0.0), Offer("pv", 150.0, 150.0, 0.0)), share=0.02
    )
    prices = bus_prices(EASY.network, clear(back).prices.real)
    for a, b in FORK:
        assert prices[EASY.network.bus_index[b]] < prices[EASY.network.bus_index[a]]


def test_a_limit_beyond_reach_has_its_penalty_for_a_price_and_is_named() -> None:
    found = clear(with_settings(EASY, voltage_min_pu=1.1, voltage_max_pu=1.2))
    assert found.status == "solved"
    nodes = {node for node in EASY.network.node_ids if not node.startswith("src")}
    assert {limit.where for limit in found.limits} == nodes
    for limit in found.limits:
        assert (limit.kind, limit.limit, limit.exceeded) == ("voltage_low", 1.1, True)
        node = EASY.network.node_index[limit.where]
        assert limit.value == pytest.approx(found.voltage_magnitude[node])
        assert limit.price > 0
    full = np.array([300.0, 150.0, 40.0])
    assert np.all(found.dispatch.real[1:] == pytest.approx(full[1:])), "everything helps"
    assert np.abs(found.dispatch[0]) == pytest.approx(330.0)
    assert found.prices.real_voltage.max() > 100.0


def test_an_overloaded_line_is_named_with_its_current() -> None:
    case = Case(fork(rating_a=60.0), TIGHT)
    found = clear(case)
    flow = fork_flow(case, found.dispatch)
    amps = {}
    for k, (a, b) in enumerate(FORK):
        amps[f"line.{a}-{b}"] = 1e3 * np.sqrt(flow.current[k + 1]) / (3 * 2.4)
    over = {name for name, value in amps.items() if value > 60.0}
    assert 0 < len(over) < len(FORK)
    assert {limit.where for limit in found.limits} == {f"{name}:1.{p}" for name in over for p in ABC}
    for limit in found.limits:
        assert (limit.kind, limit.exceeded) == ("rating", True)
        assert limit.value == pytest.approx(amps[limit.where.split(":")[0]], rel=1e-6)
        assert limit.limit == 60.0
    assert [limit.price for limit in found.limits] == sorted((x.price for x in found.limits), reverse=True)


def test_a_wider_rating_scale_removes_the_congestion() -> None:
    tight = CASES["rating"]
    wide = clear(with_settings(tight, rating_scale=2.0))
    assert clear(tight).limits
    assert not wide.limits
    assert np.abs(wide.prices.real_congestion).max() == 0.0


def test_the_tightest_bus_of_a_merged_group_is_named() -> None:
    """Bus b stands behind a regulator that raises it, bus a before: a is the lower, b the higher."""
    base = CASES["mixed_voltage"]
    low = clear(base)
    assert {limit.where.split(".")[0] for limit in low.limits} == {"a"}
    high = clear(with_settings(base, voltage_min_pu=0.9, voltage_max_pu=1.0))
    named = {limit.where.split(".")[0] for limit in high.limits}
    assert "b" in named
    assert "a" not in named
    for limit in (*low.limits, *high.limits):
        node = base.network.node_index[limit.where]
        found = low if limit in low.limits else high
        assert limit.value == pytest.approx(found.voltage_magnitude[node], abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_start_takes_no_more_rounds_and_lands_where_a_cold_one_does(name: str) -> None:
    case = CASES[name]
    market = BranchFlowMarket(case.network, case.settings)
    cold = market.clear(case.state, case.demand, case.offers, case.price)
    warm = market.clear(case.state, case.demand, case.offers, case.price)
    assert warm.status == "solved"
    assert warm.rounds <= cold.rounds
    assert warm.cost == pytest.approx(cold.cost, rel=1e-5)
    assert np.abs(warm.dispatch - cold.dispatch).max() < 0.05


def test_a_market_follows_other_offers_demand_and_taps() -> None:
    """Clearing after something else gives what a fresh market gives."""
    case = CASES["mixed"]
    feeder = case.sample.feeder()
    feeder.set_taps(case.state.tap - 3)
    state = solve(feeder)
    market = BranchFlowMarket(case.network, case.settings)
    market.clear(case.state, case.demand, case.offers, case.price)
    later = market.clear(state, 0.7 * case.demand, case.offers[:3], WholesalePrice(45.0))
    fresh = BranchFlowMarket(case.network, case.settings).clear(
        state, 0.7 * case.demand, case.offers[:3], WholesalePrice(45.0)
    )
    assert later.cost == pytest.approx(fresh.cost, rel=1e-5)
    assert np.abs(later.voltage_magnitude - fresh.voltage_magnitude).max() < 1e-4
    assert (
        fresh.voltage_magnitude[case.network.node_index["b.1"]] < clear(case).voltage_magnitude.max() - 0.01
    )


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated", "pac", "nst-pac", "central"])
def test_the_same_inputs_give_the_same_bytes(method: Method) -> None:
    case = with_settings(CASES["voltage_low"], method=method, tolerance=1e-3)
    once, twice = clear(case), clear(case)
    assert once.dispatch.tobytes() == twice.dispatch.tobytes()
    assert once.prices.real.tobytes() == twice.prices.real.tobytes()
    assert (once.cost, once.rounds, once.limits) == (twice.cost, twice.rounds, twice.limits)


@pytest.mark.parametrize("method", ["pac-accelerated", "pac", "nst-pac"])
@pytest.mark.parametrize("agents", [0, 3])
def test_too_few_rounds_do_not_count_as_solved(method: Method, agents: int) -> None:
    # Fewer than agents take to compare residuals: new tangents would go on from where the last ended.
    case = with_settings(CASES["voltage_low"], method=method, agents=agents, negotiation_rounds=4)
    found = clear(case)
    assert found.status == "not_converged"
    assert max(found.primal_residual, found.dual_residual) > case.settings.tolerance
    assert np.isfinite(found.prices.real).all()


def test_flows_that_keep_moving_do_not_count_as_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlmp_cosim.market.balanced.market.MAX_TANGENTS", 1)
    monkeypatch.setattr("dlmp_cosim.market.balanced.market.MAX_OPENINGS", 0)
    found = clear(replace(EASY, offers=offers(20.0)))
    assert found.status == "not_converged"
    assert max(found.primal_residual, found.dual_residual) < 1e-2


@pytest.fixture
def talks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Tolerance of every negotiation on tangents."""
    tolerances: list[float] = []
    negotiate = BranchFlowMarket._negotiate

    def watched(self: BranchFlowMarket, *args: Any) -> Any:
        tolerances.append(args[-1].tolerance)
        return negotiate(self, *args)

    monkeypatch.setattr(BranchFlowMarket, "_negotiate", watched)
    return tolerances


def test_resources_answer_prices_before_they_negotiate(
    talks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without limits their answers lead to the flow that one negotiation then confirms."""
    case = with_settings(replace(EASY, offers=offers(20.0)), method="pac-accelerated")
    opened = clear(case)
    assert len(talks) == 1
    monkeypatch.setattr("dlmp_cosim.market.balanced.market.MAX_OPENINGS", 0)
    negotiated = clear(case)
    assert len(talks) > 3
    assert talks[1] == FIRST_TOLERANCE
    assert opened.rounds < negotiated.rounds
    assert np.abs(opened.dispatch - negotiated.dispatch).max() < 0.05
    assert np.abs(opened.prices.real - negotiated.prices.real).max() < 1e-3


@pytest.mark.parametrize("name", ["voltage_low", "rating"])
def test_a_limit_ends_the_answers_and_starts_the_talks(talks: list[float], name: str) -> None:
    """What is asked of the first tangents is little: answers that break a limit do not lead to its flow."""
    case = CASES[name]
    market = BranchFlowMarket(case.network, case.settings)
    cold = market.clear(case.state, case.demand, case.offers, case.price)
    assert cold.limits
    assert talks[0] == FIRST_TOLERANCE
    talks.clear()
    market.clear(case.state, case.demand, case.offers, case.price)
    assert talks[0] == FIRST_TOLERANCE


STORE = Resource("store", "storage", "c", wye(ABC), 6000.0, 6000.0)
"""What it could draw is more than any flow carries."""


def test_an_answer_that_no_flow_carries_is_held_back_by_its_limits() -> None:
    """Paid to consume, the storage would draw what collapses the voltage; the limit's price stops it."""
    offer = Offer("store", -6000.0, 0.0, 0.0, 0.01, reactive_ratio=0.0)
    case = Case(
        fork(resources=[STORE]),
        replace(TIGHT, voltage_min_pu=0.9, voltage_penalty=1e6, negotiation_rounds=200_000),
        (offer,),
        WholesalePrice(-100.0),
    )
    tangents = Tangents(stated(case).problem)
    x = start_state(stated(case).model, stated(case).same, case.state)
    assert tangents.find_flow(x, np.array([-6.0, 0.0])) is None
    found = clear(case)
    assert found.status == "solved"
    assert {limit.kind for limit in found.limits} == {"voltage_low"}
    assert found.voltage_magnitude.min() == pytest.approx(0.9, abs=1e-4)
    assert -6000.0 < found.dispatch[0].real < -50.0


def test_a_last_dispatch_that_no_flow_carries_any_more_is_forgotten() -> None:
    """A market that remembers clears whatever a market without memory clears."""
    case = Case(fork(resources=[STORE]), TIGHT, price=WholesalePrice(30.0))
    market = BranchFlowMarket(case.network, case.settings)
    idle = Offer("store", -6000.0, 0.0, 20.0, 0.1, reactive_ratio=0.0)
    market.clear(case.state, case.demand, (idle,), case.price)
    assert market.warmth is not None
    market.warmth = replace(market.warmth, dispatch=np.array([-60.0, 0.0]))
    assert market.clear(case.state, case.demand, (idle,), case.price).status == "solved"


def test_offers_that_cannot_be_cleared_are_left_out_and_named() -> None:
    bad = (
        Offer("gen", 0.0, 500.0, 20.0),
        offers()[1],
        Offer("pv", 0.0, 10.0, 1.0),
        Offer("flexx", 0.0, 1.0, 1.0),
        Offer("flex", 0.0, float("nan"), 1.0),
    )
    found = clear(replace(EASY, offers=bad))
    assert found.status == "solved"
    for line, words in zip(
        found.refused, ("gen: ", "pv: offered twice", "flexx: no such", "flex: "), strict=True
    ):
        assert line.startswith(words)
    alone = clear(replace(EASY, offers=offers()[1:2]))
    assert found.dispatch.tobytes() == alone.dispatch.tobytes()


def test_the_order_of_offers_does_not_matter() -> None:
    assert clear(EASY).dispatch.tobytes() == clear(replace(EASY, offers=EASY.offers[::-1])).dispatch.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_there_are_refused(bad: float) -> None:
    market, state, demand = BranchFlowMarket(EASY.network, TIGHT), EASY.state, EASY.demand
    broken = demand.copy()
    broken[1] = bad
    for what, arguments in {
        "voltage": (replace(state, voltage=state.voltage * bad), demand, PRICE),
        "branch power": (replace(state, power=state.power * bad), demand, PRICE),
        "demand": (state, broken, PRICE),
        "price at the head": (state, demand, WholesalePrice(bad)),
        "did not converge": (replace(state, converged=False), demand, PRICE),
    }.items():
        some_state, some_demand, price = arguments
        with pytest.raises(ClearingError, match=what):
            market.clear(some_state, some_demand, (), price)


def test_a_demand_that_no_flow_carries_is_refused() -> None:
    with pytest.raises(ClearingError, match="voltage collapses"):
        BranchFlowMarket(EASY.network, TIGHT).clear(EASY.state, 3 * EASY.demand, (), PRICE)


def tied() -> Case:
    """`fork` with a second way to its last bus, held open by a control, and the first with one of its own."""
    controls = [
        f"new swtcontrol.{name} switchedobj=line.{name} switchedterm=1 normal={state} state={state}"
        for name, state in (("tie", "open"), ("way", "closed"))
    ]
    ends = {"tie": ("c", "f"), "way": ("e", "f")}
    switches = [f"new line.{name} bus1={a} bus2={b} phases=3 switch=yes" for name, (a, b) in ends.items()]
    return replace(
        EASY, sample=fork(extra=[*switches, *controls, support.load("f_1", "f", (1,), 1, 30.0, 10.0)])
    )


def cut(case: Case, name: str) -> AcState:
    """The state of a case with one of its switches opened."""
    table = {element.name: element.admittance_s for element in case.network.controlled}
    table[name] = np.full_like(table[name], 4e-10)
    return replace(case.state, admittance=np.concatenate([block.ravel() for block in table.values()]))


def test_an_open_tie_carries_nothing_and_the_rest_clears() -> None:
    case = tied()
    found, best = clear(case), reference(case)
    assert found.status == "solved"
    assert found.cost == pytest.approx(best.cost, rel=1e-5)
    name = [case.network.branches[k].name for k in case.network.conductor_branch]
    assert not found.power[np.array(name) == "line.tie"].any()
    shut = found.power[np.array(name) == "line.way"]
    assert shut[:3] == pytest.approx(-shut[3:])
    assert shut[:3].sum() == pytest.approx(30.0 + 10.0j, abs=1e-4)


def test_a_switch_that_opens_after_the_start_is_a_clearing_error() -> None:
    """What is behind it has no equivalent any more; to clear as if it were shut would be wrong in silence."""
    case = tied()
    opened = cut(case, "line.way")
    market, central = BranchFlowMarket(case.network, TIGHT), CentralBranchFlow(case.network, TIGHT)
    for settle in (market.clear, central.answer):
        with pytest.raises(ClearingError, match=r"line\.tie and line\.way are open"):
            settle(opened, case.demand, case.offers, PRICE)
    assert market.clear(case.state, case.demand, case.offers, PRICE).status == "solved"


def test_a_feeder_that_is_switched_over_is_a_clearing_error() -> None:
    """The tie shut and the switch open: radial again, but not as the model was laid out."""
    case = tied()
    table = {element.name: element.admittance_s for element in case.network.controlled}
    table["line.tie"], table["line.way"] = table["line.way"], np.full_like(table["line.way"], 4e-10)
    over = replace(case.state, admittance=np.concatenate([block.ravel() for block in table.values()]))
    with pytest.raises(ClearingError, match="other ways than at the start"):
        BranchFlowMarket(case.network, TIGHT).clear(over, case.demand, case.offers, PRICE)


@pytest.mark.parametrize("agents", [0, 3])
def test_fixed_and_retired_resources_run_as_offered(agents: int) -> None:
    some = (Offer("gen", 60.0, 60.0, 90.0), Offer("pv", 0.0, 0.0, 1.0), offers()[2])
    case = with_settings(replace(EASY, offers=some), agents=agents)
    found = clear(case)
    assert found.status == "solved"
    assert found.dispatch[0] == pytest.approx(60.0, abs=1e-9)
    assert found.dispatch[1] == pytest.approx(0.0, abs=1e-9)
    assert 0.1 < found.dispatch[2].real < 39.9
    assert found.cost == pytest.approx(reference(case).cost, rel=1e-6)


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated", "central", "pac", "nst-pac"])
def test_a_feeder_that_asks_for_nothing_clears(method: Method) -> None:
    case = replace(with_settings(EASY, method=method, tolerance=1e-4), share=0.0, price=WholesalePrice(20.0))
    found = clear(replace(case, offers=offers()[:2]))
    assert found.status == "solved"
    assert np.abs(found.dispatch).max() < 0.5
    assert found.cost == pytest.approx(0.0, abs=1e-2)
    assert np.abs(found.prices.real - 20.0).max() < 0.02


@pytest.mark.parametrize("lmp", [0.0, 5.0, 500.0])
def test_prices_far_from_usual_clear(lmp: float) -> None:
    case = replace(EASY, price=WholesalePrice(lmp))
    found, best = clear(case), reference(case)
    assert found.status == "solved"
    assert found.cost == pytest.approx(best.cost, rel=1e-5, abs=1e-5)
    assert np.abs(found.prices.real - best.price_real).max() < 0.02


def test_storage_charges_when_power_is_cheap_and_gives_when_it_is_dear() -> None:
    store = Resource("gen", "storage", "c", wye(ABC), 300.0, 360.0)
    circuit = fork(resources=(store, *RESOURCES[1:]))
    offer = (Offer("gen", -100.0, 100.0, 30.0, 0.1),)
    cheap = clear(Case(circuit, TIGHT, offer, WholesalePrice(10.0)))
    dear = clear(Case(circuit, TIGHT, offer, WholesalePrice(60.0)))
    assert cheap.dispatch[0].real == pytest.approx(-100.0)
    assert dear.dispatch[0].real == pytest.approx(100.0)
    for found in (cheap, dear):
        flow = fork_flow(Case(circuit, TIGHT), found.dispatch)
        assert found.head.sum() == pytest.approx(1e3 * flow.head, rel=1e-7)
