"""The search for the adder against one program of all feeders, on the feeders of the example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.nodal import CentralNodal
from dlmp_cosim.market.central.substation import CentralAdder, CentralSubstation, FeederCase
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import WholesalePrice, accept_offers
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.market.substation.curve import head_curve
from dlmp_cosim.market.substation.limits import SharedLimit, shared_cost
from dlmp_cosim.market.substation.rounds import AdderRound, Said, Tolerances
from dlmp_cosim.runners.judge.walk import Case, Day

CONFIGS = Path(__file__).parents[3] / "configs" / "substation_day"
NAMES = ("north", "village", "solar")
INTERVAL = 17 * 6
TIGHT = Tolerances(0.05, 1e-3)


@dataclass
class Feeder:
    """One feeder of the example at one interval: its market, and the physics that answers."""

    day: Day
    settings: MarketSettings
    case: Case
    state: AcState
    market: NodalMarket

    def clear(self, adder: float) -> Clearing:
        case = self.case
        return self.market.clear(self.state, case.demand, case.offers, case.price.plus(adder))

    def settle(self, adder: float) -> Clearing:
        """Anchor at the AC answer to what is cleared."""
        found = self.clear(adder)
        self.state = self.day.answer(self.case, found.dispatch, controls=False)
        return found


def feeder(name: str) -> Feeder:
    study = load_study(CONFIGS / name)
    day, settings = Day(study), study.scenario.market.settings
    case = day.case(INTERVAL)
    nothing = np.zeros(len(day.network.resources), dtype=np.complex128)
    state = day.answer(case, nothing, controls=True)
    return Feeder(day, settings, case, state, NodalMarket(day.network, settings))


@pytest.fixture(scope="module")
def feeders() -> list[Feeder]:
    return [feeder(name) for name in NAMES]


def said(item: Feeder, adder: float, asked: tuple[float, ...]) -> Said:
    found = item.clear(adder)
    price = item.case.price.plus(adder)
    heads = {a: float(item.clear(a).head.real.sum()) for a in asked}
    curve = head_curve(item.day.network, found, item.case.offers, price)
    return Said(float(found.head.real.sum()), heads, curve)


def search(feeders: list[Feeder], limits: tuple[SharedLimit, ...], start: float) -> tuple[float, int]:
    """Play the exchanges of one round; the adder, and how many it took."""
    found, asked = AdderRound(limits, start, TIGHT), ()
    for exchange in range(12):
        asked = found.hear([said(item, start, asked) for item in feeders], last=exchange == 11)
        if not asked:
            return found.adder, exchange + 1
    raise AssertionError("a round ends with its last exchange")


def joint(feeders: list[Feeder], limits: tuple[SharedLimit, ...]) -> CentralAdder:
    parts = []
    for item in feeders:
        offers, _ = accept_offers(item.day.network, item.case.offers)
        market = CentralNodal(item.day.network, item.settings)
        parts.append(FeederCase(market, item.state, item.case.demand, offers, item.case.price))
    return CentralSubstation(parts, limits).solve()


def cost(feeders: list[Feeder], limits: tuple[SharedLimit, ...], adder: float) -> tuple[float, float]:
    """What all feeders cost at their LMPs [$/h], and what they draw [kW]."""
    found = [item.clear(adder) for item in feeders]
    drawn = sum(float(item.head.real.sum()) for item in found)
    return sum(item.cost for item in found) - adder * drawn / 1e3 + shared_cost(limits, drawn), drawn


def anchored(feeders: list[Feeder], limits: tuple[SharedLimit, ...], rounds: int = 4) -> tuple[float, int]:
    """Find the adder round by round, each anchored at the AC answer to the one before."""
    adder, exchanges = 0.0, 0
    for _ in range(rounds):
        adder, exchanges = search(feeders, limits, adder)
        for item in feeders:
            item.settle(adder)
    adder, exchanges = search(feeders, limits, adder)
    return adder, exchanges


@pytest.mark.parametrize(
    ("limit", "above"), [(4700.0, True), (4000.0, True), (6500.0, False)], ids=["near", "far", "export"]
)
def test_the_adder_is_that_of_one_program_of_all_feeders(
    feeders: list[Feeder], limit: float, above: bool
) -> None:
    limits = (SharedLimit("import" if above else "export", limit, 1000.0, above),)
    adder, exchanges = anchored(feeders, limits)
    central = joint(feeders, limits)
    found, drawn = cost(feeders, limits, adder)
    assert abs(adder - central.adder) <= 0.1
    assert (adder > 0.0) == above
    assert abs(found - central.cost) <= 1e-4 * abs(central.cost)
    assert abs(drawn - limit) <= 0.1
    assert abs(drawn - central.head_kw.sum()) <= 0.5
    assert exchanges <= 6


def test_what_cannot_be_held_costs_its_penalty_in_both(feeders: list[Feeder]) -> None:
    limits = (SharedLimit("import", 0.0, 60.0),)
    adder, _ = anchored(feeders, limits)
    central = joint(feeders, limits)
    assert adder == 60.0
    assert abs(adder - central.adder) <= 1e-3
    found, _ = cost(feeders, limits, adder)
    assert abs(found - central.cost) <= 1e-4 * abs(central.cost)


def test_a_limit_out_of_the_way_has_no_price(feeders: list[Feeder]) -> None:
    limits = (SharedLimit("import", 9000.0, 1000.0),)
    assert anchored(feeders, limits, rounds=1)[0] == 0.0
    assert abs(joint(feeders, limits).adder) <= 1e-4


def test_the_adder_is_a_part_of_the_price_of_its_own(feeders: list[Feeder]) -> None:
    for item in feeders:
        prices = item.clear(12.0).prices
        parts = (
            prices.real_energy + prices.real_loss + prices.real_voltage
            + prices.real_congestion + prices.real_substation
        )  # fmt: skip
        assert np.allclose(parts, prices.real, atol=1e-9)
        assert np.allclose(prices.real_energy, item.case.price.lmp)
        # A kW more at a node draws a kW and its losses at the head, for the adder no less than for the LMP.
        share = (prices.real_energy + prices.real_loss) / item.case.price.lmp
        # Both come from one factorisation; a source of 1e-4 ohm rounds them at 1e-9.
        assert np.allclose(prices.real_substation, 12.0 * share, rtol=1e-8)


def test_without_an_adder_a_clearing_is_as_it_was(feeders: list[Feeder]) -> None:
    item = feeders[1]
    for price in (item.case.price, replace(item.case.price, adder=0.0), item.case.price.plus(0.0)):
        fresh = NodalMarket(item.day.network, item.settings)
        found = fresh.clear(item.state, item.case.demand, item.case.offers, price)
        assert len(found.prices.real_substation) == 0
    assert WholesalePrice(30.0).plus(12.0).plus(0.0) == WholesalePrice(30.0).plus(0.0)


def test_a_price_of_reactive_power_is_no_part_of_the_adder(feeders: list[Feeder]) -> None:
    item = feeders[1]
    price = replace(item.case.price, reactive=9.0).plus(12.0)
    market = NodalMarket(item.day.network, item.settings)
    prices = market.clear(item.state, item.case.demand, item.case.offers, price).prices
    bare = replace(item.case.price, reactive=0.0).plus(12.0)
    without = NodalMarket(item.day.network, item.settings)
    alone = without.clear(item.state, item.case.demand, item.case.offers, bare).prices
    assert np.allclose(prices.real_substation, alone.real_substation, rtol=1e-9)
    assert not np.allclose(prices.real_loss, alone.real_loss, atol=1e-3)
    parts = prices.real_energy + prices.real_loss + prices.real_voltage + prices.real_congestion
    assert np.allclose(parts + prices.real_substation, prices.real, atol=1e-9)


def test_a_total_price_of_nothing_still_has_its_parts(feeders: list[Feeder]) -> None:
    item = feeders[1]
    price = item.case.price.plus(-item.case.price.lmp)
    market = NodalMarket(item.day.network, item.settings)
    prices = market.clear(item.state, item.case.demand, item.case.offers, price).prices
    by_head = prices.real_energy + prices.real_loss
    assert np.allclose(by_head, -prices.real_substation, atol=1e-9)
    assert (by_head > 0.0).all()
