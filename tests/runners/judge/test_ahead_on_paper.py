"""How a run looked ahead, on numbers that fit on paper and on records that say nonsense."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.runners.judge import ahead as module
from dlmp_cosim.runners.judge.ahead import ahead_command, lead_errors, store_accounts
from tests.handmade import chain, generator, load
from tests.runners.judge.paper import paper_run, strict

CELL = replace(generator("cell", "b", owner="battery"), kind="storage")
NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[CELL])
STORE = {"energy_kwh": 10.0, "max_kwh": 50.0, "wear": 4.0}
TOLD = {
    "feeder/injection_real": [[-8.0], [8.0]],
    "feeder/injection_reactive": [[0.0], [0.0]],
    "market/dispatch_real": [[-8.0], [8.0]],
}


def step(first: int, **planned: Any) -> dict[str, Any]:
    usual = {"lmp": 45.0, "demand_kw": 30.0, "head_kw": 20.0, "voltage_low": 0.99, "dlmp_mean": 50.0}
    return {"first": first, "after": first + 1, **usual, **planned}


def plan(*steps: dict[str, Any]) -> dict[str, Any]:
    names = {"price": "perfect", "demand": "perfect", "pv": "none"}
    return {"steps": list(steps), "forecast": names, "short": [], "both_ways": []}


def row(resource: Any = "cell", ahead: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "resource": resource,
        "cost_linear": 0.0,
        "ahead": {"store": STORE} if ahead is None else ahead,
    } | more


def run(offers: list[Any], plans: list[Any] | None = None, **values: Any) -> Any:
    texts = {
        "battery/offer": offers,
        "market/horizon": plans or [plan(step(0), step(1)), plan(step(1, demand_kw=24.0))],
        "audit/verdict": [{"violations": []}] * 2,
    }
    market = {"model": "nodal", "rating_penalty": 1000.0, "voltage_penalty": 200.0}
    told = TOLD | {key.replace("__", "/"): value for key, value in values.items()}
    return paper_run(told, texts, {"market": market}, network=NETWORK)


def offered(*rows: Any) -> list[Any]:
    return [{"interval": 0, "offers": list(rows)}, {"interval": 1, "offers": []}]


def test_forecast_and_plan_are_held_against_what_came() -> None:
    (found,) = lead_errors(run(offered()))
    assert (found.from_h, found.to_h, found.steps) == (0.0, 1.0, 1)
    assert (found.lmp, found.lmp_bias) == (5.0, -5.0)
    assert found.demand == pytest.approx(30.0 - 24.0)
    assert found.head == pytest.approx(27.0 - 20.0)
    assert found.voltage == pytest.approx(1.0 - 0.99)
    assert found.dlmp == pytest.approx(55.0 - 50.0)


def test_steps_beyond_the_run_do_not_count() -> None:
    plans = [plan(step(0), step(5)), plan(step(1), step(2))]
    assert lead_errors(run(offered(), plans)) == []


def test_leads_stand_in_groups_from_the_nearest_on() -> None:
    """Interval 1 seen from 0 is half an hour ahead; with intervals of six hours it is six."""
    far = run(offered())
    far.period_h = 6.0
    assert [(item.from_h, item.to_h) for item in lead_errors(far)] == [(4.0, 12.0)]


def test_a_run_that_did_not_look_ahead_has_no_errors() -> None:
    with pytest.raises(ResultsError) as failure:
        lead_errors(paper_run())
    assert str(failure.value) == (
        "results.h5: the run did not look ahead; its scenario has no [market] horizon"
    )


def test_a_store_earns_its_power_at_its_price_less_wear() -> None:
    account = store_accounts(run(offered(row())))["cell"]
    assert account.revenue == pytest.approx([0.5 * (-8 * 36 - 8 * 4) / 1e3, 0.5 * (8 * 60 - 8 * 4) / 1e3])
    assert math.isnan(account.conserved_kwh), "its owner says nothing of its energy"


def test_what_the_owner_says_of_its_energy_is_held_against_the_books() -> None:
    said = run(offered(row()), battery__energy=[14.0, 10.5])
    assert store_accounts(said)["cell"].conserved_kwh == pytest.approx(0.5)


@pytest.mark.parametrize(
    "offers",
    [
        ["nonsense", ""],
        [[1, 2], {}],
        [{"interval": 0, "offers": 7}, {}],
        offered(5, None),
        offered(row("cel")),
        offered(row(["cell"])),
        offered(row(ahead=7)),
        offered(row(ahead={"shop": {}})),
        offered(row(ahead={"store": {"energy_kwh": "full"}})),
        offered(row(ahead={"store": {}})),
        offered({"ahead": {"store": STORE}}),
    ],
    ids=repr,
)
def test_what_is_no_offer_of_a_store_has_no_books(offers: list[Any]) -> None:
    assert store_accounts(run(offers)) == {}


def test_anothers_offer_for_a_store_is_not_its_terms() -> None:
    texts = {"battery/offer": ["", ""], "assets/offer": offered(row())}
    assert store_accounts(paper_run(TOLD, texts, network=NETWORK)) == {}


def test_json_has_null_where_there_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last group has no end, and energy that nobody told of is held against nothing."""
    far = run(offered(row()))
    far.period_h = 24.0
    monkeypatch.setattr(module, "Results", lambda _: far)
    result = CliRunner().invoke(ahead_command, [str(Path("any.h5")), "--json"])
    table = strict(result.output)
    assert [lead["to_h"] for lead in table["leads"]] == [None]
    assert table["stores"]["cell"]["conserved_kwh"] is None
    assert np.sum(table["stores"]["cell"]["rent_usd"]) == pytest.approx(table["stores"]["cell"]["earned_usd"])
