"""What references share: matrices that pick and add, and offers as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.products import Capacity
from dlmp_cosim.market.central.solver import incidence, offer_columns, pick
from dlmp_cosim.market.offers import Offer, holding_back, offer_terms, reach_of

indices = st.lists(st.integers(0, 5), max_size=8).map(lambda values: np.array(values, dtype=np.int64))


@settings(max_examples=40)
@given(indices, st.lists(st.integers(-9, 9), min_size=6, max_size=6))
def test_entries_are_picked_in_order(index: np.ndarray, values: list[int]) -> None:
    vector = np.array(values, dtype=float)
    assert (pick(index, 6) @ vector).tolist() == vector[index].tolist()


@settings(max_examples=40)
@given(indices, st.data())
def test_entries_are_added_to_their_place(index: np.ndarray, data: Any) -> None:
    vector = np.array(
        data.draw(st.lists(st.integers(-9, 9), min_size=len(index), max_size=len(index))), dtype=float
    )
    expected = np.zeros(6)
    np.add.at(expected, index, vector)
    assert (incidence(index, 6, len(index)) @ vector).tolist() == expected.tolist()


def test_adding_is_the_transpose_of_picking() -> None:
    index = np.array([3, 0, 3])
    assert (incidence(index, 5, 3) != pick(index, 5).T).nnz == 0


OFFER = Offer("g", -10.0, 60.0, 20.0, 0.5, -30.0, 40.0, 75.0)


def test_an_offer_is_a_row_in_units_of_the_problem() -> None:
    found = offer_columns([OFFER, None], 100.0, 4.0)
    first = {name: column[0] for name, column in found.items()}
    assert first == pytest.approx(
        {
            "p_min": -0.1,
            "p_max": 0.6,
            "q_min": -0.3,
            "q_max": 0.4,
            "s_max": 0.75,
            "cost": 0.5,
            "curve": 1.25,
            "ratio": 0.0,
        }
    )
    assert {column[1] for column in found.values()} == {0.0}


def test_reactive_power_of_a_fixed_ratio_has_no_limits_of_its_own() -> None:
    tied = Offer("g", 0.0, 60.0, 20.0, q_min_kvar=-30.0, q_max_kvar=40.0, reactive_ratio=0.5)
    (row,) = np.transpose(list(offer_columns([tied], 100.0, 4.0).values())).tolist()
    assert row[2:4] == [0.0, 0.0]
    assert row[7] == 0.5
    assert row[4] >= 6.0, "an apparent power that nothing reaches"


@settings(max_examples=40)
@given(st.floats(-50, 0), st.floats(0, 50), st.floats(-100, 100), st.floats(0, 2))
def test_two_statements_of_an_offer_agree(low: float, high: float, cost: float, curve: float) -> None:
    """The markets' own, and that of the references, which share no code."""
    offers = [Offer("g", low, high, cost, curve, low, high), None]
    columns, terms = offer_columns(offers, 100.0, 4.0), offer_terms(offers, 100.0, 4.0)
    for mine, theirs in zip(("p_min", "p_max", "q_min", "q_max", "cost", "curve"), terms, strict=True):
        np.testing.assert_allclose(columns[mine], theirs)


@pytest.mark.parametrize(
    ("up", "down", "limits"),
    [
        (0.0, 0.0, (-10.0, 60.0)),
        (20.0, 5.0, (-5.0, 40.0)),
        (70.0, 0.0, (-10.0, -10.0)),
        (0.0, 99.0, (60.0, 60.0)),
        (50.0, 50.0, (40.0, 40.0)),
    ],
)
def test_room_is_held_back_as_far_as_there_is_any(
    up: float, down: float, limits: tuple[float, float]
) -> None:
    held = holding_back(OFFER, up, down)
    assert (held.p_min_kw, held.p_max_kw) == limits


@pytest.mark.parametrize(
    ("capacity", "reach"),
    [
        (None, (-10.0, 60.0)),
        (Capacity(p_max_kw=90.0), (-10.0, 90.0)),
        (Capacity(p_min_kw=-40.0, p_max_kw=30.0), (-40.0, 60.0)),
    ],
)
def test_what_may_be_called_counts_as_reached(capacity: Capacity | None, reach: tuple[float, float]) -> None:
    assert reach_of(Offer("g", -10.0, 60.0, 20.0, capacity=capacity)) == reach
