"""What the three-phase problem looks like before any number is known: positions, pattern and owners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feeders.network import FloatArray, IntArray, Network
from market.problem.damping import loss_curvature, nameplates
from market.problem.pattern import Pattern, pattern
from market.problem.reduction import ReducedTree, reduce_tree
from market.settings import MarketSettings
from market.three_phase.linearisation import Conductors, Terminals, conductors, terminals

POWER_UNIT = 100.0
"""Unit of power inside the problem [kW]."""
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
        Numbers of variables and rows. The first m variables describe the network, the others the resources,
        so the rows determine the network's state once the resources are known.
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
class Structure:
    """Everything about the problem that the network and the settings fix.

    Attributes
    ----------
    network, settings : Network, MarketSettings
        What it was made from.
    tree : ReducedTree
        Atoms and slots.
    lines : Conductors
        Conductors of the lines.
    loads : Terminals
        Terminals of the loads.
    resources : ResourceTerminals
        Terminals of the resources.
    layout : Layout
        Positions of variables and rows.
    capacitor_kvar : ndarray, shape (n_node,)
        Rated capacitor power at every node [kvar].
    node_bus : ndarray of int, shape (n_node,)
        Bus of every node.
    merged : tuple of (int, int, ndarray)
        Conductors of merged branches, leaves first: their position, their node, the conductors behind them.
    curvature_p, curvature_q : ndarray, shape (n_resource,)
        Bounds on the curvature of the losses [kW per kW**2].
    reach : ndarray, shape (n,)
        Nameplate of every resource variable [100 kW]; infinite for the network's.
    """

    network: Network
    settings: MarketSettings
    tree: ReducedTree
    lines: Conductors
    loads: Terminals
    resources: ResourceTerminals
    layout: Layout
    capacitor_kvar: FloatArray
    node_bus: IntArray
    merged: tuple[tuple[int, int, IntArray], ...]
    curvature_p: FloatArray
    curvature_q: FloatArray
    reach: FloatArray


def structure(network: Network, settings: MarketSettings) -> Structure:
    """Fix positions, pattern and owners of the problem of one network."""
    tree = reduce_tree(network)
    lines, loads = conductors(network, tree), terminals(network)
    resources = _resource_terminals(network, loads)
    curvature_p, curvature_q = _curvatures(network, tree, lines, resources)
    layout = _layout(network, tree, lines, settings)
    return Structure(
        network=network,
        settings=settings,
        tree=tree,
        lines=lines,
        loads=loads,
        resources=resources,
        layout=layout,
        capacitor_kvar=_capacitor_kvar(network),
        node_bus=np.repeat(np.arange(len(network.buses)), [len(bus.phases) for bus in network.buses]),
        merged=_merged_branches(network),
        curvature_p=curvature_p,
        curvature_q=curvature_q,
        reach=_reach(network, layout),
    )


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
            behind[tree.node_slot[network.node_index[f"{load.bus}.{phase}"]]] += abs(
                complex(load.kw, load.kvar)
            )
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
    table: list[tuple[int, int, int, float]] = []
    for r, resource in enumerate(network.resources):
        if resource.kind == "flexible_load":
            ends = np.flatnonzero(loads.load == position[resource.load]).tolist()
            table += [(r, int(loads.node[end]), end, 0.0) for end in ends]
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


def _curvatures(
    network: Network, tree: ReducedTree, lines: Conductors, terms: ResourceTerminals
) -> tuple[FloatArray, FloatArray]:
    """Bounds on the curvature of the losses in every resource's real and free reactive power."""
    share = np.where(terms.load_terminal >= 0, 1.0, terms.share)
    real, reactive = nameplates(network)
    slot, own = tree.node_slot[terms.node], lines.row == lines.col
    wires = (lines.to_slot, lines.from_slot, lines.impedance.real[own])
    return (
        loss_curvature(*wires, terms.resource, slot, share, real),
        loss_curvature(*wires, terms.resource, slot, share, reactive),
    )


def _reach(network: Network, layout: Layout) -> FloatArray:
    reach = np.full(layout.n, np.inf)
    reach[layout.resource_p], reach[layout.resource_q] = nameplates(network)
    return reach / POWER_UNIT


def _capacitor_kvar(network: Network) -> FloatArray:
    """Rated capacitor power at every node [kvar], shape (n_node,)."""
    kvar = np.zeros(len(network.node_ids))
    for capacitor in network.capacitors:
        kvar[network.node_index[f"{capacitor.bus}.{capacitor.phase}"]] += capacitor.kvar
    return kvar


def _merged_branches(network: Network) -> tuple[tuple[int, int, IntArray], ...]:
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
    return tuple(merged)


def row_pattern(grid: Structure) -> Pattern:
    """Name the blocks of the constraint matrix, which `market.three_phase.terms.values` fills."""
    lay, lines, tree = grid.layout, grid.lines, grid.tree
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
        here, there = tree.node_slot[grid.loads.node], tree.node_slot[np.maximum(grid.loads.other, 0)]
        blocks[f"{name}:load_own"] = (balance[here], lay.w[here])
        blocks[f"{name}:load_other"] = (balance[here], np.where(grid.loads.other >= 0, lay.w[there], -1))
        at = balance[tree.node_slot[grid.resources.node]]
        blocks[f"{name}:resource_p"] = (at, lay.resource_p[grid.resources.resource])
        blocks[f"{name}:resource_q"] = (at, lay.resource_q[grid.resources.resource])
    capacitor = tree.node_slot[np.flatnonzero(grid.capacitor_kvar)]
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


def owners(grid: Structure) -> tuple[IntArray, IntArray]:
    """Atom of every variable and row."""
    lay, tree = grid.layout, grid.tree
    slot_atom = tree.slot_atom
    variable, row = np.zeros(lay.n, np.int64), np.zeros(lay.m, np.int64)
    inner = lay.w >= 0
    variable[lay.p], variable[lay.q], variable[lay.w[inner]] = slot_atom, slot_atom, slot_atom[inner]
    home = tree.atom_of_bus[[grid.network.bus_index[r.bus] for r in grid.network.resources]]
    variable[lay.resource_p] = variable[lay.resource_q] = home
    conductor_atom = slot_atom[grid.lines.to_slot[lay.rated]]
    variable[lay.u] = row[lay.loading] = conductor_atom
    row[lay.balance_p], row[lay.balance_q], row[lay.drop[inner]] = slot_atom, slot_atom, slot_atom[inner]
    return variable, row
