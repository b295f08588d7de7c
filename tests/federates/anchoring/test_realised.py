"""What a dispatch costs in the AC state that it led to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import ToyEngine, toy_network

from dlmp_cosim.federates.anchoring.hold import hold
from dlmp_cosim.federates.anchoring.realised import realised_cost
from dlmp_cosim.feeders.network import Resource, VoltagePoint, wye
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings

NETWORK = replace(toy_network(), resources=(Resource("dg", "generator", "b", wye((1, 2, 3)), 300.0, 300.0),))
STATE = ToyEngine(NETWORK).solve(NETWORK.listed_demand, np.array([100.0 + 0j]), controls=False)
PRICE = WholesalePrice(30.0, reactive=5.0)
OFFER = Offer("dg", 0.0, 300.0, 18.0, 0.05)
CLEARING = replace(hold(NETWORK, None, STATE, [OFFER], PRICE), dispatch=np.array([100.0 + 0j]))
BOUGHT = (30.0 * STATE.head.real.sum() + 5.0 * STATE.head.imag.sum()) / 1e3
OFFERED = (18.0 * 100.0 + 0.05 * 100.0**2 / 2) / 1e3


def settings(lowest: float = 0.5) -> MarketSettings:
    return replace(MarketSettings(), voltage_min_pu=lowest, voltage_max_pu=1.5)


def test_cost_is_what_is_bought_and_what_resources_ask() -> None:
    found = realised_cost(NETWORK, settings(), [OFFER], PRICE, CLEARING, STATE)
    assert found == pytest.approx(BOUGHT + OFFERED, rel=1e-12)


def test_a_resource_without_an_offer_costs_nothing() -> None:
    assert realised_cost(NETWORK, settings(), [], PRICE, CLEARING, STATE) == pytest.approx(BOUGHT)


def test_a_limit_that_the_ac_state_breaks_costs_its_penalty() -> None:
    lowest = float(np.abs(STATE.voltage).min()) + 0.01
    network = replace(NETWORK, voltage_points=(VoltagePoint("b", 1, 0, NETWORK.buses[-1].kv_base),))
    at = abs(STATE.voltage[network.node_index["b.1"]])
    found = realised_cost(network, settings(lowest), [OFFER], PRICE, CLEARING, STATE)
    assert found == pytest.approx(BOUGHT + OFFERED + 1e4 * (lowest - at), rel=1e-9)
