"""What becomes of packets: shares, times, and draws that nobody's order changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.meeting.line import tick_at
from dlmp_cosim.market.meeting.network import Fate, ticks
from dlmp_cosim.market.meeting.rules import TICK_S, Conditions


def fate(seed: int = 1, grain: int = 1, **conditions: float) -> Fate:
    return Fate(seed, lambda *_: Conditions(**conditions), grain)


@pytest.mark.parametrize(
    ("seconds", "grain", "expected"),
    [(0.0, 1, 1), (1e-4, 1, 1), (0.05, 1, 500), (0.055, 200, 600), (0.04, 200, 400), (1e-6, 50, 50)],
)
def test_a_time_is_a_multiple_of_the_grain_and_one_at_least(
    seconds: float, grain: int, expected: int
) -> None:
    assert ticks(seconds, grain) == expected


@pytest.mark.parametrize(
    ("seconds", "grain", "tick"),
    [(0.0, 1, 0), (1e-4, 1, 1), (1.1e-4, 1, 2), (0.05, 200, 600), (math.inf, 7, math.inf)],
)
def test_somebody_acts_at_the_first_tick_that_has_come(seconds: float, grain: int, tick: float) -> None:
    assert tick_at(seconds, grain) == tick


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([1, 5, 200]))
def test_a_tick_has_come_at_its_own_time(tick: int, grain: int) -> None:
    assert tick_at(tick * grain * TICK_S, grain) == tick * grain


def test_an_ideal_link_draws_nothing() -> None:
    always = fate(delay_s=0.02)
    assert [list(always.arrivals(0, 1)) for _ in range(3)] == [[200]] * 3


def outcomes(made: Fate, count: int = 4000) -> list[list[int]]:
    return [list(made.arrivals(0, 1, 3)) for _ in range(count)]


def test_shares_are_those_of_the_link() -> None:
    """Of four thousand packets, within four standard deviations."""
    found = outcomes(fate(loss=0.2, duplication=0.1, delay_s=0.01))
    lost = sum(not copies for copies in found) / 4000
    twice = sum(len(copies) == 2 for copies in found) / sum(bool(copies) for copies in found)
    assert lost == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 4000) ** 0.5)
    assert twice == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / 3200) ** 0.5)


def test_a_random_time_has_its_mean_on_top_of_the_delay() -> None:
    waits = np.array([copies[0] for copies in outcomes(fate(delay_s=0.01, random_s=0.05))]) * TICK_S
    assert waits.min() >= 0.01 - TICK_S
    assert waits.mean() == pytest.approx(0.06, abs=4 * 0.05 / 4000**0.5)


def test_what_is_held_back_is_held_as_long_as_told() -> None:
    found = outcomes(fate(delay_s=0.01, reordering=0.3, held_s=0.5))
    times = {copies[0] for copies in found}
    assert times == {100, 5100}
    assert np.mean([copies[0] == 5100 for copies in found]) == pytest.approx(0.3, abs=0.03)


def test_the_same_packets_meet_the_same_fate_whoever_comes_first() -> None:
    one, other = (fate(loss=0.3, random_s=0.1) for _ in range(2))
    first = [list(one.arrivals(0, 1, 3)) for _ in range(20)]
    for _ in range(7):
        list(other.arrivals(1, 0, 3))
        list(other.arrivals(2, 1, 3))
    assert [list(other.arrivals(0, 1, 3)) for _ in range(20)] == first


def test_a_meeting_does_not_remember_the_one_before() -> None:
    one, other = (fate(loss=0.3, random_s=0.1) for _ in range(2))
    for _ in range(5):
        list(one.arrivals(0, 1, 3))
    assert [list(one.arrivals(0, 1, 4)) for _ in range(9)] == [
        list(other.arrivals(0, 1, 4)) for _ in range(9)
    ]


@pytest.mark.parametrize("change", [{"seed": 2}, {"sender": 2}, {"receiver": 2}, {"meeting": 4}])
def test_seed_ends_and_meeting_decide(change: dict[str, int]) -> None:
    def found(seed: int = 1, sender: int = 0, receiver: int = 1, meeting: int = 3) -> list[list[int]]:
        made = fate(seed, random_s=0.1)
        return [list(made.arrivals(sender, receiver, meeting)) for _ in range(9)]

    assert found() == found()
    assert found() != found(**change)
