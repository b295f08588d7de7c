"""Where resources take part: what the market may do with each, and which statements are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toys import toy_network

from dlmp_cosim.feeders.network import Network, Resource, wye
from dlmp_cosim.market.ancillary.products import Capacity
from dlmp_cosim.market.offers import Offer, accept_offers
from dlmp_cosim.market.participation import schedule, schedule_cost, scheduled, vetoes

GIVES = Offer("dg", 0.0, 100.0, 5.0, 0.2, market="wholesale")
DRAWS = Offer("car", -40.0, -10.0, 5.0, market="wholesale")


def network() -> Network:
    legs = wye((1, 2, 3))
    made = (
        Resource("dg", "generator", "b", legs, 300.0, 300.0),
        Resource("car", "storage", "b", legs, 50.0, 50.0),
        Resource("flex", "flexible_load", "b", legs, 50.0, 60.0, "load_a"),
    )
    return replace(toy_network(), resources=made)


def test_a_schedule_is_the_limit_farther_from_zero() -> None:
    assert schedule(GIVES) == 100.0
    assert schedule(DRAWS) == -40.0


def test_a_schedule_is_cut_only_where_that_saves_the_veto_price() -> None:
    gives, draws, own = scheduled([GIVES, DRAWS, Offer("other", 0.0, 1.0, 3.0)], 500.0)
    assert (gives.cost_linear, gives.cost_quadratic) == (-500.0, 0.0)
    assert (draws.cost_linear, draws.cost_quadratic) == (500.0, 0.0)
    assert own.cost_linear == 3.0
    assert schedule_cost([GIVES, DRAWS], 500.0) == pytest.approx(140.0 * 0.5)


def test_vetoes_are_named() -> None:
    offers = [GIVES, DRAWS, Offer("other", 0.0, 1.0, 3.0)]
    assert vetoes(offers, {"dg": 100.0, "car": -40.0, "other": 0.0}) == ()
    assert vetoes(offers, {"dg": 99.0, "car": -40.0, "other": 0.0}) == (
        "the wholesale schedule of dg is cut",
    )


def test_those_who_say_nothing_are_left_alone() -> None:
    offers = [Offer("dg", 0.0, 1.0, 3.0), Offer("car", -1.0, -1.0, 3.0, market="out")]
    assert scheduled(offers, 500.0) == tuple(offers)
    assert schedule_cost(offers, 500.0) == 0


@pytest.mark.parametrize(
    ("offer", "says"),
    [
        (Offer("dg", 0.0, 1.0, 3.0, market="abroad"), "takes part in 'abroad'; expected retail"),
        (Offer("dg", 0.0, 1.0, 3.0, market="out"), "expected p_min_kw = p_max_kw"),
        (Offer("flex", 0.0, 1.0, 3.0, market="wholesale"), "part of a retail load"),
        (
            Offer("dg", 0.0, 1.0, 3.0, market="wholesale", capacity=Capacity(reserve=1.0)),
            "sells capacity and takes part outside the retail market",
        ),
    ],
)
def test_what_is_out_of_place_is_refused(offer: Offer, says: str) -> None:
    accepted, (refusal,) = accept_offers(network(), [offer])
    assert accepted == ()
    assert says in str(refusal)


def test_all_three_are_accepted() -> None:
    offers = [GIVES, Offer("car", -5.0, -5.0, 0.0, market="out")]
    accepted, refused = accept_offers(network(), offers)
    assert [offer.market for offer in accepted] == ["wholesale", "out"]
    assert refused == ()
