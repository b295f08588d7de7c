"""What a dispatch costs in the AC state that it led to, whatever the market had expected."""

from __future__ import annotations

from collections.abc import Sequence

from feeders.network import Network
from feeders.state import AcState
from market.audit import Limits, find_violations
from market.clearing import Clearing
from market.offers import Offer, WholesalePrice
from market.settings import MarketSettings


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
    head = complex(state.head.sum())
    cost = (price.lmp * head.real + price.reactive * head.imag) / 1e3
    power = dict(zip(network.resource_ids, clearing.dispatch.real.tolist(), strict=True))
    for offer in offers:
        kw = power[offer.resource]
        cost += (offer.cost_linear * kw + offer.cost_quadratic * kw**2 / 2) / 1e3
    limits = Limits(settings.voltage_min_pu, settings.voltage_max_pu, settings.rating_scale)
    for broken in find_violations(network, limits, state):
        penalty = settings.rating_penalty if broken.kind == "rating" else settings.voltage_penalty
        cost += penalty * broken.excess
    return cost
