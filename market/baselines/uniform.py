"""Another market: every offer is cleared at the LMP, as if the feeder had neither losses nor limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.clearing import Clearing, Prices
from market.offers import Offer, WholesalePrice
from market.settings import MarketSettings


class UniformMarket:
    """Dispatches each offer where its marginal cost meets the LMP; expects the last AC state to stay.

    Parameters
    ----------
    network, settings : Network, MarketSettings
        The feeder; there is nothing to set.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        del settings
        self._network = network

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval.

        Parameters
        ----------
        state : AcState
            Last AC state, the prediction.
        demand : ndarray, shape (n_load,)
            Demand at nominal voltage [kVA]; not used.
        offers : sequence of Offer
            At most one per resource.
        price : WholesalePrice
            Price at the feeder head.
        """
        del demand
        position = {name: k for k, name in enumerate(self._network.resource_ids)}
        dispatch = np.zeros(len(position), dtype=np.complex128)
        cost = price.lmp * float(state.head.real.sum()) / 1e3
        for offer in offers:
            power = award(offer, price)
            dispatch[position[offer.resource]] = power
            cost += (offer.cost_linear * power.real + offer.cost_quadratic * power.real**2 / 2) / 1e3
        return Clearing(
            dispatch=dispatch,
            voltage=state.voltage,
            power=state.power,
            head=state.head,
            losses_kw=float(state.losses.real),
            prices=uniform_prices(len(self._network.node_ids), price),
            cost=cost,
        )


def award(offer: Offer, price: WholesalePrice) -> complex:
    """Power at which the marginal cost meets the price [kVA], within the limits; a tie is not dispatched."""
    ratio = offer.reactive_ratio
    margin = price.lmp + (ratio or 0.0) * price.reactive - offer.cost_linear
    slope = offer.cost_quadratic
    wanted = margin / slope if slope else math.copysign(math.inf, margin or -1.0)
    real = min(max(wanted, offer.p_min_kw), offer.p_max_kw)
    reactive = real * ratio if ratio is not None else min(max(0.0, offer.q_min_kvar), offer.q_max_kvar)
    return complex(real, reactive)


def uniform_prices(nodes: int, price: WholesalePrice) -> Prices:
    """Return the head's price for every node, with no part for losses or limits of the feeder."""
    real, reactive, nothing = np.full(nodes, price.lmp), np.full(nodes, price.reactive), np.zeros(nodes)
    return Prices(real, reactive, real, nothing, nothing, nothing, reactive, nothing, nothing, nothing)
