"""Capacity of all feeders as rows of one program: the reference that the ancillary market is held to.

It states what resources can give of energy and capacity together in the variables of the feeders' own
programs; nothing of it comes from `market.ancillary` but the offers and the requirements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.market.ancillary.products import Need
from dlmp_cosim.market.central.circuit import POWER_UNIT
from dlmp_cosim.market.offers import Offer


@dataclass(frozen=True)
class Reserved:
    """What capacity adds to a program.

    Attributes
    ----------
    constraints : list
        Rows of the resources.
    requirements : list
        A row for each requirement; its multiplier is the price of the product.
    cost : cvxpy.Expression
        Cost of capacity, and of what requirements miss, over the unit of cost.
    capacity : list of list
        Variable by requirement and feeder, an entry for each of its offers [POWER_UNIT].
    """

    constraints: list[cp.Constraint]
    requirements: list[cp.Constraint]
    cost: cp.Expression
    capacity: list[list[cp.Variable]]


def reserve(
    energy: Sequence[tuple[Network, Sequence[Offer], cp.Expression]],
    needs: Sequence[Need],
    unit: float,
    hours: float = 1.0,
) -> Reserved:
    """State capacity beside energy.

    Parameters
    ----------
    energy : sequence of (Network, sequence of Offer, cvxpy.Expression)
        Every feeder, its offers, and the real power of its resources in the order of the network.
    needs : sequence of Need
        What is required.
    unit : float
        Unit of cost of the program [$/h].
    hours : float, optional
        Length of the interval [h].
    """
    per_mwh = POWER_UNIT / 1e3 / unit
    capacity = [[cp.Variable(max(len(offers), 1), nonneg=True) for _, offers, _ in energy] for _ in needs]
    constraints: list[cp.Constraint] = []
    cost: cp.Expression = cp.Constant(0.0)
    for f, (network, offers, power) in enumerate(energy):
        of_feeder = [row[f] for row in capacity]
        constraints += _limits(network, offers, power, needs, of_feeder)
        constraints += _energy(network, offers, power, (needs, of_feeder), hours)
        for need, held in zip(needs, of_feeder, strict=True):
            asked = [_price(offer, need) or 0.0 for offer in offers] or [0.0]
            cost = cost + per_mwh * (np.array(asked) @ held)
    short = cp.Variable(max(len(needs), 1), nonneg=True)
    requirements = [
        sum(cp.sum(held) for held in row) + short[k] >= need.kw / POWER_UNIT
        for k, (need, row) in enumerate(zip(needs, capacity, strict=True))
    ]
    for k, need in enumerate(needs):
        cost = cost + per_mwh * need.cap * short[k]
    return Reserved(constraints, requirements, cost, capacity)


def _price(offer: Offer, need: Need) -> float | None:
    return offer.capacity.price(need.product) if offer.capacity else None


def _limits(
    network: Network,
    offers: Sequence[Offer],
    power: cp.Expression,
    needs: Sequence[Need],
    held: Sequence[cp.Variable],
) -> list[cp.Constraint]:
    """State what the resources of one feeder can give together, a row of resources at a time."""
    if not offers:
        return []
    index = {name: k for k, name in enumerate(network.resource_ids)}
    energy = power[[index[offer.resource] for offer in offers]]
    ramp = np.array([offer.capacity.ramp_kw_per_minute if offer.capacity else 0.0 for offer in offers])
    found: list[cp.Constraint] = []
    for need, kw in zip(needs, held, strict=True):
        sold = np.array([_price(offer, need) is not None for offer in offers])
        found += _at_most(kw, np.where(sold, ramp * need.minutes, 0.0))
    upward = [k for k, need in enumerate(needs) if need.product != "regulation_down"]
    downward = [k for k, need in enumerate(needs) if need.product == "regulation_down"]
    if upward:
        up = sum(held[k] for k in upward)
        found += _at_most(energy + up, np.array([_reach(offer)[1] for offer in offers]))
        found += _at_most(up, ramp * max(needs[k].minutes for k in upward))
    if downward:
        down = sum(held[k] for k in downward)
        found += _at_most(down - energy, np.array([-_reach(offer)[0] for offer in offers]))
    return found


def _at_most(power: cp.Expression, kw: FloatArray) -> list[cp.Constraint]:
    """Keep a power of every resource within what is finite of its limits."""
    within = np.flatnonzero(np.isfinite(kw))
    return [power[within] <= kw[within] / POWER_UNIT] if within.size else []


def _reach(offer: Offer) -> tuple[float, float]:
    """Least and most power that a resource can be called to [kW]."""
    low, high = offer.p_min_kw, offer.p_max_kw
    if offer.capacity is not None and offer.capacity.p_min_kw is not None:
        low = min(low, offer.capacity.p_min_kw)
    if offer.capacity is not None and offer.capacity.p_max_kw is not None:
        high = max(high, offer.capacity.p_max_kw)
    return low, high


def _energy(
    network: Network,
    offers: Sequence[Offer],
    power: cp.Expression,
    asked: tuple[Sequence[Need], Sequence[cp.Variable]],
    hours: float,
) -> list[cp.Constraint]:
    """State that what a store gives and takes lasts for as long as products may be called [kWh]."""
    found: list[cp.Constraint] = []
    index = {name: k for k, name in enumerate(network.resource_ids)}
    for i, offer in enumerate(offers):
        if offer.capacity is None:
            continue
        there = {1.0: offer.capacity.up_kwh, -1.0: offer.capacity.down_kwh}
        if offer.ahead is not None and offer.ahead.store is not None:
            low, high = offer.ahead.store.bounds(offer.ahead.store.energy_kwh, hours)
            there = {1.0: min(there[1.0], high * hours), -1.0: min(there[-1.0], -low * hours)}
        for sign, kwh in there.items():
            own = [
                need.lasts * held[i]
                for need, held in zip(*asked, strict=True)
                if (need.product == "regulation_down") == (sign < 0.0)
            ]
            if own and np.isfinite(kwh):
                energy = sign * power[index[offer.resource]]
                found.append(hours * sum(own) <= kwh / POWER_UNIT)
                found.append(hours * (energy + sum(own)) <= kwh / POWER_UNIT)
    return found
