from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyEngine, toy_network

from dlmp_cosim.feeders.network import Resource
from dlmp_cosim.market.baselines.uniform import UniformMarket, award
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings

NETWORK = replace(
    toy_network(),
    resources=(
        Resource("dg", "generator", "b", (1, 2, 3), 300.0, 300.0),
        Resource("flex", "flexible_load", "b", (1,), 40.0, 42.0, load="load_a"),
    ),
)
STATE = ToyEngine(NETWORK).solve(np.full(3, 100 + 30j), np.zeros(2, dtype=complex), controls=False)
PRICES = st.floats(-200.0, 500.0)


@given(PRICES, st.floats(-100.0, 300.0), st.floats(1e-3, 10.0), st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_marginal_cost_meets_the_price(lmp: float, c1: float, c2: float, low: float, span: float) -> None:
    power = award(Offer("dg", low, low + span, c1, c2), WholesalePrice(lmp)).real
    assert low <= power <= low + span
    marginal = c1 + c2 * power
    if power < low + span:
        assert marginal >= lmp - 1e-9
    if power > low:
        assert marginal <= lmp + 1e-9


@given(PRICES, PRICES)
def test_a_higher_price_never_dispatches_less(one: float, other: float) -> None:
    offer = Offer("dg", 0.0, 300.0, 20.0, 0.05)
    low, high = sorted((one, other))
    assert award(offer, WholesalePrice(low)).real <= award(offer, WholesalePrice(high)).real


@pytest.mark.parametrize(("lmp", "kw"), [(19.9, 0.0), (20.0, 0.0), (20.1, 300.0)])
def test_a_constant_cost_is_all_or_nothing(lmp: float, kw: float) -> None:
    assert award(Offer("dg", 0.0, 300.0, 20.0), WholesalePrice(lmp)).real == kw


def test_reactive_power_follows_a_fixed_ratio_and_is_worth_its_price() -> None:
    offer = Offer("flex", 0.0, 20.0, 30.0, reactive_ratio=0.5)
    assert award(offer, WholesalePrice(29.0)) == 0.0
    assert award(offer, WholesalePrice(29.0, reactive=4.0)) == 20.0 + 10.0j


def test_reactive_power_stays_within_its_limits() -> None:
    assert award(Offer("dg", 0.0, 1.0, 0.0, q_min_kvar=2.0, q_max_kvar=5.0), WholesalePrice(10.0)).imag == 2.0


def test_a_clearing_prices_every_node_at_the_lmp_and_expects_no_change() -> None:
    market = UniformMarket(NETWORK, MarketSettings())
    price = WholesalePrice(30.0, 28.0, 1.0, 1.0, 2.0)
    found = market.clear(STATE, STATE.demand, [Offer("dg", 0.0, 300.0, 20.0, 0.05)], price)
    assert found.dispatch.tolist() == [200.0, 0.0]
    assert set(found.prices.real.tolist()) == {30.0}
    assert set(found.prices.reactive.tolist()) == {2.0}
    parts = found.prices
    total = parts.real_energy + parts.real_loss + parts.real_voltage + parts.real_congestion
    np.testing.assert_array_equal(total, parts.real)
    np.testing.assert_array_equal(found.voltage_magnitude, np.abs(STATE.voltage))
    assert found.cost == pytest.approx(0.03 * STATE.head.real.sum() + 20 * 0.2 + 0.05 * 200**2 / 2 / 1e3)
