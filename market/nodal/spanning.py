"""Atoms of a circuit: one a bus, each with the branches that lead to its parent in a spanning tree.

The elements that join a bus to its parent, and touch no third bus, form its bundle. The currents that enter a
bundle at the parent's nodes are variables of the child (flows), and so are those that a source gives: voltage
is told down the tree and flow up it. Every other element closes a loop or hangs at one bus; it couples
voltages directly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dlmp_cosim.feeders.network import IntArray, Network
from dlmp_cosim.feeders.radial import bus_tree


@dataclass(frozen=True)
class Bundle:
    """Elements between a bus and its parent.

    Attributes
    ----------
    elements : tuple of int
        Positions in `Network.elements`.
    parent_nodes, child_nodes : ndarray of int
        Nodes that they touch at the two buses.
    flows : ndarray of int, shape (n_parent_node,)
        Positions of the currents that enter at the parent's nodes.
    """

    elements: tuple[int, ...]
    parent_nodes: IntArray
    child_nodes: IntArray
    flows: IntArray


@dataclass(frozen=True)
class Spanning:
    """The tree of atoms and the flows on it.

    Attributes
    ----------
    atom_of_bus : ndarray of int, shape (n_bus,)
        Atom of every bus.
    parent : ndarray of int, shape (n_atom,)
        Parent atom, -1 at a root; parents come before their children.
    bundles : tuple of Bundle
        Bundles, every parent's before its children's.
    others : tuple of int
        Elements that are in no bundle.
    flow_node, flow_atom : ndarray of int, shape (n_flow,)
        Node that each flow leaves, and atom that owns it. The last `n_head` flows are those of the sources,
        in the order of `Network.head_ids`; they enter their node.
    n_head : int
        Conductors of the sources.
    element_atom : ndarray of int, shape (n_element,)
        Child of the bundle that each element belongs to; -1 for one in no bundle.
    """

    atom_of_bus: IntArray
    parent: IntArray
    bundles: tuple[Bundle, ...]
    others: tuple[int, ...]
    flow_node: IntArray
    flow_atom: IntArray
    n_head: int
    element_atom: IntArray

    @property
    def n_flow(self) -> int:
        """Number of flows."""
        return len(self.flow_node)


def element_nodes(network: Network) -> list[IntArray]:
    """Node of every conductor of every element."""
    index = network.node_index
    return [np.array([index[name] for name in e.node_ids], dtype=np.int64) for e in network.elements]


@lru_cache(maxsize=4)
def span(network: Network) -> Spanning:
    """Span a circuit by a tree of buses and bundle the elements along it."""
    tree, nodes = bus_tree(network), element_nodes(network)
    atom_of_bus = np.empty(len(network.buses), dtype=np.int64)
    atom_of_bus[tree.order] = np.arange(len(tree.order))
    along: dict[int, list[int]] = defaultdict(list)
    element_atom = np.full(len(network.elements), -1, dtype=np.int64)
    for k, at in enumerate(nodes):
        buses = np.unique(network.node_bus[at])
        for child, up in (buses, buses[::-1]) if len(buses) == 2 else ():
            if tree.parent[child] == up:
                along[int(child)].append(k)
                element_atom[k] = atom_of_bus[child]
    bundles: list[Bundle] = []
    flow_node: list[int] = []
    flow_atom: list[int] = []
    for bus in tree.order.tolist():
        if bus in along:
            touched = np.unique(np.concatenate([nodes[k] for k in along[bus]]))
            here = network.node_bus[touched] == bus
            flows = len(flow_node) + np.arange(int((~here).sum()))
            bundles.append(Bundle(tuple(along[bus]), touched[~here], touched[here], flows))
            flow_node += touched[~here].tolist()
            flow_atom += [int(atom_of_bus[bus])] * len(flows)
    flow_node += network.head_node.tolist()
    flow_atom += atom_of_bus[network.node_bus[network.head_node]].tolist()
    parents = tree.parent[tree.order]
    return Spanning(
        atom_of_bus=atom_of_bus,
        parent=np.where(parents < 0, -1, atom_of_bus[parents]),
        bundles=tuple(bundles),
        others=tuple(np.flatnonzero(element_atom < 0).tolist()),
        flow_node=np.array(flow_node, dtype=np.int64),
        flow_atom=np.array(flow_atom, dtype=np.int64),
        n_head=len(network.head_node),
        element_atom=element_atom,
    )
