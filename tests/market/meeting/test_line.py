"""A line brings every word once and in order, whatever is lost, copied or late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.agents.neighbours import Kind, Word
from dlmp_cosim.market.meeting.line import LEAST_WAIT_S, Line, Packet, read_packet, tick_at
from dlmp_cosim.market.meeting.network import Fate, ticks
from dlmp_cosim.market.meeting.rules import TICK_S, Conditions


def pair(*, repeats: bool = True, wait_s: float = 1.0) -> tuple[Line, Line]:
    return Line(7, 0, 1, repeats=repeats, wait_s=wait_s), Line(7, 1, 0, repeats=repeats, wait_s=wait_s)


def word(value: float) -> Word:
    return Word(Kind.VALUES, np.array([value], dtype=np.float64))


def read(raw: bytes) -> Packet:
    packet = read_packet(raw)
    assert packet is not None
    return packet


@settings(deadline=None, max_examples=100)
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
def test_words_arrive_once_and_in_order(order: list[int], again: list[int]) -> None:
    one, other = pair()
    raws = [one.say(word(k), 0.0) for k in range(6)]
    heard = [w.values[0] for k in [*order, *again] for w in other.hear(read(raws[k]), 1.0)]
    assert heard == [0, 1, 2, 3, 4, 5]
    assert other.ignored == len(again)


def test_what_is_not_acknowledged_is_repeated_and_waits_longer_each_time() -> None:
    one, other = pair()
    raw = one.say(word(1.0), 0.0)
    assert one.due(0.5) == []
    assert one.due(1.0) == [raw]
    assert one.due(2.9) == []
    assert one.due(3.0) == [raw]
    other.hear(read(raw), 3.5)
    assert other.owes
    one.hear(read(other.acknowledge()), 4.0)
    assert one.due(100.0) == []
    assert one.next_due == np.inf


def test_the_wait_follows_the_answers() -> None:
    one, other = pair()
    for k in range(30):
        now = 10.0 * k
        other.hear(read(one.say(word(k), now)), now + 0.05)
        one.hear(read(other.acknowledge()), now + 0.1)
    one.say(word(0.0), 1000.0)
    assert 1000.1 < one.next_due < 1000.15
    assert one.next_due - 1000.0 > LEAST_WAIT_S


def test_without_repetition_nothing_is_kept() -> None:
    one, other = pair(repeats=False)
    other.hear(read(one.say(word(1.0), 0.0)), 1.0)
    assert not other.owes
    assert one.due(100.0) == []


@pytest.mark.parametrize("raw", [b"", b"short", bytes(21), bytes(27)])
def test_bytes_that_are_no_packet_are_none(raw: bytes) -> None:
    assert read_packet(raw) is None


def test_shares_are_kept_and_draws_do_not_depend_on_who_comes_first() -> None:
    here = Conditions(delay_s=0.5, random_s=0.2, loss=0.2, duplication=0.1, reordering=0.1, held_s=1.0)
    fate = Fate(3, lambda *_: here)
    drawn = [list(fate.arrivals(0, 1)) for _ in range(4000)]
    assert sum(not item for item in drawn) / 4000 == pytest.approx(0.2, abs=0.02)
    assert sum(len(item) == 2 for item in drawn) / 4000 == pytest.approx(0.08, abs=0.015)
    first = TICK_S * np.array([item[0] for item in drawn if item])
    assert first.mean() == pytest.approx(0.5 + 0.2 + 0.1, abs=0.02)
    assert first.min() >= 0.5
    mixed = Fate(3, lambda *_: here)
    for _ in range(10):
        list(mixed.arrivals(1, 0))
    assert [list(mixed.arrivals(0, 1)) for _ in range(50)] == drawn[:50]


def test_an_ideal_link_takes_its_delay_and_one_tick_at_least() -> None:
    assert list(Fate(0, lambda *_: Conditions()).arrivals(0, 1)) == [ticks(0.0)] == [1]
    assert list(Fate(0, lambda *_: Conditions(delay_s=0.25)).arrivals(0, 1)) == [round(0.25 / TICK_S)]


def test_times_are_multiples_of_the_grain() -> None:
    fate = Fate(0, lambda *_: Conditions(delay_s=0.02, random_s=0.01), grain=50)
    drawn = [takes for _ in range(200) for takes in fate.arrivals(0, 1)]
    assert {takes % 50 for takes in drawn} == {0}
    assert min(drawn) >= 200
    assert ticks(0.0, 50) == 50
    assert [tick_at(seconds, 50) for seconds in (0.0, 1e-4, 5e-3, 5.1e-3)] == [0, 50, 50, 100]
