"""A line in the corners: words far ahead, kinds that are none, growing waits, answers that teach nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.agents.neighbours import Kind, Word
from dlmp_cosim.market.meeting.line import (
    AHEAD,
    HEADER,
    LEAST_WAIT_S,
    MOST_WAIT_S,
    NOTHING,
    Line,
    Packet,
    read_packet,
    tick_at,
)
from dlmp_cosim.market.meeting.rules import TICK_S

KINDS = [kind for kind in Kind if int(kind) != NOTHING]


def pair(*, repeats: bool = True, wait_s: float = 1.0) -> tuple[Line, Line]:
    return Line(3, 0, 1, repeats=repeats, wait_s=wait_s), Line(3, 1, 0, repeats=repeats, wait_s=wait_s)


def word(*values: float, kind: Kind = Kind.VALUES) -> Word:
    return Word(kind, np.array(values))


def read(raw: bytes) -> Packet:
    packet = read_packet(raw)
    assert packet is not None
    return packet


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [(), (1.0,), (math.nan, -math.inf, 1e-300)])
def test_a_word_arrives_as_it_was_said(kind: Kind, values: tuple[float, ...]) -> None:
    one, other = pair()
    (heard,) = other.hear(read(one.say(word(*values, kind=kind), 0.0)), 1.0)
    assert heard.kind == kind
    np.testing.assert_array_equal(heard.values, values)


def test_a_packet_says_whose_it_is() -> None:
    one, other = pair()
    other.hear(read(one.say(word(1.0), 0.0)), 1.0)
    packet = read(other.say(word(2.0), 1.0))
    assert (packet.meeting, packet.sender, packet.receiver, packet.place, packet.heard) == (3, 1, 0, 0, 1)
    assert np.frombuffer(packet.payload).tolist() == [2.0]


def test_what_arrives_early_waits_for_what_is_missing() -> None:
    one, other = pair()
    raws = [one.say(word(float(k)), 0.0) for k in range(3)]
    assert other.hear(read(raws[2]), 1.0) == []
    assert other.hear(read(raws[1]), 1.0) == []
    assert [w.values[0] for w in other.hear(read(raws[0]), 1.0)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(("place", "kept"), [(0, True), (AHEAD - 1, True), (AHEAD, False), (10**6, False)])
def test_no_more_is_kept_ahead_than_an_honest_neighbour_says(place: int, kept: bool) -> None:
    _, other = pair()
    raw = HEADER.pack(3, 0, 1, place, 0, int(Kind.VALUES)) + bytes(8)
    other.hear(read(raw), 1.0)
    assert (other.ignored == 0) is kept


@pytest.mark.parametrize("kind", [99, 200, 255])
def test_a_kind_that_there_is_not_is_passed_over_and_acknowledged(kind: int) -> None:
    _, other = pair()
    assert other.hear(read(HEADER.pack(3, 0, 1, 0, 0, kind) + bytes(8)), 1.0) == []
    assert (other.ignored, other.owes) == (1, True)


def test_an_acknowledgement_says_nothing_and_is_owed_nothing() -> None:
    one, other = pair()
    assert one.hear(read(other.acknowledge()), 1.0) == []
    assert (one.owes, one.ignored) == (False, 0)


def test_what_is_said_acknowledges_as_well() -> None:
    one, other = pair()
    other.hear(read(one.say(word(1.0), 0.0)), 1.0)
    before, answer, after = other.owes, other.say(word(2.0), 1.0), other.owes
    assert (before, after) == (True, False)
    one.hear(read(answer), 2.0)
    assert one.next_due == math.inf


def test_one_acknowledgement_is_for_all_before_it() -> None:
    one, other = pair()
    for k in range(5):
        other.hear(read(one.say(word(float(k)), 0.0)), 0.5)
    one.hear(read(other.acknowledge()), 1.0)
    assert one.due(1e6) == []


def test_waits_double_up_to_a_minute() -> None:
    one, _ = pair(wait_s=1.0)
    one.say(word(1.0), 0.0)
    waits, now = [], 0.0
    for _ in range(9):
        due = one.next_due
        waits.append(due - now)
        now = due
        assert len(one.due(now)) == 1
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert one.repetitions == 9


def test_only_what_is_due_is_repeated() -> None:
    one, _ = pair()
    first = one.say(word(1.0), 0.0)
    second = one.say(word(2.0), 0.6)
    assert one.due(1.0) == [first]
    assert one.due(1.6) == [second]


def test_half_a_tick_too_early_is_in_time() -> None:
    one, _ = pair()
    one.say(word(1.0), 0.0)
    assert one.due(1.0 - 0.6 * TICK_S) == []
    assert len(one.due(1.0 - 0.4 * TICK_S)) == 1


def answered(line: Line, other: Line, at: float, took: float) -> None:
    other.hear(read(line.say(word(1.0), at)), at + took)
    line.hear(read(other.acknowledge()), at + took)


@pytest.mark.parametrize(
    ("took", "wait"), [(0.2, 0.6), (2.0, 6.0), (1e-5, LEAST_WAIT_S), (100.0, MOST_WAIT_S)]
)
def test_the_first_answer_sets_the_wait(took: float, wait: float) -> None:
    """The mean, and four times half of it."""
    one, other = pair()
    answered(one, other, 0.0, took)
    one.say(word(2.0), 1000.0)
    assert one.next_due - 1000.0 == pytest.approx(wait)


def test_an_answer_to_what_was_repeated_teaches_nothing() -> None:
    one, other = pair()
    raw = one.say(word(1.0), 0.0)
    one.due(1.0)
    other.hear(read(raw), 1.1)
    one.hear(read(other.acknowledge()), 1.2)
    one.say(word(2.0), 10.0)
    assert one.next_due == 11.0


@given(st.lists(st.floats(1e-4, 50.0), min_size=1, max_size=20))
def test_a_wait_stays_within_its_ends_whatever_the_answers(times: list[float]) -> None:
    one, other = pair()
    for k, took in enumerate(times):
        answered(one, other, 100.0 * k, took)
    one.say(word(0.0), 1e5)
    assert LEAST_WAIT_S <= one.next_due - 1e5 <= MOST_WAIT_S + 1e-9


@given(st.lists(st.sampled_from(["lost", "twice", "late", "fine"]), min_size=1, max_size=12))
def test_every_word_arrives_once_and_in_order_whatever_the_network_does(fates: list[str]) -> None:
    one, other = pair()
    late: list[bytes] = []
    heard: list[float] = []

    def arrive(raw: bytes) -> None:
        heard.extend(w.values[0] for w in other.hear(read(raw), 1.0))

    for k, fate in enumerate(fates):
        raw = one.say(word(float(k)), 0.0)
        if fate == "late":
            late.append(raw)
        elif fate != "lost":
            arrive(raw)
        if fate == "twice":
            arrive(raw)
    for raw in late:
        arrive(raw)
    for raw in one.due(1e6):
        arrive(raw)
    assert heard == [float(k) for k in range(len(fates))]


@given(st.floats(0.0, 1e3), st.sampled_from([1, 2, 5, 100]))
def test_a_tick_is_never_before_its_time_nor_a_grain_after(seconds: float, grain: int) -> None:
    tick = tick_at(seconds, grain)
    assert tick % grain == 0
    assert seconds - 1e-9 <= tick * TICK_S + grain * TICK_S * 1e-5
    assert tick * TICK_S <= seconds + grain * TICK_S
