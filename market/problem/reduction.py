"""Merge buses that switches and plain ratios join: one atom for each group, with fixed voltage ratios inside.

A link of nearly zero impedance would make any first-order negotiation crawl, so the branch-flow model is
built on the merged tree. Inside a group voltages differ by ratios and power flows without loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.balanced import BalancedFeeder
from dlmp_cosim.feeders.network import IntArray


@dataclass(frozen=True)
class ReducedTree:
    """The merged tree; buses and links are those of a `BalancedFeeder`.

    Attributes
    ----------
    atom_of_bus : ndarray of int, shape (n_bus,)
        Atom of each bus.
    parent : ndarray of int, shape (n_atom,)
        Parent atom; -1 at the root. Parents come before their children.
    entry_link : ndarray of int, shape (n_atom,)
        Link that feeds each atom; -1 at the root.
    links : tuple of tuple of int, length n_bus - 1
        Branches of the `Network` behind every link of the `BalancedFeeder`.
    """

    atom_of_bus: IntArray
    parent: IntArray
    entry_link: IntArray
    links: tuple[tuple[int, ...], ...]

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return len(self.parent)


def reduce_tree(feeder: BalancedFeeder) -> ReducedTree:
    """Merge every bus fed by a switch or a plain ratio into the bus upstream of it."""
    atom_of_bus = np.zeros(len(feeder.buses), dtype=np.int64)
    entry, parent = [-1], [-1]
    for k, merged in enumerate(feeder.near_zero):
        upstream = int(atom_of_bus[feeder.parent[k + 1]])
        atom_of_bus[k + 1] = upstream if merged else len(parent)
        if not merged:
            entry.append(k)
            parent.append(upstream)
    return ReducedTree(atom_of_bus, np.array(parent), np.array(entry), feeder.links)
