"""The 123-node feeder with one agent a bus, against the central statement of the same market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.central.nodal import CentralNodal
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation

PRICE = WholesalePrice(60.0)
SETTINGS = MarketSettings(method="interior-point")


def clear(market: NodalMarket, case: Situation, price: WholesalePrice = PRICE) -> Clearing:
    """One clearing of a situation."""
    return market.clear(case.state, case.demand, case.offers, price)


@pytest.mark.parametrize("name", ["usual", "sagging", "light"])
def test_every_bus_an_agent_finds_the_central_prices(name: str, request: pytest.FixtureRequest) -> None:
    """Idle limits, a sagging end and laterals that run backwards: 1,000 rounds are the budget."""
    case: Situation = request.getfixturevalue(name)
    clearing = clear(NodalMarket(case.network, SETTINGS), case)
    answer = CentralNodal(case.network, SETTINGS).answer(case.state, case.demand, case.offers, PRICE)
    assert clearing.status == "solved"
    assert 0 < clearing.rounds <= 1000
    assert abs(clearing.cost - answer.cost) <= 1e-4 * abs(answer.cost)
    assert np.abs(clearing.prices.real - answer.price_real).max() <= 0.1


def test_the_next_clearing_takes_fewer_rounds(usual: Situation) -> None:
    market = NodalMarket(usual.network, SETTINGS)
    cold, warm = clear(market, usual), clear(market, usual, WholesalePrice(61.0))
    assert warm.status == "solved"
    assert warm.rounds < cold.rounds


def test_rounds_are_hops_of_whole_sweeps(usual: Situation) -> None:
    """The farthest bus is 15 hops from the middle; a sweep up and down is 30 rounds."""
    clearing = clear(NodalMarket(usual.network, SETTINGS), usual)
    assert clearing.rounds % 30 == 0
    assert clearing.messages == clearing.rounds // 30 * 258


def test_a_budget_of_rounds_is_kept(usual: Situation) -> None:
    settings = replace(SETTINGS, negotiation_rounds=90)
    clearing = clear(NodalMarket(usual.network, settings), usual)
    assert clearing.status == "not_converged"
    assert clearing.rounds <= 90


def test_a_budget_below_one_step_changes_nothing(usual: Situation) -> None:
    clearing = clear(NodalMarket(usual.network, replace(SETTINGS, negotiation_rounds=59)), usual)
    assert (clearing.status, clearing.rounds) == ("not_converged", 0)
    assert np.isfinite(clearing.prices.real).all()
