"""The central reference over a horizon: terms over time on a line that nothing moves, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dlmp_cosim.feeders.network import FloatArray, Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.horizon import CentralCourse, CentralHorizon
from dlmp_cosim.market.central.nodal import CentralNodal
from dlmp_cosim.market.horizon.terms import Ahead, Comfort, Ramp, Rebound, Session, Store
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.horizon.support import outlook, stiff_store, textbook
from tests.market.support import ABC, Sample, ladder, solve

WIDE = MarketSettings(voltage_min_pu=0.5, voltage_max_pu=1.5)


@pytest.fixture(scope="module")
def stiff() -> tuple[Sample, AcState]:
    """One store behind a line without impedance or load."""
    sample = stiff_store(50.0)
    return sample, solve(sample.feeder())


def solved(
    stiff: tuple[Sample, AcState],
    ahead: Ahead,
    prices: Sequence[float],
    *,
    kw: float = 50.0,
    hours: float = 1.0,
) -> tuple[CentralCourse, FloatArray]:
    """The optimum of one resource with terms over time, and its powers [kW]."""
    sample, state = stiff
    offer = Offer("store", -kw, kw, 0.0, ahead=ahead)
    n = len(prices)
    steps = outlook(sample.network, prices, [1.0] * n, [hours] * n)
    course = CentralHorizon(sample.network, WIDE).solve([state] * n, steps, [(offer,)] * n)
    return course, np.array([step.dispatch[0].real for step in course.steps])


@pytest.mark.parametrize(
    ("store", "prices"),
    [
        pytest.param(Store(40.0, 100.0), [10.0, 50.0, 20.0, 60.0], id="without losses"),
        pytest.param(Store(40.0, 100.0, 0.0, 0.9, 0.9, 0.01), [10.0, 50.0, 20.0, 60.0], id="with losses"),
        pytest.param(Store(40.0, 100.0, 10.0, wear=15.0), [10.0, 50.0, 20.0, 60.0], id="with wear"),
        pytest.param(Store(40.0, 100.0, end_kwh=75.0), [30.0, 35.0, 30.0], id="fuller at the end"),
        pytest.param(
            Store(40.0, 100.0, end_value=100.0), [30.0, 35.0, 30.0], id="worth something at the end"
        ),
        pytest.param(Store(90.0, 100.0, 20.0), [-10.0, 5.0, -30.0], id="at negative prices"),
    ],
)
@pytest.mark.parametrize("hours", [1.0, 0.25])
def test_a_store_earns_what_the_textbook_says(
    stiff: tuple[Sample, AcState], store: Store, prices: list[float], hours: float
) -> None:
    course, _ = solved(stiff, Ahead(store=store), prices, hours=hours)
    best, _ = textbook(prices, store, 50.0, hours)
    assert -course.cost == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize(
    ("store", "kw"),
    [
        pytest.param(Store(0.0, 100.0, end_kwh=80.0), -50.0, id="an end that is too high"),
        pytest.param(Store(0.0, 100.0, 60.0), -50.0, id="a start below its least"),
        pytest.param(Store(160.0, 100.0), 50.0, id="a start above its most"),
    ],
)
def test_a_store_does_what_it_can_and_pays_for_power_alone(
    stiff: tuple[Sample, AcState], store: Store, kw: float
) -> None:
    course, power = solved(stiff, Ahead(store=store), [30.0], kw=50.0)
    assert power == pytest.approx([kw], abs=1e-2)
    assert course.cost == pytest.approx(-30.0 * kw / 1e3, abs=1e-4)
    assert course.time_cost == pytest.approx(0.0, abs=1e-4)


def test_a_session_charges_in_its_cheapest_hours_and_nowhere_else(stiff: tuple[Sample, AcState]) -> None:
    session = Session(60.0, 3.0, 40.0, 1.0, value=500.0)
    course, kw = solved(stiff, Ahead(sessions=(session,)), [1.0, 30.0, 20.0, 1.0])
    assert kw == pytest.approx([0.0, -20.0, -40.0, 0.0], abs=1e-2)
    assert course.cost == pytest.approx((30.0 * 20 + 20.0 * 40) / 1e3, abs=1e-4)


def test_a_session_is_left_short_where_it_is_worth_less_than_power(stiff: tuple[Sample, AcState]) -> None:
    course, kw = solved(stiff, Ahead(sessions=(Session(30.0, 2.0, 40.0, value=25.0),)), [30.0, 40.0])
    assert kw == pytest.approx([0.0, 0.0], abs=1e-2)
    assert course.cost == pytest.approx(25.0 * 30 / 1e3, abs=1e-4)


def test_what_a_session_may_do_after_the_horizon_waits_at_the_mean_price(
    stiff: tuple[Sample, AcState],
) -> None:
    session = Session(60.0, 3.0, 40.0, value=500.0)
    course, kw = solved(stiff, Ahead(sessions=(session,)), [50.0, 10.0])
    assert kw == pytest.approx([0.0, -40.0], abs=1e-2)
    assert course.cost == pytest.approx((10.0 * 40 + 30.0 * 20) / 1e3, abs=1e-4)


def test_no_session_draws_nothing(stiff: tuple[Sample, AcState]) -> None:
    course, kw = solved(stiff, Ahead(sessions=(Session(0.0, 2.0, 40.0),)), [-30.0, 10.0])
    assert kw == pytest.approx([0.0, 0.0], abs=1e-2)
    assert course.cost == pytest.approx(0.0, abs=1e-4)


def test_a_ramp_is_held_from_what_ran_before(stiff: tuple[Sample, AcState]) -> None:
    """Half a kilowatt a minute: 30 kW from hour to hour, from 10 kW."""
    _, kw = solved(stiff, Ahead(ramp=Ramp(0.5, 10.0)), [-200.0, 80.0, 80.0])
    assert kw == pytest.approx([-20.0, 10.0, 40.0], abs=0.1)


def test_a_ramp_of_steps_of_a_quarter_is_a_quarter(stiff: tuple[Sample, AcState]) -> None:
    _, kw = solved(stiff, Ahead(ramp=Ramp(0.5, 10.0)), [80.0, 80.0, 80.0], hours=0.25)
    assert kw == pytest.approx([17.5, 25.0, 32.5], abs=0.1)


def test_comfort_is_kept_and_used_to_its_limit(stiff: tuple[Sample, AcState]) -> None:
    """A room may be 1 K too warm: 10 kW bring 2 K to 1 K, and with 5 kW less 0.5 K become 1 K again."""
    comfort = Comfort(4.0, -1.0, 1.0, 1.0 / np.log(2.0), -0.1)
    _, kw = solved(stiff, Ahead(comfort=comfort), [30.0, 30.0])
    assert kw == pytest.approx([-10.0, 5.0], abs=0.1)


def rebounding(prices: Sequence[float], rebound: Rebound, curtail: float = 5.0) -> FloatArray:
    """Powers of a load that can be shed and comes back [kW]."""
    flex = Resource("shed", "flexible_load", "n1", wye((1,)), 30.0, 30.0, load="n1_1", kw_more=30.0)
    sample = ladder(1, ohm=1e-9, kvar=0.0, rating_a=1e6, resources=(flex,))
    state, n = solve(sample.feeder()), len(prices)
    offer = Offer("shed", -30.0, 30.0, curtail, reactive_ratio=0.0, ahead=Ahead(rebound=rebound))
    steps = outlook(sample.network, prices, [1.0] * n)
    course = CentralHorizon(sample.network, WIDE).solve([state] * n, steps, [(offer,)] * n)
    return np.array([step.dispatch[0].real for step in course.steps])


@pytest.mark.parametrize(
    ("prices", "kw"),
    [
        pytest.param([90.0, 20.0], [30.0, -30.0], id="dear then cheap: all of it comes back"),
        pytest.param([20.0, 20.0], [0.0, 0.0], id="nothing where it saves less than it costs"),
        pytest.param([20.0, 90.0], [0.0, 30.0], id="what is owed at the end costs the mean"),
    ],
)
def test_what_is_curtailed_comes_back(prices: list[float], kw: list[float]) -> None:
    assert rebounding(prices, Rebound(1.0, 2.0, 30.0)) == pytest.approx(kw, abs=0.1)


def test_one_step_is_the_market_of_an_interval() -> None:
    resources = (Resource("gen", "generator", "n1", wye(ABC), 200.0, 200.0),)
    sample = ladder(2, resources=resources)
    state, offers = solve(sample.feeder()), (Offer("gen", 0.0, 200.0, 30.0, 0.1, -50.0, 50.0),)
    course = CentralHorizon(sample.network, MarketSettings()).solve(
        [state], outlook(sample.network, [40.0], [1.0]), [offers]
    )
    one = CentralNodal(sample.network, MarketSettings()).solve(
        state, sample.network.listed_demand, offers, WholesalePrice(40.0)
    )
    assert course.cost == pytest.approx(one.cost, rel=1e-6)
    assert course.time_cost == 0.0
    np.testing.assert_allclose(course.steps[0].dispatch, one.dispatch, atol=0.05)
    np.testing.assert_allclose(course.steps[0].price_real, one.price_real, atol=1e-2)


def test_a_horizon_without_resources_pays_what_it_exceeds() -> None:
    sample = ladder(2)
    state = solve(sample.feeder())
    settings = MarketSettings(voltage_min_pu=0.99, voltage_max_pu=1.2, horizon_voltage_pu=0.0)
    course = CentralHorizon(sample.network, settings).solve(
        [state, state], outlook(sample.network, [40.0, 60.0], [1.0, 1.0], [1.0, 0.5]), [(), ()]
    )
    central, demand = CentralNodal(sample.network, settings), sample.network.listed_demand
    ones = [central.solve(state, demand, (), WholesalePrice(lmp)) for lmp in (40.0, 60.0)]
    assert course.cost == pytest.approx(ones[0].cost + 0.5 * ones[1].cost, rel=1e-6)
    for step, one in zip(course.steps, ones, strict=True):
        np.testing.assert_allclose(step.price_real, one.price_real, rtol=1e-4)
