"""Price and quantity brought together: on the curve, whatever the demand looks like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.answering import SETTLED, AnsweringMarket, Trial, agree, drawn
from dlmp_cosim.market.baselines.uniform import uniform_prices
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.supply import SupplyCurve

CURVE = SupplyCurve((0.0, 1000.0, 2000.0), (0.0, 5.0, 30.0))
Draws = Callable[[float], float]


def clearing(price: float, kw: float) -> Clearing:
    return Clearing(
        dispatch=np.array([complex(-kw)]),
        voltage=np.ones(1, dtype=np.complex128),
        power=np.zeros(0, dtype=np.complex128),
        head=np.array([complex(kw)]),
        losses_kw=0.0,
        prices=uniform_prices(1, WholesalePrice(price)),
        cost=price * kw / 1e3,
    )


class Buyer:
    """A market that draws what a function of the price says."""

    def __init__(self, draws: Draws) -> None:
        self._draws, self.prices = draws, []

    def clear(self, state: object, demand: object, offers: object, price: WholesalePrice) -> Clearing:
        del state, demand, offers
        self.prices.append(price.lmp)
        return clearing(price.lmp, self._draws(price.lmp))


def settled(draws: Draws, curve: SupplyCurve = CURVE, lmp: float = 20.0) -> tuple[Clearing, Buyer]:
    buyer = Buyer(draws)
    market = AnsweringMarket(buyer, curve)  # type: ignore[arg-type]
    return market.clear(None, None, (), WholesalePrice(lmp)), buyer  # type: ignore[arg-type]


def off(found: Clearing, curve: SupplyCurve = CURVE, lmp: float = 20.0) -> float:
    assert found.head_price is not None
    return abs(found.head_price - lmp - curve.rise_at(drawn(found)))


def test_a_curve_is_lines_between_knots_and_beyond_them() -> None:
    rises = [CURVE.rise_at(kw) for kw in (-1000.0, 0.0, 500.0, 1000.0, 1500.0, 2000.0, 3000.0)]
    assert rises == [-5.0, 0.0, 2.5, 5.0, 17.5, 30.0, 55.0]
    line = SupplyCurve.straight(8.0, 500.0)
    assert [line.rise_at(kw) for kw in (500.0, 1500.0, 0.0)] == [0.0, 8.0, -4.0]


@given(st.floats(-3000, 5000))
def test_the_cost_of_supply_is_the_area_below_the_rise(kw: float) -> None:
    steps = np.linspace(0.0, kw, 2001)
    rises = np.array([CURVE.rise_at(x) for x in (steps[1:] + steps[:-1]) / 2])
    assert CURVE.cost(kw) == pytest.approx(rises.sum() * kw / 2000 / 1e3, abs=1e-4)


def test_demand_that_does_not_move_settles_at_once() -> None:
    found, buyer = settled(lambda _: 1500.0)
    assert found.head_price == pytest.approx(37.5, abs=SETTLED)
    assert len(buyer.prices) == 2


@given(
    st.floats(-1000, 4000), st.floats(0, 500), st.floats(5, 60), st.floats(0.0, 40.0), st.floats(-500, 2000)
)
@example(266.75, 267.0, 5.0, 21.9765625, 913.25)
def test_elastic_demand_settles_on_the_curve(
    most: float, elastic: float, knee: float, slope: float, from_kw: float
) -> None:
    curve = SupplyCurve.straight(slope, from_kw)

    def draws(price: float) -> float:
        return most - elastic * max(price - knee, 0.0)

    found, buyer = settled(draws, curve)
    assert off(found, curve) <= 2 * SETTLED
    assert found.head_price is not None
    # Where demand is steep two prices that count as the same are mixed; what is drawn lies between theirs.
    assert draws(found.head_price + SETTLED) - 1e-6 <= drawn(found) <= draws(found.head_price) + 1e-6
    assert len(buyer.prices) <= 25


def test_where_the_quantity_jumps_the_mixture_lies_on_the_curve() -> None:
    found, _ = settled(lambda price: 1800.0 if price < 30.0 else 400.0)
    assert found.head_price == pytest.approx(30.0, abs=2 * SETTLED)
    assert 400.0 < drawn(found) < 1800.0
    assert off(found) <= 2 * SETTLED
    assert found.dispatch[0].real == pytest.approx(-drawn(found))


def test_the_next_clearing_starts_at_the_last_rise() -> None:
    buyer = Buyer(lambda price: 3000.0 - 40.0 * price)
    market = AnsweringMarket(buyer, CURVE)  # type: ignore[arg-type]
    market.clear(None, None, (), WholesalePrice(20.0))  # type: ignore[arg-type]
    tries = len(buyer.prices)
    again = market.clear(None, None, (), WholesalePrice(20.0))  # type: ignore[arg-type]
    assert len(buyer.prices) == tries + 1
    assert off(again) <= SETTLED


def test_demand_that_rises_with_the_price_is_named() -> None:
    with pytest.raises(ClearingError, match="do not agree after 40 clearings"):
        agree(lambda rise: Trial(rise, -1.0, clearing(rise, 0.0)), 0.0, CURVE.rise_at)


def test_a_failed_clearing_is_returned_as_it_is() -> None:
    found = agree(
        lambda rise: Trial(rise, -9.0, replace(clearing(rise, 0.0), status="failed")), 0.0, CURVE.rise_at
    )
    assert found.clearing.status == "failed"
