"""Calls and responses that somebody else wrote: what is read, what is refused and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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

TURN = Turn(3, 1, 2)
PLACE = {"interval": 3, "window": 1, "exchange": 2}
CALL = PLACE | {"adder": 1.5, "adders": [0.0, 2.0], "final": False}
RESPONSE = PLACE | {
    "agreed": True,
    "adder": 1.5,
    "head_kw": 9.0,
    "head_kvar": -2.0,
    "heads": [[0.0, 7.0]],
    "curve": [],
}
NUMBERS = st.floats(-1e6, 1e6)
KEY = "north.market/response"


def called(table: Any, feeder: str = "north") -> Call:
    return read_call(json.dumps(table), TURN, feeder)


def answered(table: Any) -> Response:
    return read_response(KEY, json.dumps(table), TURN)


def refusal(read: Any, table: Any) -> str:
    with pytest.raises(FederationError) as caught:
        read(table)
    return str(caught.value).partition("', ")[2]


def test_a_call_says_where_it_belongs_and_what_holds() -> None:
    found = called(CALL)
    assert found == Call(TURN, 1.5, (0.0, 2.0))
    assert found.terms == Terms(1.5, {})
    assert not found.done


@pytest.mark.parametrize(
    ("changes", "done"),
    [
        ({}, False),
        ({"adders": []}, True),
        ({"adders": [], "quotes": True}, False),
        ({"adders": [], "quotes": 1}, True),
    ],
)
def test_exchanges_are_over_when_nothing_is_asked(changes: dict[str, Any], done: bool) -> None:
    assert called(CALL | changes).done is done


def test_a_feeder_takes_what_is_its_own_alone() -> None:
    rows = {
        "held": {"north": {"dg": [5, 2.0]}, "south": {"dg": [9.0, 9.0]}},
        "called": {"south": {"dg": 4.0}},
    }
    north, south, other = (called(CALL | rows, feeder) for feeder in ("north", "south", "west"))
    assert (north.held, north.called) == ({"dg": (5.0, 2.0)}, {})
    assert (south.held, south.called) == ({"dg": (9.0, 9.0)}, {"dg": 4.0})
    assert (other.held, other.called) == ({}, {})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"interval": 4}, "is for interval, round and exchange (4, 1, 2); expected (3, 1, 2)"),
        ({"exchange": None}, "is for interval, round and exchange (3, 1, None); expected (3, 1, 2)"),
        ({"adder": "1.5"}, "lacks adder, adders or final"),
        ({"adder": True}, "lacks adder, adders or final"),
        ({"adder": 1e16}, "lacks adder, adders or final"),
        ({"adders": None}, "lacks adder, adders or final"),
        ({"adders": ""}, "lacks adder, adders or final"),
        ({"adders": {"0": 1}}, "lacks adder, adders or final"),
        ({"adders": [1.0, None]}, "lacks adder, adders or final"),
        ({"final": 0}, "lacks adder, adders or final"),
        ({"held": []}, None),
        ({"held": [1]}, "says held in what is not a JSON object"),
        ({"held": {"north": [1]}}, "says held in what is not a JSON object"),
        ({"called": "north"}, "says called in what is not a JSON object"),
        ({"held": {"north": {"dg": [1.0]}}}, "holds or calls what are no numbers"),
        ({"held": {"north": {"dg": 1.0}}}, "holds or calls what are no numbers"),
        ({"held": {"north": {"dg": "12"}}}, "holds or calls what are no numbers"),
        ({"called": {"north": {"dg": None}}}, "holds or calls what are no numbers"),
    ],
)
def test_a_call_that_cannot_be_meant_is_told(changes: dict[str, Any], says: str | None) -> None:
    if says is None:
        assert called(CALL | changes).held == {}
    else:
        assert refusal(called, CALL | changes) == says


@pytest.mark.parametrize(
    "changes",
    [
        {"agreed": 1},
        {"agreed": None},
        {"adder": None},
        {"head_kw": "9"},
        {"head_kvar": 1e15},
        {"heads": None},
        {"heads": ""},
        {"heads": [[1.0]]},
        {"heads": [[1.0, 2.0, 3.0]]},
        {"heads": [["1", "2"]]},
        {"curve": {}},
        {"curve": [1.0, 2.0]},
        {"curve": ["", ""]},
    ],
)
def test_a_response_without_its_numbers_is_told(changes: dict[str, Any]) -> None:
    assert refusal(answered, RESPONSE | changes) == "lacks agreed, adder, head_kw, head_kvar, heads or curve"


def test_a_response_of_another_exchange_is_told_before_what_it_lacks() -> None:
    found = refusal(answered, PLACE | {"window": 7})
    assert found == "is for interval, round and exchange (3, 7, 2); expected (3, 1, 2)"


@pytest.mark.parametrize("text", ["", "[]", "null", "3", "\ufeff{}"])
def test_what_is_no_json_object_is_told_with_its_publisher(text: str) -> None:
    with pytest.raises(FederationError, match=r"north\.market/response, published by 'north\.market', "):
        read_response(KEY, text, TURN)


@given(NUMBERS, st.lists(NUMBERS, max_size=4), st.booleans(), st.booleans())
def test_a_call_comes_back_as_it_was_said(
    adder: float, adders: list[float], final: bool, quotes: bool
) -> None:
    said = Call(TURN, adder, tuple(adders), final, quotes)
    assert read_call(call_text(said), TURN) == said


@given(NUMBERS, NUMBERS, NUMBERS, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3), st.booleans())
def test_a_response_comes_back_as_it_was_said(
    adder: float, kw: float, kvar: float, pairs: list[tuple[float, float]], agreed: bool
) -> None:
    said = Response(TURN, agreed, adder, kw, kvar, tuple(pairs), tuple(reversed(pairs)), {"up_kw": kw})
    assert read_response(KEY, said.text(), TURN) == said


def test_a_number_that_is_not_finite_does_not_pass_the_wire() -> None:
    said = Response(TURN, True, 0.0, float("nan"), 0.0)
    with pytest.raises(FederationError, match="lacks agreed, adder, head_kw"):
        read_response(KEY, said.text(), TURN)
