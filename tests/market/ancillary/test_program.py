"""The program of the ancillary market on cases small enough for paper."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.products import Capacity, Need, Product, held_of
from dlmp_cosim.market.ancillary.program import Answer, Program
from dlmp_cosim.market.ancillary.quotes import Quote, Seller

UP = Need("regulation_up", 30.0, 5.0, 1000.0)
DOWN = Need("regulation_down", 30.0, 5.0, 1000.0)
RESERVE = Need("reserve", 30.0, 10.0, 1000.0)
FREE = Capacity(regulation_up=0.0, regulation_down=0.0, reserve=0.0)


def seller(name: str = "a", kw: float = 50.0, worth: float = 40.0, **more: object) -> Seller:
    """A generator of 0 to 100 kW at 30 $/MWh, whose energy is worth 40."""
    usual = {"p_min_kw": 0.0, "p_max_kw": 100.0, "cost_linear": 30.0, "cost_quadratic": 0.0, "capacity": FREE}
    return Seller(name, kw, worth, **(usual | more))  # type: ignore[arg-type]


def solved(needs: list[Need], *sellers: Seller, cost: float = 0.0) -> Answer:
    """One feeder, known by one quote."""
    return Program(needs, {"f": [Quote(cost, sellers)]}).solve()


def sold(answer: Answer, name: str = "a", feeder: str = "f") -> dict[Product, float]:
    return answer.awards[feeder].get(name, {})


def test_the_cheapest_sells_first_and_the_last_sets_the_price() -> None:
    cheap = replace(seller("cheap"), worth=0.0, capacity=Capacity(regulation_up=5.0, ramp_kw_per_minute=4.0))
    dear = replace(seller("dear"), worth=0.0, capacity=Capacity(regulation_up=9.0))
    answer = solved([UP], cheap, dear)
    assert sold(answer, "cheap") == pytest.approx({"regulation_up": 20.0})
    assert sold(answer, "dear") == pytest.approx({"regulation_up": 10.0})
    assert answer.prices["regulation_up"] == pytest.approx(9.0)


def test_what_is_held_back_is_paid_what_its_energy_would_have_earned() -> None:
    """Energy is worth 10 $/MWh more than it costs: 30 of 100 kW stay free, each at 10 $ for a MW and hour."""
    answer = solved([UP], seller())
    assert sold(answer) == pytest.approx({"regulation_up": 30.0})
    assert answer.prices["regulation_up"] == pytest.approx(10.0)


def test_room_below_costs_nothing_where_energy_pays() -> None:
    answer = solved([DOWN], seller())
    assert sold(answer) == pytest.approx({"regulation_down": 30.0})
    assert answer.prices["regulation_down"] == pytest.approx(0.0, abs=1e-6)


def test_room_below_costs_what_energy_loses() -> None:
    """Energy costs 8 $/MWh more than it is worth: 30 kW have to run all the same."""
    answer = solved([DOWN], seller(kw=0.0, worth=22.0))
    assert sold(answer) == pytest.approx({"regulation_down": 30.0})
    assert answer.prices["regulation_down"] == pytest.approx(8.0)


def test_no_kilowatt_is_sold_twice() -> None:
    answer = solved([UP, RESERVE], seller(p_max_kw=50.0, worth=0.0))
    up, _ = held_of(sold(answer))
    assert up == pytest.approx(50.0)
    assert max(answer.prices.values()) == pytest.approx(1000.0)


def test_a_requirement_gives_way_at_its_cap() -> None:
    answer = solved([replace(UP, kw=500.0, cap=70.0)], seller(kw=0.0, worth=0.0))
    assert sold(answer) == pytest.approx({"regulation_up": 100.0})
    assert answer.prices["regulation_up"] == pytest.approx(70.0)
    assert answer.cost == pytest.approx(70.0 * 0.4)


def test_nobody_sells_what_it_has_no_price_for() -> None:
    answer = solved([UP, DOWN], seller(capacity=Capacity(regulation_down=2.0)))
    assert sold(answer) == pytest.approx({"regulation_down": 30.0})
    assert answer.prices["regulation_up"] == pytest.approx(1000.0)


@pytest.mark.parametrize(
    ("needs", "most"),
    [
        pytest.param([replace(UP, kw=90.0)], {"regulation_up": 20.0}, id="what five minutes bring"),
        pytest.param([replace(RESERVE, kw=90.0)], {"reserve": 40.0}, id="what ten minutes bring"),
        pytest.param(
            [replace(UP, kw=90.0), replace(RESERVE, kw=90.0)], {"regulation_up": 20.0, "reserve": 20.0},
            id="both together what ten minutes bring",
        ),
    ],
)  # fmt: skip
def test_a_slow_seller_sells_what_can_be_there_in_time(needs: list[Need], most: dict[Product, float]) -> None:
    slow = seller(worth=0.0, capacity=replace(FREE, ramp_kw_per_minute=4.0))
    assert sum(sold(solved(needs, slow)).values()) == pytest.approx(sum(most.values()))


@pytest.mark.parametrize(("lasts", "kw"), [(1.0, 20.0), (2.0, 10.0), (4.0, 5.0)])
def test_energy_behind_a_seller_lasts_as_long_as_a_call(lasts: float, kw: float) -> None:
    need = replace(UP, lasts=lasts)
    battery = seller(kw=0.0, worth=0.0, p_min_kw=-50.0, p_max_kw=50.0, give_kw=20.0)
    assert sold(solved([need], battery)) == pytest.approx({"regulation_up": kw}, abs=1e-4)


@pytest.mark.parametrize(("lasts", "kw"), [(1.0, 20.0), (2.0, 10.0)])
def test_room_behind_a_seller_lasts_as_long_as_a_call_downwards(lasts: float, kw: float) -> None:
    need = replace(DOWN, lasts=lasts)
    battery = seller(kw=0.0, worth=100.0, p_min_kw=-50.0, p_max_kw=50.0, take_kw=20.0)
    assert sold(solved([need], battery)) == pytest.approx({"regulation_down": kw}, abs=1e-4)


def test_a_seller_may_be_called_beyond_the_limits_of_its_energy() -> None:
    wider = seller(p_max_kw=10.0, worth=100.0, capacity=replace(FREE, p_max_kw=60.0))
    answer = solved([UP], wider)
    assert sold(answer) == pytest.approx({"regulation_up": 30.0})
    assert answer.prices["regulation_up"] == pytest.approx(0.0, abs=1e-6)


def test_free_capacity_beyond_the_requirement_is_let_go_in_proportion() -> None:
    answer = solved([UP], seller("a", worth=0.0), seller("b", worth=0.0))
    assert sum(sold(answer, name)["regulation_up"] for name in "ab") == pytest.approx(30.0)


def test_feeders_trade_with_each_other() -> None:
    """The feeder whose energy earns less holds the capacity of both."""
    quotes = {"rich": [Quote(5.0, (seller(),))], "poor": [Quote(7.0, (seller(worth=32.0),))]}
    answer = Program([UP], quotes).solve()
    assert sold(answer, feeder="poor") == pytest.approx({"regulation_up": 30.0})
    assert sold(answer, feeder="rich") == {}
    assert answer.prices["regulation_up"] == pytest.approx(2.0)


def test_the_cost_is_that_of_the_feeder_as_far_as_it_is_known() -> None:
    """Known at 50 kW: from there 50 kW more save 10 $/MWh."""
    answer = solved([DOWN], seller(), cost=9.0)
    assert answer.cost == pytest.approx(9.0 - 10.0 * 50 / 1e3)


def test_another_quote_cuts_off_what_the_first_promised() -> None:
    first, second = seller(kw=50.0, worth=40.0), seller(kw=80.0, worth=25.0)
    rest = 9.0 - first.cost
    far = Quote(rest - 40.0 * 30 / 1e3 + second.cost, (second,))
    answer = Program([DOWN], {"f": [Quote(9.0, (first,)), far]}).solve()
    assert answer.cost == pytest.approx(9.0 - 10.0 * 30 / 1e3)


def test_without_sellers_every_need_is_short() -> None:
    answer = Program([UP], {"f": [Quote(3.0, ())]}).solve()
    assert answer.awards == {"f": {}}
    assert answer.prices == pytest.approx({"regulation_up": 1000.0})
    assert answer.cost == pytest.approx(3.0 + 1000.0 * 0.03)


kilowatts = st.floats(1.0, 200.0)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.floats(0.0, 60.0), kilowatts, st.floats(0.0, 50.0)), min_size=1, max_size=3),
    kilowatts,
    kilowatts,
    kilowatts,
)
def test_awards_fit_their_sellers_and_no_need_gets_more(
    drawn: list[tuple[float, float, float]], up: float, down: float, reserve: float
) -> None:
    needs = [replace(UP, kw=up), replace(DOWN, kw=down), replace(RESERVE, kw=reserve)]
    sellers = [
        seller(str(k), kw=0.0, worth=worth, p_max_kw=top, capacity=Capacity(ask, ask / 2, ask / 3))
        for k, (worth, top, ask) in enumerate(drawn)
    ]
    answer = solved(needs, *sellers)
    for item in sellers:
        above, below = held_of(sold(answer, item.resource))
        assert above + below <= item.p_max_kw + 1e-3
    for need in needs:
        got = sum(award.get(need.product, 0.0) for award in answer.awards["f"].values())
        assert got <= need.kw + 1e-3
        assert -1e-6 <= answer.prices[need.product] <= need.cap + 1e-3
        if got < need.kw - 1e-2:
            assert answer.prices[need.product] == pytest.approx(need.cap, rel=1e-3)
    assert math.isfinite(answer.cost)
