"""What a run cost, part by part, worked out on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dlmp_cosim.runners.judge.day_cost import day_cost
from tests.handmade import chain, generator, load
from tests.runners.told import ToldResults

CELL = replace(generator("cell", "b", owner="battery"), kind="storage")
SHED = replace(generator("shed", "b"), kind="flexible_load", load="x")
NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), SHED, CELL])
STORE = {"energy_kwh": 10.0, "max_kwh": 50.0, "wear": 4.0}
REBOUND = {"share": 1.0, "window_h": 2.0, "kw_max": 20.0}


def offers(interval: int, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"interval": interval, "offers": list(rows)}


def row(resource: str, **more: Any) -> dict[str, Any]:
    return {"resource": resource, "p_min_kw": -60.0, "p_max_kw": 60.0, "cost_linear": 20.0, **more}


def run(assets: list[Any], battery: list[Any] | None = None, violations: list[Any] | None = None) -> Any:
    """Half an hour each: 100 and 60 kW drawn in all, of which 4 and 2 kW are lost, at 30 and 50 $/MWh."""
    return ToldResults(
        NETWORK,
        {
            "wholesale/lmp": [30.0, 50.0],
            "feeder/head_power_real": [[40.0, 40.0, 20.0], [30.0, 20.0, 10.0]],
            "feeder/losses_real": [4.0, 2.0],
            "market/dispatch_real": [[10.0, 0.0, -8.0], [0.0, -6.0, 8.0]],
        },
        {
            "assets/offer": assets,
            "battery/offer": battery or ["", ""],
            "audit/verdict": [{"violations": violations or []}, {"violations": []}],
        },
        scenario={"market": {"rating_penalty": 1000.0, "voltage_penalty": 200.0}},
    )


NONE = [offers(0), offers(1)]


def test_energy_is_bought_at_the_head_and_losses_stand_apart() -> None:
    found = day_cost(run(NONE))
    assert found.energy_usd == pytest.approx((96.0 * 30.0 + 58.0 * 50.0) * 0.5 / 1e3)
    assert found.losses_usd == pytest.approx((4.0 * 30.0 + 2.0 * 50.0) * 0.5 / 1e3)
    assert (found.peak_kw, found.losses_kwh) == (100.0, 3.0)
    assert (found.wear_usd, found.voltage_usd, found.congestion_usd) == (0.0, 0.0, 0.0)
    assert found.total_usd == pytest.approx(found.energy_usd + found.losses_usd)


def test_resources_cost_what_they_offered() -> None:
    bare = day_cost(run(NONE)).energy_usd
    found = day_cost(run([offers(0, row("g", cost_quadratic=0.5)), offers(1, row("g"))]))
    assert found.energy_usd - bare == pytest.approx((20.0 * 10.0 + 0.5 * 10.0**2 / 2) * 0.5 / 1e3)


def test_a_storage_wears_and_its_bid_is_no_cost() -> None:
    stored = [offers(k, row("cell", ahead={"store": STORE})) for k in range(2)]
    found = day_cost(run(NONE, stored))
    assert found.energy_usd == day_cost(run(NONE)).energy_usd
    assert found.wear_usd == pytest.approx(4.0 * (8.0 + 8.0) * 0.5 / 1e3)


def test_what_comes_back_earns_nothing() -> None:
    """A shifted load consumed 6 kW more in the second interval: its offer is a cost of curtailing alone."""
    bare = day_cost(run(NONE)).energy_usd
    plain = day_cost(run([offers(0), offers(1, row("shed"))])).energy_usd
    shifted = day_cost(run([offers(0), offers(1, row("shed", ahead={"rebound": REBOUND}))])).energy_usd
    assert plain - bare == pytest.approx(20.0 * -6.0 * 0.5 / 1e3)
    assert shifted == pytest.approx(bare)


def test_broken_limits_cost_their_penalty_for_as_long_as_they_are() -> None:
    broken = [
        {"kind": "voltage_low", "value": 0.93, "limit": 0.95},
        {"kind": "voltage_high", "value": 1.06, "limit": 1.05},
        {"kind": "rating", "value": 110.0, "limit": 100.0},
    ]
    found = day_cost(run(NONE, violations=broken))
    assert found.voltage_usd == pytest.approx(0.5 * 200.0 * 0.03)
    assert found.congestion_usd == pytest.approx(0.5 * 1000.0 * 0.1)
    whole = found.energy_usd + found.losses_usd + found.voltage_usd + found.congestion_usd
    assert found.total_usd == pytest.approx(whole)


@pytest.mark.parametrize(
    "nonsense",
    [
        "{",
        [1],
        offers(0, row("nobody")),
        offers(0, {"resource": ["g"]}),
        offers(0, row("g", cost_linear="dear")),
        offers(0, row("g", ahead={"stoer": {}})),
        offers(0, row("cell", cost_linear=99.0)),
        offers(5, row("g")),
    ],
    ids=[
        "no JSON",
        "no object",
        "nobody's",
        "a list",
        "no number",
        "terms",
        "somebody else's",
        "another interval",
    ],
)
def test_an_offer_that_was_refused_costs_nothing(nonsense: Any) -> None:
    """What an owner published may be anything, and the record has it as it came."""
    assert day_cost(run([nonsense, offers(1)])) == day_cost(run(NONE))
