"""Calls in the corners: signals against each other, both ends of a run, power given the wrong way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.calls import (
    answers,
    calls_of,
    counted,
    delivered_of,
    due_kw,
    missed_kw,
    set_point,
    shares_called,
)
from dlmp_cosim.market.ancillary.products import Awards, Product

WHO: tuple[str, str, Product] = ("north", "dg", "reserve")
ALL: dict[Product, float] = {"regulation_up": 100.0, "reserve": 300.0, "regulation_down": 50.0}


@pytest.mark.parametrize(
    ("signal", "up", "down"),
    [(1.0, 1.0, 0.0), (0.3, 0.3, 0.0), (0.0, 0.0, 0.0), (-0.3, 0.0, 0.3), (-9.0, 0.0, 1.0)],
)
def test_a_signal_calls_one_direction_and_never_more_than_all(signal: float, up: float, down: float) -> None:
    found = shares_called(ALL, 0.0, dict.fromkeys(("regulation_up", "regulation_down"), signal))
    assert found == {"regulation_up": up, "reserve": 0.0, "regulation_down": down}


def test_products_called_by_a_file_take_nothing_off_an_imbalance() -> None:
    assert shares_called(ALL, 150.0, {"regulation_up": 1.0})["reserve"] == 0.5


def test_a_signal_for_what_nobody_sold_calls_nothing() -> None:
    assert shares_called({"reserve": 10.0}, 0.0, {"regulation_up": 1.0}) == {"reserve": 0.0}


@given(st.floats(-1e4, 1e4))
def test_an_imbalance_calls_no_more_than_itself(kw: float) -> None:
    found = shares_called(ALL, kw, {})
    up = found["regulation_up"] * 100.0 + found["reserve"] * 300.0
    down = found["regulation_down"] * 50.0
    assert up == pytest.approx(min(max(kw, 0.0), 400.0))
    assert down == pytest.approx(min(max(-kw, 0.0), 50.0))


def test_resources_that_are_not_called_are_left_out() -> None:
    awards: Awards = {"a": {"x": {"reserve": 10.0}, "y": {"regulation_down": 5.0}}, "b": {}}
    assert calls_of(awards, {"reserve": 0.0}) == {}
    assert calls_of(awards, {"regulation_down": 1.0}) == {"a": {"y": {"regulation_down": 5.0}}}
    assert calls_of({}, {"reserve": 1.0}) == {}


@pytest.mark.parametrize(
    ("called", "kw"),
    [
        ({}, 0.0),
        ({"regulation_down": 8.0}, -8.0),
        ({"regulation_up": 8.0, "regulation_down": 3.0}, 5.0),
        ({"regulation_up": 8.0, "reserve": 2.0}, 10.0),
    ],
)
def test_a_set_point_is_the_sum_by_direction(called: dict[Product, float], kw: float) -> None:
    assert set_point(called) == kw


@pytest.mark.parametrize(
    ("called", "response", "given_out"),
    [
        ({}, 5.0, {}),
        ({"reserve": 8.0}, 0.0, {"reserve": 0.0}),
        ({"reserve": 8.0}, -3.0, {"reserve": 0.0}),
        ({"regulation_down": 8.0}, 3.0, {"regulation_down": 0.0}),
        ({"regulation_down": 8.0}, -20.0, {"regulation_down": 8.0}),
        ({"reserve": 5.0, "regulation_up": 4.0}, 6.0, {"regulation_up": 4.0, "reserve": 2.0}),
        (
            {"regulation_up": 4.0, "regulation_down": 8.0},
            -2.0,
            {"regulation_up": 2.0, "regulation_down": 4.0},
        ),
        ({"regulation_up": 4.0, "regulation_down": 8.0}, 2.0, {"regulation_up": 0.0, "regulation_down": 0.0}),
    ],
)
def test_what_was_given_counts_only_in_the_direction_called(
    called: dict[Product, float], response: float, given_out: dict[Product, float]
) -> None:
    assert delivered_of(called, response) == pytest.approx(given_out)


@given(
    st.dictionaries(st.sampled_from(["regulation_up", "reserve"]), st.floats(0.1, 100.0), min_size=1),
    st.floats(-200.0, 300.0),
)
def test_what_counts_as_delivered_is_what_was_given_up_to_what_was_called(
    called: dict[Product, float], response: float
) -> None:
    found = delivered_of(called, response)
    assert sum(found.values()) == pytest.approx(min(max(response, 0.0), set_point(called)))
    assert all(found[name] <= called[name] for name in called)


@pytest.mark.parametrize(
    ("intervals", "due"),
    [
        (1, [5.0, 9.0, 7.0, 0.0]),
        (2, [0.0, 5.0, 7.0, 0.0]),
        (3, [0.0, 0.0, 5.0, 0.0]),
        (9, [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_power_is_due_once_it_has_been_asked_for_long_enough(intervals: int, due: list[float]) -> None:
    assert due_kw(np.array([5.0, 9.0, 7.0, 0.0]), intervals).tolist() == due


def test_a_run_of_no_intervals_owes_nothing() -> None:
    nothing = np.zeros(0)
    assert due_kw(nothing, 3).shape == (0,)
    assert answers(WHO, nothing, nothing, (5.0, 10.0), 0.1) == []
    assert counted([]) == {"delivered": 0, "late": 0, "short": 0}


@pytest.mark.parametrize(
    ("minutes", "missed"),
    [
        ((5.0, 0.0), [9.0, 9.0, 9.0]),
        ((5.0, 5.0), [9.0, 9.0, 9.0]),
        ((5.0, 5.1), [0.0, 9.0, 9.0]),
        ((5.0, 10.0), [0.0, 9.0, 9.0]),
        ((15.0, 10.0), [9.0, 9.0, 9.0]),
        ((1.0, 3.0), [0.0, 0.0, 9.0]),
    ],
)
def test_the_time_to_respond_is_rounded_up_to_intervals(
    minutes: tuple[float, float], missed: list[float]
) -> None:
    assert missed_kw(np.full(3, 9.0), np.zeros(3), minutes).tolist() == missed


def test_calls_at_both_ends_of_a_run_are_judged() -> None:
    called, got = np.array([10.0, 0.0, 0.0, 10.0]), np.array([10.0, 0.0, 0.0, 4.0])
    first, last = answers(WHO, called, got, (60.0, 60.0), 0.5)
    assert (first.begin, first.end, first.answer) == (0, 1, "delivered")
    assert (last.begin, last.end, last.answer, last.missed_kw) == (3, 4, "short", 6.0)
    assert (last.called_kwh, last.delivered_kwh) == (10.0, 4.0)


def test_what_may_be_missing_is_no_shortfall() -> None:
    (found,) = answers(WHO, np.array([10.0]), np.array([9.5]), (60.0, 60.0), 0.5)
    assert (found.answer, found.missed_kw) == ("delivered", 0.5)
