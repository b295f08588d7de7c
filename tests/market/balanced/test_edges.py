"""Where the balanced market is hard to settle: light lines, turned flows, low prices, nobody to ask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.balanced.market import BranchFlowMarket
from dlmp_cosim.market.balanced.outcome import NEGATIVE_LMP
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import Method
from tests.market.branch_flow_support import CASES, EASY, Case, clear, fork, offers, reference, with_settings


@pytest.mark.parametrize("method", ["pac", "nst-pac"])
def test_a_lightly_loaded_line_settles_at_the_optimum_too(method: Method) -> None:
    """Its current is next to nothing: a bound there would break the projection on its cone."""
    case = with_settings(EASY, voltage_min_pu=0.945, tolerance=1e-7)
    found, best = clear(with_settings(case, method=method)), clear(with_settings(case, agents=1))
    assert np.abs(found.prices.real - best.prices.real).max() < 2e-3


def test_single_buses_clear_a_must_run_offer_that_turns_a_flow_back() -> None:
    case = replace(EASY, offers=(Offer("gen", 250.0, 250.0, 9.0),))
    assert clear(with_settings(case, agents=0)).status == "solved"


@pytest.mark.parametrize("weight", [1.0, 3.0, 10.0])
def test_losses_that_weigh_more_than_costs_curve_settle(weight: float) -> None:
    flat = tuple(replace(offer, cost_quadratic=0.03) for offer in offers())
    case = with_settings(replace(EASY, offers=flat), loss_weight=weight)
    found = clear(case)
    assert found.status == "solved"
    assert found.cost == pytest.approx(reference(case).cost, rel=1e-5)


@pytest.mark.parametrize("lmp", [0.0, 0.1, 0.5, 1.0])
def test_a_low_price_settles(lmp: float) -> None:
    assert clear(replace(EASY, price=WholesalePrice(lmp))).status == "solved"


@pytest.mark.parametrize("method", ["pac-accelerated", "central"])
def test_a_negative_price_says_that_the_relaxation_is_not_exact(method: Method) -> None:
    case = with_settings(EASY, method=method)
    assert clear(case).notes == ()
    found = clear(replace(case, price=WholesalePrice(-12.0)))
    assert found.notes == (NEGATIVE_LMP,)
    if method == "central":
        assert found.exactness_gap > 1e-3, "the cones are left: power is wasted"


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated", "central", "pac"])
def test_a_feeder_without_resources_clears(method: Method) -> None:
    found = clear(with_settings(Case(fork(resources=())), method=method, tolerance=1e-4))
    assert found.status == "solved"
    assert len(found.dispatch) == 0


@pytest.mark.parametrize("name", ["voltage_low", "mixed_voltage", "exceeded"])
def test_prices_of_a_limit_add_up_to_what_moving_it_costs(name: str) -> None:
    case, step = CASES[name], 1e-5
    tight, slack = (
        reference(with_settings(case, voltage_min_pu=case.settings.voltage_min_pu + shift)).cost
        for shift in (step, -step)
    )
    listed = sum(limit.price for limit in clear(case).limits)
    assert listed == pytest.approx((tight - slack) / (2 * step), rel=1e-2)


def test_the_reference_lets_reactive_power_go_as_far_as_offered() -> None:
    case = replace(EASY, offers=(Offer("flex", 0.0, 2.0, 20.0, 0.1, -60.0, 60.0),))
    assert reference(case).x[-1] == pytest.approx(0.06, abs=1e-3)


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated"])
@pytest.mark.parametrize("limit", [10, 60, 200])
def test_the_budget_of_rounds_is_one_for_all_tangents(limit: int, method: Method) -> None:
    """What opens and closes a clearing is all that a budget of nothing leaves, and comes on top."""
    case = with_settings(CASES["voltage_low"], tolerance=3e-5, method=method)
    least = clear(with_settings(case, negotiation_rounds=0)).rounds
    found = clear(with_settings(case, negotiation_rounds=limit))
    assert found.status == "not_converged"
    assert least <= found.rounds <= limit + least


def test_a_load_that_no_flow_carries_is_an_error_and_no_warning() -> None:
    market = BranchFlowMarket(EASY.network, EASY.settings)
    with pytest.raises(ClearingError, match="the voltage collapses"):
        market.clear(EASY.state, 5.0 * EASY.demand, EASY.offers, EASY.price)
