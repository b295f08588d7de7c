"""The unbalanced market model: per-phase branch flow anchored at the last AC state.

Variables are deviations from a solved AC state, so that prediction equals AC wherever the market leaves things as
they are, and slopes are the analytic derivatives of the AC equations (`market.linearisation`). Per phase, with i the
parent of j and k the children of j:

    P_ij - loss_ij(P, Q, w_i) - sum_k P_jk - demand_j(w_j) + resources = 0        (price: its dual), and so for Q
    w_j - (d w_j / d w_i) w_i - (d w_j / d P) P - (d w_j / d Q) Q = 0

Powers are in units of 100 kW, squared voltages in 0.01 pu**2, cost in the price of 100 kW for an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feeders.network import ComplexArray, FloatArray, IntArray, Network
from feeders.state import AcState
from market.atoms import AtomicProblem
from market.damping import loss_curvature
from market.linearisation import (
    BranchDerivatives,
    Conductors,
    LoadDerivatives,
    Terminals,
    branch_derivatives,
    conductors,
    load_derivatives,
    terminals,
)
from market.offers import Offer, WholesalePrice
from market.pattern import Pattern, pattern
from market.reduction import ReducedTree, reduce_tree
from market.settings import MarketSettings

POWER_UNIT = 100.0
"""Unit of power inside the problem [kW]."""
W_UNIT = 0.01
"""Unit of squared voltage inside the problem [pu**2]."""
LEAST_PRICE_UNIT = 10.0
"""Smallest price that scales the cost [$/MWh]; keeps a zero LMP from dividing by zero."""
RATING_HEADROOM = 2.0
"""A conductor's rating enters the market if this many times all that is listed behind it could exceed it."""


@dataclass(frozen=True)
class Layout:
    """Positions of variables and rows, fixed by the network.

    Attributes
    ----------
    p, q, w : ndarray of int, shape (n_slot,)
        Branch flow into each slot and its squared voltage; at the root the head power, and -1 for w.
    resource_p, resource_q : ndarray of int, shape (n_resource,)
        Power of each resource.
    rated : ndarray of int, shape (n_rated,)
        Conductors whose rating could bind.
    u : ndarray of int, shape (n_rated,)
        Their loading.
    balance_p, balance_q, drop : ndarray of int, shape (n_slot,)
        Rows of each slot; drop is -1 at the root.
    loading : ndarray of int, shape (n_rated,)
        Rows that define u.
    n, m : int
        Numbers of variables and rows. The first m variables describe the network, the others the resources, so
        the rows determine the network's state once the resources are known.
    """

    p: IntArray
    q: IntArray
    w: IntArray
    rated: IntArray
    u: IntArray
    resource_p: IntArray
    resource_q: IntArray
    balance_p: IntArray
    balance_q: IntArray
    drop: IntArray
    loading: IntArray
    n: int
    m: int


@dataclass(frozen=True)
class ResourceTerminals:
    """Where each resource touches a node: a generator's phases, or the terminals of a flexible load.

    Attributes
    ----------
    resource, node : ndarray of int, shape (n_terminal,)
        The resource and its node.
    load_terminal : ndarray of int, shape (n_terminal,)
        Terminal of the curtailed load; -1 for a generator.
    share : ndarray, shape (n_terminal,)
        Share of a generator's power; 0 for a flexible load.
    """

    resource: IntArray
    node: IntArray
    load_terminal: IntArray
    share: FloatArray


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


class ThreePhaseModel:
    """Builds the anchored problem of one network again and again, with a fixed pattern."""

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        self.network, self.settings = network, settings
        self.tree: ReducedTree = reduce_tree(network)
        self.lines: Conductors = conductors(network, self.tree)
        self.loads: Terminals = terminals(network)
        self.resources = _resource_terminals(network, self.loads)
        self.layout = _layout(network, self.tree, self.lines, settings)
        self.capacitor_kvar = _capacitor_kvar(network)
        self.capacitor_nodes = np.flatnonzero(self.capacitor_kvar)
        self.pattern: Pattern = _pattern(self)
        self.node_bus = np.repeat(np.arange(len(network.buses)), [len(bus.phases) for bus in network.buses])
        self.merged = _merged_branches(network)
        self.curvature_p, self.curvature_q = _curvatures(self)
        self._owners = _owners(self)

    def anchor(self, state: AcState, demand: ComplexArray, offers: Sequence[Offer]) -> Anchor:
        """Differentiate the AC equations at `state`.

        Parameters
        ----------
        state : AcState
            A converged AC state.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Offers of the interval, for their reactive ratios.
        """
        magnitude = np.abs(state.voltage)
        load = load_derivatives(self.loads, state.voltage)
        terms = self.resources
        share = np.where(terms.load_terminal >= 0, load.share[terms.load_terminal], terms.share)
        ratios = {offer.resource: offer.reactive_ratio or 0.0 for offer in offers}
        ratio = np.array([ratios.get(name, 0.0) for name in self.network.resource_ids])
        return Anchor(
            state=state,
            demand=demand,
            branch=branch_derivatives(self.lines, state.voltage, state.power_from),
            load=load,
            w=magnitude**2,
            node_gain=(magnitude / magnitude[self.tree.slot_node[self.tree.node_slot]]) ** 2,
            resource_share=share,
            ratio=ratio,
            power=_running_power(self, state, demand, ratio),
        )

    def problem(self, anchor: Anchor, offers: Sequence[Offer], price: WholesalePrice) -> AtomicProblem:
        """State the market around `anchor`: one offer for each resource that takes part."""
        by_name = {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in self.network.resource_ids]
        unit = max(abs(price.lmp), LEAST_PRICE_UNIT) * POWER_UNIT / 1e3
        bounds = _Bounds.free(self.layout.n)
        _limit_voltages(self, anchor, bounds, unit)
        _limit_ratings(self, bounds, unit)
        _offer_resources(self, table, bounds, unit)
        _damp(self, anchor, table, price, bounds, unit)
        _price_head(self, anchor, price, bounds, unit)
        variable_atom, row_atom = self._owners
        rhs = _right_hand_side(self, anchor)
        discs, radius = _discs(self, table)
        return AtomicProblem(
            quadratic=bounds.quadratic,
            linear=bounds.linear,
            lower=bounds.lower,
            upper=bounds.upper,
            soft_lower=bounds.soft_lower,
            soft_upper=bounds.soft_upper,
            penalty=bounds.penalty,
            rows=self.pattern.matrix(_values(self, anchor)),
            row_lower=rhs,
            row_upper=rhs,
            row_penalty=np.full(self.layout.m, np.inf),
            variable_atom=variable_atom,
            row_atom=row_atom,
            parent=self.tree.parent,
            discs=discs,
            disc_radius=radius,
            cones=np.zeros((0, 4), dtype=np.int64),
            offset=(price.lmp * anchor.state.head.real.sum() + price.reactive * anchor.state.head.imag.sum())
            / 1e3
            / unit,
            cost_unit=unit,
            n_state=self.layout.m,
        )


@dataclass
class _Bounds:
    """Costs and bounds while a problem is being stated."""

    quadratic: FloatArray
    linear: FloatArray
    lower: FloatArray
    upper: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    penalty: FloatArray

    @classmethod
    def free(cls, n: int) -> _Bounds:
        """No cost and no bound on any of `n` variables."""
        low, high = np.full(n, -np.inf), np.full(n, np.inf)
        return cls(np.zeros(n), np.zeros(n), low, high, low.copy(), high.copy(), np.zeros(n))


def _layout(network: Network, tree: ReducedTree, lines: Conductors, settings: MarketSettings) -> Layout:
    n_slot, n_root = len(tree.slot_node), int(tree.slot_start[1])
    n_resource = len(network.resources)
    rated = np.flatnonzero(_may_bind(network, tree, lines, settings.rating_scale))
    slots = np.arange(n_slot)
    w = np.where(slots >= n_root, 2 * n_slot + slots - n_root, -1)
    after_w = 3 * n_slot - n_root
    drop = np.where(slots >= n_root, 2 * n_slot + slots - n_root, -1)
    return Layout(
        p=slots,
        q=n_slot + slots,
        w=w,
        rated=rated,
        u=after_w + np.arange(len(rated)),
        resource_p=after_w + len(rated) + np.arange(n_resource),
        resource_q=after_w + len(rated) + n_resource + np.arange(n_resource),
        balance_p=slots,
        balance_q=n_slot + slots,
        drop=drop,
        loading=after_w + np.arange(len(rated)),
        n=after_w + 2 * n_resource + len(rated),
        m=after_w + len(rated),
    )


def _may_bind(network: Network, tree: ReducedTree, lines: Conductors, scale: float) -> npt.NDArray[np.bool_]:
    """Conductors that a multiple of all that is listed behind them could overload."""
    behind = np.zeros(len(tree.slot_node))
    for load in network.loads:
        for phase in load.phases:
            behind[tree.node_slot[network.node_index[f"{load.bus}.{phase}"]]] += abs(complex(load.kw, load.kvar))
    for resource in network.resources:
        if resource.kind != "flexible_load":
            for phase in resource.phases:
                slot = tree.node_slot[network.node_index[f"{resource.bus}.{phase}"]]
                behind[slot] += resource.kva_max / len(resource.phases)
    for to_slot, from_slot in zip(lines.to_slot[::-1], lines.from_slot[::-1], strict=True):
        behind[from_slot] += behind[to_slot]
    return RATING_HEADROOM * behind[lines.to_slot] > scale * lines.rating


def _resource_terminals(network: Network, loads: Terminals) -> ResourceTerminals:
    position = {name: k for k, name in enumerate(network.load_ids)}
    table = []
    for r, resource in enumerate(network.resources):
        if resource.kind == "flexible_load":
            table += [(r, loads.node[t], t, 0.0) for t in np.flatnonzero(loads.load == position[resource.load])]
        else:
            nodes = [network.node_index[f"{resource.bus}.{phase}"] for phase in resource.phases]
            table += [(r, node, -1, 1 / len(nodes)) for node in nodes]
    columns = list(zip(*table, strict=True)) if table else [(), (), (), ()]
    return ResourceTerminals(
        resource=np.array(columns[0], dtype=np.int64),
        node=np.array(columns[1], dtype=np.int64),
        load_terminal=np.array(columns[2], dtype=np.int64),
        share=np.array(columns[3], dtype=np.float64),
    )


def _pattern(model: ThreePhaseModel) -> Pattern:
    """Name the blocks of the constraint matrix; `_values` fills them in the same terms."""
    lay, lines, tree = model.layout, model.lines, model.tree
    slots, n_root = np.arange(len(tree.slot_node)), int(tree.slot_start[1])
    inner = slots[n_root:]
    row, col = lines.row, lines.col
    to_row, to_col, from_col = lines.to_slot[row], lines.to_slot[col], lines.from_slot[col]
    blocks: dict[str, tuple[IntArray, IntArray]] = {}
    for name, balance, flow in (("p", lay.balance_p, lay.p), ("q", lay.balance_q, lay.q)):
        blocks[f"{name}:receive"] = (balance[slots], flow[slots])
        blocks[f"{name}:send"] = (balance[lines.from_slot], flow[lines.to_slot])
        blocks[f"{name}:loss_p"] = (balance[to_row], lay.p[to_col])
        blocks[f"{name}:loss_q"] = (balance[to_row], lay.q[to_col])
        blocks[f"{name}:loss_w"] = (balance[to_row], lay.w[from_col])
        here, there = tree.node_slot[model.loads.node], tree.node_slot[np.maximum(model.loads.other, 0)]
        blocks[f"{name}:load_own"] = (balance[here], lay.w[here])
        blocks[f"{name}:load_other"] = (balance[here], np.where(model.loads.other >= 0, lay.w[there], -1))
        at = balance[tree.node_slot[model.resources.node]]
        blocks[f"{name}:resource_p"] = (at, lay.resource_p[model.resources.resource])
        blocks[f"{name}:resource_q"] = (at, lay.resource_q[model.resources.resource])
    capacitor = tree.node_slot[model.capacitor_nodes]
    blocks["capacitor"] = (lay.balance_q[capacitor], lay.w[capacitor])
    blocks["drop:w"] = (lay.drop[inner], lay.w[inner])
    blocks["drop:w_from"] = (lay.drop[to_row], lay.w[from_col])
    blocks["drop:p"] = (lay.drop[to_row], lay.p[to_col])
    blocks["drop:q"] = (lay.drop[to_row], lay.q[to_col])
    rated_to, rated_from = lines.to_slot[lay.rated], lines.from_slot[lay.rated]
    blocks["loading:u"] = (lay.loading, lay.u)
    blocks["loading:p"] = (lay.loading, lay.p[rated_to])
    blocks["loading:q"] = (lay.loading, lay.q[rated_to])
    blocks["loading:w"] = (lay.loading, lay.w[rated_from])
    return pattern(blocks, (lay.m, lay.n))


def _capacitor_kvar(network: Network) -> FloatArray:
    """Rated capacitor power at every node [kvar], shape (n_node,)."""
    kvar = np.zeros(len(network.node_ids))
    for capacitor in network.capacitors:
        kvar[network.node_index[f"{capacitor.bus}.{capacitor.phase}"]] += capacitor.kvar
    return kvar


def _merged_branches(network: Network) -> list[tuple[int, int, IntArray]]:
    """Conductors of merged branches, leaves first: their position, their node, the conductors behind it."""
    merged = []
    for k in range(len(network.branches) - 1, -1, -1):
        branch = network.branches[k]
        behind = [b for b in network.branches if b.from_bus == branch.to_bus]
        for phase in branch.phases if branch.kind != "line" else ():
            following = [network.branch_index[f"{b.name}.{phase}"] for b in behind if phase in b.phases]
            node = network.node_index[f"{branch.to_bus}.{phase}"]
            conductor = network.branch_index[f"{branch.name}.{phase}"]
            merged.append((conductor, node, np.array(following, dtype=np.int64)))
    return merged


def _curvatures(model: ThreePhaseModel) -> tuple[FloatArray, FloatArray]:
    """Bounds on the curvature of the losses in every resource's real and free reactive power."""
    terms, network = model.resources, model.network
    share = np.where(terms.load_terminal >= 0, 1.0, terms.share)
    reach = np.array([r.kw_max for r in network.resources])
    spare = np.array([r.kva_max if r.kva_max > r.kw_max else 0.0 for r in network.resources])
    flexible = np.array([r.kind == "flexible_load" for r in network.resources], dtype=bool)
    spare[flexible] = 0.0
    slot, n_slot = model.tree.node_slot[terms.node], len(model.tree.slot_node)
    return (
        loss_curvature(model.lines, n_slot, terms.resource, slot, share, reach),
        loss_curvature(model.lines, n_slot, terms.resource, slot, share, spare),
    )


def _running_power(model: ThreePhaseModel, state: AcState, demand: ComplexArray, ratio: FloatArray) -> ComplexArray:
    """What every resource gives at a state: its injection, or the demand it does not consume."""
    position = {name: k for k, name in enumerate(model.network.load_ids)}
    power = state.injection.copy()
    for k, resource in enumerate(model.network.resources):
        if resource.kind == "flexible_load":
            load = position[resource.load]
            power[k] = demand[load] - state.demand[load]
    return power - 1j * ratio * power.real


def _values(model: ThreePhaseModel, anchor: Anchor) -> dict[str, FloatArray | float]:
    """Fill the blocks of `_pattern` with the derivatives at `anchor`."""
    lines, slope, gain = model.lines, anchor.branch, anchor.node_gain
    per_w = W_UNIT / POWER_UNIT
    from_gain = gain[lines.from_node]
    demand = anchor.state.demand[model.loads.load]
    own = demand * anchor.load.share_own * gain[model.loads.node] * per_w
    other = demand * anchor.load.share_other * gain[np.maximum(model.loads.other, 0)] * per_w
    along = anchor.resource_share * (1 + 1j * anchor.ratio[model.resources.resource])
    across = anchor.resource_share * 1j
    values: dict[str, FloatArray | float] = {}
    for name, part in (("p", np.real), ("q", np.imag)):
        values[f"{name}:receive"] = 1.0
        values[f"{name}:send"] = -1.0
        values[f"{name}:loss_p"] = -part(slope.loss_p)
        values[f"{name}:loss_q"] = -part(slope.loss_q)
        values[f"{name}:loss_w"] = -part(slope.loss_w) * from_gain[lines.col] * per_w
        values[f"{name}:load_own"] = -part(own)
        values[f"{name}:load_other"] = -part(other)
        values[f"{name}:resource_p"] = part(along)
        values[f"{name}:resource_q"] = part(across)
    values["capacitor"] = model.capacitor_kvar[model.capacitor_nodes] * gain[model.capacitor_nodes] * per_w
    values["drop:w"] = 1.0
    values["drop:w_from"] = -slope.w_w * from_gain[lines.col]
    values["drop:p"] = -slope.w_p / per_w
    values["drop:q"] = -slope.w_q / per_w
    rated = model.layout.rated
    per_rating = 1 / (lines.rating[rated] * model.settings.rating_scale)
    values["loading:u"] = 1.0
    values["loading:p"] = -slope.current_p[rated] * POWER_UNIT * per_rating
    values["loading:q"] = -slope.current_q[rated] * POWER_UNIT * per_rating
    values["loading:w"] = -slope.current_w[rated] * from_gain[rated] * W_UNIT * per_rating
    return values


def _right_hand_side(model: ThreePhaseModel, anchor: Anchor) -> FloatArray:
    """Demand that the anchor did not serve, generation that it already had, and loading at the anchor."""
    lay, tree, terms = model.layout, model.tree, model.resources
    rhs = np.zeros(lay.m)
    unserved = (anchor.demand - anchor.state.demand)[model.loads.load] * anchor.load.share / POWER_UNIT
    slot = tree.node_slot[model.loads.node]
    running = anchor.state.injection[terms.resource] * terms.share / POWER_UNIT
    at = tree.node_slot[terms.node]
    np.add.at(rhs, lay.balance_p[slot], unserved.real)
    np.add.at(rhs, lay.balance_q[slot], unserved.imag)
    np.add.at(rhs, lay.balance_p[at], running.real)
    np.add.at(rhs, lay.balance_q[at], running.imag)
    rhs[lay.loading] = anchor.branch.current[lay.rated] / (
        model.lines.rating[lay.rated] * model.settings.rating_scale
    )
    return rhs


def _limit_voltages(model: ThreePhaseModel, anchor: Anchor, bounds: _Bounds, unit: float) -> None:
    """Soft limits on w; a group of merged buses takes its tightest."""
    limits, tree = model.settings, model.tree
    slot = tree.node_slot
    variable = model.layout.w[slot]
    free = variable >= 0
    low = (limits.voltage_min_pu**2 - anchor.w) / anchor.node_gain / W_UNIT
    high = (limits.voltage_max_pu**2 - anchor.w) / anchor.node_gain / W_UNIT
    np.maximum.at(bounds.soft_lower, variable[free], low[free])
    np.minimum.at(bounds.soft_upper, variable[free], high[free])
    bounds.penalty[variable[free]] = limits.voltage_penalty * W_UNIT / 2 / unit


def _limit_ratings(model: ThreePhaseModel, bounds: _Bounds, unit: float) -> None:
    bounds.soft_upper[model.layout.u] = 1.0
    bounds.penalty[model.layout.u] = model.settings.rating_penalty / unit


def _offer_resources(
    model: ThreePhaseModel, table: list[Offer | None], bounds: _Bounds, unit: float
) -> None:
    """Limits and costs of the offers; a resource without an offer stays at zero."""
    for k, offer in enumerate(table):
        p, q = model.layout.resource_p[k], model.layout.resource_q[k]
        bounds.lower[[p, q]] = bounds.upper[[p, q]] = 0.0
        if offer is None:
            continue
        bounds.lower[p], bounds.upper[p] = offer.p_min_kw / POWER_UNIT, offer.p_max_kw / POWER_UNIT
        bounds.linear[p] = offer.cost_linear * POWER_UNIT / 1e3 / unit
        bounds.quadratic[p] = offer.cost_quadratic * POWER_UNIT**2 / 1e3 / unit
        if offer.reactive_ratio is None:
            bounds.lower[q], bounds.upper[q] = offer.q_min_kvar / POWER_UNIT, offer.q_max_kvar / POWER_UNIT


def damping(
    model: ThreePhaseModel, table: list[Offer | None], price: WholesalePrice, unit: float
) -> tuple[FloatArray, FloatArray]:
    """Curvature added to real and reactive powers whose own cost is flatter than the losses, in problem units."""
    per_unit = max(abs(price.lmp), LEAST_PRICE_UNIT) * POWER_UNIT**2 / 1e3 / unit
    own = np.array([0.0 if offer is None else offer.cost_quadratic for offer in table])
    flat = np.maximum(model.curvature_p * per_unit - own * POWER_UNIT**2 / 1e3 / unit, 0.0)
    return np.where(own > 0, 0.0, flat), model.curvature_q * per_unit


def _damp(
    model: ThreePhaseModel,
    anchor: Anchor,
    table: list[Offer | None],
    price: WholesalePrice,
    bounds: _Bounds,
    unit: float,
) -> None:
    """Keep flat resources near their anchor; see `market.damping`."""
    for variable, curve, power in zip(
        (model.layout.resource_p, model.layout.resource_q),
        damping(model, table, price, unit),
        (anchor.power.real, anchor.power.imag),
        strict=True,
    ):
        bounds.quadratic[variable] += curve
        bounds.linear[variable] -= curve * power / POWER_UNIT


def _price_head(
    model: ThreePhaseModel, anchor: Anchor, price: WholesalePrice, bounds: _Bounds, unit: float
) -> None:
    """The LMP on head power, and the extra weight on losses."""
    lay, n_root = model.layout, int(model.tree.slot_start[1])
    per_power = POWER_UNIT / 1e3 / unit
    bounds.linear[lay.p[:n_root]] += price.lmp * per_power
    bounds.linear[lay.q[:n_root]] += price.reactive * per_power
    weight = model.settings.loss_weight * price.lmp / 1e3 / unit
    if weight:
        lines, slope = model.lines, anchor.branch
        to, source = lines.to_slot[lines.col], lines.from_slot[lines.col]
        np.add.at(bounds.linear, lay.p[to], weight * POWER_UNIT * slope.loss_p.real)
        np.add.at(bounds.linear, lay.q[to], weight * POWER_UNIT * slope.loss_q.real)
        by_w = weight * W_UNIT * slope.loss_w.real * anchor.node_gain[lines.from_node][lines.col]
        inner = lay.w[source] >= 0
        np.add.at(bounds.linear, lay.w[source][inner], by_w[inner])


def _discs(model: ThreePhaseModel, table: list[Offer | None]) -> tuple[IntArray, FloatArray]:
    """Apparent-power limits that the boxes of an offer do not already imply."""
    pairs, radius = [], []
    for k, offer in enumerate(table):
        if offer is None or offer.reactive_ratio is not None or not np.isfinite(offer.s_max_kva):
            continue
        reach = complex(
            max(abs(offer.p_min_kw), abs(offer.p_max_kw)), max(abs(offer.q_min_kvar), abs(offer.q_max_kvar))
        )
        if abs(reach) > offer.s_max_kva:
            pairs.append((model.layout.resource_p[k], model.layout.resource_q[k]))
            radius.append(offer.s_max_kva / POWER_UNIT)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(radius)


def _owners(model: ThreePhaseModel) -> tuple[IntArray, IntArray]:
    """Atom of every variable and row."""
    lay, tree = model.layout, model.tree
    slot_atom = tree.slot_atom
    variable, row = np.zeros(lay.n, np.int64), np.zeros(lay.m, np.int64)
    inner = lay.w >= 0
    variable[lay.p], variable[lay.q], variable[lay.w[inner]] = slot_atom, slot_atom, slot_atom[inner]
    home = tree.atom_of_bus[[model.network.bus_index[r.bus] for r in model.network.resources]]
    variable[lay.resource_p] = variable[lay.resource_q] = home
    conductor_atom = slot_atom[model.lines.to_slot[lay.rated]]
    variable[lay.u] = row[lay.loading] = conductor_atom
    row[lay.balance_p], row[lay.balance_q], row[lay.drop[inner]] = slot_atom, slot_atom, slot_atom[inner]
    return variable, row
