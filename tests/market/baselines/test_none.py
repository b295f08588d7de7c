"""Tariffs as dispatch rules, on a feeder whose loads and generators are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.setpoints import failed_state
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.baselines.none import (
    RETAIL_RATE,
    Export,
    NetBilling,
    NetMetering,
    NoExport,
    NoMarket,
    Traditional,
)
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.handmade import chain, generator, load

SHED = replace(generator("shed", "b"), kind="flexible_load", load="x")
CELL = replace(generator("cell", "b"), kind="storage")
NETWORK = chain(
    "a", "b", "c",
    loads=[load("x", "b", 40.0), load("y", "b", 20.0), load("z", "c", 10.0)],
    resources=[generator("g", "b"), generator("h", "b"), generator("k", "c"), generator("lone", "a"),
               SHED, CELL],
)  # fmt: skip
OFFERS = [
    Offer("g", 0.0, 60.0, 20.0),
    Offer("h", 5.0, 30.0, 10.0),
    Offer("k", 0.0, 4.0, 1.0),
    Offer("lone", 0.0, 9.0, 1.0),
    Offer("shed", 0.0, 8.0, 5.0),
    Offer("cell", -5.0, 5.0, 5.0),
]
PRICE = WholesalePrice(40.0)


def state(*served: float) -> AcState:
    """A state in which loads were served so much [kW], and 90 kW came from the source."""
    whole = failed_state(
        NETWORK, NETWORK.listed_demand, np.zeros(6, dtype=complex), np.zeros(0, dtype=np.int64), 0
    )
    return replace(
        whole,
        load=np.array(served, dtype=complex),
        head=np.array([40.0 + 1j, 30.0, 20.0]),
        losses=2.5 + 1j,
        voltage=np.ones(9, dtype=complex),
        converged=True,
    )


def market(kind: type[Traditional], network: Network = NETWORK) -> Any:
    return kind(network, MarketSettings())


@pytest.mark.parametrize(
    ("kind", "dispatch"),
    [
        (Traditional, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (NoMarket, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (Export, [60.0, 30.0, 4.0, 9.0, 0.0, 0.0]),
        (NetMetering, [60.0, 30.0, 4.0, 9.0, 0.0, 0.0]),
        (NetBilling, [60.0, 30.0, 4.0, 9.0, 0.0, 0.0]),
        (NoExport, [36.0, 18.0, 4.0, 0.0, 0.0, 0.0]),
    ],
)
def test_what_runs(kind: type[Traditional], dispatch: list[float]) -> None:
    """54 kW are served at b, of 90 kW offered there; at c all is used, and at a there is no load."""
    clearing = market(kind).clear(state(36.0, 18.0, 9.0), NETWORK.listed_demand, OFFERS, PRICE)
    assert clearing.dispatch.tolist() == pytest.approx(dispatch)


@pytest.mark.parametrize(
    ("kind", "price"), [(Traditional, RETAIL_RATE), (NoExport, RETAIL_RATE), (NoMarket, 40.0)]
)
def test_what_a_load_pays(kind: type[Traditional], price: float) -> None:
    clearing = market(kind).clear(state(36.0, 18.0, 9.0), NETWORK.listed_demand, OFFERS, PRICE)
    assert clearing.prices.real.tolist() == [price] * 9
    assert clearing.cost == pytest.approx(90.0 * 40.0 / 1e3)


def test_the_prediction_is_the_last_state() -> None:
    at = state(36.0, 18.0, 9.0)
    clearing = market(Export).clear(at, NETWORK.listed_demand, OFFERS, PRICE)
    assert clearing.voltage is at.voltage
    assert clearing.losses_kw == 2.5
    assert clearing.status == "solved"


def test_a_resource_without_an_offer_gives_nothing() -> None:
    clearing = market(Export).clear(state(1.0, 1.0, 1.0), NETWORK.listed_demand, OFFERS[:1], PRICE)
    assert clearing.dispatch.real.tolist() == [60.0, 0.0, 0.0, 0.0, 0.0, 0.0]


@settings(max_examples=40)
@given(
    st.lists(st.floats(0.0, 200.0), min_size=3, max_size=3),
    st.lists(st.floats(0.0, 90.0), min_size=4, max_size=4),
)
def test_without_export_no_bus_gives_more_than_it_takes(served: list[float], offered: list[float]) -> None:
    offers = [Offer(name, 0.0, kw, 1.0) for name, kw in zip(("g", "h", "k", "lone"), offered, strict=True)]
    given_ = market(NoExport).dispatch(state(*served), offers)
    at_b, at_c = given_[0] + given_[1], given_[2]
    assert at_b == pytest.approx(min(served[0] + served[1], offered[0] + offered[1]))
    assert at_c == pytest.approx(min(served[2], offered[2]))
    assert given_[3] == 0.0
    assert (given_[:4] <= np.array(offered) + 1e-9).all()
