"""What markets and the ancillary market of their substation say to each other, there and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from dlmp_cosim.federates.contract.capacity import capacity_row, read_capacity
from dlmp_cosim.federates.contract.shared import (
    Call,
    Response,
    Terms,
    Turn,
    call_text,
    read_call,
    read_response,
)
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.ancillary.products import Capacity
from dlmp_cosim.market.ancillary.quotes import Quote, Seller

TURN = Turn(3, 1, 2)
CAPACITY = Capacity(regulation_up=4.0, called=60.0, ramp_kw_per_minute=20.0)
QUOTE = Quote(12.5, (Seller("dg", 40.0, 21.5, 0.0, 300.0, 18.0, 0.05, CAPACITY),))
KEY = "north.market/response"


def test_a_call_says_to_every_feeder_what_is_its_own() -> None:
    held = {"north": {"dg": (30.0, 5.0)}, "village": {"other": (1.0, 0.0)}}
    text = call_text(Call(TURN, 2.0, quotes=True), held, {"north": {"dg": -4.0}})
    found = read_call(text, TURN, "north")
    assert found == Call(TURN, 2.0, quotes=True, held={"dg": (30.0, 5.0)}, called={"dg": -4.0})
    assert found.terms == Terms(2.0, {"dg": (30.0, 5.0)})
    assert not found.done
    assert read_call(text, TURN, "solar").held == {}


def test_without_an_ancillary_market_messages_say_nothing_of_it() -> None:
    call = json.loads(call_text(Call(TURN, 2.0, (1.0,)), {}, {}))
    assert set(call) == {"interval", "window", "exchange", "adder", "adders", "final"}
    response = json.loads(Response(TURN, True, 2.0, 100.0, 10.0).text())
    assert "quote" not in response


def test_a_quote_comes_back_as_it_was() -> None:
    said = Response(TURN, True, 2.0, 100.0, 10.0, quote=QUOTE)
    assert read_response(KEY, said.text(), TURN) == said
    assert read_response(KEY, replace(said, quote=None).text(), TURN).quote is None


@pytest.mark.parametrize(
    "broken", [{"cost": 1.0}, {"cost": "much", "sellers": []}, [], {"cost": 1, "sellers": [{}]}]
)
def test_a_broken_quote_is_named(broken: Any) -> None:
    table = json.loads(Response(TURN, True, 2.0, 100.0, 10.0).text()) | {"quote": broken}
    with pytest.raises(FederationError, match=r"north\.market/response.*quote"):
        read_response(KEY, json.dumps(table), TURN)


def test_room_that_is_no_number_is_named() -> None:
    table = json.loads(call_text(Call(TURN, 2.0))) | {"held": {"north": {"dg": ["much", 0]}}}
    with pytest.raises(FederationError, match="no numbers"):
        read_call(json.dumps(table), TURN, "north")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"held": [1.0]}, "says held in what is not a JSON object"),
        ({"called": {"north": [1.0]}}, "says called in what is not a JSON object"),
        ({"held": {"north": {"dg": [1.0]}}}, "holds or calls what are no numbers"),
        ({"called": {"north": {"dg": math.nan}}}, "holds or calls what are no numbers"),
        ({"called": {"north": {"dg": 10**400}}}, "holds or calls what are no numbers"),
        ({"adder": math.inf}, "lacks adder, adders or final"),
        ({"adders": [1.0, None]}, "lacks adder, adders or final"),
        ({"final": 1}, "lacks adder, adders or final"),
        ({"exchange": 7}, "is for interval, round and exchange (3, 1, 7); expected (3, 1, 2)"),
    ],
)
def test_a_call_that_cannot_be_answered_is_blamed_on_the_substation(change: Any, what: str) -> None:
    table = json.loads(call_text(Call(TURN, 2.0))) | change
    with pytest.raises(FederationError) as caught:
        read_call(json.dumps(table), TURN, "north")
    assert str(caught.value) == f"substation/call, published by 'substation', {what}"


@pytest.mark.parametrize(
    "change",
    [
        {"agreed": 1},
        {"adder": None},
        {"head_kw": math.nan},
        {"head_kvar": 10**400},
        {"heads": None},
        {"heads": [[1.0, 2.0, 3.0]]},
        {"curve": [[0.0, math.inf]]},
        {"curve": {"0": 1.0}},
    ],
)
def test_an_answer_that_lacks_something_is_blamed_on_its_market(change: Any) -> None:
    table = json.loads(Response(TURN, True, 2.0, 100.0, 10.0).text()) | change
    with pytest.raises(FederationError) as caught:
        read_response(KEY, json.dumps(table), TURN)
    lacks = "lacks agreed, adder, head_kw, head_kvar, heads or curve"
    assert str(caught.value) == f"{KEY}, published by 'north.market', {lacks}"


def test_capacity_comes_back_as_it_was() -> None:
    for capacity in (CAPACITY, Capacity(), Capacity(reserve=0.0)):
        assert read_capacity(json.loads(json.dumps(capacity_row(capacity)))) == capacity


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "no JSON object|not a JSON object"),
        ({"reserves": 1}, "did you mean 'reserve'"),
        ({"reserve": "1"}, "capacity.reserve is '1'"),
        ({"reserve": True}, "expected a finite number"),
    ],
)
def test_capacity_that_cannot_be_read_is_named(value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_capacity(value)
