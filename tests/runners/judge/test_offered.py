"""Offers as a run has them on record, where owners may have published anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.runners.judge.holdings import costs_by_resource, penalised
from dlmp_cosim.runners.judge.offered import offer_rows, read_offered, sold_at_lmp
from tests.handmade import chain, generator, load
from tests.runners.told import ToldResults

CELL = replace(generator("cell", "b", owner="battery"), kind="storage")
NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), generator("h", "b"), CELL])


def run(dispatch: Any = ((10.0, 0.0, -5.0), (20.0, 4.0, 5.0)), **texts: list[Any]) -> Any:
    named = {f"{owner}/offer": rows for owner, rows in texts.items()}
    return ToldResults(NETWORK, {"market/dispatch_real": dispatch}, named)


def row(resource: Any, **more: Any) -> dict[str, Any]:
    return {"resource": resource, "p_min_kw": 0.0, "p_max_kw": 60.0, "cost_linear": 20.0, **more}


def offers(interval: int, *rows: Any) -> dict[str, Any]:
    return {"interval": interval, "offers": list(rows)}


def test_offers_stand_by_interval_and_resource() -> None:
    assets = [
        offers(0, row("g", cost_quadratic=0.5)),
        offers(1, row("h", p_max_kw=30.0), row("g", cost_linear=25.0)),
    ]
    found = read_offered(run(assets=assets, battery=[offers(0, row("cell", p_min_kw=-50.0)), offers(1)]))
    np.testing.assert_array_equal(found.high, [[60.0, np.nan, 60.0], [60.0, 30.0, np.nan]])
    np.testing.assert_array_equal(found.linear, [[20.0, np.nan, 20.0], [25.0, 20.0, np.nan]])
    np.testing.assert_array_equal(found.quadratic, [[0.5, np.nan, 0.0], [0.0, 0.0, np.nan]])
    assert found.low[0, 2] == -50.0
    assert found.market is None


NONSENSE: dict[str, Any] = {
    "no JSON": "{",
    "no object": [1, 2],
    "no text": "",
    "another interval": offers(7, row("g")),
    "offers that are none": {"interval": 0, "offers": {"g": 1}},
    "rows that are none": offers(0, 5, None, "g"),
    "no such resource": offers(0, row("gg")),
    "a resource that is a list": offers(0, row(["g"])),
    "a resource of somebody else": offers(0, row("cell")),
    "no resource": offers(0, {"p_max_kw": 1.0}),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_is_no_offer_is_passed_over(name: str) -> None:
    found = read_offered(run(assets=[NONSENSE[name], offers(1, row("g"))]))
    assert np.isnan(found.linear[0]).all()
    assert found.linear[1, 0] == 20.0


@pytest.mark.parametrize(
    "value", ["20", None, True, [1], 10**400], ids=["text", "null", "true", "list", "huge"]
)
def test_a_number_that_is_none_is_not_known(value: Any) -> None:
    found = read_offered(run(assets=[offers(0, row("g", cost_linear=value)), offers(1)]))
    assert np.isnan(found.linear[0, 0])
    assert found.high[0, 0] == 60.0


def test_without_a_topic_nobody_offers() -> None:
    assert list(offer_rows(run(), "assets/offer")) == []
    assert np.isnan(read_offered(run()).high).all()


def test_who_takes_part_elsewhere_is_told() -> None:
    found = run(assets=[offers(0, row("g", market="wholesale")), offers(1, row("g", market="out"))])
    market = read_offered(found).market
    assert market is not None
    assert market[:, 0].tolist() == ["wholesale", "out"]
    sold = sold_at_lmp(found)
    assert sold is not None
    assert sold.tolist() == [[True, False, False], [False, False, False]]
    assert sold_at_lmp(run(assets=[offers(0, row("g")), offers(1)])) is None


def test_awards_cost_what_their_owners_asked() -> None:
    """Half an hour each; what is not on record but was awarded is not known."""
    asked = [offers(k, row("g", cost_quadratic=0.5)) for k in range(2)]
    costs = costs_by_resource(run(assets=asked, battery=[offers(k, row("cell")) for k in range(2)]))
    first = (20.0 * 10 + 0.5 * 10**2 / 2 + 20.0 * 20 + 0.5 * 20**2 / 2) / 1e3 * 0.5
    assert costs[0] == pytest.approx(first)
    assert np.isnan(costs[1])
    assert costs[2] == pytest.approx((20.0 * -5 + 20.0 * 5) / 1e3 * 0.5)


def test_what_was_not_awarded_costs_nothing_whatever_is_on_record() -> None:
    idle = run(dispatch=[[0.0] * 3] * 2)
    assert costs_by_resource(idle).tolist() == [0.0, 0.0, 0.0]


def test_penalties_are_in_prices_where_a_limit_was_exceeded() -> None:
    records = [{}, {"limits": [{"exceeded": False}]}, {"limits": [{"exceeded": False}, {"exceeded": True}]}]
    told: Any = ToldResults(NETWORK, {"x": [0.0] * 3}, {"market/clearing": records})
    assert penalised(told) == [2]
