"""Published circuits: what a load costs the head, and how fast market and physics agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import load_terminals
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.nodal.anchor import leg_rows
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.prices import network_solver
from dlmp_cosim.market.settings import MarketSettings
from tests.circuits import LARGE, PUBLISHED, circuit
from tests.circuits import case as case_of
from tests.market.support import anchored_rounds, idle, solve

PRICE = WholesalePrice(95.0)
SAMPLE = 8
"""Loads of a large circuit that are tried."""
OWN = "ieee123 of the package"
EXACT = {OWN: 1e-5, "ieee123": 1e-5}
"""Relative error of the slope of the head power; 1e-4 elsewhere."""
NEAR_A_KINK = 3e-4
"""A load this near to an end of its model's range would cross it within a difference [pu]."""


def open_case(name: str) -> Case:
    return ieee123.case() if name == OWN else case_of(name)


def network_of(name: str) -> Network:
    """The circuit; of those that other tests read as well, what is read once."""
    return read_circuit(ieee123.case()).network if name == OWN else circuit(name).network


def state_without_kinks(feeder: OpenDssFeeder) -> AcState:
    """A state near the listed demand at which no load is about to leave its model's range."""
    network, legs = feeder.network, load_terminals(feeder.network)
    for share in np.arange(1.0, 0.8, -0.01):
        state = feeder.solve(share * network.listed_demand, idle(network), controls=True)
        across = np.abs(legs.across(state.voltage))
        if np.abs(across - np.stack([legs.vmin_pu, legs.vmax_pu])).min() > NEAR_A_KINK:
            break
    assert state.converged
    return state


def head_by_load(model: NodalModel, state: AcState) -> FloatArray:
    """Change of real head power for each kW and kvar more that a load asks for, shape (2, n_load)."""
    legs, anchor = model.legs, model.anchor(state, state.demand, ())
    problem = model.problem(anchor, (), WholesalePrice(1e3))
    duals = network_solver(problem, make_plan(problem).network).duals(problem.linear[: problem.n_state])
    price = np.hstack([-duals[model.layout.voltage], np.zeros((2, 1))]) * problem.cost_unit / 100.0
    found = np.zeros((2, len(state.demand)))
    for part, unit in enumerate((1.0, 1.0j)):
        power = legs.set_point(anchor.legs, np.full(len(state.demand), unit))
        rows = leg_rows(legs, anchor, power, np.arange(legs.n_load))
        for row, end in zip(rows, (legs.node, legs.other), strict=True):
            real, reactive = price[:, end[: legs.n_load]]
            np.add.at(found[part], legs.loads.owner, row.real * real + row.imag * reactive)
    return found


@pytest.mark.parametrize("name", [OWN, *PUBLISHED, *LARGE])
def test_the_adjoint_is_the_slope_of_the_head_power(name: str) -> None:
    """Every load of a small circuit, some of a large one; controls frozen, differences of a twentieth."""
    case, network = open_case(name), network_of(name)
    feeder = OpenDssFeeder(case, network, tolerance=1e-10)
    state = state_without_kinks(feeder) if name not in LARGE else solve(feeder, controls=True)
    told = head_by_load(NodalModel(network, MarketSettings()), state)
    picked = np.arange(len(network.loads))
    if name in LARGE:
        picked = np.random.default_rng(0).choice(picked, SAMPLE, replace=False)
    for k in picked.tolist():
        for part, unit in enumerate((1.0, 1.0j)):
            step = np.zeros(len(network.loads), dtype=np.complex128)
            step[k] = max(0.02 * network.loads[k].kw, 0.1) * unit
            ahead, behind = (
                feeder.solve(state.demand + sign * step, idle(network), controls=False).head.sum().real
                for sign in (1, -1)
            )
            true = (ahead - behind) / (2 * abs(step[k]))
            # Reactive slopes are near zero: an error counts against what real power costs.
            assert abs(told[part, k] - true) < EXACT.get(name, 1e-4), (network.load_ids[k], unit)


def offered(network: Network) -> tuple[Network, tuple[Offer, ...]]:
    """Every load a fifth flexible, generators at a tenth of the loads for 70 % of the demand."""
    rng, total = np.random.default_rng(0), network.listed_demand.real.sum()
    picked = rng.choice(len(network.loads), max(3, len(network.loads) // 10), replace=False)
    legs = {bus.name: bus.phases for bus in network.buses}
    resources, offers = [], []
    for k in picked.tolist():
        load, kw = network.loads[k], 0.7 * total / len(picked)
        phases = tuple((phase, 0) for phase in legs[load.bus] if phase < 4)
        resources.append(Resource(f"g{k}", "generator", load.bus, phases, kw, 1.2 * kw))
        curve = 9.0 / kw if rng.random() < 0.5 else 0.0
        offers.append(Offer(f"g{k}", 0.0, kw, 30 + 20 * rng.random(), curve, -0.44 * kw, 0.44 * kw, 1.2 * kw))
    for load in network.loads:
        kw, ratio = 0.2 * load.kw, load.kvar / load.kw
        resources.append(
            Resource(f"f-{load.name}", "flexible_load", load.bus, load.legs, kw, 2 * kw, load.name)
        )
        cost = 60 + 60 * rng.random(), 30.0 / kw * rng.random()
        offers.append(Offer(f"f-{load.name}", 0.0, kw, *cost, reactive_ratio=ratio))
    return replace(network, resources=tuple(resources)), tuple(offers)


@pytest.mark.parametrize("name", [OWN, *PUBLISHED])
def test_market_and_physics_agree_in_four_rounds(name: str) -> None:
    """Three loadings one after the other, warm; controls act before each and are frozen within it."""
    case = open_case(name)
    network, offers = offered(read_circuit(case).network)
    feeder = OpenDssFeeder(case, network, tolerance=1e-10)
    market = NodalMarket(network, MarketSettings())
    for share in (1.0, 0.9, 0.8):
        demand: ComplexArray = share * network.listed_demand
        state = feeder.solve(demand, idle(network), controls=True)
        within = tuple(
            replace(offer, p_max_kw=share * offer.p_max_kw) if offer.reactive_ratio is not None else offer
            for offer in offers
        )
        rounds = anchored_rounds(
            market, feeder, state, demand, within, PRICE, 4, voltage_pu=1e-4, head_kw=0.1
        )
        assert rounds[-1].voltage_pu < 1e-4
        assert abs(rounds[-1].head_kw) < 0.1
        assert rounds[-1].clearing.status == "solved"


def test_a_tolerance_beyond_what_digits_hold_is_missed_and_no_error() -> None:
    """Ratings that nothing can hold and a tolerance of 1e-8: some clearing has no step left that helps."""
    case = open_case("ieee13")
    network, offers = offered(read_circuit(case).network)
    feeder = OpenDssFeeder(case, network, tolerance=1e-10)
    state = feeder.solve(network.listed_demand, idle(network), controls=True)
    market = NodalMarket(
        network, MarketSettings(tolerance=1e-8, negotiation_rounds=200_000, rating_scale=0.4)
    )
    demand = network.listed_demand
    rounds = anchored_rounds(market, feeder, state, demand, offers, WholesalePrice(40.0, reactive=2.0), 8)
    assert {item.clearing.status for item in rounds} <= {"solved", "not_converged"}
    assert all(np.isfinite(item.clearing.prices.real).all() for item in rounds)
