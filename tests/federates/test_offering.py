from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_network

from dlmp_cosim.federates.anchoring.hold import within
from dlmp_cosim.federates.contract.messages import read_offers
from dlmp_cosim.federates.offering import Awarded, Interval, OfferingFederate
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Resource
from dlmp_cosim.feeders.readers.network_json import network_to_json
from dlmp_cosim.market.offers import Offer, accept_offers

NETWORK = replace(
    toy_network(),
    resources=(
        Resource("dg", "generator", "b", (1, 2, 3), 300.0, 330.0, owner="assets"),
        Resource("flex", "flexible_load", "b", (1,), 40.0, 42.0, load="load_a", owner="assets"),
        Resource("cell", "storage", "b", (1,), 50.0, 60.0, owner="battery"),
    ),
)
DEMAND = {"load_a": 100.0, "load_b": 100.0, "load_c": 100.0}


class Shop(OfferingFederate):
    NAME = "shop"

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        self.seen: list[Interval] = []
        self.awards: list[Mapping[str, Awarded]] = []

    def offer(self, now: Interval) -> list[Offer]:
        self.seen.append(now)
        return [Offer("unit", -5.0, 5.0, now.lmp)]

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        self.awards.append(awards)
        return {"level": float(now.number)}


@pytest.fixture
def shop_study(toy_study: Study) -> Study:
    unit = 'name = "unit"\nkind = "storage"\nbus = "b"\nphases = "bc"\nkw_max = 5\n'
    table = f'[[owner]]\nname = "shop"\n[[owner.resource]]\n{unit}'
    text = toy_study.scenario_file.read_text().replace("intervals = 6", "intervals = 2")
    toy_study.scenario_file.write_text(f"{text}\n{table}")
    return load_study(toy_study.folder)


class Quiet(Shop):
    """Has nothing of its own to say."""

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        super().award(now, awards)
        return {}


def play(study: Study, scripted: Any, kind: type[Shop] = Shop) -> tuple[Shop, Any]:
    prices = {"wholesale/lmp": 21.0, "wholesale/demand_ratio": 0.5}
    awards = {
        "market/dispatch_real": np.array([100.0, 3.0, -4.0]),
        "market/dispatch_reactive": np.array([0.0, 0.0, 1.5]),
        "market/dlmp_real": np.arange(6.0),
        "market/dlmp_reactive": np.arange(6.0) / 10,
    }
    start = {"feeder/network": network_to_json(study.network), **prices}
    link = scripted({0.0: start, 2.0: awards, 60.0: prices | {"wholesale/lmp": 22.0}, 62.0: awards})
    link.publishes = ("shop/offer",) if kind is Quiet else ("shop/offer", "shop/level")
    role = kind(study)
    assert role.initial() == {}
    link.inputs |= awards  # known keys from the start, as in a federation
    role.run(link)
    role.close()
    return role, link


def test_it_offers_in_the_offer_slot_and_hears_before_the_recorder_reads(
    shop_study: Study, scripted: Any
) -> None:
    _, link = play(shop_study, scripted)
    assert link.trace == [
        (1.0, "wait"), (1.0, "shop/offer"), (58.0, "wait"), (58.0, "shop/level"),
        (61.0, "wait"), (61.0, "shop/offer"), (118.0, "wait"), (118.0, "shop/level"),
    ]  # fmt: skip
    assert json.loads(link.outputs["shop/offer"]) == {
        "interval": 1,
        "offers": [
            {"resource": "unit", "p_min_kw": -5.0, "p_max_kw": 5.0, "cost_linear": 22.0}
            | {"cost_quadratic": 0.0, "q_min_kvar": 0.0, "q_max_kvar": 0.0}
        ],
    }


def test_without_figures_to_record_it_hears_when_it_next_offers(shop_study: Study, scripted: Any) -> None:
    role, link = play(shop_study, scripted, Quiet)
    assert link.trace == [
        (1.0, "wait"), (1.0, "shop/offer"), (61.0, "wait"), (61.0, "shop/offer"), (118.0, "wait"),
    ]  # fmt: skip
    assert len(role.awards) == 2


def test_it_knows_price_and_demand_and_is_told_power_and_price_of_its_phases(
    shop_study: Study, scripted: Any
) -> None:
    role, _ = play(shop_study, scripted)
    assert role.seen == [Interval(0, 1 / 60, 21.0, 0.5), Interval(1, 1 / 60, 22.0, 0.5)]
    awarded = Awarded(-4.0, 1.5, (4.0 + 5.0) / 2, (0.4 + 0.5) / 2)
    assert role.awards == [{"unit": awarded}, {"unit": awarded}]


def test_in_one_piece_it_hears_the_same(shop_study: Study, scripted: Any) -> None:
    apart, _ = play(shop_study, scripted)
    prices = {"wholesale/lmp": 21.0, "wholesale/demand_ratio": 0.5}
    heard = {"market/award_shop": np.array([-4.0, 1.5, 4.5, 0.45])}
    link = scripted({0.0: prices, 2.0: heard, 60.0: prices, 62.0: heard})
    link.publishes = ("shop/offer", "shop/level")
    link.inputs |= heard
    role = Shop(shop_study)
    role.run(link)
    assert role.awards == apart.awards


def test_a_federate_that_owns_nothing_is_told_so(toy_study: Study) -> None:
    with pytest.raises(InputError, match=r"'shop' owns no resource.*\[\[owner\]\] with name = \"shop\""):
        Shop(toy_study)


def test_the_name_of_the_command_line_decides_what_is_owned(shop_study: Study) -> None:
    assert list(Shop(shop_study, "assets").resources) == ["dg", "flex"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "resource", "p_min_kw", "p_max_kw", "cost_linear", "cost_quadratic",
    "q_min_kvar", "q_max_kvar", "s_max_kva", "reactive_ratio",
]  # fmt: skip
NUMBER = st.floats(-400, 400) | st.integers(-(10**20), 10**20) | st.floats()
ROWS = st.fixed_dictionaries(
    {"resource": st.sampled_from(["dg", "flex", "cell", "dq"])},
    optional=dict.fromkeys(FIELDS[1:], NUMBER),
)


BROKEN = {
    "absent": "",
    "cut": "{",
    "list": "[]",
    "null": "null",
    "nan": "NaN",
    "deep": "[" * 100_000,
    "infinite": '{"interval":7,"offers":[{"resource":"cell","p_max_kw":1e999}]}',
    "huge": '{"interval":7,"offers":[{"resource":"cell","p_min_kw":' + "9" * 5000 + "}]}",
    "late": '{"interval":6,"offers":[]}',
}


@pytest.mark.parametrize(
    "text",
    BROKEN.values(),
    ids=BROKEN,
)
def test_a_broken_offer_is_refused_by_name_and_others_are_cleared(text: str) -> None:
    good = '{"interval":7,"offers":[{"resource":"dg","p_min_kw":0,"p_max_kw":9,"cost_linear":20}]}'
    book = read_offers({"battery/offer": text, "assets/offer": good}, 7, NETWORK, DEMAND)
    assert [offer.resource for offer in book.accepted] == ["dg"]
    (reason,) = book.refused
    assert "battery" in reason
    assert len(reason) < 400


@given(st.text() | JSON.map(json.dumps))
def test_no_text_stops_the_market(text: str) -> None:
    book = read_offers({"battery/offer": text}, 7, NETWORK, DEMAND)
    assert book.accepted == ()


@given(st.lists(ROWS, max_size=4))
def test_whatever_is_accepted_can_be_cleared_and_injected(rows: list[dict[str, Any]]) -> None:
    texts = {f"{owner}/offer": json.dumps({"interval": 7, "offers": rows}) for owner in ("assets", "battery")}
    book = read_offers(texts, 7, NETWORK, DEMAND)
    sound, unsound = accept_offers(NETWORK, book.accepted)
    assert (sound, unsound) == (book.accepted, ())
    for offer in book.accepted:
        resource = next(item for item in NETWORK.resources if item.name == offer.resource)
        for wanted in (0j, 500 + 500j, -500 - 500j, -500 + 500j):
            power = within(offer, wanted)
            if not resource.load:
                assert abs(power) <= resource.kva_max * (1 + 1e-5) + 1e-5
