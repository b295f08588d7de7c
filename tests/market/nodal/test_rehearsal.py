"""Inverters behind small service transformers: curvature and rehearsals settle what derivatives do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import Resource
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.market.audit import Limits, find_violations
from dlmp_cosim.market.nodal import rehearsal
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.nodal.power_flow import PowerFlow
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.circuits import LARGE
from tests.circuits import case as case_of
from tests.market.nodal.test_circuits import offered
from tests.market.support import (
    LINE_KV,
    Anchoring,
    Sample,
    anchored_rounds,
    apply,
    idle,
    line,
    mixed,
    mixed_offers,
    money,
    sample,
    solve,
)

PRICE = WholesalePrice(95.0)
SETTLED = {"voltage_pu": 1e-4, "head_kw": 0.1}
SERVICES, SERVICE_KVA = 6, 25.0


def services(kw: float) -> tuple[Sample, tuple[Offer, ...]]:
    """A feeder of centre-tapped services of 25 kVA, each with a house and an inverter of `kw`."""
    commands = [
        (
            "new transformer.sub phases=3 windings=2 buses=[src b0] conns=[delta wye] "
            f"kvs=[{LINE_KV} 12.47] kvas=[5000 5000] xhl=6 %loadloss=1"
        )
    ]
    bases = [f"set voltagebases=[{LINE_KV} 12.47 0.208]", "calcvoltagebases"]
    for k in range(SERVICES):
        phase, kva = k % 3 + 1, f"{SERVICE_KVA} {SERVICE_KVA} {SERVICE_KVA}"
        commands += [
            line(f"b{k}", f"b{k + 1}", ohm=0.4),
            (
                f"new transformer.t{k} phases=1 windings=3 buses=[b{k + 1}.{phase}.0 x{k}.1.0 x{k}.0.2] "
                f"kvs=[7.2 0.12 0.12] kvas=[{kva}] xhl=2.04 xht=2.04 xlt=1.36 %rs=[0.6 1.2 1.2]"
            ),
            line(f"x{k}", f"s{k}", (1, 2), ohm=0.01),
            f"new load.h{k} bus1=s{k}.1.2 phases=1 kv=0.24 kw=9 kvar=3 model=1 vminpu=0.7",
            f"new load.m{k} bus1=b{k + 1}.1.2.3 phases=3 kv=12.47 kw=250 kvar=87.5 model=1 vminpu=0.7",
        ]
        bases += [f"setkvbase bus=x{k} kvln=0.12", f"setkvbase bus=s{k} kvln=0.12"]
    legs = ((1, 0), (2, 0))
    resources = [Resource(f"g{k}", "generator", f"s{k}", legs, kw, 1.2 * kw) for k in range(SERVICES)]
    most, rng = 0.44 * kw, np.random.default_rng(0)
    offers = tuple(
        Offer(f"g{k}", 0.0, kw, 30 + 20 * rng.random(), 9.0 / kw if k % 2 else 0.0, -most, most, 1.2 * kw)
        for k in range(SERVICES)
    )
    return sample("services", commands, resources, bases), offers


def play(kw: float, rounds: int, settings: MarketSettings) -> tuple[NodalMarket, list[Anchoring]]:
    """Rounds between a new market and physics, from the state without a dispatch."""
    circuit, offers = services(kw)
    feeder, market = circuit.feeder(), NodalMarket(circuit.network, settings)
    demand = circuit.network.listed_demand
    return market, anchored_rounds(market, feeder, solve(feeder), demand, offers, PRICE, rounds, **SETTLED)


def settled(rounds: list[Anchoring]) -> bool:
    """Whether the last round agrees, by a clearing that met its tolerance."""
    last = rounds[-1]
    agreed = last.voltage_pu <= SETTLED["voltage_pu"] and abs(last.head_kw) <= SETTLED["head_kw"]
    return agreed and last.clearing.status == "solved"


@pytest.mark.parametrize("kw", [40.0, 64.0, 90.0, 130.0])
def test_inverters_behind_small_transformers_settle_in_four_rounds(kw: float) -> None:
    market, rounds = play(kw, 4, MarketSettings())
    assert settled(rounds)
    assert market.rehearsals.curvature is not None


def test_agents_of_several_buses_settle_too() -> None:
    _, rounds = play(64.0, 4, MarketSettings(method="pac-accelerated"))
    assert settled(rounds)


@pytest.mark.parametrize("kw", [40.0, 130.0])
def test_without_curvature_the_same_rounds_go_on(kw: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "ASTRAY", np.inf)
    monkeypatch.setattr(rehearsal, "STUCK", np.inf)
    market, rounds = play(kw, 8, MarketSettings())
    assert market.rehearsals.curvature is None
    assert len(rounds) == 8
    assert min(item.voltage_pu for item in rounds) > 10 * SETTLED["voltage_pu"]


@pytest.mark.parametrize("kw", [40.0, 130.0])
def test_nobody_makes_the_settled_state_cheaper_alone(kw: float) -> None:
    """Cost in AC, with what broken limits cost, when one power moves by half a kW or kvar."""
    circuit, offers = services(kw)
    network, settings, feeder = circuit.network, MarketSettings(), circuit.feeder()
    _, rounds = play(kw, 4, settings)
    best = rounds[-1].clearing.dispatch

    def cost(dispatch: np.ndarray) -> float:
        state = apply(feeder, network.listed_demand, dispatch)
        limits = Limits(settings.voltage_min_pu, settings.voltage_max_pu, settings.rating_scale)
        broken = sum(item.excess for item in find_violations(network, limits, state))
        return money(state, dispatch, network, offers, PRICE) + settings.voltage_penalty * broken

    reached = cost(best)
    for k, offer in enumerate(offers):
        for step in (0.5, -0.5, 0.5j, -0.5j):
            moved = best.copy()
            moved[k] += step
            if not (0 <= moved[k].real <= kw and abs(moved[k].imag) <= offer.q_max_kvar):
                continue
            assert cost(moved) > reached - 5e-3, (offer.resource, step)


def test_what_was_learned_serves_the_next_interval() -> None:
    circuit, offers = services(130.0)
    feeder, market = circuit.feeder(), NodalMarket(circuit.network, MarketSettings())
    state, counts = solve(feeder), []
    for share in (1.0, 0.97, 0.94):
        demand = share * circuit.network.listed_demand
        rounds = anchored_rounds(market, feeder, state, demand, offers, PRICE, 4, **SETTLED)
        assert settled(rounds)
        counts.append(len(rounds))
        state = apply(feeder, 0.97 * demand, rounds[-1].clearing.dispatch)
    assert counts[0] > 1
    assert counts[1:] == [1, 1]


def test_nothing_is_learned_where_predictions_hold() -> None:
    circuit = mixed()
    feeder, market = circuit.feeder(), NodalMarket(circuit.network, MarketSettings())
    demand = circuit.network.listed_demand
    rounds = anchored_rounds(market, feeder, solve(feeder), demand, mixed_offers(), PRICE, 4, **SETTLED)
    assert len(rounds) > 1
    assert market.rehearsals.curvature is None


def test_a_state_that_answers_something_else_teaches_nothing() -> None:
    """The feeder comes back at another demand: its distance from the prediction is no curvature."""
    circuit, offers = services(130.0)
    feeder, market = circuit.feeder(), NodalMarket(circuit.network, MarketSettings())
    demand = circuit.network.listed_demand
    clearing = market.clear(solve(feeder), demand, offers, PRICE)
    elsewhere = apply(feeder, 1.6 * demand, clearing.dispatch)
    assert np.abs(np.abs(elsewhere.voltage) - clearing.voltage_magnitude).max() > rehearsal.ASTRAY
    market.clear(elsewhere, 1.6 * demand, offers, PRICE)
    assert market.rehearsals.curvature is None
    answer = apply(feeder, 1.6 * demand, clearing.dispatch)
    market.clear(answer, 1.6 * demand, offers, WholesalePrice(60.0))
    assert market.rehearsals.curvature is None


def test_rehearsals_count_as_rounds() -> None:
    market, rounds = play(130.0, 2, MarketSettings())
    plain, rehearsed = (item.clearing for item in rounds)
    assert rehearsed.rounds > 2 * plain.rounds
    assert rehearsed.messages > 2 * plain.messages
    assert market.rehearsals.before is not None


def test_a_power_flow_without_an_answer_ends_rehearsals(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ClearingError("it does not converge")

    monkeypatch.setattr(PowerFlow, "solve", fails)
    market, rounds = play(130.0, 4, MarketSettings())
    assert market.rehearsals.curvature is not None
    assert all(item.clearing.status == "solved" for item in rounds)
    assert rounds[-1].voltage_pu < rounds[0].voltage_pu


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_real_feeder_of_inverters_settles_in_four_rounds(name: str) -> None:
    """117 inverters of 64 kW on IEEE 8500's services, two intervals, each from the dispatch before."""
    case = case_of(name)
    network, offers = offered(read_circuit(case).network)
    feeder = OpenDssFeeder(case, network, tolerance=1e-10)
    market, last = NodalMarket(network, MarketSettings()), idle(network)
    for share in (1.0, 0.97):
        demand = share * network.listed_demand
        within = tuple(
            replace(offer, p_max_kw=share * offer.p_max_kw) if offer.reactive_ratio is not None else offer
            for offer in offers
        )
        last = np.where([bool(r.load) for r in network.resources], share * last, last)
        state = apply(feeder, demand, last)
        rounds = anchored_rounds(market, feeder, state, demand, within, PRICE, 4, **SETTLED)
        assert settled(rounds)
        last = rounds[-1].clearing.dispatch
