"""How a feeder's head power follows the price at its head, from the sensitivities of one clearing.

Every resource answers the price at its own nodes, which moves with that at the head by what a kW there saves
at the head. What the limits of the feeder do to that is left out: the curve says where to look, and a
clearing at the adder says what it is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.resources import curtails

LADDER = (-300.0, -100.0, -30.0, -10.0, -3.0, 0.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Steps of the price at which a curve is told [$/MWh]."""
FLAT = 1e-4
"""Rise of the marginal cost of a resource whose own is flat [$/MWh per kW]: its step has a slope."""


@dataclass(frozen=True)
class HeadCurve:
    """Head power of one feeder at some adders, falling.

    Attributes
    ----------
    adder : ndarray, shape (n,)
        Adders, rising [$/MWh].
    kw : ndarray, shape (n,)
        Power drawn at the head [kW].
    """

    adder: FloatArray
    kw: FloatArray

    def at(self, adder: float) -> float:
        """Power at an adder [kW], on the line between its neighbours."""
        return float(np.interp(adder, self.adder, self.kw))


@dataclass(frozen=True)
class Flexibility:
    """What a feeder's resources can still do.

    Attributes
    ----------
    up_kw, down_kw : float
        Power by which the head could fall and rise [kW].
    up_price, down_price : float
        Mean marginal cost of what is left upwards, and what is saved downwards [$/MWh].
    hours : float
        How long that holds [h]: offers are for one interval.
    """

    up_kw: float
    down_kw: float
    up_price: float
    down_price: float
    hours: float


def head_curve(
    network: Network, clearing: Clearing, offers: Sequence[Offer], price: WholesalePrice
) -> HeadCurve:
    """Estimate the head power at the adders of `LADDER` around that of a clearing.

    Parameters
    ----------
    network : Network
        The feeder.
    clearing : Clearing
        What was cleared.
    offers : sequence of Offer
        Offers of the interval.
    price : WholesalePrice
        Price at the head that it was cleared at.
    """
    found = _positions(network, offers)
    saved, local = _at_resources(network, clearing, price)
    steps, head = np.array(LADDER), float(clearing.head.real.sum())
    kw = np.full(len(steps), head)
    for k, offer in found:
        now = float(clearing.dispatch[k].real)
        slope = max(offer.cost_quadratic, FLAT)
        margin = local[k] - (offer.cost_linear + offer.cost_quadratic * now)
        # At an inner optimum the margin is nil; a resource at a limit moves once the price has made it up.
        wanted = now + (margin + saved[k] * steps) / slope
        kw -= saved[k] * (np.clip(wanted, offer.p_min_kw, offer.p_max_kw) - now)
    kw += head - float(np.interp(0.0, steps, kw))
    return HeadCurve(price.adder + steps, np.minimum.accumulate(kw))


def flexibility(network: Network, clearing: Clearing, offers: Sequence[Offer], hours: float) -> Flexibility:
    """Sum up what offers leave beside a dispatch, and what it costs.

    Parameters
    ----------
    network : Network
        The feeder.
    clearing : Clearing
        What was cleared.
    offers : sequence of Offer
        Offers of the interval.
    hours : float
        Length of the interval [h].
    """
    up, down, up_usd, down_usd = 0.0, 0.0, 0.0, 0.0
    for k, offer in _positions(network, offers):
        now = float(clearing.dispatch[k].real)
        above, below = max(offer.p_max_kw - now, 0.0), max(now - offer.p_min_kw, 0.0)
        up, down = up + above, down + below
        up_usd += above * (offer.cost_linear + offer.cost_quadratic * (now + above / 2))
        down_usd += below * (offer.cost_linear + offer.cost_quadratic * (now - below / 2))
    return Flexibility(up, down, up_usd / up if up else 0.0, down_usd / down if down else 0.0, hours)


def _positions(network: Network, offers: Sequence[Offer]) -> list[tuple[int, Offer]]:
    """Where each offered resource is in the order of the network."""
    index = {name: k for k, name in enumerate(network.resource_ids)}
    return [(index[offer.resource], offer) for offer in offers]


def _at_resources(
    network: Network, clearing: Clearing, price: WholesalePrice
) -> tuple[FloatArray, FloatArray]:
    """Say what a kW of every resource saves at the head, and its price, shape (n_resource,) each."""
    prices = clearing.prices
    by_head = prices.real_energy + prices.real_loss
    if len(prices.real_substation):
        by_head = by_head + prices.real_substation
    share = by_head / price.lmp if price.lmp else np.ones(len(by_head))
    loads, own, ground = load_terminals(network), injection_terminals(network), len(network.node_ids)
    places = {name: k for k, name in enumerate(network.load_ids)}
    saved, local = np.ones(len(network.resources)), np.zeros(len(network.resources))
    for k, resource in enumerate(network.resources):
        legs, owner = (loads, places[resource.load]) if curtails(resource) else (own, k)
        mine = legs.owner == owner
        ends = np.concatenate([legs.node[mine], legs.other[mine]])
        nodes = ends[ends < ground]
        saved[k], local[k] = float(share[nodes].mean()), float(prices.real[nodes].mean())
    return saved, local
