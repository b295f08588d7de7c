"""Rounds of the ancillary market on feeders whose clearings can be written down."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.products import (
    Awards,
    Capacity,
    Need,
    Product,
    held_of,
    reason_against_capacity,
)
from dlmp_cosim.market.ancillary.program import Program
from dlmp_cosim.market.ancillary.quotes import Quote, Seller, room_of
from dlmp_cosim.market.ancillary.rounds import CapacityRound, farthest, procured


@dataclass(frozen=True)
class Plant:
    """A generator of a feeder: its limit [kW], marginal cost [$/MWh] and its rise, and what it sells."""

    kw: float
    linear: float
    rise: float
    capacity: Capacity


def quoted(plants: dict[str, Plant], worth: float, bend: float, awards: Awards, name: str) -> Quote:
    """Clear a feeder whose energy is worth less, the more of it there is: a concave value of the sum."""
    held = {key: held_of(awards.get(name, {}).get(key, {})) for key in plants}
    power = dict.fromkeys(plants, 0.0)
    # Coordinate descent of a strictly convex cost in a box: to rounding after a few hundred sweeps.
    for _ in range(400):
        for key, plant in plants.items():
            others = sum(power.values()) - power[key]
            up, down = held[key]
            best = (worth - bend * others - plant.linear) / (plant.rise + bend)
            power[key] = min(max(best, min(down, plant.kw)), max(plant.kw - up, down))
    total = sum(power.values())
    rest = -(worth * total - bend * total**2 / 2) / 1e3
    sellers = tuple(
        Seller(key, power[key], worth - bend * total, 0.0, p.kw, p.linear, p.rise, p.capacity)
        for key, p in plants.items()
    )
    return Quote(rest + sum(seller.cost for seller in sellers), sellers)


def play(
    feeders: dict[str, dict[str, Plant]], needs: list[Need], bend: float = 0.0, noise: float = 0.0
) -> tuple[CapacityRound, int]:
    found, asked, seed = CapacityRound(needs, {}), Awards(), np.random.default_rng(1)
    for exchange in range(60):
        quotes = {name: quoted(plants, 30.0, bend, asked, name) for name, plants in feeders.items()}
        if noise:
            rough = {name: 1.0 + noise * seed.standard_normal() for name in quotes}
            quotes = {name: Quote(item.cost * rough[name], item.sellers) for name, item in quotes.items()}
        again = found.hear(quotes, last=exchange == 59)
        if again is None:
            return found, exchange + 1
        asked = again
    raise AssertionError("a round ends with its last exchange")


def plant(kw: float = 100.0, linear: float = 20.0, price: float = 2.0, ramp: float = math.inf) -> Plant:
    return Plant(kw, linear, 0.02, Capacity(reserve=price, ramp_kw_per_minute=ramp))


RESERVE = [Need("reserve", 60.0, 10.0, 500.0)]


def test_idle_capacity_costs_what_it_asks() -> None:
    found, exchanges = play({"a": {"idle": plant(linear=50.0), "busy": plant(linear=10.0)}}, RESERVE)
    assert found.prices["reserve"] == pytest.approx(2.0, abs=1e-6)
    assert found.awards["a"].keys() == {"idle"}
    assert exchanges == 2


def test_what_runs_asks_for_what_it_gives_up_as_well() -> None:
    """Worth 30 $/MWh: a kW held back gives up what that is above its marginal cost where it stands."""
    found, _ = play({"a": {"busy": plant(linear=10.0)}}, RESERVE)
    assert found.prices["reserve"] == pytest.approx(2.0 + 30.0 - (10.0 + 0.02 * 40.0), abs=1e-4)


def test_a_ramp_limits_what_is_there_in_time() -> None:
    found, _ = play({"a": {"slow": plant(linear=50.0, ramp=3.0)}}, RESERVE)
    assert procured(found.awards, "reserve") == pytest.approx(30.0)
    assert found.prices["reserve"] == pytest.approx(500.0)


def test_products_called_together_share_the_ramp() -> None:
    both = Plant(500.0, 50.0, 0.02, Capacity(regulation_up=1.0, reserve=1.0, ramp_kw_per_minute=10.0))
    needs = [Need("regulation_up", 80.0, 5.0, 400.0), Need("reserve", 90.0, 10.0, 300.0)]
    found, _ = play({"a": {"both": both}}, needs)
    award = found.awards["a"]["both"]
    assert award["regulation_up"] == pytest.approx(50.0)
    assert sum(award.values()) == pytest.approx(100.0)


def test_down_needs_something_that_runs() -> None:
    down = Capacity(regulation_down=1.0)
    plants = {"idle": Plant(100.0, 50.0, 0.02, down), "busy": Plant(100.0, 10.0, 0.02, down)}
    found, _ = play({"a": plants}, [Need("regulation_down", 70.0, 5.0, 400.0)])
    assert found.awards["a"]["busy"]["regulation_down"] == pytest.approx(70.0, abs=1e-3)


CELL = Seller(
    "cell", 0.0, 30.0, 0.0, 0.0, 40.0, 0.0,
    Capacity(regulation_up=1.0, regulation_down=1.0, reserve=1.0, p_min_kw=-100.0, p_max_kw=100.0),
    give_kw=120.0, take_kw=60.0,
)  # fmt: skip


def awarded(needs: list[Need], seller: Seller = CELL) -> dict[Product, float]:
    return Program(needs, {"a": [Quote(0.0, (seller,))]}).solve().awards["a"].get("cell", {})


def test_energy_lasts_for_as_long_as_a_product_may_be_called() -> None:
    assert awarded([Need("reserve", 90.0, 10.0, 500.0)])["reserve"] == pytest.approx(90.0)
    assert awarded([Need("reserve", 90.0, 10.0, 500.0, lasts=6.0)])["reserve"] == pytest.approx(20.0)
    assert awarded([Need("regulation_down", 90.0, 5.0, 500.0, lasts=3.0)]) == pytest.approx(
        {"regulation_down": 20.0}
    )
    both = awarded(
        [Need("regulation_up", 30.0, 5.0, 900.0, lasts=2.0), Need("reserve", 90.0, 10.0, 500.0, 6.0)]
    )
    assert both == pytest.approx({"regulation_up": 30.0, "reserve": 10.0})
    assert not awarded([Need("reserve", 90.0, 10.0, 500.0, lasts=6.0)], replace(CELL, give_kw=0.0))


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.0, 300.0), st.floats(0.0, 300.0), st.floats(1.0, 12.0), st.floats(0.0, 300.0),
    st.floats(-60.0, 60.0),
)  # fmt: skip
def test_an_award_leaves_room_for_what_stands_behind_it(
    give: float, take: float, lasts: float, kw: float, energy: float
) -> None:
    seller = replace(CELL, give_kw=give, take_kw=take, p_min_kw=-min(take, 40.0), p_max_kw=min(give, 40.0))
    needs = [Need("reserve", kw, 10.0, 500.0, lasts), Need("regulation_down", kw, 10.0, 500.0, lasts)]
    award = awarded(needs, seller)
    up, down = room_of(seller, award, needs)
    at = min(max(energy, seller.p_min_kw + down), seller.p_max_kw - up)
    assert at >= seller.p_min_kw + down - 1e-3, "there is an energy that leaves the room of both"
    for sold, there, sign in ((award.get("reserve", 0.0), give, 1.0),
                              (award.get("regulation_down", 0.0), take, -1.0)):  # fmt: skip
        assert sold * lasts <= there + 1e-3
        if sold:
            assert sign * at + sold * lasts <= there + 1e-3
            assert sign * at + sold <= 100.0 + 1e-3


def test_quotes_close_in_where_energy_is_worth_less_the_more_there_is() -> None:
    feeders = {
        "a": {"one": plant(linear=10.0), "two": plant(linear=14.0, price=1.0)},
        "b": {"three": plant(linear=18.0, price=3.0)},
    }
    found, exchanges = play(feeders, [Need("reserve", 150.0, 10.0, 500.0)], bend=0.05)
    assert procured(found.awards, "reserve") == pytest.approx(150.0, abs=1e-3)
    assert exchanges <= 12


def test_quotes_that_are_no_numbers_end_at_the_best_awards_known() -> None:
    found = CapacityRound(RESERVE, {}, {"reserve": 7.0})
    plants = {"idle": plant(linear=50.0)}
    asked = found.hear({"a": quoted(plants, 30.0, 0.0, {}, "a")}, last=False)
    assert asked is not None
    good = quoted(plants, 30.0, 0.0, asked, "a")
    broken = replace(good, sellers=tuple(replace(item, worth=math.nan) for item in good.sellers))
    assert found.hear({"a": broken}, last=False) is None
    assert not found.held
    assert found.awards == asked
    assert found.prices["reserve"] == pytest.approx(2.0, abs=1e-6)
    late = CapacityRound(RESERVE, asked, {"reserve": 7.0})
    assert late.hear({"a": broken}, last=False) is None
    assert (late.awards, late.prices) == (asked, {"reserve": 7.0})


def test_rough_quotes_end_where_awards_no_longer_move() -> None:
    found, exchanges = play({"a": {"busy": plant(linear=10.0)}}, RESERVE, noise=1e-4)
    assert exchanges < 60
    assert procured(found.awards, "reserve") == pytest.approx(60.0, abs=0.2)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.floats(20, 300), st.floats(5, 60), st.floats(0, 9), st.floats(1, 40)),
        min_size=1,
        max_size=4,
    ),
    st.floats(1, 900),
)
def test_no_kw_is_sold_twice(rows: list[tuple[float, float, float, float]], kw: float) -> None:
    plants = {f"p{k}": plant(*row) for k, row in enumerate(rows)}
    found, _ = play({"a": plants}, [Need("reserve", kw, 10.0, 100.0)])
    final = quoted(plants, 30.0, 0.0, found.awards, "a")
    for seller in final.sellers:
        award = found.awards.get("a", {}).get(seller.resource, {}).get("reserve", 0.0)
        assert seller.kw + award <= seller.p_max_kw + 1e-3
        assert award <= 10.0 * seller.capacity.ramp_kw_per_minute + 1e-3
    got = procured(found.awards, "reserve")
    assert -1e-6 <= found.prices["reserve"] <= 100.0 + 1e-4
    assert got <= kw + 1e-2
    assert got >= kw - 1e-2 or found.prices["reserve"] >= 100.0 - 1e-2


def test_awards_are_compared_entry_by_entry() -> None:
    one: Awards = {"a": {"x": {"reserve": 5.0}}}
    assert farthest(one, {"a": {"x": {"reserve": 5.0}}}) == 0.0
    assert farthest(one, {}) == 5.0
    assert farthest(one, {"a": {"x": {"reserve": 4.0, "regulation_up": 2.0}}}) == 2.0


@pytest.mark.parametrize(
    ("capacity", "says"),
    [
        (Capacity(reserve=2.0), ""),
        (Capacity(reserve=-2.0), "its price of reserve is -2"),
        (Capacity(reserve=math.nan), "its price of reserve is nan"),
        (Capacity(reserve=2.0, called=1e9), "its price of called energy is 1e+09"),
        (Capacity(reserve=2.0, ramp_kw_per_minute=0.0), "its ramp is 0 kW/min"),
    ],
)
def test_capacity_that_cannot_be_meant_is_refused(capacity: Capacity, says: str) -> None:
    found = reason_against_capacity(capacity)
    assert found.startswith(says)
    assert bool(found) == bool(says)
