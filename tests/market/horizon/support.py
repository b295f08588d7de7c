"""Horizons of small circuits, and the textbook program of one store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from dlmp_cosim.feeders.network import FloatArray, Network, Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.horizon.outlook import Outlook, Step
from dlmp_cosim.market.horizon.steps import Span
from dlmp_cosim.market.horizon.terms import Ahead, Store
from dlmp_cosim.market.offers import Offer, WholesalePrice
from tests.market.support import ABC, Sample, ladder, solve


@dataclass(frozen=True)
class Case:
    """A circuit, its state without dispatch, and what is offered for its horizon."""

    network: Network
    state: AcState
    outlook: Outlook
    offers: tuple[Offer, ...]


def outlook(
    network: Network, prices: Sequence[float], ratios: Sequence[float], hours: Sequence[float] | None = None
) -> Outlook:
    """Steps of an hour each, unless said otherwise, at prices and shares of the listed demand."""
    lengths = list(hours or [1.0] * len(prices))
    steps = zip(prices, ratios, lengths, strict=True)
    return Outlook(
        tuple(
            Step(Span(k, k + 1), length, WholesalePrice(price), network.listed_demand * ratio)
            for k, (price, ratio, length) in enumerate(steps)
        )
    )


def case(sample: Sample, offers: Sequence[Offer], prices: Sequence[float], ratios: Sequence[float]) -> Case:
    """A horizon of a sample circuit, from its state at the first step's demand."""
    ahead = outlook(sample.network, prices, ratios)
    state = solve(sample.feeder(), ahead.steps[0].demand, controls=False)
    return Case(sample.network, state, ahead, tuple(offers))


def stored(offers: Sequence[Offer], ahead: Ahead, name: str = "store") -> tuple[Offer, ...]:
    """The same offers, one of them with terms over time and no price of its own."""
    return tuple(
        replace(offer, ahead=ahead, cost_linear=0.0, cost_quadratic=0.0) if offer.resource == name else offer
        for offer in offers
    )


def textbook(
    prices: Sequence[float], store: Store, kw: float, hours: float = 1.0
) -> tuple[float, FloatArray]:
    """What a store earns at most at given prices [$], and the powers that earn it [kW], as a linear program.

    Variables: drawn, given, energy at the end of each step.
    """
    n = len(prices)
    price = np.array(prices) * hours / 1e3
    wear = store.wear * hours / 1e3
    cost = np.concatenate([price + wear, -price + wear, np.zeros(n)])
    cost[-1] -= store.end_value / 1e3
    kept = (1 - store.loss_per_hour) ** hours
    rows, right = np.zeros((n, 3 * n)), np.zeros(n)
    for t in range(n):
        rows[t, t] = -hours * store.charge_efficiency
        rows[t, n + t] = hours / store.discharge_efficiency
        rows[t, 2 * n + t] = 1.0
        if t:
            rows[t, 2 * n + t - 1] = -kept
        else:
            right[t] = kept * store.energy_kwh
    bounds = [(0.0, kw)] * (2 * n) + [(store.min_kwh, store.max_kwh)] * (n - 1)
    bounds.append((max(store.min_kwh, store.end_kwh), store.max_kwh))
    found = linprog(cost, A_eq=rows, b_eq=right, bounds=bounds, method="highs")
    assert found.status == 0
    return -float(found.fun), found.x[n : 2 * n] - found.x[:n]


def stiff_store(kw: float = 50.0) -> Sample:
    """One store behind a stiff line without load: it cannot move the price."""
    store = Resource("store", "storage", "n1", wye(ABC), kw, kw)
    return ladder(1, ohm=1e-9, kw=0.0, kvar=0.0, rating_a=1e6, resources=(store,))
