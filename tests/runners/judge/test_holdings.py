"""What every resource of a run earned, what it cost, and what it holds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.runners.judge.holdings import Holding, holdings
from dlmp_cosim.runners.judge.ledger import account_for
from tests.handmade import chain, generator, load
from tests.runners.judge.paper import SHED, paper_run


def cell(name: str, owner: str = "battery") -> Any:
    return replace(generator(name, "b", owner=owner), kind="storage")


def held(*more: Any, told: dict[str, Any] | None = None, rows: list[Any] | None = None) -> dict[str, Holding]:
    """Holdings by name, of a run with more resources, which neither give nor take."""
    resources = [generator("g", "b"), SHED, *more]
    idle = np.zeros((2, len(more)))
    values = {
        "feeder/injection_real": np.hstack([[[10.0, 0.0], [0.0, 0.0]], idle]),
        "feeder/injection_reactive": np.zeros((2, len(resources))),
        "market/dispatch_real": np.hstack([[[10.0, 0.0], [0.0, 6.0]], idle]),
    }
    offers = {"assets/offer": [{"interval": k, "offers": rows or []} for k in range(2)]}
    network = chain("a", "b", loads=[load("x", "b")], resources=resources)
    run = paper_run(values | (told or {}), offers, network=network)
    settlement = account_for(run).settlement
    assert settlement is not None
    return {item.resource: item for item in holdings(run, settlement)}


def test_a_generator_is_paid_for_what_it_gives() -> None:
    found = held(rows=[{"resource": "g", "cost_linear": 18.0, "cost_quadratic": 0.2}])["g"]
    assert (found.kind, found.owner) == ("generator", "assets")
    assert found.energy_kwh == pytest.approx(5.0)
    assert found.earned_usd == pytest.approx(0.18)
    assert found.cost_usd == pytest.approx(0.5 * (18.0 + 0.2 * 10 / 2) * 10 / 1e3)
    assert found.profit_usd == pytest.approx(0.18 - 0.095)


def test_a_flexible_load_is_paid_for_what_its_load_spares() -> None:
    found = held()["shed"]
    assert found.energy_kwh == pytest.approx(3.0)
    assert found.earned_usd == pytest.approx(0.1824)


def test_an_award_without_an_offer_on_record_has_no_cost() -> None:
    found = held()["g"]
    assert math.isnan(found.cost_usd)
    assert math.isnan(found.profit_usd)


def test_what_was_not_awarded_costs_nothing_even_without_an_offer() -> None:
    assert held(generator("idle", "a"))["idle"].cost_usd == 0.0


def test_a_storage_that_takes_pays() -> None:
    told = {"feeder/injection_real": [[10.0, 0.0, -4.0], [0.0, 0.0, 2.0]]}
    found = held(cell("one"), told=told)["one"]
    assert found.energy_kwh == pytest.approx(-1.0)
    assert found.earned_usd == pytest.approx(0.5 * (-4 * 36 + 2 * 60) / 1e3)


ENERGY = {"battery/energy": [40.0, 38.5]}


def test_a_storage_holds_what_its_owner_published_last() -> None:
    assert held(cell("one"), told=ENERGY)["one"].stored_kwh == 38.5


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ([cell("one")], {}),
        ([cell("one"), cell("two")], ENERGY),
        ([cell("one", owner="other")], ENERGY),
        ([generator("one", "b", owner="battery")], ENERGY),
    ],
    ids=["nothing published", "two of one owner", "another's", "no storage"],
)
def test_else_nobody_knows_what_it_holds(resources: list[Any], told: dict[str, Any]) -> None:
    assert math.isnan(held(*resources, told=told)["one"].stored_kwh)


def test_a_generator_beside_the_storage_of_an_owner_leaves_it_known() -> None:
    found = held(cell("one"), generator("sun", "b", owner="battery"), told=ENERGY)
    assert found["one"].stored_kwh == 38.5
    assert math.isnan(found["sun"].stored_kwh)


def test_resources_stand_in_the_order_of_the_network() -> None:
    assert list(held(cell("zz"), cell("aa"))) == ["g", "shed", "zz", "aa"]
