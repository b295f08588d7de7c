from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from toys import ToyEngine, toy_network

from dlmp_cosim.federates.anchoring.hold import hold
from dlmp_cosim.federates.contract.exchange import (
    STATE_TOPICS,
    clearing_values,
    read_state,
    state_of,
    state_values,
)
from dlmp_cosim.federates.contract.topics import find_topic, published_by
from dlmp_cosim.market.offers import WholesalePrice

NETWORK = toy_network()


def solved(kw: float) -> Any:
    demand = np.full(3, complex(kw, 0.3 * kw))
    return ToyEngine(NETWORK).solve(demand, np.zeros(0, dtype=complex), controls=False)


@given(st.floats(-500.0, 500.0))
def test_an_ac_state_survives_the_wire(kw: float) -> None:
    state = solved(kw)
    found = state_of(state_values(state))
    for name in (
        "voltage",
        "power",
        "current",
        "load",
        "demand",
        "injection",
        "machine",
        "tap",
        "capacitor",
        "admittance",
        "head",
    ):
        np.testing.assert_allclose(getattr(found, name), getattr(state, name), rtol=1e-14, atol=1e-14)
    assert found.losses == state.losses


def test_a_state_fills_every_topic_with_the_right_length() -> None:
    values = state_values(solved(100.0))
    assert set(values) == {topic.key for topic in STATE_TOPICS}
    for key, value in values.items():
        topic = find_topic(key)
        assert topic is not None
        if topic.ids:
            assert len(value) == len(topic.id_list(NETWORK))  # type: ignore[arg-type]
        else:
            assert isinstance(value, float)


def test_a_state_is_read_from_the_link(scripted: Any) -> None:
    state = solved(100.0)
    link = scripted({0.0: state_values(state)})
    assert read_state(link, since=0.0).head.tolist() == state.head.tolist()


def test_a_clearing_fills_every_topic_of_the_market() -> None:
    values = clearing_values(hold(NETWORK, None, solved(100.0), [], WholesalePrice(30.0, 30.0)))
    expected = {topic.key for topic in published_by("market")} - {"market/clearing"}
    assert set(values) == expected
    for key, value in values.items():
        topic = find_topic(key)
        assert topic is not None
        if topic.ids:
            assert len(value) == len(topic.id_list(NETWORK))  # type: ignore[arg-type]
