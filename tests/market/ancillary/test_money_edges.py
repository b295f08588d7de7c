"""Ancillary money in the corners: nothing sold, nothing drawn, prices below nothing, one interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.money import AncillaryLedger, Rule, Sold, cost_shares, settle_ancillary
from dlmp_cosim.market.ancillary.products import PRODUCTS, Product

HALF = 0.5


def sold(product: Product = "reserve", who: str = "dg", feeder: str = "a", **rows: list[float]) -> Sold:
    n = max((len(row) for row in rows.values()), default=2)
    names = ("award", "called", "given", "missed", "price", "dlmp", "asked")
    sound = {"award": 100.0, "price": 8.0, "dlmp": 30.0, "asked": np.nan}
    arrays = {name: np.array(rows.get(name, [sound.get(name, 0.0)] * n)) for name in names}
    return Sold(feeder, who, product, **arrays)


def settled(*items: Sold, count: int = 2) -> AncillaryLedger:
    halves = np.full(count, 0.5)
    return settle_ancillary(items, {"a": halves, "b": halves}, HALF, count)


@pytest.mark.parametrize(
    ("missed", "kept"),
    [([0.0, 0.0], [100.0, 100.0]), ([30.0, 0.0], [70.0, 100.0]), ([100.0, 200.0], [0.0, 0.0])],
)
def test_what_was_missed_does_not_count_as_held(missed: list[float], kept: list[float]) -> None:
    assert sold(missed=missed).kept.tolist() == kept


def test_nothing_awarded_is_worth_nothing_whatever_its_price() -> None:
    idle = sold(award=[0.0, 0.0], price=[1e5, 1e5])
    assert idle.capacity_usd(HALF).tolist() == [0.0, 0.0]
    assert settled(idle).collected == 0.0


@pytest.mark.parametrize(
    ("product", "asked", "usd"),
    [
        ("reserve", 80.0, 1.0),
        ("reserve", 30.0, 0.0),
        ("regulation_up", -20.0, -1.0),
        ("regulation_down", 10.0, 0.4),
        ("regulation_down", 80.0, -1.0),
        ("regulation_down", np.nan, 0.0),
    ],
)
def test_called_energy_is_paid_by_its_direction(product: Product, asked: float, usd: float) -> None:
    item = sold(product, given=[40.0], asked=[asked], award=[100.0])
    single = Sold(item.feeder, item.resource, product, *(np.resize(getattr(item, name), 1) for name in (
        "award", "called", "given", "missed", "price", "dlmp", "asked"
    )))  # fmt: skip
    assert single.called_usd(HALF) == pytest.approx([usd])


def test_a_market_in_which_nobody_sold_costs_nobody_anything() -> None:
    ledger = settled()
    assert (ledger.paid, ledger.collected, ledger.imbalance_usd) == (0.0, 0.0, 0.0)
    assert (ledger.sellers, dict(ledger.products)) == ((), {})
    assert ledger.of_feeder("a") == 0.0


def test_sellers_are_listed_in_their_order_with_what_they_held() -> None:
    ledger = settled(sold("regulation_down", "z"), sold("reserve", "y", "b", award=[0.0, 60.0]))
    assert [(item.resource, item.product, item.held_kwh) for item in ledger.sellers] == [
        ("z", "regulation_down", 100.0),
        ("y", "reserve", 30.0),
    ]
    assert list(ledger.products) == ["regulation_down", "reserve"]


def test_products_are_priced_each_by_its_own() -> None:
    ledger = settled(
        *(sold(name, price=[price] * 2) for name, price in zip(PRODUCTS, (4.0, 2.0, 1.0), strict=True))
    )
    assert ledger.products == pytest.approx({"regulation_up": 0.4, "regulation_down": 0.2, "reserve": 0.1})
    assert ledger.collected == pytest.approx(0.7)


def test_a_feeder_gets_what_its_own_resources_are_paid() -> None:
    ledger = settled(sold(who="x"), sold(who="y"), sold(who="z", feeder="b", award=[10.0, 10.0]))
    assert (ledger.of_feeder("a"), ledger.of_feeder("b")) == pytest.approx((1.6, 0.08))
    assert ledger.of_feeder("nobody") == 0.0


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ("energy", {"a": [0.25, 1.0], "b": [0.75, 0.0]}),
        ("peak", {"a": [0.0, 0.0], "b": [1.0, 1.0]}),
        ("deviation", {"a": [1.0, 1.0], "b": [0.0, 0.0]}),
    ],
)
def test_a_feeder_that_feeds_back_counts_by_the_rule(rule: Rule, shares: dict[str, list[float]]) -> None:
    heads = {"a": np.array([-50.0, -50.0]), "b": np.array([150.0, 0.0])}
    expected = {"a": np.array([-40.0, 50.0]), "b": np.array([150.0, 0.0])}
    found = cost_shares(rule, heads, expected)
    assert {name: share.tolist() for name, share in found.items()} == shares


def test_where_nobody_is_off_the_energy_counts() -> None:
    heads = {"a": np.array([30.0]), "b": np.array([10.0])}
    assert cost_shares("deviation", heads, heads)["a"].tolist() == [0.75]


@pytest.mark.parametrize("rule", ["energy", "peak", "deviation"])
def test_one_feeder_pays_all_and_none_pays_none(rule: Rule) -> None:
    alone = {"a": np.array([-5.0, 0.0, 5.0])}
    assert cost_shares(rule, alone, alone)["a"].tolist() == [1.0, 1.0, 1.0]
    assert cost_shares(rule, {}, {}) == {}


@pytest.mark.parametrize("rule", ["energy", "peak", "deviation"])
@given(rows=st.lists(st.tuples(*(st.floats(-1e4, 1e4) for _ in range(4))), min_size=1, max_size=5))
def test_shares_of_every_interval_sum_to_one(rule: Rule, rows: list[tuple[float, ...]]) -> None:
    one, other, wanted, expected = (np.array(column) for column in zip(*rows, strict=True))
    found = cost_shares(rule, {"a": one, "b": other}, {"a": wanted, "b": expected})
    assert found["a"] + found["b"] == pytest.approx(np.ones(len(rows)))
    assert min(share.min() for share in found.values()) >= 0.0
