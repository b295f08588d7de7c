"""Terms over time as JSON: what an owner writes is what the market reads, and what is wrong has a name."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.ahead import ahead_row, read_ahead
from dlmp_cosim.federates.contract.messages import offers_text, read_offers
from dlmp_cosim.market.horizon.terms import Ahead, Comfort, Later, Owed, Ramp, Rebound, Session, Store
from dlmp_cosim.market.offers import Offer
from tests.market.support import mixed

NUMBERS = st.floats(0.1, 100.0)
STORES = st.builds(Store, NUMBERS, NUMBERS, NUMBERS, wear=NUMBERS)
TERMS = st.builds(
    Ahead,
    store=st.none() | STORES,
    sessions=st.none() | st.lists(st.builds(Session, NUMBERS, NUMBERS, NUMBERS), max_size=3).map(tuple),
    rebound=st.none()
    | st.builds(Rebound, NUMBERS, NUMBERS, NUMBERS, st.tuples(st.builds(Owed, NUMBERS, NUMBERS)), NUMBERS),
    ramp=st.none() | st.builds(Ramp, NUMBERS, NUMBERS),
    comfort=st.none() | st.builds(Comfort, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    later=st.builds(Later, p_max_kw=st.lists(NUMBERS, max_size=3).map(tuple)),
)


@given(TERMS)
def test_terms_survive_the_wire(ahead: Ahead) -> None:
    assert read_ahead(json.loads(json.dumps(ahead_row(ahead)))) == ahead


def test_an_offer_carries_its_terms() -> None:
    network = mixed().network
    offer = Offer("store", -20.0, 20.0, 0.0, ahead=Ahead(store=Store(10.0, 40.0)))
    text = offers_text(3, [offer])
    book = read_offers({"assets/offer": text}, 3, network, {})
    assert book.refused == ()
    assert book.accepted[0].ahead == offer.ahead
    assert "ahead" not in offers_text(3, [Offer("store", -20.0, 20.0, 0.0)])


WRONG: dict[str, tuple[Any, str]] = {
    "typo": ({"stroe": {}}, "ahead has unknown field 'stroe', did you mean 'store'?"),
    "field": ({"store": {"energy": 1}}, "store has unknown field 'energy', did you mean 'energy_kwh'?"),
    "lacks": ({"store": {"energy_kwh": 1}}, "store lacks max_kwh"),
    "text": ({"ramp": {"kw_per_minute": "1", "from_kw": 0}}, "ramp.kw_per_minute is '1'"),
    "truth": ({"ramp": {"kw_per_minute": True, "from_kw": 0}}, "ramp.kw_per_minute is 'True'"),
    "list": ({"sessions": {}}, "sessions is not a list"),
    "entry": ({"sessions": [{"energy_kwh": 1, "end_h": 2}]}, "sessions[0] lacks kw_max"),
    "owed": ({"rebound": {"share": 1, "window_h": 1, "kw_max": 1, "owed": [1]}}, "rebound.owed[0] is not"),
    "later": ({"later": {"p_max_kw": [1, None]}}, "later.p_max_kw[1] is 'None'"),
    "number": (5, "ahead is not a JSON object"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_and_refused(case: str) -> None:
    value, says = WRONG[case]
    with pytest.raises(ValueError, match=re.escape(says)):
        read_ahead(value)
    row = {"resource": "store", "p_min_kw": 0, "p_max_kw": 1, "cost_linear": 0, "ahead": value}
    book = read_offers({"assets/offer": json.dumps({"interval": 0, "offers": [row]})}, 0, mixed().network, {})
    assert book.accepted == ()
    assert says in book.refused[0]


def test_terms_that_contradict_themselves_are_refused() -> None:
    wrong = Offer("store", -20.0, 20.0, 0.0, ahead=Ahead(store=Store(10.0, 5.0, 8.0)))
    book = read_offers({"assets/offer": offers_text(0, [wrong])}, 0, mixed().network, {})
    assert "store.min_kwh of 8 is not below max_kwh of 5" in book.refused[0]


def test_a_load_that_is_shed_cannot_be_told_to_consume_more() -> None:
    offer = Offer("flex_wye", -5.0, 5.0, 0.0, ahead=Ahead(rebound=Rebound(1.0, 2.0, 5.0)))
    book = read_offers({"assets/offer": offers_text(0, [offer])}, 0, mixed().network, {"i2": 100.0})
    assert "cannot be asked to consume 5 kW more" in book.refused[0]
