"""What a solved balanced problem says: shares of phases, parts of prices, limits in their own units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.balanced.market import BranchFlowMarket
from dlmp_cosim.market.balanced.outcome import NEGATIVE_LMP
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import WholesalePrice
from tests.market.branch_flow_support import Case, fork, offers, with_settings


def cleared(case: Case) -> Clearing:
    market = BranchFlowMarket(case.network, case.settings)
    return market.clear(case.state, case.demand, case.offers, case.price)


@pytest.fixture(scope="module")
def usual() -> Case:
    return Case(fork(), offers=offers())


@pytest.mark.parametrize(("lmp", "adder"), [(50.0, 20.0), (20.0, -10.0), (0.0, 15.0), (-5.0, 5.0)])
@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_an_adder_has_a_part_of_its_own(usual: Case, lmp: float, adder: float, weight: float) -> None:
    """The part is what the same prices would change by for the adder alone; where losses are none, it."""
    case = replace(
        with_settings(usual, loss_weight=weight), price=WholesalePrice(lmp, reactive=2.0, adder=adder)
    )
    prices = cleared(case).prices
    parts = prices.real_energy + prices.real_loss + prices.real_voltage + prices.real_congestion
    np.testing.assert_allclose(parts + prices.real_substation, prices.real, atol=1e-9)
    np.testing.assert_allclose(prices.real_energy, lmp - adder)
    head = case.network.head_node
    np.testing.assert_allclose(prices.real_substation[head], adder, rtol=0.2 * weight + 1e-6)
    shares = prices.real_substation / adder
    assert (shares > 0.7).all()
    assert (shares < 2.0).all()


def test_losses_cost_what_the_adder_does_in_proportion(usual: Case) -> None:
    """Energy and losses at 30 $/MWh, the substation's part at 15: half of both at every node."""
    prices = cleared(replace(usual, price=WholesalePrice(45.0, adder=15.0))).prices
    np.testing.assert_allclose(prices.real_substation, (prices.real_energy + prices.real_loss) / 2, rtol=1e-6)


def test_without_an_adder_there_is_no_such_part(usual: Case) -> None:
    prices = cleared(usual).prices
    assert (len(prices.real_substation), len(prices.reactive_substation)) == (0, 0)


@pytest.mark.parametrize(("lmp", "notes"), [(30.0, ()), (0.0, ()), (-1.0, (NEGATIVE_LMP,))])
def test_a_negative_price_is_noted(usual: Case, lmp: float, notes: tuple[str, ...]) -> None:
    assert cleared(replace(usual, price=WholesalePrice(lmp))).notes == notes


def test_every_source_conductor_gives_an_equal_share(usual: Case) -> None:
    found = cleared(usual)
    assert len(set(found.head.tolist())) == 1
    drawn = usual.demand.real.sum() - found.dispatch.real.sum()
    assert found.head.real.sum() == pytest.approx(drawn + found.losses_kw, abs=0.1)


def test_angles_are_those_of_the_last_state(usual: Case) -> None:
    found = cleared(usual)
    np.testing.assert_allclose(np.angle(found.voltage), np.angle(usual.state.voltage), atol=1e-12)


def low_limits(case: Case) -> tuple[float, Clearing]:
    found = cleared(case)
    return sum(limit.price for limit in found.limits if limit.kind == "voltage_low"), found


def test_a_voltage_limit_costs_what_a_little_less_of_it_saves() -> None:
    """Central differences in the limit, summed over the phases that it is named for [$/h per pu]."""
    case = with_settings(Case(fork(), offers=offers()), voltage_min_pu=0.95, tolerance=1e-8)
    total, found = low_limits(case)
    assert total > 0.0
    assert not any(limit.exceeded for limit in found.limits)
    step = 1e-5
    costs = [low_limits(with_settings(case, voltage_min_pu=0.95 + s * step))[1].cost for s in (1, -1)]
    assert total == pytest.approx((costs[0] - costs[1]) / (2 * step), rel=0.03)


def test_limits_are_named_phase_by_phase_at_their_value() -> None:
    found = cleared(with_settings(Case(fork(), offers=offers()), voltage_min_pu=0.95))
    low = [limit for limit in found.limits if limit.kind == "voltage_low"]
    names = sorted(limit.where for limit in low)
    assert len(names) % 3 == 0
    assert {name.rpartition(".")[2] for name in names} == {"1", "2", "3"}
    for limit in low:
        assert limit.value == pytest.approx(0.95, abs=1e-4)
        assert limit.limit == 0.95


def test_a_rating_costs_what_a_little_more_of_it_saves() -> None:
    case = with_settings(Case(fork(rating_a=110.0), offers=offers()), tolerance=1e-8)
    found = cleared(case)
    rated = [limit for limit in found.limits if limit.kind == "rating"]
    assert rated
    assert {limit.limit for limit in rated} == {110.0}
    step = 1e-3
    costs = [cleared(with_settings(case, rating_scale=1 + s * step)).cost for s in (1, -1)]
    slope = (costs[1] - costs[0]) / (2 * step * 110.0)
    assert sum(limit.price for limit in rated) == pytest.approx(slope, rel=0.05)


def test_nothing_is_felt_where_limits_are_wide(usual: Case) -> None:
    found = cleared(usual)
    assert found.limits == ()
    assert not found.prices.real_voltage.any()
    assert not found.prices.real_congestion.any()
