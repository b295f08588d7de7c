"""What a solved problem says: predictions, prices with their parts, limits in their own units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.nodal.outcome import read_clearing, read_step
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.prices import NetworkSolver, network_solver
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.settings import MarketSettings
from tests.market.nodal.small import OFFERS, PRICE, TIGHT, cleared, idle_state, sample

SAGGING = replace(TIGHT, voltage_min_pu=0.975)
"""A lowest voltage that the last bus does not have without help."""
RATED_A = 60.0
"""A rating that the first line is loaded to."""


def stated(
    settings: MarketSettings = TIGHT, price: WholesalePrice = PRICE
) -> tuple[NodalModel, NetworkSolver, FloatArray]:
    """A model at its idle state, its factorised rows, and resources that do nothing."""
    model = NodalModel(sample().network, settings)
    anchor = model.anchor(idle_state(), model.network.listed_demand, OFFERS)
    problem = model.problem(anchor, OFFERS, price)
    return model, network_solver(problem, make_plan(problem).network), np.zeros(6)


def read(powers: FloatArray, limits: FloatArray | None = None, price: WholesalePrice = PRICE) -> Clearing:
    model, solver, _ = stated(price=price)
    anchor = model.anchor(idle_state(), model.network.listed_demand, OFFERS)
    given = np.zeros(solver.problem.n_state) if limits is None else limits
    return read_clearing(model, anchor, solver, price, Solution(powers, given))


def test_doing_nothing_predicts_the_state() -> None:
    state, found = idle_state(), read(np.zeros(6))
    np.testing.assert_allclose(found.voltage, state.voltage, atol=1e-12)
    np.testing.assert_allclose(found.power, state.power, atol=1e-9)
    np.testing.assert_allclose(found.head, state.head, atol=1e-9)
    assert found.losses_kw == pytest.approx(state.losses.real)
    assert not found.dispatch.any()
    assert found.limits == ()


def test_power_balances_in_every_prediction() -> None:
    """Head and injections cover loads and losses, to first order, whatever is dispatched."""
    powers = np.array([1.2, -0.2, 0.3, 0.4, 0.1, 0.0])
    before, after = read(np.zeros(6)), read(powers)
    given = 100.0 * powers[:2].sum()
    drawn = -100.0 * powers[2]
    heads = (after.head.sum() - before.head.sum()).real
    assert heads + given == pytest.approx(drawn + after.losses_kw - before.losses_kw, abs=0.05)


def test_a_curtailed_load_takes_its_reactive_power_along() -> None:
    found = read(np.array([0, 0, 0.3, 0, 0, 0.0]))
    assert found.dispatch[2] == pytest.approx(30.0 * (1 + 25.0j / 60.0))


def test_prices_at_the_head_are_those_of_the_wholesale_market() -> None:
    prices = cleared().prices
    at = sample().network.head_node
    np.testing.assert_allclose(prices.real[at], PRICE.lmp, rtol=1e-3)
    np.testing.assert_allclose(prices.reactive[at], PRICE.reactive, atol=2e-2)


@pytest.mark.parametrize(
    "price", [PRICE, WholesalePrice(-30.0), WholesalePrice(55.0, reactive=1.0, adder=15.0)]
)
def test_parts_sum_to_prices(price: WholesalePrice) -> None:
    prices = cleared(SAGGING, price=price).prices
    for name in ("real", "reactive"):
        parts = [getattr(prices, f"{name}_{part}") for part in ("energy", "loss", "voltage", "congestion")]
        substation = getattr(prices, f"{name}_substation")
        total = sum(parts) + (substation if len(substation) else 0.0)
        np.testing.assert_allclose(total, getattr(prices, name), atol=1e-9)
    assert len(prices.real_substation) == (len(prices.real) if price.adder else 0)
    np.testing.assert_allclose(prices.real_energy, price.lmp - price.adder)


def test_losses_make_power_dearer_away_from_the_head() -> None:
    """Generation here leaves the last bus drawing still."""
    network, prices = sample().network, cleared(offers=()).prices
    by_bus = [prices.real[network.node_index[f"{bus}.1"]] for bus in ("src", "n1", "n2", "n3")]
    assert by_bus == sorted(by_bus)
    assert by_bus[-1] > 1.01 * by_bus[0]
    assert not prices.real_voltage.any()


def test_a_dead_node_takes_the_price_of_the_head() -> None:
    model, solver, _ = stated(price=WholesalePrice(40.0, reactive=2.0, adder=5.0))
    anchor = model.anchor(idle_state(), model.network.listed_demand, OFFERS)
    live = anchor.live.copy()
    live[5] = False
    price = WholesalePrice(40.0, reactive=2.0, adder=5.0)
    found = read_clearing(
        model,
        replace(anchor, live=live),
        solver,
        price,
        Solution(np.zeros(6), np.zeros(solver.problem.n_state)),
    ).prices
    assert (found.real[5], found.reactive[5]) == pytest.approx((40.0, 2.0))
    assert (found.real_loss[5], found.real_substation[5]) == pytest.approx((0.0, 5.0))


def binding(clearing: Clearing, kind: str) -> list[str]:
    return [limit.where for limit in clearing.limits if limit.kind == kind]


def test_a_voltage_limit_costs_what_a_little_less_of_it_saves() -> None:
    """Prices of limits by central differences in the limit of all points [$/h per pu]."""
    found, step = cleared(SAGGING), 1e-5
    low = [limit for limit in found.limits if limit.kind == "voltage_low"]
    assert low
    assert not any(limit.exceeded for limit in low)
    for limit in low:
        assert limit.value == pytest.approx(limit.limit, abs=1e-6)
    costs = [cleared(replace(SAGGING, voltage_min_pu=0.975 + sign * step)).cost for sign in (1, -1)]
    assert sum(limit.price for limit in low) == pytest.approx((costs[0] - costs[1]) / (2 * step), rel=1e-2)


def test_a_rating_costs_what_a_little_more_of_it_saves() -> None:
    """The same in the rating of all conductors [$/h per A]."""
    found, step = cleared(rating_a=RATED_A), 1e-3
    rated = [limit for limit in found.limits if limit.kind == "rating"]
    assert rated
    for limit in rated:
        assert limit.limit == RATED_A
        assert limit.value == pytest.approx(RATED_A, rel=1e-5)
    costs = [cleared(replace(TIGHT, rating_scale=1 + sign * step), rating_a=RATED_A).cost for sign in (1, -1)]
    slope = (costs[1] - costs[0]) / (2 * step * RATED_A)
    assert sum(limit.price for limit in rated) == pytest.approx(slope, rel=2e-2)


def test_what_cannot_be_held_is_exceeded_at_its_penalty() -> None:
    settings = replace(TIGHT, voltage_min_pu=0.999, voltage_max_pu=1.2)
    found = cleared(settings, offers=OFFERS[2:])
    over = [limit for limit in found.limits if limit.exceeded]
    assert over
    for limit in over:
        assert limit.value < limit.limit == 0.999
        assert limit.price == pytest.approx(settings.voltage_penalty, rel=1e-3)


def test_limits_come_with_the_dearest_first() -> None:
    prices = [limit.price for limit in cleared(SAGGING).limits]
    assert prices == sorted(prices, reverse=True)
    assert min(prices) > 0.0


def test_a_margin_is_part_of_the_limit() -> None:
    margin = replace(TIGHT, voltage_min_pu=0.97, voltage_margin_pu=0.005)
    one, other = cleared(SAGGING), cleared(margin)
    assert binding(one, "voltage_low") == binding(other, "voltage_low")
    assert other.limits[0].limit == pytest.approx(0.975)


def test_a_step_is_read_as_its_clearing_is() -> None:
    model, solver, _ = stated()
    anchor = model.anchor(idle_state(), model.network.listed_demand, OFFERS)
    powers = np.array([0.9, 0.1, 0.2, 0.3, 0.0, 0.0])
    x = np.concatenate([solver.state(powers), powers])
    found = read(powers)
    duals = solver.duals(solver.problem.linear[: solver.problem.n_state]) * solver.problem.cost_unit
    dispatch, prices, volts, head = read_step(model, anchor, x, duals, PRICE)
    np.testing.assert_allclose(dispatch, found.dispatch)
    np.testing.assert_allclose(volts, found.voltage_magnitude)
    np.testing.assert_allclose(prices, found.prices.real)
    assert head == pytest.approx(found.head.real.sum())
