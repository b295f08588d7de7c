"""An endpoint in front of a HELICS that is told: times in ticks, and a federation that ends."""

from __future__ import annotations

from typing import Any

import helics as h
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.wire.post import (
    HELICS_TICK,
    NETWORK_SECOND,
    Letter,
    Post,
    endpoint_name,
    stopped,
    tick_of,
)
from dlmp_cosim.market.meeting.rules import TICK_S


class Helics:
    """What a post asks of HELICS."""

    def __init__(self) -> None:
        self.now, self.grants = 0.0, 0.0
        self.sent: list[tuple[bytes, str, float]] = []
        self.arrived: list[tuple[str, bytes]] = []
        self.broken = ""

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Stand in place of the library."""
        patch.setattr(h, "helicsFederateGetEndpoint", lambda _federate, name: name)
        patch.setattr(h, "helicsFederateGetCurrentTime", lambda _: self.now)
        patch.setattr(h, "helicsFederateRequestTime", self.request)
        patch.setattr(h, "helicsEndpointSendBytesToAt", self.send)
        patch.setattr(h, "helicsEndpointHasMessage", lambda _: bool(self.arrived))
        patch.setattr(h, "helicsEndpointGetMessage", lambda _: self.arrived.pop(0))
        patch.setattr(h, "helicsMessageGetOriginalSource", lambda message: message[0])
        patch.setattr(h, "helicsMessageGetBytes", lambda message: message[1])

    def request(self, _federate: Any, until: float) -> float:
        if self.broken:
            raise h.HelicsException(self.broken)
        self.now = self.grants or until
        return self.now

    def send(self, endpoint: str, raw: bytes, to: str, at: float) -> None:
        assert endpoint == "market/post"
        if self.broken:
            raise h.HelicsException(self.broken)
        self.sent.append((raw, to, at))


@pytest.fixture
def helics(monkeypatch: pytest.MonkeyPatch) -> Helics:
    told = Helics()
    told.use(monkeypatch)
    return told


@pytest.fixture
def post(helics: Helics) -> Post:
    assert helics.now == 0.0
    return Post(None, "market", Heartbeat(None, "market"))


def test_a_second_of_the_network_is_a_thousandth_of_a_simulated_one() -> None:
    assert pytest.approx(TICK_S * NETWORK_SECOND) == HELICS_TICK
    assert tick_of(1.0) == round(1e3 / TICK_S)


@settings(max_examples=40)
@given(st.integers(0, 10**12))
def test_a_tick_comes_back_from_its_time(tick: int) -> None:
    assert tick_of(tick * HELICS_TICK) == tick


def test_a_message_is_due_before_the_step_that_it_is_for(post: Post, helics: Helics) -> None:
    helics.now = 40 * HELICS_TICK
    post.send("agents_1", b"word", 3)
    ((raw, to, at),) = helics.sent
    assert (raw, to) == (b"word", endpoint_name("agents_1"))
    assert 42 * HELICS_TICK < at < 43 * HELICS_TICK


def test_waiting_is_until_a_tick(post: Post, helics: Helics) -> None:
    post.wait(7)
    assert post.tick == tick_of(helics.now) == 7


def test_a_time_before_the_one_asked_for_is_the_end_of_the_federation(post: Post, helics: Helics) -> None:
    helics.grants = 3 * HELICS_TICK
    with pytest.raises(FederationStopped, match=r"^the federation ended at 3e-07 s, before 7e-07 s$"):
        post.wait(7)


@pytest.mark.parametrize("act", [lambda post: post.wait(7), lambda post: post.send("x", b"", 1)])
def test_a_federation_that_broke_stops_it(post: Post, helics: Helics, act: Any) -> None:
    helics.broken = "[-4] the broker is gone"
    with pytest.raises(FederationStopped, match=r"^the broker is gone$"):
        act(post)


def test_letters_come_in_order_with_their_sender(post: Post, helics: Helics) -> None:
    helics.arrived = [("agents_1/post", b"one"), ("agents_2/post", b""), ("odd", b"\x00\xff")]
    assert post.take() == [Letter("agents_1", b"one"), Letter("agents_2", b""), Letter("odd", b"\x00\xff")]
    assert post.take() == []


@pytest.mark.parametrize(
    ("why", "said"),
    [("as it is", "as it is"), (ValueError("[-3] told"), "told"), (ValueError("bare"), "bare")],
)
def test_who_is_stopped_is_told_why(why: Any, said: str) -> None:
    assert str(stopped(why)) == said
