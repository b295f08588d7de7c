"""Who eliminates before whom: agents as a graph, a root in its middle, an order from leaves to root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import distances, middle_of, neighbours_of


@dataclass(frozen=True)
class Order:
    """An order of elimination.

    Attributes
    ----------
    atoms : ndarray of int, shape (n_atom,)
        Atoms, farthest from the root first.
    place : ndarray of int, shape (n_atom,)
        Where each atom stands in it.
    neighbours : tuple of tuple of int
        Atoms that each atom reads or is read by.
    """

    atoms: IntArray
    place: IntArray
    neighbours: tuple[tuple[int, ...], ...]

    def hops(self, start: int, end: int) -> int:
        """Length of the shortest way between two atoms, along neighbours."""
        if end in self.neighbours[start]:
            return 1
        return distances(self.neighbours, start)[end]


def elimination_order(problem: AtomicProblem) -> Order:
    """Order the atoms of every connected part by their depth in a depth-first tree from its middle.

    Every neighbour is then an ancestor or a descendant, also where loops close, so that messages go from
    parent to child and back. Without loops the way to the root is as short as it can be: half the longest
    way in the tree.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    """
    neighbours = neighbours_of(problem)
    depth = np.full(problem.n_atom, -1)
    for atom in range(problem.n_atom):
        if depth[atom] < 0:
            for member, far in depths(neighbours, middle_of(neighbours, atom)).items():
                depth[member] = far
    atoms = np.argsort(-depth, kind="stable").astype(np.int64)
    place = np.empty(problem.n_atom, dtype=np.int64)
    place[atoms] = np.arange(problem.n_atom)
    return Order(atoms, place, neighbours)


def depths(neighbours: tuple[tuple[int, ...], ...], start: int) -> dict[int, int]:
    """Depth of every atom that is connected with one, in the depth-first tree from it."""
    found = {start: 0}
    path = [(start, iter(neighbours[start]))]
    while path:
        at, others = path[-1]
        new = next((other for other in others if other not in found), None)
        if new is None:
            path.pop()
        else:
            found[new] = found[at] + 1
            path.append((new, iter(neighbours[new])))
    return found
