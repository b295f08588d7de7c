"""Negotiation against the central statement of the same market, which knows nothing of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.nodal import CentralNodal, CentralSolution
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.resources import curtails
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.conftest import Situation
from tests.market.support import apply, mixed, mixed_offers, solve

PRICE = WholesalePrice(26.7, reactive=1.5)
TIGHT = MarketSettings(tolerance=5e-7, negotiation_rounds=400_000)
SAGGING = replace(TIGHT, voltage_min_pu=0.96, voltage_max_pu=1.1)


@pytest.fixture(scope="module")
def whole(usual: Situation) -> CentralNodal:
    """The central market of the 123-node feeder."""
    return CentralNodal(usual.network, TIGHT)


@dataclass(frozen=True)
class Gap:
    """Negotiated against central, in the units of the project: relative, kVA, $/MWh, $/(MVAR*h)."""

    cost: float
    dispatch: float
    real: float
    reactive: float


def gap(clearing: Clearing, reference: CentralSolution) -> Gap:
    assert clearing.status == "solved"
    return Gap(
        abs(clearing.cost / reference.cost - 1),
        float(np.abs(clearing.dispatch - reference.dispatch).max()),
        float(np.abs(clearing.prices.real - reference.price_real).max()),
        float(np.abs(clearing.prices.reactive - reference.price_reactive).max()),
    )


@pytest.mark.parametrize("agents", [1, 4, 8])
@pytest.mark.parametrize("name", ["usual", "sagging", "light"])
def test_areas_agree_on_the_central_optimum(
    whole: CentralNodal, situations: dict[str, Situation], name: str, agents: int
) -> None:
    case = situations[name]
    market = NodalMarket(case.network, replace(TIGHT, agents=agents))
    clearing = market.clear(case.state, case.demand, case.offers, PRICE)
    found = gap(clearing, whole.solve(case.state, case.demand, case.offers, PRICE))
    assert found.cost < 1e-6, found
    assert found.dispatch < 0.01, found
    assert found.real < 1e-3, found
    assert found.reactive < 1e-3, found


@pytest.mark.parametrize("name", ["usual", "sagging"])
def test_single_buses_agree_on_the_central_optimum(
    whole: CentralNodal, situations: dict[str, Situation], name: str
) -> None:
    """Hundreds of agents pass prices along: a hundred times the residual's worth of difference."""
    case = situations[name]
    market = NodalMarket(case.network, replace(TIGHT, agents=0))
    clearing = market.clear(case.state, case.demand, case.offers, PRICE)
    found = gap(clearing, whole.solve(case.state, case.demand, case.offers, PRICE))
    assert found.cost < 3e-6, found
    assert found.dispatch < 0.2, found
    assert found.real < 2e-3, found
    assert found.reactive < 4e-3, found


def test_later_anchors_agree_too(whole: CentralNodal, usual: Situation) -> None:
    """Anchored at random dispatches, at other prices, warm from one to the next."""
    rng = np.random.default_rng(2)
    market = NodalMarket(usual.network, TIGHT)
    for _ in range(4):
        share = rng.uniform(0, 1, len(usual.offers))
        powers = np.array([s * offer.p_max_kw for s, offer in zip(share, usual.offers, strict=True)])
        ratio = np.array([offer.reactive_ratio or 0.0 for offer in usual.offers])
        state = apply(usual.feeder, usual.demand, powers * (1 + 1j * ratio))
        price = WholesalePrice(float(rng.uniform(5, 60)), reactive=float(rng.uniform(-3, 3)))
        clearing = market.clear(state, usual.demand, usual.offers, price)
        found = gap(clearing, whole.solve(state, usual.demand, usual.offers, price))
        assert found.cost < 1e-5, found
        assert found.dispatch < 0.2, found
        assert found.real < 5e-3, found


@dataclass(frozen=True)
class Small:
    """One anchor of the nine-bus feeder."""

    network: Network
    state: AcState

    def market(self, settings: MarketSettings) -> NodalMarket:
        return NodalMarket(self.network, settings)

    def clear(
        self, settings: MarketSettings, offers: Sequence[Offer], price: WholesalePrice = PRICE
    ) -> Clearing:
        return self.market(settings).clear(self.state, self.network.listed_demand, offers, price)

    def central(
        self, settings: MarketSettings, offers: Sequence[Offer], price: WholesalePrice = PRICE
    ) -> CentralSolution:
        central = CentralNodal(self.network, settings)
        return central.solve(self.state, self.network.listed_demand, offers, price)


@pytest.fixture(scope="module")
def small() -> Small:
    sample = mixed(0.35)
    return Small(sample.network, solve(sample.feeder(tolerance=1e-12)))


ANCHORS = {
    "no limit": (replace(TIGHT, voltage_min_pu=0.8, voltage_max_pu=1.2), mixed_offers(), PRICE),
    "low voltage": (SAGGING, mixed_offers(), PRICE),
    "ratings": (replace(TIGHT, voltage_min_pu=0.8, rating_scale=0.055), mixed_offers(), PRICE),
    "beyond reach": (replace(TIGHT, voltage_min_pu=1.001, voltage_max_pu=1.011), mixed_offers(), PRICE),
    "loss weight": (replace(SAGGING, loss_weight=3.0), mixed_offers(), PRICE),
    "negative price": (SAGGING, mixed_offers(), WholesalePrice(-12.0, reactive=-0.5)),
    "no price": (SAGGING, mixed_offers(), WholesalePrice(0.0)),
    "one offer": (SAGGING, mixed_offers()[:1], PRICE),
    "no offer": (SAGGING, (), PRICE),
    "must run": (SAGGING, (Offer("gen3", 60.0, 60.0, 99.0), Offer("store", -20.0, -5.0, 20.0)), PRICE),
}


@pytest.mark.parametrize("agents", [0, 1, 3])
@pytest.mark.parametrize("name", ANCHORS)
def test_every_kind_of_market_agrees_with_the_central_one(small: Small, name: str, agents: int) -> None:
    settings, offers, price = ANCHORS[name]
    found = gap(
        small.clear(replace(settings, agents=agents), offers, price), small.central(settings, offers, price)
    )
    # A limit beyond reach is paid at its penalty, 400 times the LMP: the same residual weighs more.
    weight = 50.0 if name == "beyond reach" else 1.0
    assert found.cost < 2e-6 * weight, found
    # Losses that cost nothing leave reactive power without one answer.
    assert found.dispatch < 0.02 * weight or not price.lmp, found
    assert found.real < 2e-3 * weight, found
    assert found.reactive < 2e-3 * weight, found


@pytest.mark.parametrize("method", ["pac", "nst-pac"])
@pytest.mark.parametrize("name", ["no limit", "low voltage"])
def test_the_published_methods_agree_with_the_central_market(small: Small, name: str, method: str) -> None:
    settings, offers, price = ANCHORS[name]
    published = replace(settings, method=method, tolerance=1e-5)  # type: ignore[arg-type]
    found = gap(small.clear(published, offers, price), small.central(settings, offers, price))
    assert found.cost < 1e-5, found
    assert found.dispatch < 0.4, found
    assert found.real < 0.01, found
    assert found.reactive < 0.015, found


def test_the_central_method_gives_the_same_clearing(small: Small) -> None:
    settings, offers, price = ANCHORS["low voltage"]
    central = small.clear(replace(settings, method="central"), offers, price)
    found = gap(central, small.central(settings, offers, price))
    assert found.cost < 1e-7
    assert found.real < 1e-3
    assert central.rounds == central.messages == 0
    assert [limit.where for limit in central.limits] == ["tip.2"]


def test_negotiated_limits_have_the_central_prices(small: Small) -> None:
    for name in ("low voltage", "ratings", "beyond reach"):
        settings, offers, price = ANCHORS[name]
        ours, theirs = (
            {(limit.kind, limit.where): limit for limit in small.clear(chosen, offers, price).limits}
            for chosen in (settings, replace(settings, method="central"))
        )
        # An interior point leaves a trace of a price on limits that are merely near.
        dear = {
            key
            for key, limit in theirs.items()
            if limit.exceeded or abs(limit.value / limit.limit - 1) < 1e-6
        }
        assert dear
        assert dear <= set(ours), name
        for key in dear:
            assert ours[key].price == pytest.approx(theirs[key].price, rel=1e-2, abs=1e-3)
            assert ours[key].exceeded == theirs[key].exceeded
            assert ours[key].value == pytest.approx(theirs[key].value, rel=1e-5)


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated", "central"])
def test_a_feeder_without_resources_clears(small: Small, method: Method) -> None:
    network = replace(small.network, resources=())
    market = NodalMarket(network, MarketSettings(method=method, tolerance=1e-4))
    state = replace(small.state, injection=small.state.injection[:0])
    found = market.clear(state, network.listed_demand, (), WholesalePrice(30.0))
    assert found.status == "solved"
    assert len(found.dispatch) == 0


def test_the_central_market_lets_reactive_power_go_as_far_as_offered(small: Small) -> None:
    """An offer without a disc: what its real power could reach says nothing about its reactive power."""
    inverter = next(r for r in small.network.resources if not curtails(r) and r.kva_max >= 60.0)
    offer = Offer(inverter.name, 0.0, 0.0, 20.0, 0.1, -60.0, 60.0)
    market = NodalMarket(small.network, MarketSettings(method="central"))
    price = WholesalePrice(30.0, reactive=1e4)
    found = market.clear(small.state, small.network.listed_demand, (offer,), price)
    assert not found.refused
    assert found.dispatch[small.network.resource_ids.index(inverter.name)].imag == pytest.approx(
        60.0, abs=1e-3
    )


def test_a_solver_that_gives_up_is_a_clearing_error(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise cp.error.SolverError("Solver 'CLARABEL' failed.")

    monkeypatch.setattr(cp.Problem, "solve", fail)
    with pytest.raises(ClearingError, match="the reference solver"):
        small.central(TIGHT, mixed_offers())


def test_a_problem_without_an_optimum_is_a_clearing_error(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cp.Problem, "solve", lambda *_args, **_options: None)
    monkeypatch.setattr(cp.Problem, "status", "infeasible")
    with pytest.raises(ClearingError, match="'infeasible'"):
        small.central(TIGHT, mixed_offers())
