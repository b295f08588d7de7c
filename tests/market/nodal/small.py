"""A line of three buses with a generator, a store and a load that can be shed, solved once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import ABC, Sample, ladder, solve

PRICE = WholesalePrice(40.0, reactive=2.0)
TIGHT = MarketSettings(tolerance=1e-8, negotiation_rounds=200_000)
"""Settled far beyond what a study needs, so that differences of two clearings mean something."""

RESOURCES = (
    Resource("gen", "generator", "n2", wye(ABC), 200.0, 250.0),
    Resource("store", "storage", "n3", wye((2,)), 30.0, 40.0),
    Resource("shed", "flexible_load", "n3", wye((1,)), 40.0, 45.0, load="n3_1"),
)
OFFERS = (
    Offer("gen", 0.0, 200.0, 35.0, 0.08, -100.0, 100.0, 250.0),
    Offer("store", -30.0, 30.0, 41.0, 0.2, -20.0, 20.0, 40.0),
    Offer("shed", 0.0, 40.0, 44.0, 0.1, reactive_ratio=25.0 / 60.0),
)


@cache
def sample(ohm: float = 0.5, rating_a: float = 400.0) -> Sample:
    return ladder(3, ohm=ohm, rating_a=rating_a, resources=RESOURCES)


@cache
def idle_state(ohm: float = 0.5, rating_a: float = 400.0) -> AcState:
    """Its state without any dispatch."""
    return solve(sample(ohm, rating_a).feeder())


def cleared(
    settings: MarketSettings = TIGHT,
    offers: Sequence[Offer] = OFFERS,
    price: WholesalePrice = PRICE,
    *,
    ohm: float = 0.5,
    rating_a: float = 400.0,
) -> Clearing:
    """One clearing of it, cold."""
    here = sample(ohm, rating_a)
    market = NodalMarket(here.network, settings)
    clearing = market.clear(idle_state(ohm, rating_a), here.network.listed_demand, offers, price)
    assert clearing.status == "solved"
    return clearing
