"""What broken agents make of their words, and when."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.market.agents.neighbours import Kind, Word
from dlmp_cosim.market.meeting.faults import HUGE, Fault
from dlmp_cosim.market.meeting.rules import WINDOWS, FaultKind


def word(*values: float, kind: Kind = Kind.VALUES) -> Word:
    return Word(kind, np.array(values))


@pytest.mark.parametrize(
    ("kind", "about", "said", "becomes"),
    [
        ("nan", Kind.VALUES, [1.0, 2.0], [1.0, np.nan]),
        ("huge", Kind.PRICES, [1.0, 2.0], [1.0, HUGE]),
        ("nan", Kind.SUMMARY, [1.0], [np.nan]),
        ("nan", Kind.VALUES, [], []),
        ("nan", Kind.REDUCED, [1.0], [1.0]),
        ("inconsistent", Kind.VALUES, [1.0, -2.0], [1.2, -2.4]),
        ("inconsistent", Kind.PRICES, [1.0], [1.0]),
        ("silent", Kind.VALUES, [1.0], [1.0]),
        ("wrong", Kind.VALUES, [1.0], [1.0]),
    ],
)
def test_words(kind: FaultKind, about: Kind, said: list[float], becomes: list[float]) -> None:
    told = word(*said, kind=about)
    heard = Fault(0, kind).distort(1, 5, told)
    np.testing.assert_allclose(heard.values, becomes)
    assert heard.kind == about
    np.testing.assert_array_equal(told.values, said)


def test_a_replayed_word_is_the_first_of_its_kind_for_that_neighbour() -> None:
    fault = Fault(0, "replayed")
    for first in (word(1.0), word(5.0, kind=Kind.PRICES)):
        assert fault.distort(1, 0, first) is first
    assert fault.distort(1, 3, word(2.0)).values.tolist() == [1.0]
    assert fault.distort(1, 3, word(6.0, kind=Kind.PRICES)).values.tolist() == [5.0]
    assert fault.distort(2, 3, word(9.0)).values.tolist() == [9.0]
    assert fault.distort(2, 4, word(8.0)).values.tolist() == [9.0]


def test_a_word_of_another_length_cannot_be_replayed() -> None:
    fault = Fault(0, "replayed")
    fault.distort(1, 0, word(1.0))
    assert fault.distort(1, 1, word(2.0, 3.0)).values.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(("meeting", "broken"), [(1, False), (2, True), (4, True), (5, False)])
def test_a_fault_begins_and_ends(meeting: int, broken: bool) -> None:
    assert Fault(0, "silent", 2, 4).is_silent(meeting) is broken
    assert np.isnan(Fault(0, "nan", 2, 4).distort(1, meeting, word(1.0)).values[0]) == broken


def test_only_the_silent_are_silent() -> None:
    kinds: list[FaultKind] = ["nan", "huge", "replayed", "inconsistent", "wrong"]
    assert not any(Fault(0, kind).is_silent(3) for kind in kinds)


@pytest.mark.parametrize(
    ("meeting", "silent"),
    [(3 * WINDOWS - 1, False), (3 * WINDOWS, True), (5 * WINDOWS - 1, True), (5 * WINDOWS, False)],
)
def test_intervals_are_as_long_as_their_meetings(meeting: int, silent: bool) -> None:
    assert Fault.in_intervals(0, "silent", 3, 4).is_silent(meeting) is silent
