"""What a dispatch costs in the AC state that it led to, whatever the market had expected."""

from __future__ import annotations

from collections.abc import Sequence

from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.audit import Limits, find_violations
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings


def realised_cost(
    network: Network,
    settings: MarketSettings,
    offers: Sequence[Offer],
    price: WholesalePrice,
    clearing: Clearing,
    state: AcState,
) -> float:
    """Sum up what was bought, what resources cost, and penalties of limits that the AC state breaks.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Limits and penalties.
    offers : sequence of Offer
        Offers of the interval.
    price : WholesalePrice
        Price at the head.
    clearing : Clearing
        Its dispatch was tried.
    state : AcState
        What came of it.

    Returns
    -------
    float
        Cost [$/h].
    """
    cost = energy_cost(network, offers, price, clearing.dispatch.real, state)
    limits = Limits(settings.voltage_min_pu, settings.voltage_max_pu, settings.rating_scale)
    for broken in find_violations(network, limits, state):
        penalty = settings.rating_penalty if broken.kind == "rating" else settings.voltage_penalty
        cost += penalty * broken.excess
    return cost


def energy_cost(
    network: Network, offers: Sequence[Offer], price: WholesalePrice, power: FloatArray, state: AcState
) -> float:
    """Sum up what was bought at the head and what resources cost [$/h].

    Parameters
    ----------
    network : Network
        The feeder.
    offers : sequence of Offer
        Offers of the interval.
    price : WholesalePrice
        Price at the head.
    power : ndarray, shape (n_resource,)
        Real power that was awarded [kW].
    state : AcState
        What came of it.
    """
    head = complex(state.head.sum())
    cost = (price.lmp * head.real + price.reactive * head.imag) / 1e3
    awarded = dict(zip(network.resource_ids, power.tolist(), strict=True))
    for offer in offers:
        kw = awarded[offer.resource]
        cost += (offer.cost_linear * kw + offer.cost_quadratic * kw**2 / 2) / 1e3
    return cost
