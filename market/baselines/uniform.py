"""Another market: every offer is cleared at the LMP, as if the feeder had neither losses nor limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing, Prices
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings


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
        """Clear one interval: the last AC state is the prediction, demand is not looked at."""
        del demand
        position = {name: k for k, name in enumerate(self._network.resource_ids)}
        dispatch = np.zeros(len(position), dtype=np.complex128)
        cost = price.lmp * float(state.head.real.sum()) / 1e3
        for offer in offers:
            dispatch[position[offer.resource]] = power = award(offer, price)
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
    """Power at which the marginal cost meets the price [kVA], within the limits; a tie is not dispatched.

    Parameters
    ----------
    offer : Offer
        Limits and costs of one resource, positive towards the grid.
    price : WholesalePrice
        Price at the head, real and reactive.
    """
    ratio, slope = offer.reactive_ratio, offer.cost_quadratic
    margin = price.lmp + (ratio or 0.0) * price.reactive - offer.cost_linear
    wanted = margin / slope if slope else math.copysign(math.inf, margin or -1.0)
    real = min(max(wanted, offer.p_min_kw), offer.p_max_kw)
    reactive = real * ratio if ratio is not None else min(max(0.0, offer.q_min_kvar), offer.q_max_kvar)
    return complex(real, reactive)


def uniform_prices(nodes: int, price: WholesalePrice) -> Prices:
    """Return the head's price for every node, with no part for losses or limits of the feeder."""
    energy, reactive, nothing = (np.full(nodes, x) for x in (price.lmp - price.adder, price.reactive, 0.0))
    added = np.full(nodes if price.adder else 0, price.adder)
    parts = (energy, nothing, nothing, nothing, reactive, nothing, nothing, nothing)
    return Prices(np.full(nodes, price.lmp), reactive, *parts, real_substation=added)
