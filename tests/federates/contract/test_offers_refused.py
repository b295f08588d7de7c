"""Offers on the wire: what the JSON says, what is filled in, and the exact words of every refusal."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.messages import (
    LARGEST_COST,
    OFFERS_EACH,
    FeederStatus,
    OfferBook,
    decode,
    encode,
    offers_text,
    read_offers,
    read_status,
    shown,
    trial_text,
)
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.horizon.terms import Ahead, Ramp, Store
from dlmp_cosim.market.offers import Offer
from tests.handmade import chain, generator, load

SHED = replace(generator("shed", "b"), kind="flexible_load", load="x", kw_max=30.0, kva_max=33.0)
BACK = replace(SHED, name="back", load="y", kw_more=20.0)
NETWORK = chain(
    "a",
    "b",
    loads=[load("x", "b", 30.0, 12.0), load("y", "b", 10.0, 0.0)],
    resources=[generator("g", "b", 60.0, 75.0), SHED, BACK, generator("cell", "b", owner="battery")],
)
DEMAND = {"x": 30.0, "y": 10.0}
GOOD = {"resource": "g", "p_min_kw": 0.0, "p_max_kw": 60.0, "cost_linear": 20.0}


def book(*rows: Any, interval: Any = 3) -> OfferBook:
    text = json.dumps({"interval": interval, "offers": rows})
    return read_offers({"assets/offer": text}, 3, NETWORK, DEMAND)


def only(**changes: Any) -> Offer:
    found = book(GOOD | changes)
    assert found.refused == ()
    return found.accepted[0]


def refusal(**changes: Any) -> str:
    found = book(GOOD | changes)
    assert found.accepted == ()
    return found.refused[0]


def test_what_an_offer_leaves_out_has_its_default_and_the_rating_of_its_resource() -> None:
    assert only() == Offer("g", 0.0, 60.0, 20.0, s_max_kva=75.0)


@pytest.mark.parametrize(("said", "kva"), [(50.0, 50.0), (75.0, 75.0), (900.0, 75.0)])
def test_a_rating_above_its_own_is_cut_to_it(said: float, kva: float) -> None:
    assert only(s_max_kva=said).s_max_kva == kva


def test_whole_numbers_are_numbers() -> None:
    assert only(p_max_kw=60, cost_linear=20) == only()


@pytest.mark.parametrize(("resource", "ratio"), [("shed", 0.4), ("back", 0.0)])
def test_a_flexible_load_keeps_the_power_factor_of_its_load(resource: str, ratio: float) -> None:
    assert only(resource=resource, p_max_kw=10.0).reactive_ratio == pytest.approx(ratio)
    assert only(resource=resource, p_max_kw=10.0, reactive_ratio=0.1).reactive_ratio == 0.1


def test_a_load_without_real_power_has_no_power_factor() -> None:
    reactive = replace(NETWORK, loads=(load("x", "b", 0.0, 12.0), NETWORK.loads[1]))
    text = json.dumps({"interval": 3, "offers": [GOOD | {"resource": "shed", "p_max_kw": 0.0}]})
    found = read_offers({"assets/offer": text}, 3, reactive, DEMAND | {"x": 0.0})
    assert [offer.reactive_ratio for offer in found.accepted] == [0.0]


def test_what_comes_back_may_exceed_the_demand() -> None:
    assert only(resource="back", p_min_kw=-20.0, p_max_kw=10.0).p_min_kw == -20.0
    assert "'back' offers -21 to 10 kW" in refusal(resource="back", p_min_kw=-21.0, p_max_kw=10.0)


def test_a_load_may_offer_no_more_than_its_demand_of_now() -> None:
    assert refusal(resource="shed", p_max_kw=30.1).startswith("assets: 'shed' offers 0 to 30.1 kW; it has 30")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"resource": None}, "assets: offers unknown resource None"),
        ({"resource": 7}, "assets: offers unknown resource 7"),
        ({"resource": "G"}, "assets: offers unknown resource 'G'"),
        ({"resource": "cell"}, "assets: offers 'cell', which belongs to 'battery'"),
        ({"p_min_kw": 61.0}, "assets: limits of 'g' are crossed"),
        ({"q_min_kvar": 1.0}, "assets: limits of 'g' are crossed"),
        ({"p_max_kw": 90.0}, "assets: 'g' offers 0 to 90 kW; it has 60.0001 kW"),
        ({"p_min_kw": -90.0}, "assets: 'g' offers -90 to 60 kW; it has 60.0001 kW"),
        ({"cost_linear": 1e6 + 1}, "assets: cost of 'g' is absurd: 1e+06, 0"),
        ({"cost_quadratic": -1.0}, "assets: cost of 'g' is absurd: 20, -1"),
        ({"s_max_kva": -1.0}, "assets: apparent power limit of 'g' is -1 kVA"),
        ({"reactive_ratio": 1.0}, "assets: 'g' offers 84.8528 kVA; it has 75 kVA"),
        ({"reactive_ratio": None}, "assets: reactive_ratio of 'g' is None; expected a finite number"),
        ({"p_max_kw": [60.0]}, "assets: p_max_kw of 'g' is [60.0]; expected a finite number"),
        ({"p_max_kw": 10**15}, "assets: p_max_kw of 'g' is 1000000000000000; expected a finite number"),
        ({"P_MAX_KW": 1.0}, "assets: offer of 'g' has unknown field 'P_MAX_KW'"),
        ({"ahead": 3}, "assets: "),
        (
            {"market": "wholsale"},
            "assets: g: takes part in 'wholsale'; expected retail, wholesale, out",
        ),
        (
            {"market": None},
            "assets: g: takes part in 'None'; expected retail, wholesale, out",
        ),
    ],
)
def test_a_refusal_names_the_owner_the_resource_and_the_fault(changes: dict[str, Any], says: str) -> None:
    assert refusal(**changes).startswith(says)


@pytest.mark.parametrize("row", [[], "offer", 3, None, True])
def test_what_is_no_object_is_no_offer(row: Any) -> None:
    assert book(row).refused == ("assets: an offer is not a JSON object",)


@pytest.mark.parametrize(
    ("interval", "says"), [(2, "2"), ("3", "'3'"), (None, "None"), ("x" * 500, "'" + "x" * 79 + "...")]
)
def test_offers_of_another_interval_are_refused_together(interval: Any, says: str) -> None:
    found = book(GOOD, interval=interval)
    prefix = "assets/offer, published by 'assets', is for interval "
    assert found.refused == (f"{prefix}{says}; expected 3",)


def test_far_more_offers_than_resources_are_refused_together() -> None:
    enough = [GOOD] * (OFFERS_EACH * 3)
    assert len(book(*enough).refused) == len(enough) - 1
    found = book(*enough, GOOD)
    assert found.accepted == ()
    assert found.refused == (
        "assets/offer, published by 'assets', has 13 offers; expected one for each of 3 resources",
    )


def test_an_owner_that_said_nothing_is_named() -> None:
    found = read_offers({"battery/offer": ""}, 3, NETWORK, DEMAND)
    assert found.refused == ("battery/offer, published by 'battery', was never published",)


def test_the_offers_of_others_do_not_suffer() -> None:
    texts = {"assets/offer": "{", "battery/offer": offers_text(3, [Offer("cell", 0.0, 5.0, 1.0)])}
    found = read_offers(texts, 3, NETWORK, DEMAND)
    assert [offer.resource for offer in found.accepted] == ["cell"]
    assert len(found.refused) == 1


def test_a_refused_offer_leaves_room_for_a_second_one() -> None:
    found = book(GOOD | {"p_max_kw": 90.0}, GOOD)
    assert (len(found.accepted), len(found.refused)) == (1, 1)


NUMBERS = st.floats(-50.0, 50.0)


@given(NUMBERS, st.floats(0.0, 10.0), st.floats(0.0, 1.0), NUMBERS)
def test_an_offer_comes_back_as_it_was_made(low: float, width: float, rise: float, cost: float) -> None:
    offer = Offer("g", low, low + width, cost, rise, -5.0, 5.0, 70.0)
    found = read_offers({"assets/offer": offers_text(3, [offer])}, 3, NETWORK, DEMAND)
    assert found == OfferBook((offer,), ())


def test_terms_over_time_come_back_as_they_were_said() -> None:
    ahead = Ahead(store=Store(5.0, 10.0, 1.0, 0.9, 0.8, end_value=30.0), ramp=Ramp(2.0, 1.0))
    offer = Offer("g", -5.0, 5.0, 0.0, s_max_kva=75.0, ahead=ahead)
    text = offers_text(3, [offer])
    assert read_offers({"assets/offer": text}, 3, NETWORK, DEMAND).accepted == (offer,)


def test_what_is_usual_is_not_written() -> None:
    (row,) = json.loads(offers_text(3, [Offer("g", 0.0, 1.0, 2.0)]))["offers"]
    assert {"s_max_kva", "reactive_ratio", "ahead", "market", "capacity"}.isdisjoint(row)


def test_the_largest_cost_that_is_meant_may_be_offered() -> None:
    assert book(GOOD | {"cost_linear": -LARGEST_COST}).refused == (
        f"assets: g: its marginal cost of {LARGEST_COST:g} $/MWh is beyond 100000",
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"a": (1, 2.5)}, '{"a":[1,2.5]}'),
        ({"a": {"b": math.nan}}, '{"a":{"b":null}}'),
        ({"a": "é☃<b>"}, '{"a":"\\u00e9\\u2603<b>"}'),
        ({"a": [[-math.inf, [math.inf]]]}, '{"a":[[null,[null]]]}'),
        ({"a": True, "b": None}, '{"a":true,"b":null}'),
    ],
)
def test_messages_are_compact_json_that_every_reader_knows(value: dict[str, Any], text: str) -> None:
    assert encode(value) == text
    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON: Expecting value at character 0"),
        ('{"a":1,}', "is not JSON: "),
        ("[1]", "is not a JSON object"),
        ('"text"', "is not a JSON object"),
        ("9" * 5000, "cannot be read as JSON: "),
        ("[" * 100_000, "cannot be read as JSON: "),
    ],
)
def test_a_text_that_is_none_is_told_with_its_topic(text: str, says: str) -> None:
    with pytest.raises(FederationError) as caught:
        decode("north.market/response", text)
    assert str(caught.value).startswith(f"north.market/response, published by 'north.market', {says}")


@pytest.mark.parametrize(("value", "said"), [("a", "'a'"), (1.5, "1.5"), ("x" * 78, repr("x" * 78))])
def test_a_short_value_is_shown_whole(value: Any, said: str) -> None:
    assert shown(value) == said


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 79) == "'" + "x" * 79 + "..."
    assert len(shown(list(range(10_000)))) == 83


def test_a_closed_head_is_not_worth_a_word() -> None:
    closed = FeederStatus(1, "final", 2, True, 5)
    assert "head_open" not in closed.text()
    opened = replace(closed, head_open=True)
    assert json.loads(opened.text())["head_open"] is True
    assert (read_status(closed.text()), read_status(opened.text())) == (closed, opened)


@pytest.mark.parametrize("change", [{"mood": 1}, {"clipped": 3}, {"clipped": None}])
def test_a_status_with_strange_fields_is_told(change: dict[str, Any]) -> None:
    table = json.loads(FeederStatus(1, "final", 2, True, 5).text())
    with pytest.raises(FederationError, match="feeder/status, published by 'feeder', has wrong fields"):
        read_status(json.dumps(table | change))


@pytest.mark.parametrize("controls", [True, False])
def test_a_trial_is_announced_with_its_controls(controls: bool) -> None:
    assert json.loads(trial_text(4, 1, controls=controls)) == {
        "interval": 4,
        "trials": 1,
        "status": "trial",
        "controls": controls,
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"converged": "false"}, "converged is 'false'"),
        ({"converged": 1}, "converged is 1"),
        ({"head_open": "no"}, "head_open is 'no'"),
        ({"interval": "1"}, "interval is '1'"),
        ({"trials": None}, "trials is None"),
        ({"iterations": True}, "iterations is True"),
        ({"stage": "finnal"}, "stage is 'finnal'"),
        ({"stage": ["final"]}, "stage is ['final']"),
        ({"clipped": "shed"}, "clipped is 'shed'"),
        ({"clipped": [["shed"]]}, "clipped is [['shed']]"),
    ],
)
def test_a_status_whose_fields_are_of_another_kind_is_told(change: dict[str, Any], says: str) -> None:
    """A text such as "false" would be true."""
    table = json.loads(FeederStatus(1, "final", 2, True, 5).text())
    with pytest.raises(FederationError) as caught:
        read_status(json.dumps(table | change))
    assert str(caught.value) == f"feeder/status, published by 'feeder', has wrong fields: {says}"


@pytest.mark.parametrize("stage", ["forecast", "trial", "final"])
def test_a_status_of_another_language_may_have_whole_numbers_as_others(stage: str) -> None:
    table = json.loads(FeederStatus(1, "final", 2, True, 5).text()) | {"interval": 1.0, "stage": stage}
    found = read_status(json.dumps(table | {"clipped": ["shed"]}))
    assert (found.interval, found.stage, found.clipped) == (1, stage, ("shed",))
