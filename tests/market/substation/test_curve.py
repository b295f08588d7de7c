"""What a clearing's sensitivities say of the head, against clearings at other prices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.market.clearing import Clearing, Prices
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.substation.curve import LADDER, flexibility, head_curve
from dlmp_cosim.runners.judge.walk import Case, Day
from tests.handmade import chain, generator

VILLAGE = Path(__file__).parents[3] / "configs" / "substation_day" / "village"


@pytest.fixture(scope="module")
def day() -> Day:
    return Day(load_study(VILLAGE))


def case_of(day: Day) -> Case:
    return day.case(100)


@pytest.mark.parametrize("adder", [0.0, 25.0])
def test_the_curve_falls_and_meets_the_clearing(day: Day, adder: float) -> None:
    case = case_of(day)
    nothing = np.zeros(len(day.network.resources), dtype=np.complex128)
    market = NodalMarket(day.network, load_study(VILLAGE).scenario.market.settings)
    state, price = day.answer(case, nothing, controls=True), case.price.plus(adder)
    found = market.clear(state, case.demand, case.offers, price)
    curve = head_curve(day.network, found, case.offers, price)
    assert np.allclose(curve.adder, adder + np.array(LADDER))
    assert (np.diff(curve.kw) <= 0.0).all()
    assert curve.at(adder) == pytest.approx(float(found.head.real.sum()))
    for step in (3.0, 10.0):
        told = market.clear(state, case.demand, case.offers, case.price.plus(adder + step))
        moved = float(found.head.real.sum() - told.head.real.sum())
        assert found.head.real.sum() - curve.at(adder + step) == pytest.approx(moved, abs=0.2 * moved + 15.0)


def test_flexibility_is_what_offers_leave(day: Day) -> None:
    case = case_of(day)
    nothing = np.zeros(len(day.network.resources), dtype=np.complex128)
    market = NodalMarket(day.network, load_study(VILLAGE).scenario.market.settings)
    found = market.clear(day.answer(case, nothing, controls=True), case.demand, case.offers, case.price)
    room = flexibility(day.network, found, case.offers, 0.25)
    most = sum(offer.p_max_kw for offer in case.offers)
    assert room.up_kw + room.down_kw == pytest.approx(most)
    assert room.down_kw == pytest.approx(float(found.dispatch.real.sum()), abs=1e-6)
    assert room.up_price > case.price.lmp
    assert room.hours == 0.25


TWO = chain("a", "b", resources=[generator("dear", "b", 100.0, 100.0), generator("cheap", "b", 50.0, 50.0)])
OFFERS = (Offer("dear", -20.0, 80.0, 40.0, 0.5), Offer("cheap", 0.0, 50.0, 10.0))


def told(loss: float = 0.0, adder: float = 0.0) -> Clearing:
    """30 kW of the dear one at its marginal cost of 55 $/MWh, and all of the cheap one; 400 kW are drawn."""
    energy, losses = np.full(6, 55.0 - adder), np.full(6, loss)
    nothing = np.zeros(6)
    parts = (energy, losses, nothing, nothing, nothing, nothing, nothing, nothing)
    prices = Prices(energy + losses + adder, nothing, *parts, np.full(6, adder), nothing)
    return Clearing(
        dispatch=np.array([30.0 + 0j, 50.0]),
        voltage=np.ones(6, dtype=complex),
        power=np.zeros(6, dtype=complex),
        head=np.array([400.0 + 0j, 0, 0]),
        losses_kw=0.0,
        prices=prices,
        cost=0.0,
    )


def test_what_is_left_has_its_mean_cost() -> None:
    """50 kW more at 55 to 80 $/MWh, 50 kW less at 55 to 30, and 50 kW of the cheap one at 10."""
    found = flexibility(TWO, told(), OFFERS, 0.25)
    assert (found.up_kw, found.down_kw, found.hours) == (50.0, 100.0, 0.25)
    assert found.up_price == pytest.approx((55.0 + 80.0) / 2)
    assert found.down_price == pytest.approx((50.0 * (55.0 + 30.0) / 2 + 50.0 * 10.0) / 100.0)


def test_nothing_left_has_no_price() -> None:
    idle = (Offer("cheap", 50.0, 50.0, 10.0),)
    found = flexibility(TWO, told(), idle, 0.25)
    assert (found.up_kw, found.down_kw, found.up_price, found.down_price) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("step", "kw"), [(0.0, 400.0), (3.0, 394.0), (10.0, 380.0), (30.0, 350.0), (-3.0, 406.0), (-30.0, 450.0)]
)
def test_a_price_moves_who_has_a_slope(step: float, kw: float) -> None:
    """A kW for every half a dollar, between -20 and 80 kW; the cheap one gives all it has at any of these."""
    curve = head_curve(TWO, told(), OFFERS, WholesalePrice(55.0))
    assert curve.at(step) == pytest.approx(kw)


def test_far_below_its_cost_the_cheap_one_stops() -> None:
    curve = head_curve(TWO, told(), OFFERS, WholesalePrice(55.0))
    assert curve.at(-100.0) == pytest.approx(400.0 + 50.0 + 50.0)


def test_a_kw_far_away_saves_more_at_the_head() -> None:
    """With a tenth of losses at the margin, a dollar at the head is 1.1 there and a kW saves 1.1."""
    clearing = told(loss=5.5)
    inner = (replace(OFFERS[0], cost_linear=45.5),)
    curve = head_curve(TWO, clearing, inner, WholesalePrice(55.0))
    assert curve.at(3.0) == pytest.approx(400.0 - 1.1 * 1.1 * 3.0 / 0.5)


def test_adders_are_told_and_not_steps() -> None:
    curve = head_curve(TWO, told(adder=20.0), OFFERS, WholesalePrice(55.0, adder=20.0))
    assert curve.adder.tolist() == [20.0 + step for step in LADDER]
    assert curve.at(20.0) == pytest.approx(400.0)
    assert (np.diff(curve.kw) <= 0).all()
