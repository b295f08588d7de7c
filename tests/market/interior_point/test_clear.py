"""The 123-node feeder with one agent a bus, against the central statement of the same market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.central.nodal import CentralNodal
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.interior_point.clear import Room, negotiate_sweeps
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation
from tests.market.interior_point.chains import chain, network

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


def test_a_room_that_was_used_changes_no_bit() -> None:
    problem, room = network(chain(6), per_bus=2), Room()
    plan, other = make_plan(problem), replace(problem, linear=1.5 * problem.linear)
    negotiate_sweeps(other, plan, None, SETTINGS, room)
    fresh, _, warmth = negotiate_sweeps(problem, plan, None, SETTINGS)
    used, _, _ = negotiate_sweeps(problem, plan, None, SETTINGS, room)
    assert used.resources.tobytes() == fresh.resources.tobytes()
    again, _, _ = negotiate_sweeps(problem, plan, warmth, SETTINGS, room)
    assert (
        again.resources.tobytes() == negotiate_sweeps(problem, plan, warmth, SETTINGS)[0].resources.tobytes()
    )


def test_a_room_is_left_for_another_plan() -> None:
    one, other = (make_plan(network(chain(n))) for n in (3, 4))
    room = Room()
    kept = room.store(one, 9)
    assert room.store(one, 9) is kept
    assert len(room.store(other, 12).moved) == 4
