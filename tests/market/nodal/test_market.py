"""A market from interval to interval: what it refuses, what it carries over, what it costs to be wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket, central_terms
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.market.nodal.small import OFFERS, PRICE, TIGHT, cleared, idle_state, sample
from tests.market.support import ladder, solve

USUAL = MarketSettings()


def market(settings: MarketSettings = USUAL) -> NodalMarket:
    return NodalMarket(sample().network, settings)


def clear(made: NodalMarket, price: WholesalePrice = PRICE, offers: tuple[Offer, ...] = OFFERS) -> Clearing:
    return made.clear(idle_state(), made.model.network.listed_demand, offers, price)


def test_a_generator_runs_where_its_cost_is_the_price() -> None:
    found = cleared()
    network = sample().network
    nodes = [network.node_index[f"n2.{phase}"] for phase in (1, 2, 3)]
    kw = found.dispatch[0].real
    assert 0.0 < kw < 200.0
    assert 35.0 + 0.08 * kw == pytest.approx(found.prices.real[nodes].mean(), abs=1e-3)


@pytest.mark.parametrize("lmp", [-60.0, 0.0, 20.0, 40.0, 500.0])
def test_dispatch_stays_within_offers_at_any_price(lmp: float) -> None:
    found = cleared(USUAL, price=WholesalePrice(lmp))
    for offer, power in zip(OFFERS, found.dispatch.tolist(), strict=True):
        assert offer.p_min_kw - 1e-6 <= power.real <= offer.p_max_kw + 1e-6
        assert abs(power) <= offer.s_max_kva + 1e-3
    assert np.isfinite(found.prices.real).all()


def test_a_store_draws_below_its_cost_and_gives_above() -> None:
    cheap, dear = (cleared(price=WholesalePrice(lmp)).dispatch[1].real for lmp in (20.0, 70.0))
    assert (cheap, dear) == pytest.approx((-30.0, 30.0), abs=1e-3)


@pytest.mark.parametrize(
    ("offers", "refused"),
    [
        pytest.param(
            (*OFFERS, Offer("gem", 0.0, 1.0, 1.0)),
            ("gem: no such resource, did you mean 'gen'?",), id="a name that is not there",
        ),
        pytest.param((*OFFERS, OFFERS[0]), ("gen: offered twice",), id="an offer given twice"),
        pytest.param(
            (replace(OFFERS[0], cost_linear=float("nan")), *OFFERS[1:]),
            ("gen: a value is not a finite number",), id="a cost that is no number",
        ),
        pytest.param(
            (replace(OFFERS[0], p_min_kw=9.0, p_max_kw=3.0), *OFFERS[1:]),
            ("gen: its limits are crossed",), id="limits that cross",
        ),
    ],
)  # fmt: skip
def test_an_offer_that_cannot_be_cleared_is_named_and_left_out(
    offers: tuple[Offer, ...], refused: tuple[str, ...]
) -> None:
    found = clear(market(), offers=offers)
    assert found.refused == refused
    kept = tuple(offer for offer in OFFERS if offer in offers)
    assert found.dispatch.tobytes() == clear(market(), offers=kept).dispatch.tobytes()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("state", "the power flow that the clearing starts from did not converge"),
        ("demand", "a demand is not a finite number"),
        ("price", "the price at the head is not a finite number"),
    ],
)
def test_numbers_that_are_none_clear_nothing(what: str, said: str) -> None:
    made, state = market(), idle_state()
    demand, price = made.model.network.listed_demand.copy(), PRICE
    if what == "state":
        state = replace(state, converged=False)
    elif what == "demand":
        demand[3] = complex(np.nan, 0.0)
    else:
        price = WholesalePrice(float("inf"))
    with pytest.raises(ClearingError, match=said):
        made.clear(state, demand, OFFERS, price)


def test_no_offers_clear_to_the_price_of_losses_alone() -> None:
    found = cleared(offers=())
    assert not found.dispatch.any()
    head = idle_state().head.sum()
    assert found.cost == pytest.approx((PRICE.lmp * head.real + PRICE.reactive * head.imag) / 1e3)


def test_a_feeder_without_resources_clears_too() -> None:
    bare = ladder(1)
    state = solve(bare.feeder())
    found = NodalMarket(bare.network, USUAL).clear(state, bare.network.listed_demand, (), PRICE)
    assert (found.status, found.dispatch.shape) == ("solved", (0,))
    np.testing.assert_allclose(found.head, state.head, atol=1e-6)


def test_the_same_intervals_give_the_same_bytes() -> None:
    prices = [WholesalePrice(lmp) for lmp in (40.0, 41.0, 60.0, -5.0)]
    one, other = market(), market()
    for price in prices:
        first, second = clear(one, price), clear(other, price)
        assert first.dispatch.tobytes() == second.dispatch.tobytes()
        assert first.prices.real.tobytes() == second.prices.real.tobytes()
        assert (first.rounds, first.messages) == (second.rounds, second.messages)


def test_a_warm_market_finds_what_a_cold_one_does() -> None:
    warm = market(TIGHT)
    clear(warm, WholesalePrice(70.0))
    later = clear(warm, PRICE)
    np.testing.assert_allclose(later.dispatch, cleared().dispatch, atol=0.05)
    np.testing.assert_allclose(later.prices.real, cleared().prices.real, atol=0.01)


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated", "central"])
def test_every_method_agrees(method: str) -> None:
    settings = replace(USUAL, method=method, agents=2)  # type: ignore[arg-type]
    found, best = cleared(settings), cleared()
    assert found.cost == pytest.approx(best.cost, rel=1e-4)
    np.testing.assert_allclose(found.prices.real, best.prices.real, atol=0.1)
    assert (found.rounds == 0) is (method == "central")


@pytest.mark.parametrize("voltage_min_pu", [0.9, 0.975])
def test_the_central_solution_in_the_problems_terms_balances_its_gradient(voltage_min_pu: float) -> None:
    """Its multipliers leave what resources are worth equal to what they cost, within their boxes."""
    made = market(replace(USUAL, voltage_min_pu=voltage_min_pu, method="central"))
    demand = made.model.network.listed_demand
    reference = made._reference().solve(idle_state(), demand, OFFERS, PRICE)
    anchor = made.model.anchor(idle_state(), demand, OFFERS)
    problem = made.model.problem(anchor, OFFERS, PRICE)
    solution = central_terms(made.model, anchor, problem, reference)
    n = problem.n_state
    inner = problem.rows[:, :n].toarray()
    duals = np.linalg.solve(inner.T, problem.linear[:n] + solution.limits)
    gain = problem.rows[:, n:].T @ duals - problem.linear[n:] - problem.quadratic[n:] * solution.resources
    low, high = problem.lower[n:], problem.upper[n:]
    inside = (solution.resources > low + 1e-3) & (solution.resources < high - 1e-3)
    assert inside[0]
    assert np.abs(gain[inside]).max() < 2e-3
    assert (gain[solution.resources >= high - 1e-3] > -2e-3).all()
    assert (solution.limits != 0.0).any() == (voltage_min_pu > 0.95)


def test_ratings_that_join_later_leave_earlier_multipliers_where_they_are() -> None:
    made = NodalMarket(sample().network, replace(USUAL, voltage_min_pu=0.975))
    before = clear(made)
    assert made.warmth is not None
    limits, layout = made.warmth.limits.copy(), made.model.layout
    made._watch(np.array([0, 5]))
    moved = made.model.layout
    np.testing.assert_array_equal(made.warmth.limits[moved.voltage[0]], limits[layout.voltage[0]])
    assert not made.warmth.limits[moved.loading].any()
    after = clear(made)
    np.testing.assert_allclose(after.dispatch, before.dispatch, atol=0.5)
