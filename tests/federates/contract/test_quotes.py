"""Quotes of markets, as JSON and back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.quotes import quote_row, read_quote
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.ancillary.products import Capacity
from dlmp_cosim.market.ancillary.quotes import Quote, Seller

number = st.floats(-1e6, 1e6)
room = st.just(math.inf) | st.floats(0, 1e6)
sellers = st.builds(
    Seller, st.text(min_size=1), number, number, number, number, number, number,
    st.builds(Capacity, reserve=st.none() | st.floats(0, 100)), room, room,
)  # fmt: skip


@settings(max_examples=30)
@given(number, st.lists(sellers, max_size=3))
def test_what_was_written_is_read(cost: float, several: list[Seller]) -> None:
    quote = Quote(cost, tuple(several))
    assert read_quote("market/quote", json.loads(json.dumps(quote_row(quote), allow_nan=False))) == quote


SELLER = {
    "resource": "cell", "kw": 1.0, "worth": 2.0, "p_min_kw": -5.0, "p_max_kw": 5.0,
    "cost_linear": 30.0, "cost_quadratic": 0.0, "capacity": {"reserve": 2.0},
}  # fmt: skip


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in SELLER.items() if key != name}


def test_a_seller_without_a_store_says_nothing_of_its_energy() -> None:
    seller = Seller("cell", 1.0, 2.0, -5.0, 5.0, 30.0, 0.0, Capacity(reserve=2.0))
    assert quote_row(Quote(7.0, (seller,))) == {"cost": 7.0, "sellers": [SELLER]}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "'NoneType' object is not subscriptable"),
        ({"sellers": []}, "'cost'"),
        ({"cost": "much", "sellers": []}, "cost is 'much'; expected a finite number"),
        ({"cost": math.nan, "sellers": []}, "cost is 'nan'; expected a finite number"),
        ({"cost": 1.0, "sellers": [SELLER | {"kw": True}]}, "kw is 'True'; expected a finite number"),
        (
            {"cost": 1.0, "sellers": [SELLER | {"give_kw": -math.inf}]},
            "give_kw is '-inf'; expected a finite number",
        ),
        ({"cost": 1.0}, "'sellers'"),
        ({"cost": 1.0, "sellers": 5}, "'int' object is not iterable"),
        ({"cost": 1.0, "sellers": [without("worth")]}, "'worth'"),
        ({"cost": 1.0, "sellers": [without("capacity")]}, "'capacity'"),
        (
            {"cost": 1.0, "sellers": [SELLER | {"capacity": {"reserv": 1.0}}]},
            "capacity has unknown field 'reserv', did you mean 'reserve'?",
        ),
        ({"cost": 10**400, "sellers": []}, f"cost is '1{'0' * 79}'; expected a finite number"),
    ],
)
def test_what_is_no_quote_is_blamed_on_its_publisher(value: Any, why: str) -> None:
    with pytest.raises(FederationError) as caught:
        read_quote("north_market/response", value)
    assert str(caught.value) == (
        f"north_market/response, published by 'north_market', has a quote that cannot be read: {why}"
    )
