"""Which ratings take part: demand far beyond what is listed leaves none out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Machine, Network, Resource, wye
from dlmp_cosim.feeders.setpoints import failed_state
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.nodal.ratings import RATING_HEADROOM, growth, overlooked, rated_conductors
from dlmp_cosim.market.nodal.spanning import span
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests import handmade as hand
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


def watched(network: Network, scale: float = 1.0, headroom: float = 2.0) -> list[str]:
    """Conductors whose rating could bind, by name."""
    return [network.conductor_ids[k] for k in rated_conductors(network, span(network), scale, headroom)]


def three(kw: float) -> Network:
    """Two lines in a row for 100 A each, a load at their end."""
    return hand.chain("a", "b", "c", loads=[hand.load("x", "c", kw, 0.0)])


@pytest.mark.parametrize(
    ("kw", "scale", "headroom", "found"),
    [
        pytest.param(359.0, 1.0, 2.0, False, id="twice 49.9 A is within 100 A"),
        pytest.param(361.0, 1.0, 2.0, True, id="twice 50.1 A is not"),
        pytest.param(361.0, 1.1, 2.0, False, id="but within 110 A"),
        pytest.param(359.0, 0.9, 2.0, True, id="and 99.8 A not within 90 A"),
        pytest.param(359.0, 1.0, 2.1, True, id="nor within 100 A when demand grows"),
    ],
)
def test_a_rating_takes_part_when_all_that_is_listed_could_reach_it(
    kw: float, scale: float, headroom: float, found: bool
) -> None:
    """Balanced power at 2.4 kV to ground: 7.2 kW an ampere."""
    assert bool(watched(three(kw), scale, headroom)) is found


def test_both_lines_of_a_row_carry_what_is_behind_them() -> None:
    network = hand.chain(
        "a", "b", "c", loads=[hand.load("x", "c", 300.0, 0.0), hand.load("y", "b", 100.0, 0.0)]
    )
    names = watched(network)
    assert len(names) == 6
    assert all(name.startswith("line.a_b") for name in names)


def test_what_generators_give_counts_as_much_as_what_loads_draw() -> None:
    network = hand.chain("a", "b", resources=[hand.generator("g", "b", 300.0, 400.0)])
    assert watched(network)
    assert not watched(hand.chain("a", "b", resources=[hand.generator("g", "b", 300.0, 300.0)]))


def test_everything_could_flow_around_a_loop() -> None:
    ring = hand.chain(
        "a", "b", "c", elements=[hand.line("line.tie", ("a", "c"))], loads=[hand.load("x", "c", 1.0, 0.0)]
    )
    assert len(watched(ring)) == len(ring.conductor_ids)


def test_everything_could_come_out_of_a_machine() -> None:
    network = replace(three(1.0), machines=(Machine("generator.own", "b", wye((1,))),))
    assert watched(network) == ["line.a_b:1.1", "line.a_b:2.1"]


def test_without_a_rating_nothing_binds() -> None:
    network = three(1e6)
    free = tuple(replace(item, rating_a=(np.inf, np.inf)) for item in network.elements)
    assert watched(replace(network, elements=free)) == []


def test_what_is_busy_joins_whatever_is_listed() -> None:
    network = three(1.0)
    current = np.full(12, 49.0)
    current[[3, 7]] = 51.0
    state = replace(failed_state(network, np.zeros(1), np.zeros(0), np.zeros(0), 0), current=current)  # type: ignore[arg-type]
    assert overlooked(network, state, np.array([7]), 1.0).tolist() == [3]
    assert overlooked(network, state, np.array([7]), 1.1).tolist() == []
