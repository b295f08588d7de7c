"""The AC optimum by power flows alone: probes, limits without resources, flows that do not converge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, Resource, wye
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.ac_optimum import PROBE, AcOptimum, ac_optimum, with_probes
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import ABC, Sample, apply, ladder, money, solve

PRICE = WholesalePrice(40.0, reactive=3.0)
GEN = Resource("gen", "generator", "n1", wye(ABC), 90.0, 100.0)
OFFER = Offer("gen", 0.0, 90.0, 36.0, 0.1, -20.0, 20.0, 100.0)


def found(
    sample: Sample, *offers: Offer, settings: MarketSettings | None = None, price: WholesalePrice = PRICE
) -> AcOptimum:
    """The optimum from a start at nothing."""
    probed = Sample(sample.case, with_probes(sample.network))
    start = np.zeros(len(sample.network.resources), dtype=np.complex128)
    demand = sample.network.listed_demand
    return ac_optimum(probed.feeder(), demand, offers, price, settings or MarketSettings(), start)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return ladder(1, ohm=0.8, resources=(GEN,))


@pytest.fixture(scope="module")
def optimum(sample: Sample) -> AcOptimum:
    return found(sample, OFFER)


def test_every_node_has_a_probe_behind_the_resources(sample: Sample) -> None:
    network = with_probes(sample.network)
    assert network.resources[0] == GEN
    names = [resource.name for resource in network.resources[1:]]
    assert names == [f"{PROBE}{bus} {phase}" for bus in ("src", "n1") for phase in ABC]
    assert all(resource.legs[0][1] == 0 for resource in network.resources[1:])


def test_no_dispatch_nearby_is_cheaper(sample: Sample, optimum: AcOptimum) -> None:
    """Money at the AC state of a kilowatt more or less, in both powers."""
    feeder, demand = sample.feeder(), sample.network.listed_demand
    best = money(apply(feeder, demand, optimum.dispatch), optimum.dispatch, sample.network, [OFFER], PRICE)
    assert optimum.cost == pytest.approx(best, rel=1e-9)
    for step in (1.0, -1.0, 1j, -1j):
        moved = optimum.dispatch + step
        if abs(moved[0].imag) > 20.0:
            continue
        cost = money(apply(feeder, demand, moved), moved, sample.network, [OFFER], PRICE)
        assert cost > best


def test_a_resource_inside_its_limits_costs_what_its_bus_pays(optimum: AcOptimum) -> None:
    kw = optimum.dispatch[0].real
    assert 0.0 < kw < 90.0
    assert 36.0 + 0.1 * kw == pytest.approx(optimum.price_real[3:].mean(), abs=0.01)


def test_the_head_pays_the_price(optimum: AcOptimum) -> None:
    np.testing.assert_allclose(optimum.price_real[:3], PRICE.lmp, rtol=1e-3)
    np.testing.assert_allclose(optimum.price_reactive[:3], PRICE.reactive, atol=0.02)


def test_the_state_is_that_of_the_dispatch_without_probes(sample: Sample, optimum: AcOptimum) -> None:
    state = apply(sample.feeder(), sample.network.listed_demand, optimum.dispatch)
    assert len(optimum.state.injection) == 1
    np.testing.assert_allclose(optimum.state.voltage, state.voltage, atol=1e-8)


def test_a_market_anchored_at_the_optimum_stays_there(sample: Sample, optimum: AcOptimum) -> None:
    tight = MarketSettings(tolerance=1e-8, negotiation_rounds=200_000)
    demand = sample.network.listed_demand
    state = apply(sample.feeder(), demand, optimum.dispatch)
    clearing = NodalMarket(sample.network, tight).clear(state, demand, (OFFER,), PRICE)
    np.testing.assert_allclose(clearing.dispatch, optimum.dispatch, atol=0.05)
    np.testing.assert_allclose(clearing.prices.real, optimum.price_real, atol=0.02)


def test_without_resources_the_state_is_the_optimum_and_its_limits_are_paid() -> None:
    bare = ladder(1, ohm=0.8)
    state = solve(bare.feeder())
    settings = MarketSettings(voltage_min_pu=0.99, voltage_max_pu=1.2)
    best = found(bare, settings=settings)
    head = state.head.sum()
    beyond = 1e4 * np.maximum(0.99 - np.abs(state.voltage), 0.0).sum()
    assert best.cost == pytest.approx((40.0 * head.real + 3.0 * head.imag) / 1e3 + beyond, rel=1e-6)
    assert (best.steps, best.moved_kw, best.dispatch.shape) == (1, 0.0, (0,))
    clearing = NodalMarket(bare.network, settings).clear(state, bare.network.listed_demand, (), PRICE)
    np.testing.assert_allclose(best.price_real, clearing.prices.real, rtol=1e-4)


class Failing(OpenDssFeeder):
    """An engine that fails at every dispatch but none."""

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        state = super().solve(demand, injection, controls=controls)
        return replace(state, voltage=state.voltage * np.nan) if injection.any() else state


def test_a_flow_that_does_not_converge_ends_the_search(sample: Sample) -> None:
    engine = Failing(sample.case, with_probes(sample.network), tolerance=1e-10, regulators="held")
    start = np.full(1, 5.0 + 0j)
    with pytest.raises(ClearingError, match="a power flow of the AC optimum did not converge"):
        ac_optimum(engine, sample.network.listed_demand, (OFFER,), PRICE, MarketSettings(), start)


@pytest.mark.parametrize(("lmp", "kw"), [(10.0, 0.0), (400.0, 90.0)])
def test_a_start_beyond_its_offer_is_brought_within(sample: Sample, lmp: float, kw: float) -> None:
    probed = Sample(sample.case, with_probes(sample.network))
    start = np.full(1, 500.0 + 300j)
    best = ac_optimum(
        probed.feeder(), sample.network.listed_demand, (OFFER,), WholesalePrice(lmp), MarketSettings(), start
    )
    assert best.dispatch[0].real == pytest.approx(kw, abs=0.01)
    assert abs(best.dispatch[0].imag) <= 20.0 + 1e-6
