"""What a feeder does without a nodal market: the tariffs that the market is held against, as dispatch rules.

Each class clears like a market, so that a tariff runs through the same physics and the same record. A price
is what a load pays: the retail rate everywhere. None of them looks at voltages, ratings or costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, Resource
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.baselines.uniform import uniform_prices
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings

RETAIL_RATE: Final = 114.0
"""What a load pays under a tariff [$/MWh]: Eversource, Massachusetts, 2020."""


class Traditional:
    """No resource runs; the utility serves every load.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Not used: there is nothing to set.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        self._network, self._settings = network, settings

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Dispatch one interval by the rule of the tariff.

        Parameters
        ----------
        state : AcState
            Last AC state, the prediction.
        demand : ndarray, shape (n_load,)
            Demand at nominal voltage [kVA]; what is served is taken from `state`.
        offers : sequence of Offer
            At most one per resource.
        price : WholesalePrice
            Price at the feeder head.
        """
        del demand
        nodes = len(self._network.node_ids)
        return Clearing(
            dispatch=self.dispatch(state, offers).astype(np.complex128),
            voltage=state.voltage,
            power=state.power,
            head=state.head,
            losses_kw=float(state.losses.real),
            prices=uniform_prices(nodes, self.load_price(price)),
            cost=price.lmp * float(state.head.real.sum()) / 1e3,
        )

    def load_price(self, price: WholesalePrice) -> WholesalePrice:
        """Price that every load pays: the retail rate."""
        del price
        return WholesalePrice(RETAIL_RATE)

    def dispatch(self, state: AcState, offers: Sequence[Offer]) -> FloatArray:
        """Power of every resource, shape (n_resource,) [kW]."""
        del state, offers
        return np.zeros(len(self._network.resources))

    def offered(self, offers: Sequence[Offer]) -> FloatArray:
        """Most that every generator offers, shape (n_resource,) [kW]; 0 for other resources."""
        most = {offer.resource: offer.p_max_kw for offer in offers}
        return np.array([most.get(r.name, 0.0) if is_generator(r) else 0.0 for r in self._network.resources])


class NoMarket(Traditional):
    """No resource runs and everybody pays the LMP: the case that market models are compared with."""

    def load_price(self, price: WholesalePrice) -> WholesalePrice:
        """Price that every load pays: the LMP."""
        return price


class Export(Traditional):
    """Generators give all that they offer: they serve their bus and export the rest."""

    def dispatch(self, state: AcState, offers: Sequence[Offer]) -> FloatArray:
        """Power of every resource, shape (n_resource,) [kW].

        Parameters
        ----------
        state : AcState
            Not used.
        offers : sequence of Offer
            At most one per resource.
        """
        del state
        return self.offered(offers)


class NetMetering(Export):
    """Exports are netted over the billing period."""


class NetBilling(Export):
    """Exports are netted on the bill, interval by interval."""


class NoExport(Traditional):
    """Generators serve the loads of their own bus and nothing beyond, in proportion to what they offer."""

    def dispatch(self, state: AcState, offers: Sequence[Offer]) -> FloatArray:
        """Power of every resource, shape (n_resource,) [kW].

        Parameters
        ----------
        state : AcState
            Its loads are what there is to serve, at the realised voltage.
        offers : sequence of Offer
            At most one per resource.
        """
        offered, bus = self.offered(offers), self._network.bus_index
        place = [bus[resource.bus] for resource in self._network.resources]
        there, own = np.zeros(len(bus)), np.zeros(len(bus))
        np.add.at(there, place, offered)
        np.add.at(own, [bus[load.bus] for load in self._network.loads], state.load.real)
        used = np.clip(own, 0.0, there)
        share = np.divide(used, there, out=np.zeros_like(own), where=there > 0)
        power: FloatArray = offered * share[place]
        return power


def is_generator(resource: Resource) -> bool:
    """Tell whether a resource generates, rather than stores or consumes less."""
    return resource.kind == "generator"
