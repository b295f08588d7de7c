"""The problem of one circuit: what it costs to do nothing, what an adder costs, which ratings it watches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.nodal.layout import POWER_UNIT
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective
from dlmp_cosim.market.settings import MarketSettings
from tests.market.nodal.small import OFFERS, PRICE, idle_state, sample

WIDE = MarketSettings(voltage_min_pu=0.5, voltage_max_pu=1.5)
"""Limits that nothing comes near to."""


def model(settings: MarketSettings = WIDE, rating_a: float = 400.0) -> NodalModel:
    return NodalModel(sample(rating_a=rating_a).network, settings)


def problem(
    made: NodalModel, price: WholesalePrice = PRICE, offers: tuple[Offer, ...] = OFFERS
) -> AtomicProblem:
    anchor = made.anchor(idle_state(), made.network.listed_demand, offers)
    return made.problem(anchor, offers, price)


@pytest.mark.parametrize(
    "price", [PRICE, WholesalePrice(-25.0), WholesalePrice(0.0, reactive=3.0), WholesalePrice(900.0)]
)
def test_doing_nothing_costs_what_the_head_buys(price: WholesalePrice) -> None:
    made = model()
    stated = problem(made, price)
    head = idle_state().head.sum()
    nothing = np.zeros(made.layout.n)
    nothing[made.layout.loading] = stated.row_lower[made.layout.loading]
    cost = objective(stated, nothing) * stated.cost_unit
    assert cost == pytest.approx((price.lmp * head.real + price.reactive * head.imag) / 1e3)


def test_doing_nothing_satisfies_every_row() -> None:
    made = model()
    stated = problem(made)
    nothing = np.zeros(made.layout.n)
    nothing[made.layout.loading] = stated.row_lower[made.layout.loading]
    np.testing.assert_allclose(stated.rows @ nothing, stated.row_lower, atol=1e-12)


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_an_adder_is_the_difference_of_two_prices(weight: float) -> None:
    made = model(replace(WIDE, loss_weight=weight))
    anchor = made.anchor(idle_state(), made.network.listed_demand, OFFERS)
    more = WholesalePrice(PRICE.lmp + 9.0, reactive=PRICE.reactive, adder=9.0)
    one, other = (made.problem(anchor, OFFERS, price) for price in (PRICE, more))
    n = one.n_state
    change: FloatArray = other.linear[:n] * other.cost_unit - one.linear[:n] * one.cost_unit
    np.testing.assert_allclose(
        made.adder_gradient(anchor, more, other.cost_unit) * other.cost_unit, change, atol=1e-9
    )


def test_a_resource_without_an_offer_stays_where_it_is() -> None:
    made = model()
    stated = problem(made, offers=OFFERS[:1])
    for k in (1, 2):
        places = made.layout.resource[:, k]
        assert not stated.lower[places].any()
        assert not stated.upper[places].any()


def test_offers_may_come_in_any_order() -> None:
    made = model()
    one, other = problem(made), problem(made, offers=OFFERS[::-1])
    for name in ("linear", "quadratic", "lower", "upper", "row_lower"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.rows != other.rows).nnz == 0


def test_reach_is_of_nameplates_and_of_no_offer() -> None:
    made = model()
    one, other = problem(made), problem(made, offers=OFFERS[:1])
    assert one.reach is not None
    assert other.reach is not None
    np.testing.assert_array_equal(one.reach, other.reach)
    assert one.reach[made.layout.resource[0]].tolist() == pytest.approx([2.0, 0.3, 0.4])
    assert np.isinf(one.reach[: made.layout.n_state]).all()


def test_watched_ratings_take_part_and_stay() -> None:
    made = model()
    assert not len(made.layout.rated)
    watching = made.watching(np.array([4, 1]))
    assert watching.layout.rated.tolist() == [1, 4]
    assert watching.watching(np.array([2])).layout.rated.tolist() == [1, 2, 4]
    assert made.layout.rated.tolist() == []


def test_demand_that_outgrows_what_is_listed_watches_more() -> None:
    made = model()
    assert made.outgrown(2.0).tolist() == []
    few, many = made.outgrown(4.0), made.outgrown(400.0)
    assert set(few.tolist()) <= set(many.tolist())
    assert many.tolist() == list(range(len(made.network.conductor_ids)))


def test_powers_are_in_hundreds_of_kilowatts() -> None:
    made = model()
    stated = problem(made)
    p, _ = made.layout.resource
    assert stated.upper[p].tolist() == pytest.approx([2.0, 0.3, 0.4])
    marginal = stated.linear[p[0]] * stated.cost_unit / POWER_UNIT * 1e3
    assert marginal == pytest.approx(35.0)
