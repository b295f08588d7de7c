"""Which offers are cleared, and how the others are refused: by name, with the reason, and no harm done."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Resource
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import (
    PRICE_CAP,
    Offer,
    Participation,
    Refusal,
    WholesalePrice,
    accept_offers,
)
from dlmp_cosim.market.resources import curtails
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import mixed, mixed_offers, solve

CASES = tomllib.loads((Path(__file__).parents[1] / "cases/market/refused_offers.toml").read_text())["case"]
SAMPLE = mixed(0.35)
NETWORK = SAMPLE.network
SOUND = Offer("gen2", 0.0, 40.0, 31.0, 0.1)
PRICE = WholesalePrice(45.0)


@pytest.fixture(scope="module")
def state() -> AcState:
    return solve(SAMPLE.feeder())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_offer_that_cannot_be_cleared_is_refused_with_its_reason(case: dict[str, Any]) -> None:
    accepted, refused = accept_offers(NETWORK, (SOUND, Offer(**case["offer"])))
    assert [offer.resource for offer in accepted] == ["gen2"]
    assert [refusal.resource for refusal in refused] == [case["offer"]["resource"]]
    assert re.search(case["reason"], refused[0].reason), refused[0].reason
    assert str(refused[0]) == f"{refused[0].resource}: {refused[0].reason}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_clearing_goes_on_without_it_and_says_so(case: dict[str, Any], state: AcState) -> None:
    settings = MarketSettings(voltage_min_pu=0.9, voltage_max_pu=1.1)
    alone = NodalMarket(NETWORK, settings).clear(state, NETWORK.listed_demand, (SOUND,), PRICE)
    beside = NodalMarket(NETWORK, settings).clear(
        state, NETWORK.listed_demand, (SOUND, Offer(**case["offer"])), PRICE
    )
    assert alone.refused == ()
    assert len(beside.refused) == 1
    assert beside.refused[0].startswith(case["offer"]["resource"] + ": ")
    assert re.search(case["reason"].lstrip("^"), beside.refused[0])
    assert beside.dispatch.tobytes() == alone.dispatch.tobytes()
    assert beside.prices.real.tobytes() == alone.prices.real.tobytes()
    assert beside.cost == alone.cost
    assert alone.dispatch[1].real > 1.0


def test_sound_offers_pass_in_their_order() -> None:
    accepted, refused = accept_offers(NETWORK, mixed_offers())
    assert refused == ()
    assert [offer.resource for offer in accepted] == [offer.resource for offer in mixed_offers()]
    assert accepted[0] == mixed_offers()[0]
    assert accept_offers(NETWORK, iter(())) == ((), ())


def test_the_first_of_two_offers_counts() -> None:
    second = replace(SOUND, cost_linear=1.0)
    accepted, refused = accept_offers(NETWORK, (SOUND, second, second))
    assert accepted[0].cost_linear == SOUND.cost_linear
    assert refused == (Refusal("gen2", "offered twice"),) * 2


def test_a_refused_offer_does_not_bar_a_sound_one_of_the_same_resource() -> None:
    accepted, refused = accept_offers(NETWORK, (replace(SOUND, p_max_kw=math.nan), SOUND))
    assert len(accepted) == len(refused) == 1


def test_without_a_limit_of_its_own_an_offer_is_held_to_the_rating() -> None:
    free = Offer("gen3", 0.0, 150.0, 28.0, 0.05, -140.0, 140.0)
    tighter = replace(free, s_max_kva=160.0)
    accepted, refused = accept_offers(NETWORK, (free,))
    assert refused == ()
    assert accepted[0] == replace(free, s_max_kva=180.0)
    assert accept_offers(NETWORK, (tighter,))[0] == (tighter,)
    small = Offer("gen3", 0.0, 100.0, 28.0, s_max_kva=1e3)
    assert accept_offers(NETWORK, (small,))[0] == (replace(small, s_max_kva=180.0),)
    flexible = Offer("flex_wye", 0.0, 40.0, 33.0, reactive_ratio=0.4)
    assert accept_offers(NETWORK, (flexible,))[0] == (flexible,)
    stuck = Offer("gen3", 150.0, 150.0, 28.0, 0.05, 140.0, 150.0)
    assert "nothing within" in accept_offers(NETWORK, (stuck,))[1][0].reason


NUMBERS = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 40.0, 150.0, 180.0, 1e3, PRICE_CAP, math.nan, math.inf, -math.inf]
)


@given(
    st.sampled_from(NETWORK.resources),
    st.lists(NUMBERS, min_size=7, max_size=7),
    st.none() | NUMBERS,
    st.sampled_from(["retail", "wholesale"]),
)
def test_what_is_accepted_keeps_its_bounds(
    resource: Resource, numbers: list[float], ratio: float | None, market: Participation
) -> None:
    """What no reason speaks against is finite, in order, convex and within its rating."""
    offer = Offer(resource.name, *numbers, reactive_ratio=ratio, market=market)
    accepted, refused = accept_offers(NETWORK, (offer,))
    assert len(accepted) + len(refused) == 1
    for item in accepted:
        assert all(map(math.isfinite, (item.p_min_kw, item.p_max_kw, item.cost_linear, item.cost_quadratic)))
        assert item.p_min_kw <= item.p_max_kw
        assert item.q_min_kvar <= item.q_max_kvar
        assert item.cost_quadratic >= 0.0
        assert item.s_max_kva >= 0.0
        assert item.s_max_kva <= resource.kva_max or item.reactive_ratio is not None or resource.load
        assert abs(item.cost_linear + item.cost_quadratic * item.p_max_kw) <= PRICE_CAP


def test_usual_offers_are_accepted() -> None:
    offers = mixed_offers()
    accepted, refused = accept_offers(NETWORK, offers)
    assert [item.resource for item in accepted] == [item.resource for item in offers]
    assert refused == ()


def test_ratings_are_met_to_the_last_digit() -> None:
    """What is left of rounding is no reason to refuse."""
    q = math.sqrt(180.0**2 - 150.0**2)
    exact = Offer("gen3", -150.0 * (1 + 1e-12), 150.0 * (1 + 1e-12), 28.0, 0.0, -q, q, 180.0 * (1 + 1e-12))
    assert accept_offers(NETWORK, (exact,))[1] == ()
    assert accept_offers(NETWORK, (replace(exact, cost_linear=PRICE_CAP),))[1] == ()
    assert accept_offers(NETWORK, (replace(exact, p_max_kw=150.0 * (1 + 1e-6)),))[1] != ()


any_number = st.one_of(st.floats(), st.floats(-200, 200))


@given(
    st.lists(
        st.builds(
            Offer,
            resource=st.sampled_from([*NETWORK.resource_ids, "nobody"]),
            p_min_kw=any_number,
            p_max_kw=any_number,
            cost_linear=any_number,
            cost_quadratic=any_number,
            q_min_kvar=any_number,
            q_max_kvar=any_number,
            s_max_kva=any_number,
            reactive_ratio=st.one_of(st.none(), any_number),
        ),
        max_size=8,
    )
)
def test_whatever_is_offered_what_is_accepted_can_be_cleared(offers: list[Offer]) -> None:
    """Each is accepted or refused with a reason; accepted ones are finite, ordered and feasible."""
    accepted, refused = accept_offers(NETWORK, offers)
    assert len(accepted) + len(refused) == len(offers)
    assert len({offer.resource for offer in accepted}) == len(accepted)
    assert all(refusal.reason for refusal in refused)
    ratings = {resource.name: resource for resource in NETWORK.resources}
    for offer in accepted:
        limits = (offer.p_min_kw, offer.p_max_kw, offer.q_min_kvar, offer.q_max_kvar)
        assert np.isfinite(limits).all()
        assert offer.p_min_kw <= offer.p_max_kw
        assert offer.q_min_kvar <= offer.q_max_kvar
        assert offer.cost_quadratic >= 0
        if offer.reactive_ratio is None:
            nearest = np.clip(0.0, limits[::2], limits[1::2])
            assert np.hypot(*nearest) <= offer.s_max_kva * (1 + 1e-9)
        rating = ratings[offer.resource]
        if not curtails(rating):
            assert max(abs(offer.p_min_kw), abs(offer.p_max_kw)) <= rating.kw_max * (1 + 1e-9)


@pytest.mark.parametrize(
    ("limits", "kva"),
    [
        ({"p_max_kw": 60.0, "q_max_kvar": 80.0, "s_max_kva": 100.0}, None),
        ({"p_max_kw": 60.0, "q_max_kvar": 80.0, "s_max_kva": 99.0}, 99.0),
        ({"p_max_kw": 10.0, "p_min_kw": -60.0, "q_min_kvar": -80.0, "s_max_kva": 99.0}, 99.0),
        ({"p_max_kw": 90.0, "reactive_ratio": 0.9, "s_max_kva": 99.0}, None),
        ({"p_max_kw": 90.0, "q_max_kvar": 90.0}, None),
    ],
)
def test_an_apparent_power_limit_counts_where_the_others_leave_room(
    limits: dict[str, float], kva: float | None
) -> None:
    assert Offer("dg", **{"p_min_kw": 0.0, "cost_linear": 20.0, **limits}).disc_kva == kva
