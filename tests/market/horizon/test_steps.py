"""Which steps a horizon has from an interval on."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dlmp_cosim.market.horizon.steps import Span, StepGroup, spans

DAY = (StepGroup(300, 12), StepGroup(3600))


def test_the_first_step_is_the_interval() -> None:
    assert spans((StepGroup(300, 1),), 300, 7, None) == (Span(7, 8),)


def test_hours_run_to_the_end_and_the_last_is_cut() -> None:
    found = spans(DAY, 300, 3, 288)
    assert [span.intervals for span in found] == [1] * 12 + [12] * 22 + [9]
    assert found[-1].after == 288


def test_nothing_goes_beyond_the_end() -> None:
    found = spans(DAY, 300, 284, 288)
    assert found == tuple(Span(k, k + 1) for k in range(284, 288))


@pytest.mark.parametrize("interval", range(0, 288, 7))
def test_steps_follow_each_other(interval: int) -> None:
    found = spans(DAY, 300, interval, 288)
    assert found[0] == Span(interval, interval + 1)
    assert all(a.after == b.first for a, b in pairwise(found))


def test_a_counted_horizon_needs_no_end() -> None:
    assert spans((StepGroup(3600, 24),), 3600, 5, None)[-1] == Span(28, 29)
