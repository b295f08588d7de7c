"""What owners hear in one piece: the values of dispatch and prices, no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toys import ToyEngine, toy_network

from dlmp_cosim.federates.anchoring.hold import hold
from dlmp_cosim.federates.contract.heard import heard_values, price_at, read_heard
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import WholesalePrice

RESOURCES = (
    Resource("dg", "generator", "b", wye((1, 2, 3)), 300.0, 330.0, owner="plants"),
    Resource("cell", "storage", "b", wye((2,)), 50.0, 60.0, owner="battery"),
    Resource("pv", "generator", "b", wye((2, 3)), 50.0, 60.0, owner="plants"),
)
NETWORK = replace(toy_network(), resources=RESOURCES)


@pytest.fixture
def clearing() -> Clearing:
    state = ToyEngine(NETWORK).solve(np.full(3, 30.0 + 9.0j), np.zeros(3, dtype=complex), controls=False)
    held = hold(NETWORK, None, state, (), WholesalePrice(25.0, 25.0))
    nodes = np.arange(float(len(NETWORK.node_ids)))
    prices = replace(held.prices, real=20.0 + nodes, reactive=nodes / 7.0)
    return replace(held, prices=prices, dispatch=np.array([100.0 + 1.0j, -4.0, 7.0 - 2.0j]))


def test_an_owner_hears_of_its_own_resources_in_their_order(clearing: Clearing) -> None:
    heard = heard_values(NETWORK, clearing, ["plants", "battery"])
    assert list(heard) == ["market/award_plants", "market/award_battery"]
    real, reactive = clearing.prices.real, clearing.prices.reactive
    rows = [
        [power.real, power.imag, price_at(NETWORK, resource, real), price_at(NETWORK, resource, reactive)]
        for resource, power in zip(RESOURCES, clearing.dispatch.tolist(), strict=True)
    ]
    assert heard["market/award_plants"].tolist() == rows[0] + rows[2]
    assert heard["market/award_battery"].tolist() == rows[1]


def test_nobody_hears_who_does_not_read(clearing: Clearing) -> None:
    assert heard_values(NETWORK, clearing, []) == {}


def test_a_price_is_the_mean_of_the_phases() -> None:
    prices = np.zeros(len(NETWORK.node_ids))
    prices[NETWORK.node_index["b.2"]], prices[NETWORK.node_index["b.3"]] = 10.0, 20.0
    assert [price_at(NETWORK, resource, prices) for resource in RESOURCES] == [10.0, 10.0, 15.0]


def test_one_that_is_too_short_is_refused_by_name(scripted: Any) -> None:
    link = scripted({0.0: {"market/award_plants": np.arange(8.0)}})
    link.wait_until(1.0)
    assert read_heard(link, "plants", 2, since=0.0).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(FederationError, match=r"^market/award_plants.*has 8 values; expected 4$"):
        read_heard(link, "plants", 1, since=0.0)
