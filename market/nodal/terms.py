"""Limits, offers and costs of the nodal problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray, Network
from dlmp_cosim.market.nodal.anchor import VA_PER_UNIT, Anchor
from dlmp_cosim.market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT, Layout
from dlmp_cosim.market.nodal.legs import Legs
from dlmp_cosim.market.offers import Offer, WholesalePrice, offer_terms
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.problem.units import damped_price
from dlmp_cosim.market.settings import MarketSettings


@dataclass
class Bounds:
    """Costs and bounds while a problem is being stated; `offset` is a constant cost."""

    quadratic: FloatArray
    linear: FloatArray
    lower: FloatArray
    upper: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    penalty: FloatArray
    offset: float = 0.0

    @classmethod
    def free(cls, n: int) -> Bounds:
        """No cost and no bound on any of `n` variables."""
        low, high = np.full(n, -np.inf), np.full(n, np.inf)
        return cls(np.zeros(n), np.zeros(n), low, high, low.copy(), high.copy(), np.zeros(n))


def limit_voltages(
    layout: Layout, anchor: Anchor, settings: MarketSettings, bounds: Bounds, unit: float
) -> None:
    """Set soft limits on relative voltages; where several hold for one node the tightest counts.

    Limits that leave no voltage between them cross: one is always exceeded and the sum of both penalties is
    constant, which is the same as no limit there.
    """
    points, standing = layout.points, np.where(anchor.live, anchor.volts, 0.0)
    across = anchor.volts[points.first] - anchor.volts[points.second]
    variable = np.concatenate([layout.voltage[0][points.node], layout.across])
    size = np.abs(np.concatenate([standing[points.node], across]))
    base = points.base_v[np.concatenate([points.to_ground, points.between])]
    ends = settings.voltage_low_pu, settings.voltage_high_pu, settings.voltage_penalty * VOLTAGE_UNIT / unit
    _tighten(variable, size, base, ends, bounds.soft_lower, bounds.soft_upper, bounds.penalty)
    crossed = np.flatnonzero(bounds.soft_lower > bounds.soft_upper)
    high_first = bounds.soft_upper[crossed], bounds.soft_lower[crossed]
    bounds.soft_lower[crossed], bounds.soft_upper[crossed] = high_first
    bounds.offset += float(bounds.penalty[crossed] @ (high_first[1] - high_first[0]))


@compiled
def _tighten(
    variable: IntArray,
    size: FloatArray,
    base: FloatArray,
    ends: tuple[float, float, float],
    lower: FloatArray,
    upper: FloatArray,
    penalty: FloatArray,
) -> None:
    """Move limits of relative voltages to where they are tightest; a point without a voltage has none."""
    low, high, price = ends
    for k in range(len(variable)):
        j = variable[k]
        if size[k] > 0.0:
            share = base[k] / size[k]
            lower[j] = max(lower[j], (low * share - 1.0) / VOLTAGE_UNIT)
            upper[j] = min(upper[j], (high * share - 1.0) / VOLTAGE_UNIT)
            penalty[j] = price / share


def limit_ratings(layout: Layout, settings: MarketSettings, bounds: Bounds, unit: float) -> None:
    """Set soft limits on the loading of every rated conductor."""
    bounds.soft_upper[layout.loading] = 1.0
    bounds.penalty[layout.loading] = settings.rating_penalty / unit


def offer_resources(layout: Layout, table: Sequence[Offer | None], bounds: Bounds, unit: float) -> None:
    """Set limits and costs of the offers; a resource without an offer stays at zero."""
    (p, q), terms = layout.resource, offer_terms(table, POWER_UNIT, unit)
    bounds.lower[p], bounds.upper[p] = terms.p_min, terms.p_max
    bounds.lower[q], bounds.upper[q] = terms.q_min, terms.q_max
    bounds.linear[p], bounds.quadratic[p] = terms.linear, terms.quadratic


def damp(
    layout: Layout,
    curvature: tuple[FloatArray, FloatArray],
    anchor: Anchor,
    price: float,
    bounds: Bounds,
    unit: float,
) -> None:
    """Keep flat resources near their anchor, at no cost there; see `market.problem.damping`.

    Parameters
    ----------
    layout : Layout
        Positions.
    curvature : (ndarray, ndarray), shape (n_resource,) each
        Bounds on the curvature of the losses [kW per kW**2, kW per kvar**2].
    anchor : Anchor
        Where resources run.
    price : float
        What losses cost [$/MWh].
    bounds : Bounds
        What to add to; its curvature must be that of the offers.
    unit : float
        Unit of cost [$/h].
    """
    per_unit = price * POWER_UNIT**2 / 1e3 / unit
    for variable, losses, power in zip(
        layout.resource, curvature, (anchor.power.real, anchor.power.imag), strict=True
    ):
        curve = np.where(bounds.quadratic[variable] > 0, 0.0, losses * per_unit)
        at = power / POWER_UNIT
        bounds.quadratic[variable] += curve
        bounds.linear[variable] -= curve * at
        bounds.offset += float(curve @ at**2) / 2


def price_head(
    network: Network,
    layout: Layout,
    anchor: Anchor,
    legs: Legs,
    bounds: Bounds,
    price: tuple[float, float, float],
) -> None:
    """Put the price at the head on the sources' power, and an extra weight on losses.

    A source's power at its terminal, ``V conj(I)``, changes by its flow and by ``V_0 conj(I_0) u``. Losses
    are head power less what loads draw and others inject.

    Parameters
    ----------
    network : Network
        The circuit.
    layout : Layout
        Positions.
    anchor : Anchor
        The state.
    legs : Legs
        What draws and injects.
    bounds : Bounds
        What to add to.
    price : (float, float, float)
        Cost of a unit of real power, of reactive power and of losses, in units of the problem.
    """
    real, reactive, weight = price
    real += weight
    nodes = network.head_node
    flow = layout.flow[:, len(layout.flow[0]) - len(nodes) :]
    bounds.linear[flow[0]] += real
    bounds.linear[flow[1]] += reactive
    slope = anchor.scale[nodes] * np.conj(anchor.head_current) * VOLTAGE_UNIT / VA_PER_UNIT
    cost = (real - 1j * reactive) * slope
    np.add.at(bounds.linear, layout.voltage[0][nodes], cost.real)
    np.add.at(bounds.linear, layout.voltage[1][nodes], -cost.imag)
    if weight:
        _weigh_losses(layout, anchor, legs, bounds, weight)


def _weigh_losses(layout: Layout, anchor: Anchor, legs: Legs, bounds: Bounds, weight: float) -> None:
    """Take what loads draw, and what resources make them draw or inject, off the weighted head power."""
    follow = load_slopes(anchor, legs).real * weight
    for end, sign in ((legs.node, 1), (legs.other, -1)):
        scale = np.append(anchor.scale, 0.0)[end[: legs.n_load]]
        change = sign * follow * np.conj(anchor.legs.across[: legs.n_load]) * scale
        at = np.minimum(end[: legs.n_load], len(anchor.scale) - 1)
        np.add.at(bounds.linear, layout.voltage[0][at], -change.real)
        np.add.at(bounds.linear, layout.voltage[1][at], change.imag)
    real, reactive = legs.resource_slopes(anchor.legs)
    along = real + anchor.ratio[legs.resource] * reactive
    for variable, drawn in zip(layout.resource, (along, reactive), strict=True):
        np.add.at(bounds.linear, variable[legs.resource], -weight * drawn.real)


def load_slopes(anchor: Anchor, legs: Legs) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    """Power of the loads' legs over ``Re(conj(U) s u)``, in units of the problem, shape (n_load_leg,)."""
    slopes: np.ndarray[tuple[int], np.dtype[np.complex128]] = (
        anchor.legs.follow[: legs.n_load] * VOLTAGE_UNIT / VA_PER_UNIT
    )
    return slopes


def loss_price(settings: MarketSettings, price: WholesalePrice) -> float:
    """Say what losses cost for the purpose of damping [$/MWh]."""
    return (1 + settings.loss_weight) * damped_price(price)


def discs(layout: Layout, table: Sequence[Offer | None]) -> tuple[IntArray, FloatArray]:
    """Apparent-power limits that the boxes of an offer do not already imply."""
    pairs, radius = [], []
    for k, offer in enumerate(table):
        if offer is not None and offer.disc_kva is not None:
            pairs.append(layout.resource[:, k])
            radius.append(offer.disc_kva / POWER_UNIT)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(radius)
