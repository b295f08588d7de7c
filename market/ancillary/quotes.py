"""What a feeder tells the ancillary market of one clearing: its cost, and where its sellers stand.

What energy of a resource is worth to its feeder is the slope of all that the clearing costs beside the
resource's own offer. The cost of the feeder is convex, so the plane through a clearing lies below it
everywhere: quotes at several holdings close in on it from below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals
from dlmp_cosim.market.ancillary.products import UPWARDS, Award, Capacity, Need, held_of
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.money.flows import Flows, leg_flows, load_flows
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.resources import curtails

NodePrices = tuple[FloatArray, FloatArray]
"""Prices of real and of reactive power at every node."""


@dataclass(frozen=True)
class Seller:
    """A resource that offers capacity, as it stands in a clearing.

    Attributes
    ----------
    resource : str
        Its name.
    kw : float
        Energy that it was awarded [kW].
    worth : float
        What a kW more of it saves its feeder, its own cost aside [$/MWh].
    p_min_kw, p_max_kw : float
        Limits of its offer, with nothing held back [kW].
    cost_linear, cost_quadratic : float
        Marginal cost of its energy [$/MWh], and its rise [$/MWh per kW].
    capacity : Capacity
        What it asks for capacity.
    give_kw, take_kw : float
        Power that would empty it within the interval, and that would fill it [kW].
    """

    resource: str
    kw: float
    worth: float
    p_min_kw: float
    p_max_kw: float
    cost_linear: float
    cost_quadratic: float
    capacity: Capacity
    give_kw: float = math.inf
    take_kw: float = math.inf

    @property
    def lowest_kw(self) -> float:
        """Least power that it can be called to [kW]."""
        asked = self.capacity.p_min_kw
        return self.p_min_kw if asked is None else min(asked, self.p_min_kw)

    @property
    def highest_kw(self) -> float:
        """Most power that it can be called to [kW]."""
        asked = self.capacity.p_max_kw
        return self.p_max_kw if asked is None else max(asked, self.p_max_kw)

    @property
    def cost(self) -> float:
        """Cost of its energy [$/h]."""
        return (self.cost_linear * self.kw + self.cost_quadratic * self.kw**2 / 2) / 1e3


@dataclass(frozen=True)
class Quote:
    """One clearing of a feeder: what it costs [$/h], and who sells capacity there."""

    cost: float
    sellers: tuple[Seller, ...]

    @property
    def others(self) -> float:
        """Cost of everything but the energy of the sellers [$/h]."""
        return self.cost - sum(seller.cost for seller in self.sellers)


def room_of(seller: Seller, award: Award, needs: Sequence[Need]) -> tuple[float, float]:
    """Room that an award keeps free above and below the energy of its seller [kW].

    It is what is called, as far as the seller could not be called beyond the limits of its energy; and what
    leaves enough energy behind, for as long as the products may be called.

    Parameters
    ----------
    seller : Seller
        The seller.
    award : dict
        Its capacity by product [kW].
    needs : sequence of Need
        Say how long products may be called.
    """
    lasts = {need.product: need.lasts for need in needs}
    up, down = held_of(award)
    behind = [
        sum(kw * lasts.get(product, 1.0) for product, kw in award.items() if (product in UPWARDS) == upwards)
        for upwards in (True, False)
    ]
    above = up - (seller.highest_kw - seller.p_max_kw)
    below = down - (seller.p_min_kw - seller.lowest_kw)
    if up > 0.0:
        above = max(above, seller.p_max_kw - seller.give_kw + behind[0])
    if down > 0.0:
        below = max(below, -seller.p_min_kw - seller.take_kw + behind[1])
    return max(above, 0.0), max(below, 0.0)


def sellers(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Keep the offers that sell capacity."""
    return tuple(offer for offer in offers if offer.capacity is not None)


def quote(network: Network, clearing: Clearing, offers: Sequence[Offer], hours: float) -> Quote:
    """Say what a clearing costs, and where its sellers stand.

    Parameters
    ----------
    network : Network
        The feeder.
    clearing : Clearing
        What was cleared, with whatever was held back.
    offers : sequence of Offer
        Offers of the interval, with nothing held back.
    hours : float
        Length of the interval [h].
    """
    selling, index = sellers(offers), {name: k for k, name in enumerate(network.resource_ids)}
    places = [index[offer.resource] for offer in selling]
    prices = (clearing.prices.real, clearing.prices.reactive)
    ratios = {offer.resource: offer.reactive_ratio or 0.0 for offer in selling}
    worth = worth_of(network, prices, clearing.voltage, ratios)
    rows = zip(selling, places, worth.tolist(), strict=True)
    found = tuple(_seller(offer, clearing, k, value, hours) for offer, k, value in rows)
    return Quote(clearing.cost, found)


def energy_behind(offer: Offer, hours: float) -> tuple[float, float]:
    """Energy that an offer can still give, and that it can still take, at its terminals [kWh].

    It is what the offer says of its capacity, and no more than the store has that it tells the market of.

    Parameters
    ----------
    offer : Offer
        The offer.
    hours : float
        Length of the interval [h].
    """
    capacity = offer.capacity or Capacity()
    up, down = capacity.up_kwh, capacity.down_kwh
    store = offer.ahead.store if offer.ahead is not None else None
    if store is not None:
        low, high = store.bounds(store.energy_kwh, hours)
        up, down = min(up, high * hours), min(down, -low * hours)
    return up, down


def _seller(offer: Offer, clearing: Clearing, k: int, worth: float, hours: float) -> Seller:
    up, down = energy_behind(offer, hours)
    return Seller(
        resource=offer.resource,
        kw=float(clearing.dispatch[k].real),
        worth=worth,
        p_min_kw=offer.p_min_kw,
        p_max_kw=offer.p_max_kw,
        cost_linear=offer.cost_linear,
        cost_quadratic=offer.cost_quadratic,
        capacity=offer.capacity or Capacity(),
        give_kw=up / hours,
        take_kw=down / hours,
    )


def worth_of(
    network: Network, prices: NodePrices, voltage: ComplexArray, ratios: Mapping[str, float]
) -> FloatArray:
    """Say what a kW more of resources is worth at the prices of their nodes, shape (n,) [$/MWh].

    It is what the ledger pays for that kW: at the nodes of a generator, and for a flexible load what it
    would have drawn at its voltage, with the reactive power that goes with it.

    Parameters
    ----------
    network : Network
        The feeder.
    prices : (ndarray, ndarray), shape (n_node,) each
        Prices of real and of reactive power [$/MWh, $/(MVAR*h)].
    voltage : ndarray, shape (n_node,)
        Complex voltage [pu].
    ratios : mapping of str to float
        Reactive power that goes with each kW, by resource [kvar/kW].
    """
    loads = {name: k for k, name in enumerate(network.load_ids)}
    resources = {item.name: (k, item) for k, item in enumerate(network.resources)}
    given = np.zeros((len(ratios), len(network.resources)), dtype=np.complex128)
    spared = np.zeros((len(ratios), len(network.loads)), dtype=np.complex128)
    for row, (name, ratio) in enumerate(ratios.items()):
        k, resource = resources[name]
        if curtails(resource):
            spared[row, loads[resource.load]] = 1.0 + 1j * ratio
        else:
            given[row, k] = 1.0 + 1j * ratio
    volts = np.tile(voltage, (len(ratios), 1))
    terminals = load_terminals(network)
    served = np.array([terminals.served(row, voltage) for row in spared], dtype=np.complex128)
    found = leg_flows(network, injection_terminals(network), given, volts)
    saved = load_flows(network, served.reshape(spared.shape), volts)
    return _paid(found, prices) + _paid(saved, prices)


def _paid(flows: Flows, prices: NodePrices) -> FloatArray:
    """Power at the prices of its nodes, shape (n,)."""
    real, reactive = prices
    return np.asarray(flows.power.real @ real[flows.node] + flows.power.imag @ reactive[flows.node])
