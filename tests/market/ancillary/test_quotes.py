"""Where sellers of capacity stand: limits, energy behind them, and what a kW is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Network
from dlmp_cosim.market.ancillary.products import Award, Capacity, Need
from dlmp_cosim.market.ancillary.quotes import (
    Quote,
    Seller,
    energy_behind,
    room_of,
    sellers,
    worth_of,
)
from dlmp_cosim.market.horizon.terms import Ahead, Store
from dlmp_cosim.market.offers import Offer
from tests.handmade import chain, generator, load

SELLER = Seller("cell", 10.0, 40.0, -50.0, 60.0, 20.0, 0.5, Capacity(reserve=2.0))


@pytest.mark.parametrize(
    ("capacity", "lowest", "highest"),
    [
        (Capacity(), -50.0, 60.0),
        (Capacity(p_min_kw=-80.0, p_max_kw=90.0), -80.0, 90.0),
        (Capacity(p_min_kw=0.0, p_max_kw=0.0), -50.0, 60.0),
    ],
)
def test_it_can_be_called_at_least_to_the_limits_of_its_energy(
    capacity: Capacity, lowest: float, highest: float
) -> None:
    seller = replace(SELLER, capacity=capacity)
    assert (seller.lowest_kw, seller.highest_kw) == (lowest, highest)


def test_the_cost_of_energy_is_the_area_below_its_offer() -> None:
    assert SELLER.cost == pytest.approx((20.0 * 10.0 + 0.5 * 10.0**2 / 2) / 1e3)
    assert Quote(5.0, (SELLER, SELLER)).others == pytest.approx(5.0 - 2 * 0.225)


NEED = (
    Need("reserve", 100.0, 10.0, 1000.0, lasts=3.0),
    Need("regulation_down", 50.0, 5.0, 1000.0, lasts=2.0),
)


@pytest.mark.parametrize(
    ("seller", "award", "room"),
    [
        pytest.param(SELLER, {}, (0.0, 0.0), id="nothing sold, nothing held"),
        pytest.param(SELLER, {"reserve": 25.0}, (25.0, 0.0), id="what is called above"),
        pytest.param(SELLER, {"regulation_down": 15.0}, (0.0, 15.0), id="and below"),
        pytest.param(
            replace(SELLER, capacity=Capacity(p_max_kw=75.0)), {"reserve": 25.0}, (10.0, 0.0),
            id="less what it can be called beyond",
        ),
        pytest.param(
            replace(SELLER, capacity=Capacity(p_max_kw=95.0)), {"reserve": 25.0}, (0.0, 0.0),
            id="and never less than nothing",
        ),
        pytest.param(
            replace(SELLER, give_kw=90.0), {"reserve": 25.0}, (45.0, 0.0),
            id="a store keeps three intervals of it: 75 of 90 kW",
        ),
        pytest.param(
            replace(SELLER, take_kw=60.0), {"regulation_down": 15.0}, (0.0, 20.0),
            id="and room for two: 30 of 60 kW",
        ),
    ],
)  # fmt: skip
def test_an_award_keeps_room(seller: Seller, award: Award, room: tuple[float, float]) -> None:
    assert room_of(seller, award, NEED) == pytest.approx(room)


def test_only_offers_that_sell_capacity_are_quoted() -> None:
    plain, sells = Offer("a", 0.0, 1.0, 5.0), Offer("b", 0.0, 1.0, 5.0, capacity=Capacity())
    assert sellers([plain, sells]) == (sells,)


@pytest.mark.parametrize(
    ("capacity", "store", "energy"),
    [
        (Capacity(), None, (np.inf, np.inf)),
        (Capacity(up_kwh=12.0, down_kwh=3.0), None, (12.0, 3.0)),
        (None, Store(40.0, 100.0, 10.0), (30.0, 60.0)),
        (Capacity(up_kwh=12.0), Store(40.0, 100.0, 10.0), (12.0, 60.0)),
        (Capacity(), Store(40.0, 100.0, 10.0, 0.8, 0.5), (15.0, 75.0)),
    ],
)
def test_energy_behind_is_what_is_said_and_no_more_than_there_is(
    capacity: Capacity | None, store: Store | None, energy: tuple[float, float]
) -> None:
    """At the terminals: half of what is taken out is given, and 1.25 kWh drawn store one."""
    ahead = None if store is None else Ahead(store=store)
    offer = Offer("cell", -50.0, 60.0, 20.0, ahead=ahead, capacity=capacity)
    assert energy_behind(offer, 0.25) == pytest.approx(energy)


def network() -> Network:
    shed = replace(generator("shed", "b"), kind="flexible_load", load="x")
    half = replace(load("x", "b"), model=2)
    return chain("a", "b", loads=[half], resources=[generator("g", "b"), shed])


TURN = np.exp(-2j * np.pi / 3)
FLAT = np.array([1.0, TURN, TURN**2] * 2)
REAL = np.array([10.0, 10.0, 10.0, 20.0, 30.0, 70.0])
REACTIVE = np.array([0.0, 0.0, 0.0, 3.0, 3.0, 3.0])


def test_a_kw_of_a_generator_is_worth_the_mean_price_of_its_nodes() -> None:
    worth = worth_of(network(), (REAL, REACTIVE), FLAT, {"g": 0.0})
    assert worth == pytest.approx([40.0])
    with_kvar = worth_of(network(), (REAL, REACTIVE), FLAT, {"g": 0.5})
    assert with_kvar == pytest.approx([41.5])


def test_a_kw_of_demand_is_worth_what_it_would_have_drawn() -> None:
    """A constant impedance at 0.9 pu draws 0.81 of its nominal demand."""
    prices, low = (REAL, REACTIVE), 0.9 * FLAT
    assert worth_of(network(), prices, FLAT, {"shed": 0.0}) == pytest.approx([40.0])
    assert worth_of(network(), prices, low, {"shed": 0.4}) == pytest.approx([0.81 * (40.0 + 0.4 * 3.0)])


def test_sellers_are_valued_in_their_order() -> None:
    both = worth_of(network(), (REAL, REACTIVE), 0.9 * FLAT, {"shed": 0.0, "g": 0.0})
    assert both == pytest.approx([0.81 * 40.0, 40.0])
    assert worth_of(network(), (REAL, REACTIVE), FLAT, {}).shape == (0,)
