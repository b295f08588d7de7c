"""Slots with and without exchanges at a substation: who acts when, and nobody at a time with another."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import (
    FORECAST_SLOT,
    HALF_SLOT_S,
    OFFER_SLOT,
    PRICE_SLOT,
    Clock,
    answer_delay,
    answer_slot,
    call_slot,
    last_slot_needed,
    market_slot,
)

EXCHANGES = st.integers(0, 8)


@pytest.mark.parametrize(
    ("exchanges", "market", "calls", "answers"),
    [
        (0, [2, 4, 6], [], [3, 5, 7]),
        (1, [2, 6, 10], [3, 7, 11], [5, 9, 13]),
        (2, [2, 8, 14], [3, 5, 9, 11, 15, 17], [7, 13, 19]),
    ],
)
def test_an_interval_has_trials_with_exchanges_before_each(
    exchanges: int, market: list[int], calls: list[int], answers: list[int]
) -> None:
    assert [market_slot(trials, exchanges) for trials in range(3)] == market
    assert [call_slot(t, k, exchanges) for t in range(3) for k in range(exchanges)] == calls
    assert [answer_slot(trials, exchanges) for trials in range(3)] == answers


@given(EXCHANGES, st.integers(1, 9))
def test_slots_of_all_follow_each_other_without_two_at_a_time(exchanges: int, rounds: int) -> None:
    slots = []
    for trials in range(rounds):
        slots += [market_slot(trials, exchanges)]
        slots += [call_slot(trials, k, exchanges) for k in range(exchanges)]
        slots += [answer_slot(trials, exchanges)]
    assert all(before < after for before, after in pairwise(slots))
    assert slots[0] > max(PRICE_SLOT, OFFER_SLOT, FORECAST_SLOT)


@given(EXCHANGES, st.integers(0, 9))
def test_the_market_goes_on_right_after_its_feeder(exchanges: int, trials: int) -> None:
    assert market_slot(trials + 1, exchanges) == answer_slot(trials, exchanges) + 1
    assert answer_slot(trials, exchanges) - market_slot(trials, exchanges) == answer_delay(exchanges)


@given(EXCHANGES, st.integers(1, 9))
def test_a_final_dispatch_after_all_rounds_has_its_slot(exchanges: int, rounds: int) -> None:
    assert last_slot_needed(rounds, exchanges) == answer_slot(rounds, exchanges)


CLOCK = Clock(1_598_328_000, 300, 3, rounds_max=2, exchanges=2)


@pytest.mark.parametrize(("interval", "start"), [(0, 0.0), (1, 300.0), (2, 600.0)])
def test_times_of_an_interval_begin_with_it(interval: int, start: float) -> None:
    assert CLOCK.at(interval, 0) == start
    assert CLOCK.market(interval, 1) == start + 8
    assert CLOCK.call(interval, 1, 1) == start + 11
    assert CLOCK.answer(interval, 1) == start + 13
    assert CLOCK.recording(interval) == start + 299
    assert CLOCK.recorded(interval) == start + 299.5


def test_times_are_multiples_of_half_a_slot() -> None:
    times = [CLOCK.market(1, 2), CLOCK.call(1, 2, 0), CLOCK.answer(1, 2), CLOCK.recorded(1), CLOCK.end]
    assert [time % HALF_SLOT_S for time in times] == [0.0] * 5


@pytest.mark.parametrize(
    ("time", "interval"),
    [(0.0, 0), (299.999, 0), (300.0, 1), (899.5, 2), (900.0, 2), (1e9, 2)],
)
def test_a_time_lies_in_an_interval_and_the_end_in_the_last(time: float, interval: int) -> None:
    assert CLOCK.interval_at(time) == interval


@pytest.mark.parametrize(
    ("start", "period", "interval", "label"),
    [
        (0, 60, 0, "1970-01-01T00:00Z"),
        (1_598_328_000, 300, 1, "2020-08-25T04:05Z"),
        (1_583_650_800, 3600, 0, "2020-03-08T07:00Z"),
        (1_604_206_800, 3600, 1, "2020-11-01T06:00Z"),
        (1_598_328_000, 90, 1, "2020-08-25T04:01Z"),
    ],
)
def test_a_label_is_in_utc_whatever_clocks_do(start: int, period: int, interval: int, label: str) -> None:
    assert Clock(start, period, 9).label(interval) == label


def test_an_interval_starts_when_the_one_before_ends() -> None:
    assert [CLOCK.utc(k) - CLOCK.start_utc for k in range(3)] == [0, 300, 600]
    assert CLOCK.end == 900.0
