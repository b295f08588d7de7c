"""Where resources take part, an interval at a time: the retail market, the wholesale market, or none.

Retail: the offer is cleared, and its award is paid the d-LMP. Wholesale: what the resource runs was decided
at the LMP before the feeder's market clears; the market may cut that schedule, which is the operator's veto,
but not use it, and what is left is paid the LMP. Out: the power is as it is, and is settled as that of any
load or generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dlmp_cosim.market.offers import Offer

LEAST_CUT_KW = 0.01
"""A smaller cut is what a negotiation leaves open [kW]."""


def schedule(offer: Offer) -> float:
    """Return the power that a wholesale participant scheduled: its limit farther from zero [kW]."""
    return offer.p_max_kw if abs(offer.p_max_kw) >= abs(offer.p_min_kw) else offer.p_min_kw


def scheduled(offers: Sequence[Offer], veto_price: float) -> tuple[Offer, ...]:
    """Let the market cut schedules of wholesale participants where that saves more than a price.

    Parameters
    ----------
    offers : sequence of Offer
        Accepted offers; a wholesale participant's other limit is how far it can be cut.
    veto_price : float
        What must be saved for each MWh cut [$/MWh].

    Returns
    -------
    tuple of Offer
        The same offers where none takes part in the wholesale market.
    """
    return tuple(_held(offer, veto_price) if offer.market == "wholesale" else offer for offer in offers)


def _held(offer: Offer, veto_price: float) -> Offer:
    """Price a deviation from the schedule; what the schedule itself is worth was settled elsewhere."""
    cost = -veto_price if schedule(offer) == offer.p_max_kw else veto_price
    return replace(offer, cost_linear=cost, cost_quadratic=0.0, ahead=None)


def schedule_cost(offers: Sequence[Offer], veto_price: float) -> float:
    """Return what vetoes would cost if every schedule were cut to nothing [$/h].

    A clearing of `scheduled` offers counts what is left of schedules as a gain at the veto price; with this
    its cost counts what is cut.

    Parameters
    ----------
    offers : sequence of Offer
        Accepted offers; those of the retail market do not count.
    veto_price : float
        What must be saved for each MWh cut [$/MWh].
    """
    return sum(abs(schedule(offer)) for offer in offers if offer.market == "wholesale") * veto_price / 1e3


def vetoes(offers: Sequence[Offer], power: Mapping[str, float]) -> tuple[str, ...]:
    """Name the wholesale participants whose schedules a dispatch cuts, in words for the record.

    Parameters
    ----------
    offers : sequence of Offer
        Accepted offers.
    power : mapping of str to float
        Award of every resource [kW].
    """
    return tuple(
        f"the wholesale schedule of {offer.resource} is cut"
        for offer in offers
        if offer.market == "wholesale" and abs(schedule(offer) - power[offer.resource]) > LEAST_CUT_KW
    )
