"""A day of rolling horizons with perfect foresight: against the optimum of the day at once, and without."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.horizon.market import HorizonMarket
from dlmp_cosim.market.horizon.outlook import Outlook
from dlmp_cosim.market.horizon.terms import Ahead, Store
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.settings import MarketSettings
from tests.market.horizon.support import outlook
from tests.market.support import apply, mixed, mixed_offers, money, solve

PRICES = (22.0, 18.0, 16.0, 25.0, 38.0, 47.0, 35.0, 28.0)
RATIOS = (0.8, 0.7, 0.7, 0.9, 1.0, 1.1, 1.0, 0.9)
STORE = Store(30.0, 60.0, 5.0, 0.95, 0.92, end_kwh=30.0)
SETTINGS = MarketSettings(method="interior-point", tolerance=1e-6, voltage_min_pu=0.9, voltage_max_pu=1.1)


@dataclass(frozen=True)
class Rolled:
    """A day as it came: its cost [$], the energies of the store, and the plan of the first interval [$]."""

    cost: float
    energy: FloatArray
    first: float


def offers(store: Store | None) -> list[Offer]:
    """Offers of the circuit, its store with terms or idle."""
    terms = None if store is None else Ahead(store=store)
    reach = 0.0 if store is None else 20.0
    return [
        replace(o, p_min_kw=-reach, p_max_kw=reach, cost_linear=0.0, cost_quadratic=0.0, ahead=terms)
        if o.resource == "store"
        else o
        for o in mixed_offers()
    ]


def roll(store: Store | None) -> Rolled:
    """Clear every interval over what is left of the day, at the AC answer until both agree."""
    circuit = mixed()
    feeder, market = circuit.feeder(), HorizonMarket(circuit.network, SETTINGS)
    whole = outlook(circuit.network, PRICES, RATIOS)
    k, cost, energies, first = circuit.network.resource_ids.index("store"), 0.0, [], np.nan
    held = store
    for t, step in enumerate(whole.steps):
        ahead, mine = Outlook(whole.steps[t:]), offers(held)
        state = solve(feeder, step.demand, controls=False)
        for _ in range(6):
            clearing = market.clear_ahead(state, ahead, mine)
            state = apply(feeder, step.demand, clearing.dispatch)
        if t == 0 and clearing.plan is not None:
            first = clearing.plan.cost
        cost += money(state, clearing.dispatch, circuit.network, mine, step.price)
        if held is not None:
            held = replace(
                held, energy_kwh=held.after(held.energy_kwh, float(clearing.dispatch[k].real), 1.0)
            )
            energies.append(held.energy_kwh)
    return Rolled(cost, np.array(energies), first)


@pytest.fixture(scope="module")
def rolled() -> Rolled:
    return roll(STORE)


def test_rolling_costs_what_the_day_at_once_would(rolled: Rolled) -> None:
    assert rolled.cost == pytest.approx(rolled.first, rel=5e-3)


def test_the_store_ends_where_it_has_to_and_stays_within_its_limits(rolled: Rolled) -> None:
    assert rolled.energy[-1] == pytest.approx(30.0, abs=1e-2)
    assert rolled.energy.min() >= 5.0 - 1e-9
    assert rolled.energy.max() <= 60.0 + 1e-9
    assert np.ptp(rolled.energy) > 30.0


def test_a_day_with_the_store_costs_less_than_without(rolled: Rolled) -> None:
    without = roll(None)
    assert rolled.cost < without.cost - 0.1
