"""No market: nothing is dispatched and nobody sees another price than the LMP, the case to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.clearing import Clearing
from market.offers import Offer, WholesalePrice
from market.settings import MarketSettings
from market.uniform import uniform_prices


class NoMarket:
    """Dispatches nothing and expects the forecast AC state to stay.

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
        """Leave every resource at zero.

        Parameters
        ----------
        state : AcState
            Last AC state, the prediction.
        demand, offers
            Not used.
        price : WholesalePrice
            Price at the feeder head, which everybody pays.
        """
        del demand, offers
        return Clearing(
            dispatch=np.zeros(len(self._network.resources), dtype=np.complex128),
            voltage_magnitude=np.abs(state.voltage),
            power_from=state.power_from,
            head=state.head,
            losses_kw=float(state.losses.real),
            prices=uniform_prices(len(self._network.node_ids), price),
            cost=price.lmp * float(state.head.real.sum()) / 1e3,
        )
