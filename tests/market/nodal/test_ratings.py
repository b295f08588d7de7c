"""Which ratings take part: demand far beyond what is listed leaves none out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.nodal.ratings import RATING_HEADROOM, growth
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import Sample, apply, line, load, sample

RATING_A, KW, FLEXIBLE = 50.0, 20.0, 0.8
"""The listed load takes 8 A of the rating."""


def grown() -> Sample:
    """A load of 20 kW behind a line for 120 kW."""
    resource = Resource("flex", "flexible_load", "end", wye((1,)), KW, KW, load="only")
    commands = (
        line("src", "end", rating_a=RATING_A, ohm=0.01),
        load("only", "end", (1,), 1, KW, 0.0),
    )
    return sample("grown", commands, [resource])


@pytest.mark.parametrize("factor", [1.0, 8.0])
def test_a_rating_holds_when_demand_outgrows_what_is_listed(factor: float) -> None:
    """The last dispatch curtails, so that the AC state is far from the rating; the market would end that."""
    found = grown()
    feeder = found.feeder()
    demand = factor * found.network.listed_demand
    most = FLEXIBLE * factor * KW
    state = apply(feeder, demand, np.array([most + 0j]))
    assert np.abs(state.current).max() < RATING_A / 2
    offer = Offer("flex", 0.0, most, 200.0, reactive_ratio=0.0)
    clearing = NodalMarket(found.network, MarketSettings(method="interior-point")).clear(
        state, demand, [offer], WholesalePrice(50.0)
    )
    amps = np.abs(clearing.power) / np.abs(found.network.base_v[found.network.conductor_node]) * 1e3
    kinds = {limit.kind for limit in clearing.limits}
    if factor > RATING_HEADROOM:
        assert kinds == {"rating"}
        assert amps.max() == pytest.approx(RATING_A, rel=0.01)
        assert clearing.dispatch[0].real > 0.0
    else:
        assert kinds == set()
        assert clearing.dispatch[0].real == pytest.approx(0.0, abs=1e-3)


def test_growth_is_that_of_the_load_which_grew_most() -> None:
    network = grown().network
    assert growth(network, 3.0 * network.listed_demand) == pytest.approx(3.0)
    assert growth(network, 0.5 * network.listed_demand) == 1.0
    assert growth(replace(network, loads=()), np.zeros(0, dtype=complex)) == 1.0
