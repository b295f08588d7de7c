from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import Clock, answer_slot, last_slot_needed, market_slot

CLOCK = Clock(start_utc=1_598_328_000, period_s=300, intervals=288, rounds_max=4)


def test_slots_alternate_between_market_and_feeder() -> None:
    slots = [slot for trials in range(4) for slot in (market_slot(trials), answer_slot(trials))]
    assert slots == [2, 3, 4, 5, 6, 7, 8, 9]


def test_times_of_an_interval() -> None:
    assert CLOCK.at(0, 0) == 0.0
    assert CLOCK.at(2, 3) == 603.0
    assert CLOCK.recording(0) == 299.0
    assert CLOCK.recording(287) == CLOCK.end - 1.0
    assert CLOCK.recording(0) < CLOCK.recorded(0) < CLOCK.at(1, 0)
    assert CLOCK.utc(12) == CLOCK.start_utc + 3600
    assert CLOCK.label(0) == "2020-08-25T04:00Z"


@given(st.integers(0, 287), st.integers(0, 299))
def test_every_slot_lies_in_its_interval(interval: int, slot: int) -> None:
    assert CLOCK.interval_at(CLOCK.at(interval, slot)) == interval


def test_the_end_belongs_to_the_last_interval() -> None:
    assert CLOCK.interval_at(CLOCK.end) == 287


@pytest.mark.parametrize("rounds", [1, 4, 27])
def test_the_recorder_comes_after_every_round(rounds: int) -> None:
    clock = Clock(0, 60, 1, rounds)
    assert clock.at(0, last_slot_needed(rounds)) < clock.recording(0)
