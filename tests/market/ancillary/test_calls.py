"""What is called of awards, and how answers are judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.calls import (
    CallAnswer,
    answers,
    calls_of,
    counted,
    delivered_of,
    due_kw,
    missed_kw,
    set_point,
    shares_called,
)
from dlmp_cosim.market.ancillary.products import Awards

THERE = {"regulation_up": 100.0, "reserve": 300.0, "regulation_down": 50.0}
WHO = ("north", "dg", "reserve")


@pytest.mark.parametrize(
    ("imbalance", "expected"),
    [
        (0.0, {"regulation_up": 0.0, "reserve": 0.0, "regulation_down": 0.0}),
        (40.0, {"regulation_up": 0.4, "reserve": 0.0, "regulation_down": 0.0}),
        (250.0, {"regulation_up": 1.0, "reserve": 0.5, "regulation_down": 0.0}),
        (900.0, {"regulation_up": 1.0, "reserve": 1.0, "regulation_down": 0.0}),
        (-25.0, {"regulation_up": 0.0, "reserve": 0.0, "regulation_down": 0.5}),
    ],
)
def test_an_imbalance_calls_regulation_before_reserve(imbalance: float, expected: dict[str, float]) -> None:
    assert shares_called(THERE, imbalance, {}) == pytest.approx(expected)


def test_a_signal_calls_its_own_product_and_leaves_the_imbalance_to_the_others() -> None:
    assert shares_called(THERE, 150.0, {"regulation_up": -0.5, "regulation_down": -0.5}) == {
        "regulation_up": 0.0,
        "reserve": 0.5,
        "regulation_down": 0.5,
    }


def test_what_nobody_sold_is_not_called() -> None:
    assert shares_called({"reserve": 0.0}, 100.0, {}) == {}


def test_every_resource_is_called_by_the_same_share() -> None:
    awards: Awards = {
        "a": {"x": {"reserve": 80.0}, "y": {"regulation_up": 10.0}},
        "b": {"z": {"reserve": 20.0}},
    }
    assert calls_of(awards, {"reserve": 0.25, "regulation_up": 0.0}) == {
        "a": {"x": {"reserve": 20.0}},
        "b": {"z": {"reserve": 5.0}},
    }


def test_a_resource_called_for_two_products_has_one_set_point() -> None:
    called = {"regulation_up": 10.0, "reserve": 30.0}
    assert set_point(called) == 40.0
    assert delivered_of(called, 20.0) == {"regulation_up": 10.0, "reserve": 10.0}, "what is due first"
    assert delivered_of(called, 50.0) == called
    assert delivered_of(called, -5.0) == {"regulation_up": 0.0, "reserve": 0.0}
    assert delivered_of({"regulation_down": 8.0}, -4.0) == {"regulation_down": 4.0}
    assert delivered_of({"regulation_up": 8.0, "regulation_down": 8.0}, 0.0) == {
        "regulation_up": 8.0,
        "regulation_down": 8.0,
    }
    assert delivered_of({"regulation_up": 8.0, "regulation_down": 4.0}, 2.0) == {
        "regulation_up": 4.0,
        "regulation_down": 2.0,
    }


def judged(called: list[float], got: list[float], within: float = 10.0) -> list[CallAnswer]:
    return answers(WHO, np.array(called), np.array(got), (5.0, within), 0.5)


@pytest.mark.parametrize(
    ("got", "answer", "missed"),
    [
        ([0, 30, 60, 60, 60, 0], "delivered", 0.0),
        ([0, 20, 40, 60, 60, 0], "late", 20.0),
        ([0, 10, 20, 30, 40, 0], "short", 40.0),
        ([0, 0, 0, 0, 0, 0], "short", 60.0),
    ],
)
def test_called_power_has_to_be_there_in_time(got: list[float], answer: str, missed: float) -> None:
    (found,) = judged([0, 60, 60, 60, 60, 0], got)
    assert (found.answer, found.missed_kw, found.begin, found.end) == (answer, missed, 1, 5)
    assert found.called_kwh == pytest.approx(60 * 4 / 12)


def test_calls_that_end_before_it_is_due_are_no_shortfall() -> None:
    assert [item.answer for item in judged([60, 0, 60, 0], [10, 0, 10, 0])] == ["delivered", "delivered"]
    assert [item.answer for item in judged([60, 0, 60, 0], [60, 0, 10, 0], within=5.0)] == [
        "delivered",
        "short",
    ]
    assert counted(judged([60, 0, 60, 0], [60, 0, 10, 0], within=5.0)) == {
        "delivered": 1, "late": 0, "short": 1,
    }  # fmt: skip


@given(
    st.lists(st.floats(0, 500), min_size=1, max_size=20),
    st.integers(1, 6),
)
def test_no_more_is_due_than_was_called_all_along(called: list[float], intervals: int) -> None:
    due = due_kw(np.array(called), intervals)
    for k, kw in enumerate(due):
        window = called[max(k - intervals + 1, 0) : k + 1]
        assert kw <= min(window)
        assert kw == (min(window) if len(window) == intervals else 0.0)


def test_what_is_missed_is_what_is_due_and_not_there() -> None:
    found = missed_kw(np.array([5.0, 5.0, 5.0]), np.array([0.0, 2.0, 9.0]), (1.0, 2.0))
    assert found.tolist() == [0.0, 3.0, 0.0]
