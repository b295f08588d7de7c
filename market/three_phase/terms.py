"""The numbers of the three-phase problem at one AC state: rows, right-hand sides, limits and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feeders.network import ComplexArray, FloatArray, IntArray
from feeders.state import AcState
from market.offers import Offer, WholesalePrice, offer_terms
from market.three_phase.layout import POWER_UNIT, Structure
from market.three_phase.linearisation import (
    BranchDerivatives,
    LoadDerivatives,
    branch_derivatives,
    load_derivatives,
)

W_UNIT = 0.01
"""Unit of squared voltage inside the problem [pu**2]."""
LEAST_PRICE_UNIT = 10.0
"""Smallest price that scales the cost [$/MWh]; keeps a zero LMP from dividing by zero."""
LEAST_DAMPED_PRICE = 0.1
"""Price of losses below which damping falls no further [$/MWh]: flat powers still have one answer."""


@dataclass(frozen=True)
class Anchor:
    """Everything the model needs about one AC state.

    Attributes
    ----------
    state : AcState
        The state itself.
    demand : ndarray, shape (n_load,)
        Nominal demand of this interval before curtailment [kVA].
    branch : BranchDerivatives
        Derivatives of the lines.
    load : LoadDerivatives
        Derivatives of the loads.
    w : ndarray, shape (n_node,)
        Squared voltages [pu**2].
    node_gain : ndarray, shape (n_node,)
        d w of the node / d w of its slot: the squared regulator ratio.
    resource_share : ndarray, shape (n_resource_terminal,)
        Complex power at each terminal per kVA of the resource.
    ratio : ndarray, shape (n_resource,)
        Reactive power that goes with each kW of the resource; 0 where it is free or none.
    power : ndarray, shape (n_resource,)
        Power of every resource at the state, real and free reactive part [kVA].
    """

    state: AcState
    demand: ComplexArray
    branch: BranchDerivatives
    load: LoadDerivatives
    w: FloatArray
    node_gain: FloatArray
    resource_share: ComplexArray
    ratio: FloatArray
    power: ComplexArray


def anchor_at(grid: Structure, state: AcState, demand: ComplexArray, offers: Sequence[Offer]) -> Anchor:
    """Differentiate the AC equations at `state`; see `ThreePhaseModel.anchor`."""
    magnitude = np.abs(state.voltage)
    load = load_derivatives(grid.loads, state.voltage)
    terms = grid.resources
    ratios = {offer.resource: offer.reactive_ratio or 0.0 for offer in offers}
    ratio = np.array([ratios.get(name, 0.0) for name in grid.network.resource_ids])
    return Anchor(
        state=state,
        demand=demand,
        branch=branch_derivatives(grid.lines, state.voltage, state.power_from),
        load=load,
        w=magnitude**2,
        node_gain=(magnitude / magnitude[grid.tree.slot_node[grid.tree.node_slot]]) ** 2,
        resource_share=np.where(terms.load_terminal >= 0, load.share[terms.load_terminal], terms.share),
        ratio=ratio,
        power=_running_power(grid, state, demand, ratio),
    )


def _running_power(grid: Structure, state: AcState, demand: ComplexArray, ratio: FloatArray) -> ComplexArray:
    """Sum up what every resource gives at a state: its injection, or the demand it does not consume."""
    position = {name: k for k, name in enumerate(grid.network.load_ids)}
    power = state.injection.copy()
    for k, resource in enumerate(grid.network.resources):
        if resource.kind == "flexible_load":
            load = position[resource.load]
            power[k] = demand[load] - state.demand[load]
    return power - 1j * ratio * power.real


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


def values(grid: Structure, anchor: Anchor) -> dict[str, FloatArray | float]:
    """Fill the blocks of `row_pattern` with the derivatives at `anchor`."""
    lines, slope, gain = grid.lines, anchor.branch, anchor.node_gain
    per_w = W_UNIT / POWER_UNIT
    from_gain = gain[lines.from_node]
    demand = anchor.state.demand[grid.loads.load]
    own = demand * anchor.load.share_own * gain[grid.loads.node] * per_w
    other = demand * anchor.load.share_other * gain[np.maximum(grid.loads.other, 0)] * per_w
    along = anchor.resource_share * (1 + 1j * anchor.ratio[grid.resources.resource])
    across = anchor.resource_share * 1j
    blocks: dict[str, FloatArray | float] = {}
    for name, part in (("p", np.real), ("q", np.imag)):
        blocks[f"{name}:receive"] = 1.0
        blocks[f"{name}:send"] = -1.0
        blocks[f"{name}:loss_p"] = -part(slope.loss_p)
        blocks[f"{name}:loss_q"] = -part(slope.loss_q)
        blocks[f"{name}:loss_w"] = -part(slope.loss_w) * from_gain[lines.col] * per_w
        blocks[f"{name}:load_own"] = -part(own)
        blocks[f"{name}:load_other"] = -part(other)
        blocks[f"{name}:resource_p"] = part(along)
        blocks[f"{name}:resource_q"] = part(across)
    nodes = np.flatnonzero(grid.capacitor_kvar)
    blocks["capacitor"] = grid.capacitor_kvar[nodes] * gain[nodes] * per_w
    blocks["drop:w"] = 1.0
    blocks["drop:w_from"] = -slope.w_w * from_gain[lines.col]
    blocks["drop:p"] = -slope.w_p / per_w
    blocks["drop:q"] = -slope.w_q / per_w
    rated = grid.layout.rated
    per_rating = 1 / (lines.rating[rated] * grid.settings.rating_scale)
    blocks["loading:u"] = 1.0
    blocks["loading:p"] = -slope.current_p[rated] * POWER_UNIT * per_rating
    blocks["loading:q"] = -slope.current_q[rated] * POWER_UNIT * per_rating
    blocks["loading:w"] = -slope.current_w[rated] * from_gain[rated] * W_UNIT * per_rating
    return blocks


def right_hand_side(grid: Structure, anchor: Anchor) -> FloatArray:
    """Demand that the anchor did not serve, generation that it already had, and loading at the anchor."""
    lay, tree, terms = grid.layout, grid.tree, grid.resources
    rhs = np.zeros(lay.m)
    unserved = (anchor.demand - anchor.state.demand)[grid.loads.load] * anchor.load.share / POWER_UNIT
    slot = tree.node_slot[grid.loads.node]
    running = anchor.state.injection[terms.resource] * terms.share / POWER_UNIT
    at = tree.node_slot[terms.node]
    np.add.at(rhs, lay.balance_p[slot], unserved.real)
    np.add.at(rhs, lay.balance_q[slot], unserved.imag)
    np.add.at(rhs, lay.balance_p[at], running.real)
    np.add.at(rhs, lay.balance_q[at], running.imag)
    rhs[lay.loading] = anchor.branch.current[lay.rated] / (
        grid.lines.rating[lay.rated] * grid.settings.rating_scale
    )
    return rhs


def limit_voltages(grid: Structure, anchor: Anchor, bounds: Bounds, unit: float) -> None:
    """Set soft limits on w; a group of merged buses takes its tightest.

    Where taps leave no voltage that suits a whole group, its limits cross: between them one is always
    exceeded and the sum of both penalties is constant, which is the same as no limit there.
    """
    limits, tree = grid.settings, grid.tree
    slot = tree.node_slot
    variable = grid.layout.w[slot]
    free = variable >= 0
    low = (limits.voltage_low_pu**2 - anchor.w) / anchor.node_gain / W_UNIT
    high = (limits.voltage_high_pu**2 - anchor.w) / anchor.node_gain / W_UNIT
    np.maximum.at(bounds.soft_lower, variable[free], low[free])
    np.minimum.at(bounds.soft_upper, variable[free], high[free])
    bounds.penalty[variable[free]] = limits.voltage_penalty * W_UNIT / 2 / unit
    crossed = np.flatnonzero(bounds.soft_lower > bounds.soft_upper)
    high_first = bounds.soft_upper[crossed], bounds.soft_lower[crossed]
    bounds.soft_lower[crossed], bounds.soft_upper[crossed] = high_first
    bounds.offset += float(bounds.penalty[crossed] @ (high_first[1] - high_first[0]))


def limit_ratings(grid: Structure, bounds: Bounds, unit: float) -> None:
    """Set soft limits on the loading of every rated conductor."""
    bounds.soft_upper[grid.layout.u] = 1.0
    bounds.penalty[grid.layout.u] = grid.settings.rating_penalty / unit


def offer_resources(grid: Structure, table: list[Offer | None], bounds: Bounds, unit: float) -> None:
    """Set limits and costs of the offers; a resource without an offer stays at zero."""
    p, q, terms = grid.layout.resource_p, grid.layout.resource_q, offer_terms(table, POWER_UNIT, unit)
    bounds.lower[p], bounds.upper[p] = terms.p_min, terms.p_max
    bounds.lower[q], bounds.upper[q] = terms.q_min, terms.q_max
    bounds.linear[p], bounds.quadratic[p] = terms.linear, terms.quadratic


def damping(
    grid: Structure, table: list[Offer | None], price: WholesalePrice, unit: float
) -> tuple[FloatArray, FloatArray]:
    """Curvature added to real and reactive powers flatter than the losses, in units of the problem.

    Where the price is negative losses are welcome: the cost curves downwards, and its tangent is safe.
    """
    weight = 1 + grid.settings.loss_weight
    per_unit = weight * max(price.lmp, LEAST_DAMPED_PRICE) * POWER_UNIT**2 / 1e3 / unit
    own = np.array([0.0 if offer is None else offer.cost_quadratic for offer in table])
    flat = np.maximum(grid.curvature_p * per_unit - own * POWER_UNIT**2 / 1e3 / unit, 0.0)
    return np.where(own > 0, 0.0, flat), grid.curvature_q * per_unit


def damp(
    grid: Structure,
    anchor: Anchor,
    table: list[Offer | None],
    price: WholesalePrice,
    bounds: Bounds,
    unit: float,
) -> None:
    """Keep flat resources near their anchor, at no cost there; see `market.problem.damping`."""
    for variable, curve, power in zip(
        (grid.layout.resource_p, grid.layout.resource_q),
        damping(grid, table, price, unit),
        (anchor.power.real, anchor.power.imag),
        strict=True,
    ):
        bounds.quadratic[variable] += curve
        bounds.linear[variable] -= curve * power / POWER_UNIT
        bounds.offset += float(curve @ (power / POWER_UNIT) ** 2) / 2


def price_head(grid: Structure, anchor: Anchor, price: WholesalePrice, bounds: Bounds, unit: float) -> None:
    """Put the LMP on head power, and the extra weight on losses."""
    lay, n_root = grid.layout, int(grid.tree.slot_start[1])
    per_power = POWER_UNIT / 1e3 / unit
    bounds.linear[lay.p[:n_root]] += price.lmp * per_power
    bounds.linear[lay.q[:n_root]] += price.reactive * per_power
    weight = grid.settings.loss_weight * price.lmp / 1e3 / unit
    if weight:
        lines, slope = grid.lines, anchor.branch
        to, source = lines.to_slot[lines.col], lines.from_slot[lines.col]
        np.add.at(bounds.linear, lay.p[to], weight * POWER_UNIT * slope.loss_p.real)
        np.add.at(bounds.linear, lay.q[to], weight * POWER_UNIT * slope.loss_q.real)
        by_w = weight * W_UNIT * slope.loss_w.real * anchor.node_gain[lines.from_node][lines.col]
        inner = lay.w[source] >= 0
        np.add.at(bounds.linear, lay.w[source][inner], by_w[inner])


def discs(grid: Structure, table: list[Offer | None]) -> tuple[IntArray, FloatArray]:
    """Apparent-power limits that the boxes of an offer do not already imply."""
    pairs, radius = [], []
    for k, offer in enumerate(table):
        if offer is None or offer.reactive_ratio is not None or not np.isfinite(offer.s_max_kva):
            continue
        reach = complex(
            max(abs(offer.p_min_kw), abs(offer.p_max_kw)), max(abs(offer.q_min_kvar), abs(offer.q_max_kvar))
        )
        if abs(reach) > offer.s_max_kva:
            pairs.append((grid.layout.resource_p[k], grid.layout.resource_q[k]))
            radius.append(offer.s_max_kva / POWER_UNIT)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(radius)
