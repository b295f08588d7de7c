"""Nodal prices are marginal costs: of the AC feeder, and of the market with its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing, Prices
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.prices import network_solver
from dlmp_cosim.market.resources import curtails
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation
from tests.market.support import (
    anchored_rounds,
    apply,
    ladder,
    load,
    mixed,
    mixed_offers,
    money,
    solve,
)

PRICE = WholesalePrice(26.7, reactive=1.5)
TIGHT = MarketSettings(tolerance=1e-8, negotiation_rounds=200_000)
"""Settled far beyond what a study needs, so that differences of two clearings mean something."""


def probes(nodes: Sequence[str]) -> list[str]:
    """Constant-power loads at nodes, to be asked for nothing or a little."""
    places = [node.split(".") for node in nodes]
    return [load(f"probe{k}", bus, (int(phase),), 1, 1.0, 0.0) for k, (bus, phase) in enumerate(places)]


def twin(case: Situation, nodes: Sequence[str]) -> tuple[OpenDssFeeder, ComplexArray]:
    """The feeder of a situation with probes, its taps as they are there."""
    probed = replace(case.case, commands=(*case.case.commands, *probes(nodes)))
    network = replace(read_circuit(probed).network, resources=case.network.resources)
    feeder = OpenDssFeeder(probed, network, regulators="held", tolerance=1e-10)
    feeder.set_taps(case.state.tap)
    return feeder, np.append(case.demand, np.zeros(len(nodes)))


def at(size: int, k: int, power: complex) -> ComplexArray:
    vector = np.zeros(size, dtype=np.complex128)
    vector[k] = power
    return vector


@pytest.mark.parametrize("name", ["usual", "sagging", "light"])
def test_energy_and_loss_parts_are_what_a_kw_costs_the_head(
    situations: dict[str, Situation], name: str
) -> None:
    """Central differences of 5 kW through OpenDSS, controls frozen; the true values reach 1.06."""
    case = situations[name]
    market = NodalMarket(case.network, MarketSettings(tolerance=1e-6))
    last = anchored_rounds(market, case.feeder, case.state, case.demand, case.offers, PRICE, 4)[-1]
    grounded = [name for name in case.network.node_ids[3:] if not name.startswith("610.")]
    nodes = np.random.default_rng(1).choice(grounded, 30, replace=False).tolist()
    prices = market.clear(last.state, case.demand, case.offers, PRICE).prices
    where = [case.network.node_index[node] for node in nodes]
    feeder, demand = twin(case, nodes)
    slopes = []
    for k in range(len(nodes)):
        row = []
        for unit in (5.0, 5.0j):
            step = at(len(demand), k - len(nodes), unit)
            heads = [
                apply(feeder, demand + sign * step, last.clearing.dispatch).head.sum() for sign in (1, -1)
            ]
            row.append((heads[0] - heads[1]) / 10.0)
        slopes.append(row)
    per_kw, per_kvar = np.array(slopes).T
    cost = PRICE.lmp * per_kw.real + PRICE.reactive * per_kw.imag
    error = np.abs((prices.real_energy + prices.real_loss)[where] / cost - 1)
    assert error.max() < 1e-5, error.max()
    cost_q = PRICE.lmp * per_kvar.real + PRICE.reactive * per_kvar.imag
    error_q = np.abs((prices.reactive_energy + prices.reactive_loss)[where] - cost_q)
    assert error_q.max() < 1e-5 * PRICE.lmp, error_q.max()
    assert per_kw.real.max() > 1.01
    assert np.ptp(per_kvar.real) > 0.01


@dataclass(frozen=True)
class Binding:
    """A situation of `mixed` in which the limits of one kind bind and can be held."""

    settings: MarketSettings = TIGHT
    share: float = 1.0
    cheaper: float = 0.0
    ratings: tuple[tuple[str, float], ...] = ()


BINDING = {
    "none": Binding(),
    "voltage_low": Binding(replace(TIGHT, voltage_min_pu=0.96, voltage_max_pu=1.1)),
    "voltage_high": Binding(replace(TIGHT, voltage_min_pu=0.9, voltage_max_pu=1.06), 0.3, 20.0),
    "rating": Binding(
        replace(TIGHT, voltage_min_pu=0.9, voltage_max_pu=1.1),
        ratings=(("line.two-end", 22.0), ("line.b-c", 92.0)),
    ),
}
REGULATOR_OHM = 1.2e-4
"""Impedance of a regulator of `mixed`."""
NODES = ("src.1", "b.2", "d.1", "two.1", "end.3", "one.2", "tip.2")
"""Where one more kW is asked for."""


@dataclass(frozen=True)
class Bound:
    """A `Binding` set up in OpenDSS, with offers with and without free reactive power."""

    network: Network
    feeder: OpenDssFeeder
    settings: MarketSettings
    demand: ComplexArray
    state: AcState
    offers: tuple[Offer, ...]
    firm_offers: tuple[Offer, ...]


@pytest.fixture(scope="module", params=BINDING)
def bound(request: pytest.FixtureRequest) -> tuple[str, Bound]:
    binding = BINDING[request.param]
    sample, ratings = mixed(0.35, extra=probes(NODES)), dict(binding.ratings)
    elements = tuple(
        replace(e, rating_a=(ratings[e.name],) * 2) if e.name in ratings else e
        for e in sample.network.elements
    )
    network = replace(sample.network, elements=elements)
    feeder = OpenDssFeeder(sample.case, network, regulators="held", tolerance=1e-12)
    demand = binding.share * network.listed_demand
    demand[-len(NODES) :] = 0.0
    offers = tuple(replace(o, cost_linear=o.cost_linear - binding.cheaper) for o in mixed_offers())
    firm = tuple(replace(o, q_min_kvar=0.0, q_max_kvar=0.0, s_max_kva=np.inf) for o in offers)
    state = solve(feeder, demand)
    return request.param, Bound(network, feeder, binding.settings, demand, state, offers, firm)


def clear(case: Bound, demand: ComplexArray, offers: Sequence[Offer]) -> Clearing:
    """One cold clearing at the situation's own AC state."""
    clearing = NodalMarket(case.network, case.settings).clear(case.state, demand, offers, PRICE)
    assert clearing.status == "solved"
    return clearing


def parts(prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Energy, loss, voltage and congestion as rows: of real and of reactive prices."""
    names = ("energy", "loss", "voltage", "congestion")
    real, reactive = (
        np.stack([getattr(prices, f"{kind}_{name}") for name in names]) for kind in ("real", "reactive")
    )
    return real, reactive


def test_parts_add_up_and_the_head_pays_the_lmp(bound: tuple[str, Bound]) -> None:
    limit, case = bound
    clearing = clear(case, case.demand, case.firm_offers)
    assert {found.kind for found in clearing.limits} == ({limit} if limit != "none" else set())
    assert not any(found.exceeded for found in clearing.limits)
    real, reactive = parts(clearing.prices)
    assert np.abs(real.sum(axis=0) - clearing.prices.real).max() < 1e-6
    assert np.abs(reactive.sum(axis=0) - clearing.prices.reactive).max() < 1e-6
    head = [case.network.node_index[name] for name in case.network.head_ids]
    assert np.allclose(clearing.prices.real[head], PRICE.lmp, rtol=1e-4, atol=0)
    assert np.allclose(clearing.prices.reactive[head], PRICE.reactive, rtol=0, atol=1e-4 * PRICE.lmp)
    assert np.all(real[0] == PRICE.lmp)
    assert np.all(reactive[0] == PRICE.reactive)
    felt = {"voltage_low": 2, "voltage_high": 2, "rating": 3}.get(limit)
    for part in (2, 3):
        for kind in (real, reactive):
            assert (np.abs(kind[part]).max() > 0.01) == (felt == part)


def test_prices_are_what_one_more_kw_costs_the_fixed_model(bound: tuple[str, Bound]) -> None:
    """The same anchor, 0.1 kW (or kvar) more and less at each probe."""
    _, case = bound
    prices = clear(case, case.demand, case.offers).prices
    for k, node in enumerate(NODES):
        for unit, price in ((0.1, prices.real), (0.1j, prices.reactive)):
            step = at(len(case.demand), k - len(NODES), unit)
            costs = [clear(case, case.demand + sign * step, case.offers).cost for sign in (1, -1)]
            marginal = (costs[0] - costs[1]) / 0.2 * 1e3
            found = price[case.network.node_index[node]]
            assert found == pytest.approx(marginal, rel=1e-4, abs=1e-3), (node, unit)


def settled(case: Bound, demand: ComplexArray) -> tuple[float, Prices]:
    """Money that the AC feeder costs once market and physics agree [$/h], and the prices there."""
    market = NodalMarket(case.network, case.settings)
    rounds = anchored_rounds(
        market,
        case.feeder,
        case.state,
        demand,
        case.firm_offers,
        PRICE,
        15,
        voltage_pu=1e-9,
        head_kw=1e-6,
    )
    last = rounds[-1]
    assert last.voltage_pu < 1e-8
    cost = money(last.state, last.clearing.dispatch, case.network, case.firm_offers, PRICE)
    return cost, last.clearing.prices


def test_prices_are_what_one_more_kw_costs_once_market_and_physics_agree(bound: tuple[str, Bound]) -> None:
    """Through OpenDSS: 0.5 kW (or kvar) more and less at each probe, cleared again until settled."""
    _, case = bound
    prices = settled(case, case.demand)[1]
    for k, node in enumerate(NODES):
        for unit, price in ((0.5, prices.real), (0.5j, prices.reactive)):
            step = at(len(case.demand), k - len(NODES), unit)
            costs = [settled(case, case.demand + sign * step)[0] for sign in (1, -1)]
            marginal = (costs[0] - costs[1]) * 1e3
            found = price[case.network.node_index[node]]
            assert found == pytest.approx(marginal, abs=0.1), (node, unit)


@pytest.mark.parametrize("ohm", [1e-5, 1e-3])
def test_without_impedance_every_node_pays_the_lmp(ohm: float) -> None:
    sample = mixed(ohm)
    network = sample.network
    state = solve(sample.feeder(tolerance=1e-12))
    settings = replace(TIGHT, voltage_min_pu=0.8, voltage_max_pu=1.2)
    prices = NodalMarket(network, settings).clear(state, network.listed_demand, mixed_offers(), PRICE).prices
    impedance = ohm + REGULATOR_OHM
    assert np.abs(prices.real - PRICE.lmp).max() < 10 * impedance * PRICE.lmp
    assert np.abs(prices.reactive - PRICE.reactive).max() < 10 * impedance * PRICE.lmp


@pytest.mark.parametrize("share", [0.0, 1e-4, 1e-2])
def test_a_feeder_that_carries_nothing_has_no_marginal_losses(share: float) -> None:
    sample = ladder(4)
    network = sample.network
    demand = share * network.listed_demand
    state = solve(sample.feeder(tolerance=1e-12), demand)
    prices = NodalMarket(network, TIGHT).clear(state, demand, (), PRICE).prices
    assert np.abs(prices.real - PRICE.lmp).max() <= 0.1 * share * PRICE.lmp + 1e-9
    assert np.abs(prices.reactive - PRICE.reactive).max() <= 0.1 * share * PRICE.lmp + 1e-9


def test_every_resource_between_its_limits_is_paid_its_marginal_cost(bound: tuple[str, Bound]) -> None:
    """A generator's price is the mean over its phases; flexible loads also give reactive power."""
    _, case = bound
    clearing = clear(case, case.demand, case.firm_offers)
    inside = 0
    position = {name: k for k, name in enumerate(case.network.resource_ids)}
    for offer in case.firm_offers:
        resource = case.network.resources[position[offer.resource]]
        kw = clearing.dispatch[position[offer.resource]].real
        nodes = [case.network.node_index[f"{resource.bus}.{phase}"] for phase in resource.phases]
        worth = clearing.prices.real[nodes].mean()
        cost = offer.cost_linear + offer.cost_quadratic * kw
        if curtails(resource):
            continue
        if offer.p_min_kw + 1e-3 < kw < offer.p_max_kw - 1e-3:
            inside += 1
            assert worth == pytest.approx(cost, abs=1e-4), offer.resource
        elif kw > offer.p_max_kw - 1e-3:
            assert worth > cost - 1e-4
        else:
            assert worth < cost + 1e-4
    assert inside >= 1


@pytest.mark.parametrize("agents", [0, 1, 3])
@pytest.mark.parametrize("fixed", [False, True])
def test_no_award_exceeds_its_apparent_power(agents: int, fixed: bool) -> None:
    """Dear reactive power pulls generators to the edge of their discs."""
    sample = mixed(0.35)
    network = sample.network
    state = solve(sample.feeder(tolerance=1e-12))
    offers = (
        Offer("gen3", 100.0 if fixed else 0.0, 100.0 if fixed else 150.0, 28.0, 0.05, -140.0, 140.0, 155.0),
        Offer("gen1", 0.0, 60.0, 26.0, 0.15, -60.0, 60.0, 61.0),
        Offer("store", -20.0, 20.0, 30.0, 0.0, 5.0, 24.0, 25.0),
    )
    price = WholesalePrice(45.0, reactive=6.0)
    settings = replace(TIGHT, agents=agents)
    clearing = NodalMarket(network, settings).clear(state, network.listed_demand, offers, price)
    assert clearing.status == "solved"
    size = np.abs(clearing.dispatch)
    assert size[0] == pytest.approx(155.0, rel=1e-6)
    assert size[2] == pytest.approx(61.0, rel=1e-6)
    assert size[3] <= 25.0 * (1 + 1e-6)
    central = NodalMarket(network, replace(settings, method="central"))
    reference = central.clear(state, network.listed_demand, offers, price)
    assert clearing.cost == pytest.approx(reference.cost, rel=1e-6)
    assert np.allclose(clearing.dispatch, reference.dispatch, atol=0.02)


@pytest.mark.parametrize("name", ["sagging", "light"])
def test_the_network_solver_solves_the_rows_both_ways(situations: dict[str, Situation], name: str) -> None:
    case = situations[name]
    model = NodalModel(case.network, TIGHT)
    problem = model.problem(model.anchor(case.state, case.demand, case.offers), case.offers, PRICE)
    solver, n = network_solver(problem, make_plan(problem).network), problem.n_state
    rng = np.random.default_rng(5)
    resources = rng.uniform(problem.lower[n:], problem.upper[n:])
    x = np.concatenate([solver.state(resources), resources])
    assert np.abs(problem.rows @ x - problem.row_lower).max() < 1e-9
    gradient = rng.normal(size=(n, 3))
    # A floating delta holds its common voltage by a millionth: duals there are as large, with their rounding.
    duals = solver.duals(gradient)
    missed = np.abs(problem.rows[:, :n].T @ duals - gradient).max()
    assert missed < 1e-9 * max(1.0, 1e-6 * np.abs(duals).max())


def test_the_best_response_is_the_cheapest_power_within_limits(usual: Situation) -> None:
    model = NodalModel(usual.network, TIGHT)
    problem = model.problem(model.anchor(usual.state, usual.demand, usual.offers), usual.offers, PRICE)
    solver, n = network_solver(problem, make_plan(problem).network), problem.n_state
    duals = solver.duals(problem.linear[:n])
    fallback = np.full(len(problem.linear) - n, 0.5)
    answer = solver.best_response(duals, fallback)
    assert np.all((answer >= problem.lower[n:]) & (answer <= problem.upper[n:]))

    def cost(powers: FloatArray) -> FloatArray:
        given = (problem.rows[:n, n:].T @ duals) * powers
        return problem.linear[n:] * powers + problem.quadratic[n:] * powers**2 / 2 - given

    curved = problem.quadratic[n:] > 0
    for share in np.linspace(0, 1, 11):
        other = problem.lower[n:] + share * (problem.upper[n:] - problem.lower[n:])
        assert np.all((cost(answer) <= cost(other) + 1e-12)[curved])
    flat = ~curved & (problem.upper[n:] > problem.lower[n:])
    assert np.allclose(answer[flat], np.clip(0.5, problem.lower[n:], problem.upper[n:])[flat])
