"""Circuits that nobody draws but somebody has: every market clears them by every method that it has."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Network, Resource, wye
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.models import find_model
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.support import ABC, Sample, apply, ladder, solve

PRICE = WholesalePrice(50.0)
MODELS = ("nodal", "branch_flow", "uniform")
METHODS: tuple[Method, ...] = ("pac-accelerated", "interior-point", "central")
MANY, MANY_KW = 10_000, 0.05
TOLERANCE_KW = 5e-3
"""What a tolerance of 3e-5 of 100 kW leaves to one of them."""


def clear(
    found: Sample, offers: list[Offer], model: str, method: Method, network: Network | None = None
) -> tuple[AcState, Clearing]:
    """The state without a dispatch, and a clearing there."""
    network, state = network or found.network, solve(found.feeder())
    settings = MarketSettings(model=model, method=method, negotiation_rounds=200_000)
    market = find_model(model, where="model")(network, settings)
    return state, market.clear(state, network.listed_demand, offers, PRICE)


def generator(name: str, bus: str, kw: float) -> Resource:
    """A three-phase generator without free reactive power."""
    return Resource(name, "generator", bus, wye(ABC), kw, kw)


def unlimited(network: Network) -> Network:
    """The same network without a voltage that has limits, or a rating."""
    elements = tuple(replace(e, rating_a=(np.inf,) * len(e.rating_a)) for e in network.elements)
    return replace(network, voltage_points=(), elements=elements)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", METHODS)
def test_a_circuit_without_a_limit_clears(model: str, method: Method) -> None:
    """Low voltages and full lines are nobody's concern: prices have losses in them and nothing else."""
    found = ladder(4, ohm=1.2, rating_a=20.0, resources=[generator("g", "n4", 50.0)])
    _, clearing = clear(found, [Offer("g", 0.0, 50.0, 20.0)], model, method, unlimited(found.network))
    assert clearing.status == "solved"
    assert clearing.limits == ()
    assert clearing.dispatch[0].real == pytest.approx(50.0, abs=0.1)
    np.testing.assert_allclose(clearing.prices.real_voltage, 0.0, atol=1e-9)
    np.testing.assert_allclose(clearing.prices.real_congestion, 0.0, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", METHODS)
def test_a_circuit_without_a_resource_gets_prices(model: str, method: Method) -> None:
    found = ladder(3)
    state, clearing = clear(found, [], model, method)
    assert clearing.status == "solved"
    assert clearing.dispatch.shape == (0,)
    assert np.isfinite(clearing.prices.real).all()
    if model == "nodal":
        assert clearing.head == pytest.approx(state.head)
        assert clearing.prices.real[-3:].min() > PRICE.lmp


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cost", [20.0, 80.0])
def test_a_resource_at_the_source_gets_the_lmp(model: str, method: Method, cost: float) -> None:
    """It changes no flow: it runs where it is cheaper than the LMP."""
    found = ladder(3, resources=[generator("g", "src", 50.0)])
    _, clearing = clear(found, [Offer("g", 0.0, 50.0, cost)], model, method)
    assert clearing.status == "solved"
    assert clearing.dispatch[0].real == pytest.approx(50.0 if cost < PRICE.lmp else 0.0, abs=0.1)
    assert clearing.prices.real[:3] == pytest.approx(np.full(3, PRICE.lmp), rel=1e-3)


@cache
def crowd() -> tuple[Sample, OpenDssFeeder, AcState]:
    """Ten thousand resources at one bus, their feeder and its state without a dispatch."""
    resources = [generator(f"g{k}", "n2", MANY_KW) for k in range(MANY)]
    found = ladder(3, resources=resources)
    feeder = found.feeder()
    return found, feeder, solve(feeder)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("nodal", "pac-accelerated"),
        ("nodal", "interior-point"),
        ("nodal", "central"),
        ("branch_flow", "pac-accelerated"),
        ("branch_flow", "interior-point"),
        ("uniform", "interior-point"),
    ],
)
def test_ten_thousand_resources_at_one_bus_clear(model: str, method: Method) -> None:
    """Costs from 40 to 60 $/MWh over 500 kW, each rising by 1: everybody gives what the price is worth.

    The central statement of the balanced model takes CVXPY minutes to lay out, and is left out.
    """
    found, feeder, state = crowd()
    costs = np.linspace(40.0, 60.0, MANY)
    offers = [Offer(f"g{k}", 0.0, MANY_KW, cost, 1.0 / MANY_KW) for k, cost in enumerate(costs.tolist())]
    market = find_model(model, where="model")(found.network, MarketSettings(model=model, method=method))
    clearing = market.clear(state, found.network.listed_demand, offers, PRICE)
    assert clearing.status == "solved"
    node = found.network.node_index["n2.1"]
    paid = float(clearing.prices.real[node : node + 3].mean())
    worth = np.clip(paid - costs, 0.0, 1.0) * MANY_KW
    assert np.abs(clearing.dispatch.real - worth).max() < TOLERANCE_KW
    if model == "nodal":
        answer = apply(feeder, state.demand, clearing.dispatch)
        assert clearing.head.real.sum() == pytest.approx(answer.head.real.sum(), abs=5.0)
