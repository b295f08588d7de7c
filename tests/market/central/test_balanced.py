"""The balanced reference on feeders of one bus, of none that gives, and from interval to interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.balanced.market import BranchFlowMarket
from dlmp_cosim.market.central.balanced import CentralBranchFlow
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.branch_flow_support import TIGHT, Case, fork, offers, with_settings
from tests.market.support import Sample, ladder, load, sample

PRICE = WholesalePrice(40.0, reactive=2.0)


@pytest.fixture(scope="module")
def usual() -> Case:
    return Case(fork(), offers=offers())


@pytest.mark.parametrize("lmp", [40.0, 0.0, -25.0])
def test_one_bus_pays_for_what_it_draws(lmp: float) -> None:
    one = sample("one", [load("x", "src", (1,), 1, 10.0, 5.0)])
    case = Case(one, MarketSettings(), price=WholesalePrice(lmp, reactive=2.0))
    answer = CentralBranchFlow(one.network, case.settings).answer(case.state, case.demand, (), case.price)
    assert answer.cost == pytest.approx((lmp * 10.0 + 2.0 * 5.0) / 1e3, abs=1e-6)
    np.testing.assert_allclose(answer.price_real, lmp, atol=1e-4)
    assert (answer.slack, answer.award.shape) == (0.0, (0,))


@pytest.mark.parametrize("bare", [ladder(2), ladder(1, kw=0.0, kvar=0.0)], ids=["loaded", "idle"])
def test_without_resources_it_is_the_market(bare: Sample) -> None:
    case = Case(bare, TIGHT, price=PRICE)
    answer = CentralBranchFlow(bare.network, TIGHT).answer(case.state, case.demand, (), PRICE)
    clearing = BranchFlowMarket(bare.network, TIGHT).clear(case.state, case.demand, (), PRICE)
    assert answer.cost == pytest.approx(clearing.cost, abs=1e-4)
    np.testing.assert_allclose(answer.price_real, clearing.prices.real, atol=0.02)


def test_an_interval_leaves_no_trace_in_the_next(usual: Case) -> None:
    """Parameters of one program are set anew: demand, price, offers."""
    central = CentralBranchFlow(usual.network, TIGHT)
    first = central.answer(usual.state, usual.demand, usual.offers, PRICE)
    central.answer(usual.state, 0.5 * usual.demand, (), WholesalePrice(90.0))
    again = central.answer(usual.state, usual.demand, usual.offers, PRICE)
    assert again.cost == pytest.approx(first.cost, rel=1e-6)
    np.testing.assert_allclose(again.award, first.award, atol=0.05)


def test_a_resource_without_an_offer_gives_nothing(usual: Case) -> None:
    central = CentralBranchFlow(usual.network, TIGHT)
    award = central.answer(usual.state, usual.demand, usual.offers[:1], PRICE).award
    assert abs(award[0]) > 1.0
    np.testing.assert_allclose(award[1:], 0.0, atol=1e-3)


def test_what_is_shed_takes_its_reactive_power_along(usual: Case) -> None:
    cheap = replace(usual.offers[2], cost_linear=-100.0)
    central = CentralBranchFlow(usual.network, TIGHT)
    award = central.answer(usual.state, usual.demand, (cheap,), PRICE).award
    assert award[2] == pytest.approx(40.0 * (1 + 25j / 60), abs=0.01)


def test_a_disc_holds(usual: Case) -> None:
    wide = Offer("gen", 0.0, 300.0, -50.0, 0.0, -300.0, 300.0, 310.0)
    central = CentralBranchFlow(usual.network, TIGHT)
    award = central.answer(usual.state, usual.demand, (wide,), WholesalePrice(40.0, reactive=40.0)).award
    assert abs(award[0]) == pytest.approx(310.0, abs=0.05)


def test_a_price_is_what_a_little_more_demand_costs(usual: Case) -> None:
    central = CentralBranchFlow(usual.network, TIGHT)
    answer = central.answer(usual.state, usual.demand, usual.offers, PRICE)
    names, step = usual.network.load_ids, 0.5
    at = [names.index(f"c_{phase}") for phase in (1, 2, 3)]
    costs = []
    for sign in (1, -1):
        more = usual.demand.copy()
        more[at] += sign * step / 3
        costs.append(central.answer(usual.state, more, usual.offers, PRICE).cost)
    slope = (costs[0] - costs[1]) / (2 * step) * 1e3
    node = usual.network.node_index["c.1"]
    assert answer.price_real[node] == pytest.approx(slope, rel=2e-3)


def test_a_limit_that_binds_has_a_multiplier_and_no_other(usual: Case) -> None:
    case = with_settings(usual, voltage_min_pu=0.95)
    central = CentralBranchFlow(case.network, case.settings)
    central.answer(case.state, case.demand, case.offers, PRICE)
    lay = central.layout
    same = BranchFlowMarket(case.network, case.settings)._as_it_stands(case.state.admittance)
    limits = central.solve(same, case.demand, case.offers, PRICE).limits
    assert (limits[lay.v] < -1e-3).sum() >= 1
    assert (limits[lay.v] < 1e-6).all()
    np.testing.assert_allclose(limits[lay.loading], 0.0, atol=1e-5)
