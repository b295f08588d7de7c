"""From a solved horizon to a plan: energies, what cannot be met, powers held to what stores have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.horizon.market import HorizonMarket
from dlmp_cosim.market.horizon.outlook import HorizonPlan
from dlmp_cosim.market.horizon.plan import within_terms
from dlmp_cosim.market.horizon.terms import Ahead, Comfort, Ramp, Session, Store
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.settings import MarketSettings
from tests.market.horizon.support import outlook
from tests.market.support import ABC, Sample, ladder, solve

SETTINGS = MarketSettings(tolerance=1e-7, negotiation_rounds=400_000, voltage_min_pu=0.5, voltage_max_pu=1.5)
RESOURCES = (
    Resource("store", "storage", "n1", wye(ABC), 50.0, 50.0),
    Resource("gen", "generator", "n1", wye(ABC), 80.0, 80.0),
)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return ladder(1, ohm=1e-6, kw=40.0, kvar=0.0, rating_a=1e6, resources=RESOURCES)


def offer(ahead: Ahead | None, low: float = -50.0, high: float = 50.0) -> Offer:
    return Offer("store", low, high, 0.0, ahead=ahead)


def cleared(sample: Sample, offers: Sequence[Offer], prices: Sequence[float], hours: float = 1.0) -> Clearing:
    n = len(prices)
    steps = outlook(sample.network, prices, [1.0] * n, [hours] * n)
    market = HorizonMarket(sample.network, SETTINGS)
    return market.clear_ahead(solve(sample.feeder()), steps, offers)


def planned(sample: Sample, ahead: Ahead, prices: Sequence[float], hours: float = 1.0) -> HorizonPlan:
    plan = cleared(sample, [offer(ahead)], prices, hours).plan
    assert plan is not None
    return plan


def powers(plan: HorizonPlan) -> list[float]:
    return [float(step.dispatch[0].real) for step in plan.steps]


@pytest.mark.parametrize("hours", [1.0, 0.25])
def test_energies_follow_from_the_planned_powers(sample: Sample, hours: float) -> None:
    store = Store(40.0, 100.0, 5.0, 0.9, 0.9, 0.02)
    plan = planned(sample, Ahead(store=store), [10.0, 60.0, 20.0], hours)
    at, expected = store.energy_kwh, []
    for kw in powers(plan):
        at = store.after(at, kw, hours)
        expected.append(at)
    np.testing.assert_allclose(plan.energy_kwh["store"], expected, rtol=1e-12)
    assert (plan.coupled, plan.short, plan.both_ways) == (("store",), (), ())


def test_every_step_says_what_the_head_gives_and_pays(sample: Sample) -> None:
    plan = planned(sample, Ahead(store=Store(40.0, 100.0)), [10.0, 60.0])
    for step, kw, lmp in zip(plan.steps, powers(plan), (10.0, 60.0), strict=True):
        assert step.head_kw == pytest.approx(120.0 - kw, abs=0.05)
        np.testing.assert_allclose(step.price, lmp, rtol=1e-3)
        np.testing.assert_allclose(step.voltage, 1.0, atol=1e-3)


def test_the_cost_is_of_all_steps_in_dollars(sample: Sample) -> None:
    """Half an hour each: 120 kW of load, of which a store carries 25 kWh from the cheap to the dear one."""
    plan = planned(sample, Ahead(store=Store(0.0, 100.0)), [10.0, 60.0], hours=0.5)
    assert powers(plan) == pytest.approx([-50.0, 50.0], abs=0.01)
    assert plan.cost == pytest.approx((10.0 * 170 + 60.0 * 70) * 0.5 / 1e3, rel=1e-4)


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        pytest.param(
            Ahead(store=Store(20.0, 200.0, end_kwh=190.0)),
            ["store holds 120.0 kWh at the end of the horizon, not 190 kWh"], id="an end out of reach",
        ),
        pytest.param(
            Ahead(sessions=(Session(150.0, 2.0, 100.0),)), ["store misses 50.00 kWh of its sessions"],
            id="a deadline out of reach",
        ),
        pytest.param(
            Ahead(comfort=Comfort(5.0, -1.0, 1.0, 2.0, -0.001)), ["store exceeds a limit of its terms by"],
            id="comfort out of reach",
        ),
        pytest.param(
            Ahead(ramp=Ramp(0.1, 200.0)), ["store exceeds a limit of its terms by 144.00 kW or kWh"],
            id="a ramp out of reach",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_said_with_how_much(sample: Sample, ahead: Ahead, said: list[str]) -> None:
    plan = planned(sample, ahead, [30.0, 30.0])
    assert len(plan.short) == len(said)
    for found, expected in zip(plan.short, said, strict=True):
        assert found.startswith(expected)


def test_burning_energy_is_named_with_its_step_and_price(sample: Sample) -> None:
    """A full store is paid to draw: of 98 kW drawn 48 are given back, which leaves it as full as it was."""
    store = Store(100.0, 100.0, 0.0, 0.7, 0.7, end_value=20.0)
    plan = planned(sample, Ahead(store=store), [-200.0, 30.0])
    assert plan.both_ways == (
        "store would charge and discharge 48.0 kW at once in step 1, at -200.00 $/MWh at the head",
    )


def test_a_plan_names_only_who_is_tied_over_time(sample: Sample) -> None:
    offers = [offer(Ahead(ramp=Ramp(10.0, 0.0))), Offer("gen", 0.0, 80.0, 20.0, 0.1)]
    plan = cleared(sample, offers, [30.0, 30.0]).plan
    assert plan is not None
    assert (plan.coupled, dict(plan.energy_kwh)) == (("store",), {})
    assert plan.steps[0].dispatch[1].real == pytest.approx(80.0, abs=0.01)


def held(sample: Sample, store: Store | None, kw: float, low: float = -50.0, high: float = 50.0) -> float:
    """What is left of a power that a method stopped at [kW]."""
    model = NodalModel(sample.network, SETTINGS)
    given = np.array([kw / 100.0, 0.3, 0.0, 0.0])
    ahead = None if store is None else Ahead(store=store)
    found = within_terms(model, [offer(ahead, low, high), Offer("gen", 0.0, 80.0, 20.0)], given, 0.5)
    np.testing.assert_array_equal(found[1:], given[1:])
    assert given[0] == kw / 100.0
    return float(found[0]) * 100.0


@pytest.mark.parametrize(
    ("store", "kw", "left"),
    [
        pytest.param(Store(10.0, 100.0), 30.0, 20.0, id="it has no more to give"),
        pytest.param(Store(10.0, 100.0, 4.0), 30.0, 12.0, id="above its least"),
        pytest.param(Store(10.0, 100.0, 0.0, 1.0, 0.5), 30.0, 10.0, id="less what giving loses"),
        pytest.param(Store(98.0, 100.0), -30.0, -4.0, id="it has no more room"),
        pytest.param(Store(98.0, 100.0, 0.0, 0.5), -30.0, -8.0, id="more where drawing loses"),
        pytest.param(Store(50.0, 100.0), 30.0, 30.0, id="within its terms"),
        pytest.param(Store(50.0, 100.0), 70.0, 50.0, id="within its offer"),
        pytest.param(None, 70.0, 70.0, id="nobody speaks of a store"),
    ],
)
def test_powers_are_held_to_what_a_store_has(
    sample: Sample, store: Store | None, kw: float, left: float
) -> None:
    assert held(sample, store, kw) == pytest.approx(left, abs=1e-9)


def test_what_an_offer_insists_on_goes_before_what_is_left(sample: Sample) -> None:
    assert held(sample, Store(0.0, 100.0), 25.0, low=20.0, high=40.0) == pytest.approx(20.0)
    assert held(sample, Store(100.0, 100.0), -25.0, low=-40.0, high=-20.0) == pytest.approx(-20.0)


@pytest.mark.parametrize(
    ("sessions", "prices", "kw"),
    [
        pytest.param((), [-50.0, -50.0], [0.0, 0.0], id="no car"),
        pytest.param((Session(0.0, 2.0, 30.0),), [-50.0, -50.0], [0.0, 0.0], id="one that is full"),
        pytest.param((Session(20.0, 3.0, 30.0, 2.0),), [-50.0, -50.0, 10.0], [0.0, 0.0, -20.0], id="later"),
        pytest.param((Session(20.0, 1.0, 30.0),), [10.0, -50.0], [-20.0, 0.0], id="there, and gone then"),
        pytest.param((Session(20.0, 2.0, 30.0, 0.5),), [-50.0, 10.0], [-15.0, -5.0], id="there for a half"),
    ],
)
def test_a_car_that_is_not_there_draws_nothing_though_it_were_paid(
    sample: Sample, sessions: tuple[Session, ...], prices: list[float], kw: list[float]
) -> None:
    """Its offer leaves room for 30 kW at all times."""
    clearing = cleared(sample, [offer(Ahead(sessions=sessions), -30.0, 0.0)], prices)
    assert clearing.plan is not None
    assert powers(clearing.plan) == pytest.approx(kw, abs=1e-3)
    assert clearing.plan.short == ()
