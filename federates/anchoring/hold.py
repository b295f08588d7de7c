"""Clearings without a market: the last final one once more where nothing settled, and nothing at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.baselines.uniform import uniform_prices
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Offer, WholesalePrice

HEAD_OPEN = "cleared nothing: the head of the feeder was open"
"""Note of a clearing in such an interval."""


def hold(
    network: Network, last: Clearing | None, state: AcState, offers: Sequence[Offer], price: WholesalePrice
) -> Clearing:
    """Repeat the last final dispatch and prices, within what is offered now.

    Parameters
    ----------
    network : Network
        The feeder.
    last : Clearing or None
        Last final clearing; None at the start, which dispatches nothing at the LMP.
    state : AcState
        AC state of the forecast, which was solved with that dispatch: the prediction.
    offers : sequence of Offer
        Offers of this interval; what is not offered is not dispatched.
    price : WholesalePrice
        Price at the feeder head.
    """
    dispatch = np.zeros(len(network.resources), dtype=np.complex128)
    position = {name: k for k, name in enumerate(network.resource_ids)}
    cost = price.lmp * float(state.head.real.sum()) / 1e3
    for offer in offers:
        k = position[offer.resource]
        before = complex(last.dispatch[k]) if last is not None else 0j
        dispatch[k] = within(offer, before)
        real = float(dispatch[k].real)
        cost += (offer.cost_linear * real + offer.cost_quadratic * real**2 / 2) / 1e3
    return Clearing(
        dispatch=dispatch,
        voltage=state.voltage,
        power=state.power,
        head=state.head,
        losses_kw=float(state.losses.real),
        prices=last.prices if last is not None else uniform_prices(len(network.node_ids), price),
        cost=cost,
    )


def nothing_cleared(network: Network, price: WholesalePrice) -> Clearing:
    """Clear nothing, at the price of the head everywhere: a market whose feeder has its head open.

    Parameters
    ----------
    network : Network
        The feeder.
    price : WholesalePrice
        Price at the feeder head.
    """
    return Clearing(
        dispatch=np.zeros(len(network.resources), dtype=np.complex128),
        voltage=np.zeros(len(network.node_ids), dtype=np.complex128),
        power=np.zeros(len(network.conductor_ids), dtype=np.complex128),
        head=np.zeros(len(network.head_ids), dtype=np.complex128),
        losses_kw=0.0,
        prices=uniform_prices(len(network.node_ids), price),
        cost=0.0,
        notes=(HEAD_OPEN,),
    )


def within(offer: Offer, power: complex) -> complex:
    """Bring a power [kVA] to the limits of an offer: real power first, then what its rating leaves."""
    real = min(max(power.real, offer.p_min_kw), offer.p_max_kw)
    if offer.reactive_ratio is not None:
        return complex(real, real * offer.reactive_ratio)
    most = offer.s_max_kva
    real = min(max(real, -most), most)
    room = math.sqrt(max(most**2 - real**2, 0.0)) if math.isfinite(most) else math.inf
    return complex(real, min(max(power.imag, offer.q_min_kvar, -room), offer.q_max_kvar, room))
