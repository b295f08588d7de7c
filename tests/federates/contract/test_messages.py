from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_network

from dlmp_cosim.federates.contract.award import read_award
from dlmp_cosim.federates.contract.messages import (
    FeederStatus,
    OfferBook,
    decode,
    encode,
    offers_text,
    read_offers,
    read_status,
    trial_text,
)
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.ancillary.products import Capacity
from dlmp_cosim.market.offers import Offer

NETWORK = replace(
    toy_network(),
    resources=(
        Resource("dg", "generator", "b", wye((1, 2, 3)), 300.0, 300.0, owner="assets"),
        Resource("flex", "flexible_load", "b", wye((1,)), 40.0, 42.0, load="load_a", owner="assets"),
        Resource("cell", "storage", "b", wye((1,)), 50.0, 60.0, owner="battery"),
    ),
)
DEMAND = {"load_a": 100.0, "load_b": 100.0, "load_c": 100.0}
GOOD = {"resource": "dg", "p_min_kw": 0.0, "p_max_kw": 300.0, "cost_linear": 20.0}


def book(*rows: Any, key: str = "assets/offer", interval: int = 7) -> OfferBook:
    return read_offers({key: json.dumps({"interval": interval, "offers": rows})}, 7, NETWORK, DEMAND)


def test_offers_survive_the_wire() -> None:
    offers = [
        Offer("dg", 0.0, 300.0, 18.0, 0.05, -10.0, 10.0, 300.0),
        Offer("flex", 0.0, 20.0, 25.0, 0.1, reactive_ratio=0.3, capacity=Capacity(reserve=2.0, called=60.0)),
    ]
    found = read_offers({"assets/offer": offers_text(7, offers)}, 7, NETWORK, DEMAND)
    assert found == OfferBook(tuple(offers), ())


def test_capacity_that_cannot_be_sold_is_refused_with_its_offer() -> None:
    found = book(GOOD | {"capacity": {"reserves": 1.0}}, GOOD | {"resource": "flex"})
    assert found.refused[0] == "assets: capacity has unknown field 'reserves', did you mean 'reserve'?"
    found = book(GOOD | {"capacity": {"reserve": -1.0}})
    assert found.accepted == ()
    assert "its price of reserve is -1" in found.refused[0]


def test_an_offer_that_sells_no_capacity_says_nothing_of_it() -> None:
    assert "capacity" not in offers_text(7, [Offer("dg", 0.0, 300.0, 18.0)])


HUGE = {
    "100 MB": "x" * 100_000_000,
    "a million entries": '{"interval":7,"offers":[' + "0," * 1_000_000 + "0]}",
    "many entries": '{"interval":7,"offers":[' + "0," * 1000 + "0]}",
    "ten thousand deep": "[" * 10_000,
    "deep within offers": '{"interval":7,"offers":' + "[" * 3000 + "]" * 3000 + "}",
    "a number of many digits": '{"interval":7,"offers":[' + "9" * 5000 + "]}",
}


@pytest.mark.parametrize("name", HUGE)
def test_an_offer_that_is_far_too_large_is_refused_in_milliseconds(name: str) -> None:
    good = offers_text(7, [Offer("cell", 0.0, 50.0, 1.0)])
    began = time.process_time()
    found = read_offers({"assets/offer": HUGE[name], "battery/offer": good}, 7, NETWORK, DEMAND)
    assert time.process_time() - began < 0.05
    assert [offer.resource for offer in found.accepted] == ["cell"]
    assert len(found.refused) == 1
    assert found.refused[0].startswith("assets")
    assert len(found.refused[0]) < 250


def test_room_for_offers_follows_the_resources_of_their_owner() -> None:
    names = [f"unit_{k}" for k in range(2000)]
    many = [Resource(name, "generator", "b", wye((1,)), 1.0, 1.0, owner="fleet") for name in names]
    network = replace(NETWORK, resources=tuple(many))
    offers = [Offer(name, -1.0 / 3, 1.0 / 3, 123.456789012, 0.123456789, -0.1, 0.1, 1.0) for name in names]
    found = read_offers({"fleet/offer": offers_text(7, offers)}, 7, network, DEMAND)
    assert len(found.accepted) == 2000
    assert (
        "has 300000 bytes; expected at most 4096"
        in read_offers({"stranger/offer": "x" * 300_000}, 7, network, DEMAND).refused[0]
    )


def test_offers_come_in_the_order_of_the_network() -> None:
    flexible = GOOD | {"resource": "flex", "p_max_kw": 20.0}
    assert [offer.resource for offer in book(flexible, GOOD).accepted] == ["dg", "flex"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resource": "dgg"}, "assets: offers unknown resource 'dgg'"),
        ({"resource": "cell"}, "assets: offers 'cell', which belongs to 'battery'"),
        ({"resource": ["dg"]}, "unknown resource"),
        ({"p_max_kw": 301.0}, "has 300 kW"),
        ({"p_min_kw": 301.0}, "crossed"),
        ({"p_min_kw": -1e9}, "it has"),
        ({"q_min_kvar": 2.0, "q_max_kvar": 1.0}, "crossed"),
        ({"cost_linear": 1e7}, "absurd"),
        ({"cost_quadratic": -0.1}, "absurd"),
        ({"cost_linear": math.nan}, "finite number"),
        ({"cost_linear": "20"}, "finite number"),
        ({"cost_linear": True}, "finite number"),
        ({"cost_linear": None}, "finite number"),
        ({"p_max_kw": math.inf}, "finite number"),
        ({"s_max_kva": 0.0}, "apparent power"),
        ({"colour": 1.0}, "unknown field 'colour'"),
    ],
)
def test_a_bad_offer_is_refused_by_name_and_changes_nothing(change: dict[str, Any], reason: str) -> None:
    good = GOOD | {"resource": "flex", "p_max_kw": 20.0}
    found = book(GOOD | change, good)
    assert [offer.resource for offer in found.accepted] == ["flex"]
    assert len(found.refused) == 1
    assert found.refused[0].startswith("assets: ")
    assert reason in found.refused[0]


def test_a_second_offer_for_a_resource_is_refused() -> None:
    found = book(GOOD, GOOD | {"cost_linear": 1.0})
    assert [offer.cost_linear for offer in found.accepted] == [20.0]
    assert "twice" in found.refused[0]


def test_a_flexible_load_cannot_offer_more_than_its_demand() -> None:
    assert book(GOOD | {"resource": "flex", "p_max_kw": 100.0}).accepted
    assert "has 100" in book(GOOD | {"resource": "flex", "p_max_kw": 101.0}).refused[0]


def test_missing_fields_are_named() -> None:
    assert "lacks cost_linear, p_max_kw" in book({"resource": "dg", "p_min_kw": 0.0}).refused[0]


@pytest.mark.parametrize(
    "text",
    ["", "[1,2]", "{", '{"interval":7}', '{"interval":7,"offers":{}}', '{"interval":6,"offers":[]}', "null"],
)
def test_a_text_that_is_no_offer_is_refused_with_its_topic(text: str) -> None:
    found = read_offers({"assets/offer": text}, 7, NETWORK, DEMAND)
    assert not found.accepted
    assert found.refused[0].startswith("assets/offer, published by 'assets', ")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_nothing_that_is_offered_raises(junk: Any) -> None:
    found = book(junk, GOOD)
    assert [offer.resource for offer in found.accepted] == ["dg"]
    assert len(found.refused) == 1


@given(st.text())
def test_no_text_raises(text: str) -> None:
    found = read_offers({"battery/offer": text}, 7, NETWORK, DEMAND)
    assert not found.accepted
    assert "'battery'" in found.refused[0]


def test_numbers_that_are_not_finite_become_null() -> None:
    assert (
        encode({"a": math.nan, "b": [math.inf, 1.0], "c": {"d": -math.inf}})
        == '{"a":null,"b":[null,1.0],"c":{"d":null}}'
    )


def test_status_survives_the_wire() -> None:
    status = FeederStatus(3, "trial", 2, True, 7, 1, ("flex",))
    assert read_status(status.text()) == status
    with pytest.raises(FederationError, match=r"feeder/status, published by 'feeder', has wrong fields"):
        read_status('{"interval": 3}')


def test_award_survives_the_wire() -> None:
    award = read_award(trial_text(5, 2, controls=False))
    assert (award.interval, award.trials, award.final, award.controls) == (5, 2, False, False)
    assert read_award(trial_text(5, 2, controls=True)).controls


@pytest.mark.parametrize("resume", [2, -2, "0"])
def test_an_award_that_resumes_a_trial_that_never_was_is_refused(resume: object) -> None:
    text = json.dumps({"interval": 1, "trials": 2, "status": "final", "resume": resume})
    with pytest.raises(FederationError, match="resumes trial"):
        read_award(text)


@pytest.mark.parametrize("text", ["{}", '{"interval":1,"trials":0,"status":"maybe"}', '{"interval":"1"}'])
def test_an_award_without_its_place_is_refused(text: str) -> None:
    with pytest.raises(FederationError, match=r"market/clearing, published by 'market', lacks"):
        read_award(text)


def test_text_that_is_no_json_names_its_publisher() -> None:
    with pytest.raises(FederationError, match=r"battery/offer, published by 'battery', is not JSON"):
        decode("battery/offer", "{1}")
