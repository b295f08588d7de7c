"""Merge buses that switches and regulators join: one atom for each group, with fixed voltage ratios inside.

A branch of nearly zero impedance would make any first-order negotiation crawl, so both market models are
built on the merged tree. Inside a group voltages differ by the regulator ratios and power flows without loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feeders.network import IntArray, Network


@dataclass(frozen=True)
class ReducedTree:
    """The merged tree. A slot is one phase of one atom.

    Attributes
    ----------
    atom_of_bus : ndarray of int, shape (n_bus,)
        Atom of each bus.
    parent : ndarray of int, shape (n_atom,)
        Parent atom; -1 at the root. Parents come before their children.
    entry_branch : ndarray of int, shape (n_atom,)
        Branch that feeds each atom; -1 at the root.
    slot_start : ndarray of int, shape (n_atom + 1,)
        First slot of each atom.
    slot_node : ndarray of int, shape (n_slot,)
        Node of the representative (upstream) bus behind each slot.
    node_slot : ndarray of int, shape (n_node,)
        Slot of each node.
    """

    atom_of_bus: IntArray
    parent: IntArray
    entry_branch: IntArray
    slot_start: IntArray
    slot_node: IntArray
    node_slot: IntArray

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return len(self.parent)

    @property
    def slot_atom(self) -> IntArray:
        """Atom of each slot, shape (n_slot,)."""
        return np.repeat(np.arange(self.n_atom), np.diff(self.slot_start))


def reduce_tree(network: Network) -> ReducedTree:
    """Merge every bus fed by a switch or a regulator into the bus upstream of it."""
    atom_of_bus = np.zeros(len(network.buses), dtype=np.int64)
    representative, entry, parent = [0], [-1], [-1]
    for k, branch in enumerate(network.branches):
        upstream = atom_of_bus[network.bus_index[branch.from_bus]]
        if branch.kind == "line":
            atom_of_bus[k + 1] = len(parent)
            representative.append(k + 1)
            entry.append(k)
            parent.append(int(upstream))
        else:
            atom_of_bus[k + 1] = upstream
    sizes = [len(network.buses[b].phases) for b in representative]
    slot_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    slot_node = np.array(
        [
            network.node_index[f"{network.buses[b].name}.{p}"]
            for b in representative
            for p in network.buses[b].phases
        ]
    )
    return ReducedTree(
        atom_of_bus=atom_of_bus,
        parent=np.array(parent),
        entry_branch=np.array(entry),
        slot_start=slot_start,
        slot_node=slot_node,
        node_slot=_node_slots(network, atom_of_bus, representative, slot_start),
    )


def _node_slots(
    network: Network, atom_of_bus: IntArray, representative: list[int], slot_start: IntArray
) -> IntArray:
    slots = []
    for k, bus in enumerate(network.buses):
        atom = atom_of_bus[k]
        phases = network.buses[representative[atom]].phases
        slots += [slot_start[atom] + phases.index(phase) for phase in bus.phases]
    return np.array(slots, dtype=np.int64)
