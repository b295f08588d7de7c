"""What a feeder tells the ancillary market of one clearing: its cost, and where its sellers stand.

What energy of a resource is worth to its feeder is the slope of all that the clearing costs beside the
resource's own offer. The cost of the feeder is convex, so the plane through a clearing lies below it
everywhere: quotes at several holdings close in on it from below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals
from dlmp_cosim.market.ancillary.products import Capacity
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
    """

    resource: str
    kw: float
    worth: float
    p_min_kw: float
    p_max_kw: float
    cost_linear: float
    cost_quadratic: float
    capacity: Capacity

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


def sellers(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Keep the offers that sell capacity."""
    return tuple(offer for offer in offers if offer.capacity is not None)


def quote(network: Network, clearing: Clearing, offers: Sequence[Offer]) -> Quote:
    """Say what a clearing costs, and where its sellers stand.

    Parameters
    ----------
    network : Network
        The feeder.
    clearing : Clearing
        What was cleared, with whatever was held back.
    offers : sequence of Offer
        Offers of the interval, with nothing held back.
    """
    selling, index = sellers(offers), {name: k for k, name in enumerate(network.resource_ids)}
    places = [index[offer.resource] for offer in selling]
    prices = (clearing.prices.real, clearing.prices.reactive)
    ratios = {offer.resource: offer.reactive_ratio or 0.0 for offer in selling}
    worth = worth_of(network, prices, clearing.voltage, ratios)
    rows = zip(selling, places, worth.tolist(), strict=True)
    return Quote(clearing.cost, tuple(_seller(offer, clearing, k, value) for offer, k, value in rows))


def _seller(offer: Offer, clearing: Clearing, k: int, worth: float) -> Seller:
    return Seller(
        resource=offer.resource,
        kw=float(clearing.dispatch[k].real),
        worth=worth,
        p_min_kw=offer.p_min_kw,
        p_max_kw=offer.p_max_kw,
        cost_linear=offer.cost_linear,
        cost_quadratic=offer.cost_quadratic,
        capacity=offer.capacity or Capacity(),
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
