"""Limits and costs of offers by hand: the exact reasons against them, and what they mean to a problem."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ResourceKind
from dlmp_cosim.market.ancillary.products import Capacity
from dlmp_cosim.market.horizon.terms import Ahead, Ramp, Store
from dlmp_cosim.market.offers import (
    PRICE_CAP,
    Offer,
    WholesalePrice,
    accept_offers,
    holding_back,
    offer_terms,
    reach_of,
)
from tests.handmade import chain, generator, load


def resource(name: str, kind: ResourceKind, **more: Any) -> Any:
    return replace(generator(name, "b", 60.0, 75.0), kind=kind, **more)


NETWORK = chain(
    "a",
    "b",
    loads=[load("x", "b"), load("y", "b")],
    resources=[
        generator("g", "b", 60.0, 75.0),
        resource("cell", "storage"),
        resource("shed", "flexible_load", load="x"),
        resource("shift", "flexible_load", load="y", kw_more=15.0),
    ],
)
SOUND = Offer("g", 0.0, 60.0, 20.0)


def reason(**changes: Any) -> str:
    """Why an offer, sound but for some values, is refused; empty when it is not."""
    accepted, refused = accept_offers(NETWORK, [replace(SOUND, **changes)])
    assert len(accepted) + len(refused) == 1
    return refused[0].reason if refused else ""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"p_min_kw": 60.0},
        {"p_min_kw": -60.0},
        {"cost_linear": -PRICE_CAP},
        {"p_max_kw": 0.0, "s_max_kva": 0.0},
        {"resource": "shed", "p_max_kw": 1e6},
        {"resource": "shift", "p_min_kw": -15.0},
        {"resource": "shed", "reactive_ratio": 0.4},
        {"market": "wholesale"},
        {"market": "out", "p_min_kw": 60.0},
        {"capacity": Capacity(reserve=1.0)},
        {"resource": "cell", "capacity": Capacity(reserve=1.0, up_kwh=5.0)},
        {"resource": "cell", "capacity": Capacity(regulation_down=1.0, down_kwh=5.0)},
        {"resource": "cell", "capacity": Capacity(reserve=1.0), "ahead": Ahead(store=Store(1.0, 9.0))},
        {"q_min_kvar": -75.0, "q_max_kvar": 75.0},
        {"ahead": Ahead(ramp=Ramp(1.0, 0.0))},
    ],
)
def test_what_can_be_cleared(changes: dict[str, Any]) -> None:
    assert reason(**changes) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"resource": "h"}, "no such resource"),
        ({"resource": "cel"}, "no such resource, did you mean 'cell'?"),
        ({"p_min_kw": math.nan}, "a value is not a finite number"),
        ({"q_max_kvar": math.inf}, "a value is not a finite number"),
        ({"s_max_kva": math.nan}, "a value is not a finite number"),
        ({"reactive_ratio": math.inf}, "a value is not a finite number"),
        ({"p_min_kw": 61.0}, "its limits are crossed"),
        ({"q_min_kvar": 1.0}, "its limits are crossed"),
        ({"s_max_kva": -1.0}, "its limits are crossed"),
        ({"cost_quadratic": -1e-9}, "its cost is not convex: cost_quadratic is negative"),
        ({"cost_linear": 2e5}, "its marginal cost of 200000 $/MWh is beyond 100000"),
        ({"cost_quadratic": 1e4}, "its marginal cost of 600020 $/MWh is beyond 100000"),
        ({"p_max_kw": 61.0}, "61 kW is beyond its nameplate of 60 kW"),
        ({"p_min_kw": -70.0}, "70 kW is beyond its nameplate of 60 kW"),
        ({"reactive_ratio": 1.0}, "it could reach 84.8528 kVA, beyond its rating of 75 kVA"),
        (
            {"q_max_kvar": 60.0, "s_max_kva": 80.0},
            "it could reach 80 kVA, beyond its rating of 75 kVA",
        ),
        ({"p_min_kw": 60.0, "s_max_kva": 50.0}, "its limits leave nothing within its apparent power"),
        (
            {"p_min_kw": 60.0, "q_min_kvar": 50.0, "q_max_kvar": 60.0},
            "its limits leave nothing within its apparent power",
        ),
        (
            {"resource": "shed", "p_min_kw": -1.0},
            "a flexible load cannot be asked to consume 1 kW more",
        ),
        (
            {"resource": "shift", "p_min_kw": -16.0},
            "a flexible load cannot be asked to consume 16 kW more; it can consume 15 kW more",
        ),
        (
            {"resource": "shed", "q_max_kvar": 5.0},
            (
                "a flexible load has no reactive power of its own, 5 kvar; it goes with what it does "
                "not consume (reactive_ratio)"
            ),
        ),
        (
            {"resource": "shed", "market": "wholesale"},
            "a flexible load is part of a retail load and takes part in the retail market alone",
        ),
        (
            {"market": "wholesale", "capacity": Capacity(reserve=1.0)},
            "sells capacity and takes part outside the retail market; expected one of the two",
        ),
        (
            {"market": "out"},
            "stays out and leaves its power to the market; expected p_min_kw = p_max_kw",
        ),
        ({"market": "x" * 99}, f"takes part in {'x' * 20!r}; expected retail, wholesale, out"),
        ({"capacity": Capacity(reserve=-1.0)}, "its price of reserve is -1; expected 0 to 100000"),
        (
            {"resource": "cell", "capacity": Capacity(reserve=1.0)},
            "sells capacity of a storage and no energy behind it; expected capacity.up_kwh",
        ),
        (
            {"resource": "cell", "capacity": Capacity(regulation_down=1.0, up_kwh=5.0)},
            "sells capacity of a storage and no energy behind it; expected capacity.down_kwh",
        ),
        ({"ahead": Ahead(ramp=Ramp(0.0, 0.0))}, "ramp.kw_per_minute is 0; expected more than 0"),
        (
            {"capacity": Capacity(reserve=1.0, p_max_kw=70.0)},
            "70 kW is beyond its nameplate of 60 kW",
        ),
    ],
)
def test_the_reason_against_an_offer(changes: dict[str, Any], says: str) -> None:
    assert reason(**changes) == says


@pytest.mark.parametrize(
    ("capacity", "reach"),
    [
        (None, (0.0, 60.0)),
        (Capacity(), (0.0, 60.0)),
        (Capacity(p_min_kw=-5.0), (-5.0, 60.0)),
        (Capacity(p_min_kw=5.0, p_max_kw=50.0), (0.0, 60.0)),
        (Capacity(p_max_kw=75.0), (0.0, 75.0)),
    ],
)
def test_an_offer_reaches_as_far_as_it_can_be_called(
    capacity: Capacity | None, reach: tuple[float, float]
) -> None:
    assert reach_of(replace(SOUND, capacity=capacity)) == reach


@pytest.mark.parametrize(
    ("up", "down", "limits"),
    [
        (0.0, 0.0, (-30.0, 60.0)),
        (20.0, 0.0, (-30.0, 40.0)),
        (0.0, 20.0, (-10.0, 60.0)),
        (20.0, 20.0, (-10.0, 40.0)),
        (95.0, 0.0, (-30.0, -30.0)),
        (0.0, 95.0, (60.0, 60.0)),
        (95.0, 95.0, (60.0, 60.0)),
    ],
)
def test_room_is_held_back_as_far_as_there_is_any(
    up: float, down: float, limits: tuple[float, float]
) -> None:
    held = holding_back(replace(SOUND, p_min_kw=-30.0), up, down)
    assert (held.p_min_kw, held.p_max_kw) == limits


@given(st.floats(-50, 50), st.floats(0, 50), st.floats(0, 200), st.floats(0, 200))
def test_what_is_held_back_leaves_an_offer_within_its_own_limits(
    low: float, width: float, up: float, down: float
) -> None:
    held = holding_back(Offer("g", low, low + width, 20.0), up, down)
    assert low <= held.p_min_kw <= held.p_max_kw <= low + width


def test_costs_in_units_of_a_problem_are_the_same_money() -> None:
    """100 kW a unit and 5 $/h: at 2 units the marginal cost of an offer is that at 200 kW."""
    offer = Offer("g", -50.0, 200.0, 20.0, 0.1, -30.0, 40.0)
    terms = offer_terms([offer], 100.0, 5.0)
    assert (terms.p_min[0], terms.p_max[0], terms.q_min[0], terms.q_max[0]) == (-0.5, 2.0, -0.3, 0.4)
    marginal = (terms.linear[0] + terms.quadratic[0] * 2.0) * 5.0 / 100.0 * 1e3
    assert marginal == pytest.approx(20.0 + 0.1 * 200.0)


def test_a_resource_without_an_offer_stays_at_nothing() -> None:
    terms = offer_terms([None, SOUND, None], 100.0, 1.0)
    assert np.array(terms)[:, [0, 2]].tolist() == [[0.0, 0.0]] * 6
    assert terms.p_max[1] == 0.6


def test_reactive_power_that_goes_with_real_power_has_no_limits_of_its_own() -> None:
    terms = offer_terms([Offer("shed", 0.0, 9.0, 1.0, 0.0, -3.0, 3.0, reactive_ratio=0.4)], 100.0, 1.0)
    assert (terms.q_min[0], terms.q_max[0]) == (0.0, 0.0)


def test_no_resources_have_no_terms() -> None:
    assert [part.shape for part in offer_terms([], 100.0, 1.0)] == [(0,)] * 6


@pytest.mark.parametrize(("before", "after"), [(0.0, 5.0), (5.0, 0.0), (3.0, -4.0), (3.0, 3.0)])
def test_an_adder_takes_the_place_of_the_one_before(before: float, after: float) -> None:
    price = WholesalePrice(30.0, 25.0, 4.0, 1.0).plus(before).plus(after)
    assert (price.lmp, price.adder) == (30.0 + after, after)
    assert (price.energy, price.congestion, price.loss) == (25.0, 4.0, 1.0)
