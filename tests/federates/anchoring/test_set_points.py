"""From awards to set-points in the corners: no demand, no award, negative demand, more than there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.anchoring.demand import SetPoints, apply_dispatch, nominal_demand
from dlmp_cosim.federates.anchoring.hold import HEAD_OPEN, hold, nothing_cleared, within
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import Network, Profile
from dlmp_cosim.market.offers import Offer, WholesalePrice
from tests.handmade import chain, generator, load

SHED = replace(generator("shed", "b"), kind="flexible_load", load="x", kw_max=30.0)
NETWORK = chain(
    "a", "b", loads=[load("x", "b"), load("y", "b", 10.0, -4.0)], resources=[generator("g", "b"), SHED]
)
DEMAND = np.array([30 + 12j, 10 - 4j])


def applied(
    *dispatch: complex, demand: np.ndarray = DEMAND, held: bool = False, more: float = 0.0
) -> SetPoints:
    network = replace(NETWORK, resources=(NETWORK.resources[0], replace(SHED, kw_more=more)))
    return apply_dispatch(network, demand, np.array(dispatch, dtype=complex), held=held)


def test_nothing_awarded_leaves_demand_alone() -> None:
    found = applied(0, 0)
    assert (found.demand.tolist(), found.injection.tolist(), found.clipped) == (DEMAND.tolist(), [0, 0], ())


def test_what_is_given_is_kept_and_not_written_into() -> None:
    before = DEMAND.copy()
    applied(5 + 1j, 20)
    assert DEMAND.tolist() == before.tolist()


@pytest.mark.parametrize(("kw", "left"), [(10.0, 20 + 8j), (30.0, 0j), (15.0, 15 + 6j), (0.0, 30 + 12j)])
def test_reactive_demand_is_shed_with_the_real_one(kw: float, left: complex) -> None:
    found = applied(0, kw)
    assert found.demand[0] == pytest.approx(left)
    assert found.injection.tolist() == [0, 0], "a flexible load injects nothing"


@pytest.mark.parametrize(("kw", "demand"), [(-15.0, 45 + 18j), (-6.0, 36 + 14.4j)])
def test_what_comes_back_is_drawn_beside_the_demand(kw: float, demand: complex) -> None:
    assert applied(0, kw, more=15.0).demand[0] == pytest.approx(demand)


def test_a_load_without_demand_sheds_nothing_and_takes_nothing_more() -> None:
    dark = np.array([0j, 10 - 4j])
    assert applied(0, 0, demand=dark).demand[0] == 0
    assert applied(0, -5.0, demand=dark, more=15.0).demand[0] == 0


@pytest.mark.parametrize(
    ("dispatch", "message"),
    [
        ((76.0, 0.0), "asks 76 kVA of g; it has 75"),
        ((60 + 60j, 0.0), "asks 84.8528 kVA of g; it has 75"),
        ((-76.0, 0.0), "asks 76 kVA of g; it has 75"),
        ((0.0, 31.0), "asks 16 kW off the middle of its demand of shed; it has 15"),
        ((0.0, -1.0), "asks 16 kW off the middle of its demand of shed; it has 15"),
    ],
)
def test_more_than_a_resource_has_is_refused_by_name(dispatch: tuple[complex, ...], message: str) -> None:
    with pytest.raises(FederationError) as caught:
        applied(*dispatch)
    assert str(caught.value) == f"market/dispatch, published by 'market', {message}"


def test_no_more_comes_back_than_a_load_can_consume() -> None:
    with pytest.raises(FederationError, match="asks 16 kW more of shed; it has 15"):
        applied(0, -16.0, more=15.0)


def test_rounding_is_no_excess() -> None:
    assert applied(75.0 * (1 + 1e-7), 30.0 * (1 + 1e-7)).demand[0] == 0


def test_a_dispatch_of_before_is_cut_to_the_demand_of_now() -> None:
    found = applied(0, 30.0, demand=np.array([20 + 8j, 10 - 4j]), held=True)
    assert (found.demand[0], found.clipped) == (0j, ("shed",))
    with pytest.raises(FederationError, match="of shed"):
        applied(0, 30.0, demand=np.array([20 + 8j, 10 - 4j]))


@given(st.floats(0.0, 1.0), st.floats(1.0, 100.0))
def test_what_is_left_is_never_more_nor_negative(share: float, kw: float) -> None:
    demand = np.array([kw * (1 + 0.4j), 10 - 4j])
    left = applied(0, share * kw, demand=demand).demand[0]
    assert -1e-9 <= left.real <= kw + 1e-9
    assert left.imag == pytest.approx(0.4 * left.real)


def with_profile(network: Network) -> Network:
    one, two = network.loads
    profile = Profile("own", (0.5, 2.0), (1.0, 3.0))
    return replace(network, loads=(replace(one, profile="own"), two), profiles=(profile,))


@pytest.mark.parametrize(
    ("interval", "demand"), [(0, [0.5 * 30 + 1.0 * 12j, 7 - 2.8j]), (1, [2.0 * 30 + 3.0 * 12j, 7 - 2.8j])]
)
def test_loads_with_a_profile_follow_it_and_others_the_ratio(interval: int, demand: list[complex]) -> None:
    assert nominal_demand(with_profile(NETWORK), interval, 0.7, 1.0) == pytest.approx(np.array(demand))


def test_every_load_is_scaled() -> None:
    for network in (NETWORK, with_profile(NETWORK)):
        once, twice = (nominal_demand(network, 0, 0.7, scale) for scale in (1.0, 2.0))
        assert twice == pytest.approx(2 * once)


def test_an_open_head_clears_nothing_at_the_price_of_the_head() -> None:
    found = nothing_cleared(NETWORK, WholesalePrice(30.0, reactive=4.0))
    assert (found.notes, found.cost, found.losses_kw) == ((HEAD_OPEN,), 0.0, 0.0)
    assert not found.dispatch.any()
    assert not found.voltage.any()
    assert set(found.prices.real.tolist()) == {30.0}
    assert set(found.prices.reactive.tolist()) == {4.0}
    assert (len(found.voltage), len(found.power), len(found.head)) == (6, 6, 3)


@pytest.mark.parametrize(
    ("offer", "before", "after"),
    [
        (Offer("g", 0.0, 50.0, 1.0), 60 + 9j, 50 + 0j),
        (Offer("g", 20.0, 50.0, 1.0), 0j, 20 + 0j),
        (Offer("g", 0.0, 50.0, 1.0, 0.0, -40.0, 40.0, 50.0), 30 + 50j, 30 + 40j),
        (Offer("g", 0.0, 50.0, 1.0, 0.0, -40.0, 40.0, 50.0), 50 + 30j, 50 + 0j),
        (Offer("g", 0.0, 50.0, 1.0, 0.0, -40.0, 40.0, 50.0), 40 - 90j, 40 - 30j),
        (Offer("g", -50.0, 50.0, 1.0, s_max_kva=30.0), -40 + 0j, -30 + 0j),
        (Offer("g", 0.0, 50.0, 1.0, reactive_ratio=-0.5), 60 + 9j, 50 - 25j),
        (Offer("g", 5.0, 5.0, 1.0), -3 + 0j, 5 + 0j),
    ],
)
def test_real_power_comes_before_reactive(offer: Offer, before: complex, after: complex) -> None:
    assert within(offer, before) == pytest.approx(after)


def test_what_is_held_costs_what_is_offered_now_and_what_is_bought() -> None:
    class State:
        head = np.array([10 + 2j, 10 + 0j, 10 + 0j])
        voltage, power, losses = np.ones(6, complex), np.zeros(6, complex), 3 + 1j

    offer = Offer("g", 0.0, 50.0, 20.0, 0.4)
    last = replace(nothing_cleared(NETWORK, WholesalePrice(9.0)), dispatch=np.array([40 + 0j, 0]))
    found = hold(NETWORK, last, State(), [offer], WholesalePrice(30.0))  # type: ignore[arg-type]
    assert found.cost == pytest.approx((30.0 * 30 + 20.0 * 40 + 0.4 * 40**2 / 2) / 1e3)
    assert found.losses_kw == 3.0
    assert set(found.prices.real.tolist()) == {9.0}, "prices of the last clearing, not of now"
