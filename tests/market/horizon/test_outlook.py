"""What is known of steps ahead, and what offers mean in each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.horizon.outlook import Outlook, Step, accept_ahead, offers_ahead
from dlmp_cosim.market.horizon.steps import Span
from dlmp_cosim.market.horizon.terms import Ahead, Later, Session
from dlmp_cosim.market.offers import Offer, WholesalePrice
from tests.handmade import chain, generator, load


def step(first: int, after: int, *, lmp: float = 30.0, kw: float = 40.0) -> Step:
    """A step in intervals of a quarter of an hour."""
    return Step(Span(first, after), (after - first) / 4, WholesalePrice(lmp), np.array([kw + 10j]))


OUTLOOK = Outlook((step(8, 9, lmp=20.0), step(9, 11, lmp=30.0, kw=20.0), step(11, 15, lmp=60.0, kw=80.0)))
"""A quarter, a half, and an hour."""
SHED = replace(generator("shed", "b"), kind="flexible_load", load="x")
NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), SHED])


@pytest.mark.parametrize(("interval", "at"), [(8, 0), (9, 1), (10, 1), (11, 2), (14, 2), (99, 2)])
def test_an_interval_lies_in_one_step(interval: int, at: int) -> None:
    assert OUTLOOK.step_at(interval) == at


def test_prices_are_weighed_by_hours() -> None:
    assert OUTLOOK.hours.tolist() == [0.25, 0.5, 1.0]
    assert OUTLOOK.mean_lmp == pytest.approx((20 * 0.25 + 30 * 0.5 + 60) / 1.75)


def in_steps(offer: Offer) -> list[Offer]:
    return [offers[0] for offers in offers_ahead(NETWORK, [offer], OUTLOOK)]


def test_an_offer_that_says_nothing_of_later_holds_for_all() -> None:
    offer = Offer("g", 0.0, 60.0, 20.0, 0.1)
    assert in_steps(offer) == [offer] * 3


def test_lists_of_later_steps_take_their_place() -> None:
    later = Later(p_min_kw=(1.0, 2.0), p_max_kw=(50.0, 40.0), cost_linear=(25.0, 15.0))
    found = in_steps(Offer("g", 0.0, 60.0, 20.0, ahead=Ahead(later=later)))
    assert [(o.p_min_kw, o.p_max_kw, o.cost_linear) for o in found] == [
        (0.0, 60.0, 20.0), (1.0, 50.0, 25.0), (2.0, 40.0, 15.0),
    ]  # fmt: skip


def test_what_a_load_can_shed_follows_its_demand() -> None:
    """40 kW now, 20 and 80 kW later; and never more than there is."""
    assert [o.p_max_kw for o in in_steps(Offer("shed", 0.0, 10.0, 30.0))] == [10.0, 5.0, 20.0]
    later = Later(p_max_kw=(50.0, 50.0))
    bound = in_steps(Offer("shed", 0.0, 10.0, 30.0, ahead=Ahead(later=later)))
    assert [o.p_max_kw for o in bound] == [10.0, 20.0, 50.0]


def test_a_load_without_demand_now_sheds_nothing_later() -> None:
    dark = Outlook((step(0, 1, kw=0.0), step(1, 2, kw=50.0)))
    assert [
        offers[0].p_max_kw for offers in offers_ahead(NETWORK, [Offer("shed", 0.0, 0.0, 30.0)], dark)
    ] == [0.0, 0.0]


def test_sessions_charge_while_they_are_open() -> None:
    """One for the first three quarters of an hour at 7 kW, one from half an hour on at 11 kW."""
    sessions = (Session(5.0, 0.75, 7.0), Session(9.0, 1.75, 11.0, start_h=0.75), Session(0.0, 1.75, 99.0))
    offer = Offer("g", -7.0, 0.0, 0.0, s_max_kva=75.0, ahead=Ahead(sessions=sessions))
    found = in_steps(offer)
    assert [(o.p_min_kw, o.p_max_kw) for o in found] == [(-7.0, 0.0), (-7.0, 0.0), (-11.0, 0.0)]
    tight = replace(offer, s_max_kva=9.0)
    assert [o.p_min_kw for o in in_steps(tight)] == [-7.0, -7.0, -9.0]


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (Later(), ""),
        (Later(p_max_kw=(1.0, 2.0)), ""),
        (Later(p_max_kw=(1.0,)), "later.p_max_kw has 1 values; the horizon has 2 later steps"),
        (Later(cost_linear=(1.0,) * 3), "later.cost_linear has 3 values; the horizon has 2 later steps"),
        (Later(p_min_kw=(5.0, 70.0)), "its limits of a later step are crossed"),
        (Later(p_max_kw=(5.0, -1.0)), "its limits of a later step are crossed"),
        (Later(p_min_kw=(5.0, 9.0), p_max_kw=(5.0, 8.0)), "its limits of a later step are crossed"),
    ],
)
def test_lists_have_to_fit_the_horizon(later: Later, reason: str) -> None:
    other, offer = Offer("shed", 0.0, 1.0, 5.0), Offer("g", 0.0, 60.0, 20.0, ahead=Ahead(later=later))
    kept, refused = accept_ahead([offer, other], OUTLOOK)
    assert kept == ((other,) if reason else (offer, other))
    assert [(item.resource, item.reason) for item in refused] == ([("g", reason)] if reason else [])


@settings(max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.data())
def test_steps_that_follow_each_other_hold_every_interval(widths: list[int], data: Any) -> None:
    ends = np.cumsum(widths).tolist()
    made = Outlook(tuple(step(end - width, end) for width, end in zip(widths, ends, strict=True)))
    interval = data.draw(st.integers(0, ends[-1] - 1))
    at = made.steps[made.step_at(interval)].span
    assert at.first <= interval < at.after
