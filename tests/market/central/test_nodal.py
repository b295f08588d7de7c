"""The central reference on circuits so small that its answers can be worked out, and without resources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.nodal import CentralNodal, CentralSolution
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.nodal.small import OFFERS, PRICE, idle_state
from tests.market.nodal.small import sample as small
from tests.market.support import ABC, Sample, ladder, solve

WIDE = MarketSettings(voltage_min_pu=0.5, voltage_max_pu=1.5)
KW, KVAR = 180.0, 75.0
"""Demand of the three loads behind a line without impedance."""


@pytest.fixture(scope="module")
def stiff() -> tuple[Sample, AcState]:
    """A generator and a load that can be shed where nothing is lost and no voltage moves."""
    resources = (
        Resource("gen", "generator", "n1", wye(ABC), 200.0, 200.0),
        Resource("shed", "flexible_load", "n1", wye((1,)), 20.0, 20.0, load="n1_1"),
    )
    sample = ladder(1, ohm=1e-9, rating_a=1e6, resources=resources)
    return sample, solve(sample.feeder())


def solved(
    stiff: tuple[Sample, AcState], *offers: Offer, lmp: float = 40.0, reactive: float = 0.0
) -> CentralSolution:
    sample, state = stiff
    price = WholesalePrice(lmp, reactive=reactive)
    return CentralNodal(sample.network, WIDE).solve(state, sample.network.listed_demand, offers, price)


@pytest.mark.parametrize(
    ("lmp", "kw"),
    [
        pytest.param(20.0, 0.0, id="dear power is not bought"),
        pytest.param(30.0, 0.0, id="nor at its own cost"),
        pytest.param(36.0, 60.0, id="up to where it costs as much"),
        pytest.param(48.0, 180.0, id="and beyond what is asked for"),
        pytest.param(500.0, 200.0, id="cheap power as far as it goes"),
        pytest.param(-50.0, 0.0, id="nothing at a negative price"),
    ],
)
def test_a_generator_gives_until_it_costs_the_price(
    stiff: tuple[Sample, AcState], lmp: float, kw: float
) -> None:
    found = solved(stiff, Offer("gen", 0.0, 200.0, 30.0, 0.1), lmp=lmp)
    assert found.dispatch[0].real == pytest.approx(kw, abs=0.05)
    cost = (lmp * (KW - kw) + 30.0 * kw + 0.1 * kw**2 / 2) / 1e3
    assert found.cost == pytest.approx(cost, abs=1e-3)
    np.testing.assert_allclose(found.price_real, lmp, rtol=1e-4)


@pytest.mark.parametrize(("reactive", "kvar"), [(5.0, 40.0), (-5.0, -30.0)])
def test_reactive_power_goes_where_it_is_worth_something(
    stiff: tuple[Sample, AcState], reactive: float, kvar: float
) -> None:
    offer = Offer("gen", 0.0, 0.0, 30.0, 0.1, -30.0, 40.0)
    found = solved(stiff, offer, reactive=reactive)
    assert found.dispatch[0].imag == pytest.approx(kvar, abs=0.05)
    np.testing.assert_allclose(found.price_reactive, reactive, rtol=1e-4)


def test_apparent_power_is_shared_between_what_both_are_worth(stiff: tuple[Sample, AcState]) -> None:
    """A disc of 100 kVA at worths of 30 and 40: three fifths and four fifths of it."""
    offer = Offer("gen", 0.0, 200.0, 10.0, 0.0, -200.0, 200.0, 100.0)
    found = solved(stiff, offer, lmp=40.0, reactive=40.0)
    assert found.dispatch[0] == pytest.approx(60 + 80j, abs=0.5)


def test_what_is_shed_takes_its_reactive_power_along(stiff: tuple[Sample, AcState]) -> None:
    found = solved(stiff, Offer("shed", 0.0, 20.0, 35.0, reactive_ratio=25.0 / 60.0), reactive=2.0)
    assert found.dispatch[1] == pytest.approx(20.0 * (1 + 25j / 60), abs=1e-2)
    saved = (40.0 * 20 + 2.0 * 20 * 25 / 60 - 35.0 * 20) / 1e3
    assert found.cost == pytest.approx((40.0 * KW + 2.0 * KVAR) / 1e3 - saved, abs=1e-4)


def test_a_resource_without_an_offer_stays(stiff: tuple[Sample, AcState]) -> None:
    assert not np.abs(solved(stiff, Offer("gen", 0.0, 200.0, 10.0)).dispatch[1]) > 1e-6


BAND = {"voltage_max_pu": 1.2, "rating_scale": 0.2}


@pytest.mark.parametrize("voltage_min_pu", [0.9, 0.99])
def test_without_resources_limits_pay_their_penalty(voltage_min_pu: float) -> None:
    """Nothing can be dispatched: cost and prices are those of the state and of what it exceeds."""
    sample = ladder(2)
    state, demand = solve(sample.feeder()), sample.network.listed_demand
    settings = MarketSettings(voltage_min_pu=voltage_min_pu, **BAND)  # type: ignore[arg-type]
    found = CentralNodal(sample.network, settings).solve(state, demand, (), PRICE)
    head = state.head.sum()
    volts = np.abs(state.voltage)
    rating = 0.2 * sample.network.conductor_rating
    beyond = 1e4 * np.maximum(voltage_min_pu - volts, 0.0).sum()
    beyond += (1e4 * np.maximum(state.current / rating - 1.0, 0.0)).sum()
    assert found.cost == pytest.approx(
        (PRICE.lmp * head.real + PRICE.reactive * head.imag) / 1e3 + beyond, rel=1e-6
    )
    market = NodalMarket(sample.network, settings).clear(state, demand, (), PRICE)
    assert market.cost == pytest.approx(found.cost, rel=1e-6)
    np.testing.assert_allclose(market.prices.real, found.price_real, rtol=1e-4)
    exceeded = volts < voltage_min_pu
    np.testing.assert_array_equal(found.voltage != 0.0, exceeded)
    np.testing.assert_allclose(found.voltage[exceeded], -1e4)


@pytest.mark.parametrize("beyond", [-1e-3, 1e-3])
def test_an_overvoltage_without_resources_is_paid_upwards(beyond: float) -> None:
    sample = ladder(1)
    state = solve(sample.feeder())
    highest = float(np.abs(state.voltage).max())
    settings = MarketSettings(voltage_min_pu=0.5, voltage_max_pu=highest - beyond)
    found = CentralNodal(sample.network, settings).solve(state, sample.network.listed_demand, (), PRICE)
    assert found.voltage.max() == pytest.approx(1e4 if beyond > 0 else 0.0)
    assert found.voltage.min() == 0.0


def test_limits_join_until_none_is_left_out() -> None:
    sample, state = small(), idle_state()
    settings = replace(WIDE, voltage_min_pu=0.975)
    central = CentralNodal(sample.network, settings)
    demand = sample.network.listed_demand
    program = central.case(state, demand, OFFERS, PRICE).program
    nothing = np.zeros(6)
    first = program.missed(nothing, np.zeros(0, dtype=np.int64))
    assert len(first)
    np.testing.assert_array_equal(program.missed(nothing, first), [])
    volts = np.abs(state.voltage)[first]
    np.testing.assert_array_equal(volts, np.sort(volts))
    assert (volts < 0.975).all()


def test_a_reference_can_be_asked_again_and_forgets_what_it_was_told() -> None:
    sample, state = small(), idle_state()
    central, demand = CentralNodal(sample.network, WIDE), sample.network.listed_demand
    first = central.solve(state, demand, OFFERS, PRICE)
    central.solve(state, 0.5 * demand, OFFERS[:1], WholesalePrice(-20.0))
    again = central.solve(state, demand, OFFERS, PRICE)
    assert again.cost == pytest.approx(first.cost, rel=1e-9)
    np.testing.assert_allclose(again.dispatch, first.dispatch, atol=1e-6)


def test_a_reference_answers_as_a_clearing_does() -> None:
    sample, state = small(), idle_state()
    central, demand = CentralNodal(sample.network, WIDE), sample.network.listed_demand
    answer, found = (
        central.answer(state, demand, OFFERS, PRICE),
        central.solve(state, demand, OFFERS, PRICE),
    )
    assert (answer.cost, answer.slack) == pytest.approx((found.cost, 0.0))
    np.testing.assert_allclose(answer.award, found.dispatch, atol=1e-9)
    np.testing.assert_allclose(answer.price_real, found.price_real)
