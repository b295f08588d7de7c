"""Energy and capacity of the example's feeders, quote by quote, against one program of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.ancillary.products import PRODUCTS, Award, Awards, Capacity, Need, held_of
from dlmp_cosim.market.ancillary.quotes import Quote, Seller, energy_behind, quote, room_of
from dlmp_cosim.market.ancillary.rounds import CapacityRound, procured
from dlmp_cosim.market.central.nodal import CentralNodal
from dlmp_cosim.market.central.substation import CentralAdder, CentralSubstation, FeederCase
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, accept_offers, holding_back
from dlmp_cosim.market.settings import MarketSettings, Method
from dlmp_cosim.market.substation.limits import SharedLimit
from dlmp_cosim.market.substation.rounds import AdderRound, Said, Tolerances
from dlmp_cosim.runners.judge.walk import Case, Day

CONFIGS = Path(__file__).parents[3] / "configs" / "substation_day"
NAMES = ("north", "village", "solar")
INTERVAL = 17 * 6
HOURS = 1 / 6
NEEDS = (
    Need("regulation_up", 300.0, 5.0, 500.0),
    Need("regulation_down", 200.0, 5.0, 500.0),
    Need("reserve", 600.0, 10.0, 500.0),
)


@dataclass
class Feeder:
    """One feeder of the example at one interval: its market, and the physics that answers."""

    day: Day
    settings: MarketSettings
    case: Case
    offers: tuple[Offer, ...]
    state: AcState
    market: NodalMarket
    needs: Sequence[Need] = ()

    def clear(self, held: Mapping[str, Award], adder: float = 0.0) -> Clearing:
        offers = [holding_back(o, *self.room(o, held.get(o.resource, {}))) for o in self.offers]
        return self.market.clear(self.state, self.case.demand, offers, self.case.price.plus(adder))

    def room(self, offer: Offer, award: Award) -> tuple[float, float]:
        capacity = offer.capacity or Capacity()
        give, take = (kwh / HOURS for kwh in energy_behind(offer, HOURS))
        limits = (offer.p_min_kw, offer.p_max_kw, 0.0, 0.0)
        return room_of(Seller(offer.resource, 0.0, 0.0, *limits, capacity, give, take), award, self.needs)

    def quote(self, held: Mapping[str, Award], adder: float = 0.0) -> Quote:
        return quote(self.day.network, self.clear(held, adder), self.offers, HOURS)


def selling(offer: Offer, k: int) -> Offer:
    """Sell capacity at prices that differ; every fourth resource sells none."""
    if k % 4 == 3:
        return offer
    more = 0.7 * (k % 7)
    terms = Capacity(3.0 + more, 2.0 + more, 1.0 + more / 2, 60.0, max(offer.p_max_kw, 1.0) / 20)
    return replace(offer, capacity=terms)


def feeder(name: str, settings: MarketSettings | None = None) -> Feeder:
    study = load_study(CONFIGS / name)
    day = Day(study)
    settings = settings or study.scenario.market.settings
    case = day.case(INTERVAL)
    nothing = np.zeros(len(day.network.resources), dtype=np.complex128)
    state = day.answer(case, nothing, controls=True)
    accepted, refused = accept_offers(day.network, [selling(o, k) for k, o in enumerate(case.offers)])
    assert not refused
    return Feeder(day, settings, case, accepted, state, NodalMarket(day.network, settings))


@pytest.fixture(scope="module")
def feeders() -> dict[str, Feeder]:
    found = {name: feeder(name) for name in NAMES}
    for item in found.values():
        for _ in range(3):
            item.state = item.day.answer(item.case, item.clear({}).dispatch, controls=False)
    return found


def play(
    feeders: dict[str, Feeder],
    needs: Sequence[Need],
    exchanges: int = 30,
    start: Awards | None = None,
    adder: float = 0.0,
) -> tuple[CapacityRound, Awards, int]:
    """Play the exchanges of a round from what is held, nothing by default."""
    asked = start if start is not None else Awards()
    found = CapacityRound(needs, asked)
    for exchange in range(exchanges):
        quotes = {name: item.quote(asked.get(name, {}), adder) for name, item in feeders.items()}
        again = found.hear(quotes, last=exchange == exchanges - 1)
        if again is None:
            return found, found.awards, exchange + 1
        asked = again
    raise AssertionError("a round ends with its last exchange")


def joint(
    feeders: dict[str, Feeder], needs: Sequence[Need], limits: tuple[SharedLimit, ...] = ()
) -> CentralAdder:
    parts = [
        FeederCase(CentralNodal(f.day.network, f.settings), f.state, f.case.demand, f.offers, f.case.price)
        for f in feeders.values()
    ]
    return CentralSubstation(parts, limits, needs=needs, hours=HOURS).solve()


def spent(feeders: dict[str, Feeder], awards: Awards, needs: Sequence[Need]) -> float:
    """What all feeders cost with capacity held back, what it costs, and what is missed [$/h]."""
    total = sum(item.clear(awards.get(name, {})).cost for name, item in feeders.items())
    asked = {(name, o.resource): o.capacity for name, item in feeders.items() for o in item.offers}
    for name, held in awards.items():
        for resource, award in held.items():
            terms = asked[name, resource]
            assert terms is not None
            total += sum((terms.price(product) or 0.0) * kw for product, kw in award.items()) / 1e3
    return total + sum(max(n.kw - procured(awards, n.product), 0.0) * n.cap for n in needs) / 1e3


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0], ids=["little", "some", "much"])
def test_prices_and_cost_are_those_of_one_program_of_all_feeders(
    feeders: dict[str, Feeder], factor: float
) -> None:
    needs = tuple(replace(need, kw=need.kw * factor) for need in NEEDS)
    found, awards, exchanges = play(feeders, needs)
    central = joint(feeders, needs)
    for need in needs:
        assert abs(found.prices[need.product] - central.products[need.product]) <= 0.1, need.product
        assert abs(procured(awards, need.product) - central.procured[need.product]) <= 0.1
    assert abs(spent(feeders, awards, needs) - central.cost) <= 1e-4 * abs(central.cost)
    assert exchanges <= 6


def test_what_energy_leaves_is_sold_as_in_one_program(feeders: dict[str, Feeder]) -> None:
    """Every third seller has energy for a third of its power, for as long as reserve may be called."""
    needs = tuple(replace(need, kw=2.0 * need.kw, lasts=4.0) for need in NEEDS)
    short = {
        name: replace(
            item, offers=tuple(little(o) if k % 3 == 0 else o for k, o in enumerate(item.offers)), needs=needs
        )
        for name, item in feeders.items()
    }
    found, awards, _ = play(short, needs)
    central = joint(short, needs)
    plenty = joint(feeders, needs)
    for need in needs:
        assert abs(found.prices[need.product] - central.products[need.product]) <= 0.1, need.product
    assert abs(spent(short, awards, needs) - central.cost) <= 1e-4 * abs(central.cost)
    assert central.products["reserve"] > plenty.products["reserve"] + 0.2
    for name, item in short.items():
        for offer in item.offers:
            up = held_of(awards[name].get(offer.resource, {}))[0]
            assert up * 4.0 * HOURS <= (offer.capacity or Capacity()).up_kwh + 1e-3


def little(offer: Offer) -> Offer:
    """Have energy for 40 minutes at a third of its power."""
    if offer.capacity is None:
        return offer
    return replace(offer, capacity=replace(offer.capacity, up_kwh=4.0 * HOURS * offer.p_max_kw / 3.0))


def test_no_kw_is_sold_twice(feeders: dict[str, Feeder]) -> None:
    needs = tuple(replace(need, kw=need.kw * 3.0) for need in NEEDS)
    _, awards, _ = play(feeders, needs)
    for name, item in feeders.items():
        power = dict(zip(item.day.network.resource_ids, item.clear(awards[name]).dispatch.real, strict=True))
        for offer in item.offers:
            award = awards[name].get(offer.resource, {})
            up, down = held_of(award)
            assert power[offer.resource] + up <= offer.p_max_kw + 1e-3
            assert power[offer.resource] - down >= offer.p_min_kw - 1e-3
            if award:
                assert offer.capacity is not None
                assert up <= 10.0 * offer.capacity.ramp_kw_per_minute + 1e-3
                for need in needs:
                    most = need.minutes * offer.capacity.ramp_kw_per_minute
                    assert award.get(need.product, 0.0) <= most + 1e-3


def test_a_requirement_that_cannot_be_met_gives_way_at_its_cap(feeders: dict[str, Feeder]) -> None:
    needs = (Need("reserve", 50_000.0, 10.0, 90.0),)
    found, awards, _ = play(feeders, needs)
    central = joint(feeders, needs)
    assert found.prices["reserve"] == pytest.approx(90.0, abs=1e-3)
    assert procured(awards, "reserve") < 50_000.0
    assert central.products["reserve"] == pytest.approx(90.0, abs=1e-3)


def test_without_a_requirement_nothing_is_asked(feeders: dict[str, Feeder]) -> None:
    found = CapacityRound([Need(product, 0.0, 5.0, 100.0) for product in PRODUCTS], {})
    quotes = {name: item.quote({}) for name, item in feeders.items()}
    assert found.hear(quotes, last=False) is None
    assert found.held
    assert not found.awards


def test_a_limit_of_a_feeder_is_felt_by_its_sellers() -> None:
    """Where lines bind, what a seller's energy is worth follows what its neighbours hold back."""
    tight = {}
    for name in ("solar", "village"):
        base = feeder(name)
        narrow = replace(base.settings, voltage_max_pu=1.02, rating_scale=0.55)
        item = replace(base, settings=narrow, market=NodalMarket(base.day.network, narrow))
        for _ in range(4):
            item.state = item.day.answer(item.case, item.clear({}).dispatch, controls=False)
        tight[name] = item
    assert any(item.clear({}).limits for item in tight.values())
    found, awards, exchanges = play(tight, NEEDS)
    central = joint(tight, NEEDS)
    for need in NEEDS:
        assert abs(found.prices[need.product] - central.products[need.product]) <= 0.1
    # Penalties make up most of the cost: what is asked for is a share of what energy and capacity cost.
    assert abs(spent(tight, awards, NEEDS) - central.cost) <= 0.01
    assert exchanges <= 6


@pytest.mark.parametrize("method", ["pac-accelerated", "interior-point"])
def test_any_method_clears_beside_what_is_held_back(method: Method) -> None:
    base = feeder("village")
    settings = replace(base.settings, method=method)
    item = replace(base, settings=settings, market=NodalMarket(base.day.network, settings))
    for _ in range(3):
        item.state = item.day.answer(item.case, item.clear({}).dispatch, controls=False)
    needs = tuple(replace(need, kw=need.kw / 3) for need in NEEDS)
    found, _, _ = play({"village": item}, needs)
    central = joint({"village": item}, needs)
    for need in needs:
        assert abs(found.prices[need.product] - central.products[need.product]) <= 0.1


def search(
    feeders: dict[str, Feeder], limit: SharedLimit, awards: Awards, start: float
) -> tuple[float, bool]:
    """Play the exchanges that find the adder beside awards; whether the first one held."""
    found, asked = AdderRound((limit,), start, Tolerances(0.05, 1e-3)), tuple[float, ...]()

    def drawn(name: str, adder: float) -> float:
        return float(feeders[name].clear(awards.get(name, {}), adder).head.real.sum())

    for exchange in range(12):
        said = [Said(drawn(name, start), {a: drawn(name, a) for a in asked}, None) for name in feeders]
        asked = found.hear(said, last=exchange == 11)
        if not asked:
            return found.adder, found.held
    raise AssertionError("a round ends with its last exchange")


@pytest.mark.parametrize("below", [100.0, 400.0], ids=["near", "far"])
def test_products_beside_a_limit_that_binds(feeders: dict[str, Feeder], below: float) -> None:
    """Awards at an adder and the adder beside awards, in turns, are what one program finds at once."""
    _, awards, _ = play(feeders, NEEDS)
    free = sum(float(item.clear(awards.get(name, {})).head.real.sum()) for name, item in feeders.items())
    limit, adder, rounds = SharedLimit("import", free - below, 1000.0), 0.0, 0
    held = False
    while not held and rounds < 8:
        found, awards, _ = play(feeders, NEEDS, start=awards, adder=adder)
        adder, met = search(feeders, limit, awards, adder)
        held, rounds = found.held and met, rounds + 1
    central = joint(feeders, NEEDS, (limit,))
    assert held
    assert adder > 1.0
    assert abs(adder - central.adder) <= 0.1
    for need in NEEDS:
        assert abs(found.prices[need.product] - central.products[need.product]) <= 0.1
