from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_network

from federates.contract.messages import (
    FeederStatus,
    OfferBook,
    decode,
    encode,
    offers_text,
    read_award,
    read_offers,
    read_status,
    trial_text,
)
from feeders.errors import FederationError
from feeders.network import Resource, wye
from market.offers import Offer

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
        Offer("flex", 0.0, 20.0, 25.0, 0.1, reactive_ratio=0.3),
    ]
    found = read_offers({"assets/offer": offers_text(7, offers)}, 7, NETWORK, DEMAND)
    assert found == OfferBook(tuple(offers), ())


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
