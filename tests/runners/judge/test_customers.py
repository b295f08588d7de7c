"""What groups of customers pay, on a run that fits on paper."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dlmp_cosim.market.money.payment_schemes import MODELS, Rates
from dlmp_cosim.runners.judge.customers import REST, GroupCost, group_costs, load_bills
from dlmp_cosim.runners.judge.ledger import account_for
from tests.handmade import chain, generator, load
from tests.runners.judge.paper import paper_run

TWO = chain("a", "b", loads=[load("x", "b"), load("y", "b", 10.0, 4.0)], resources=[generator("g", "b")])
"""A second load of 10 kW at the bus of the first."""
TOLD = {
    "feeder/load_real": [[30.0, 10.0], [24.0, 10.0]],
    "feeder/load_reactive": [[12.0, 4.0], [9.6, 4.0]],
    "feeder/demand_real": [[30.0, 10.0], [24.0, 10.0]],
    "feeder/demand_reactive": [[12.0, 4.0], [9.6, 4.0]],
    "feeder/injection_real": [[10.0], [0.0]],
    "feeder/injection_reactive": [[0.0], [0.0]],
    "market/dispatch_real": [[10.0], [0.0]],
}
X_PAYS = 0.5 * (30 * 36 + 24 * 60 + 21.6 * 2) / 1e3 - 0.1824
Y_PAYS = 0.5 * (10 * 36 + 10 * 60 + 8 * 2) / 1e3


def groups(*tables: dict[str, Any], model: str = "nodal") -> tuple[GroupCost, ...]:
    run = paper_run(TOLD, {}, {"market": {"model": model}, "group": list(tables)}, network=TWO)
    return group_costs(run)


def homes(**more: Any) -> dict[str, Any]:
    return {"name": "homes", "loads": ["x"], "customers": 10, **more}


def test_nobody_is_told_apart_where_no_group_is_stated() -> None:
    assert group_costs(paper_run()) == ()
    assert groups() == ()


def test_a_group_pays_for_its_loads_less_what_it_is_paid_to_spare() -> None:
    found, rest = groups(homes())
    assert (found.name, found.customers) == ("homes", 10)
    assert found.energy_kwh == pytest.approx(0.5 * (30 + 24))
    assert found.cost_usd == pytest.approx(X_PAYS)
    assert found.price_usd_per_mwh == pytest.approx(X_PAYS / 27 * 1e3)
    assert (rest.name, rest.customers, rest.income_share) == (REST, None, None)
    assert rest.cost_usd == pytest.approx(Y_PAYS)


def test_the_share_is_of_what_is_earned_in_the_hours_of_the_run() -> None:
    """An hour of the year for ten who earn 8760 $ in it: a dollar each."""
    assert groups(homes(income=8760.0))[0].income_share == pytest.approx(X_PAYS / 10.0)


@pytest.mark.parametrize("income", [{}, {"income": None}, {"income": 0.0}])
def test_without_an_income_there_is_no_share(income: dict[str, Any]) -> None:
    assert groups(homes(**income))[0].income_share is None


def test_groups_and_the_rest_pay_all_that_loads_pay() -> None:
    found = groups({"name": "one", "loads": ["y"], "customers": 1}, homes())
    assert [item.name for item in found] == ["one", "homes", REST]
    assert sum(item.cost_usd for item in found) == pytest.approx(X_PAYS + Y_PAYS)
    assert found[-1].cost_usd == found[-1].energy_kwh == 0.0


def test_a_group_that_takes_nothing_has_no_price() -> None:
    assert math.isnan(groups({"name": "all", "loads": ["x", "y"], "customers": 2})[-1].price_usd_per_mwh)


def test_an_account_at_hand_is_not_made_again() -> None:
    run = paper_run(TOLD, {}, {"group": [homes()]}, network=TWO)
    free = account_for(paper_run(TOLD | {"market/dlmp_real": [[0.0] * 6] * 2}, network=TWO))
    assert group_costs(run, free)[0].cost_usd == pytest.approx(0.5 * 21.6 * 2 / 1e3 - 0.0024)


@pytest.mark.parametrize("scenario", ["traditional", "no_export", "retail_m", "retail_b"])
def test_loads_of_a_bus_share_its_bill_by_their_energy(scenario: Any) -> None:
    """37 kWh are used at the bus, of which 5 are generated there."""
    run = paper_run(TOLD, {}, {"market": {"model": MODELS[scenario]}}, network=TWO)
    paid, used = load_bills(run, account_for(run, Rates(0.2, 0.1)))
    assert used == pytest.approx([27.0, 10.0])
    assert paid == pytest.approx([0.2 * 32 * 27 / 37, 0.2 * 32 * 10 / 37])


def test_loads_that_use_nothing_are_billed_nothing() -> None:
    still = {key: [[0.0, 0.0], [0.0, 0.0]] for key in TOLD if "load" in key}
    run = paper_run(TOLD | still, {}, {"market": {"model": MODELS["retail_b"]}}, network=TWO)
    paid, used = load_bills(run, account_for(run))
    assert paid.tolist() == used.tolist() == [0.0, 0.0]
