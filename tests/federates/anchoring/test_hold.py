from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyEngine, toy_network

from dlmp_cosim.federates.anchoring.hold import hold, within
from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.offers import Offer, WholesalePrice

NETWORK = replace(toy_network(), resources=(Resource("dg", "generator", "b", wye((1, 2, 3)), 300.0, 300.0),))
STATE = ToyEngine(NETWORK).solve(np.full(3, 100 + 30j), np.zeros(1, dtype=complex), controls=False)
PRICE = WholesalePrice(30.0, 30.0)
OFFER = Offer("dg", 0.0, 300.0, 18.0)


def test_the_first_interval_dispatches_nothing_at_the_lmp() -> None:
    found = hold(NETWORK, None, STATE, [OFFER], PRICE)
    assert found.dispatch.tolist() == [0.0]
    assert set(found.prices.real.tolist()) == {30.0}
    assert found.head.tolist() == STATE.head.tolist()


def test_dispatch_and_prices_are_repeated_within_the_offer() -> None:
    last = replace(hold(NETWORK, None, STATE, [OFFER], WholesalePrice(20.0)), dispatch=np.array([250.0 + 0j]))
    found = hold(NETWORK, last, STATE, [replace(OFFER, p_max_kw=200.0)], PRICE)
    assert found.dispatch.tolist() == [200.0]
    assert set(found.prices.real.tolist()) == {20.0}


def test_what_is_not_offered_is_not_dispatched() -> None:
    last = replace(hold(NETWORK, None, STATE, [OFFER], PRICE), dispatch=np.array([250.0 + 0j]))
    assert hold(NETWORK, last, STATE, [], PRICE).dispatch.tolist() == [0.0]


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_a_power_is_brought_within_limits(real: float, imaginary: float) -> None:
    offer = Offer("dg", -5.0, 10.0, 0.0, q_min_kvar=-1.0, q_max_kvar=2.0)
    found = within(offer, complex(real, imaginary))
    assert -5.0 <= found.real <= 10.0
    assert -1.0 <= found.imag <= 2.0
    assert within(offer, found) == found


def test_a_flexible_load_keeps_its_power_factor() -> None:
    assert within(Offer("dg", 0.0, 10.0, 0.0, reactive_ratio=0.5), 20.0 + 0j) == 10.0 + 5.0j
