"""Who eliminates before whom: agents as a graph, a root in its middle, an order from leaves to root."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from feeders.network import IntArray
from market.problem.atoms import AtomicProblem, boundary


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
    """Order the atoms of every connected part by their distance from its middle.

    On a tree this makes every neighbour either the parent or a child, and the way to the root as short as it
    can be: half the longest way in the tree.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    """
    neighbours = _neighbours(problem)
    depth = np.full(problem.n_atom, -1)
    for atom in range(problem.n_atom):
        if depth[atom] < 0:
            for member, far in distances(neighbours, _middle(neighbours, atom)).items():
                depth[member] = far
    atoms = np.argsort(-depth, kind="stable").astype(np.int64)
    place = np.empty(problem.n_atom, dtype=np.int64)
    place[atoms] = np.arange(problem.n_atom)
    return Order(atoms, place, neighbours)


def distances(neighbours: tuple[tuple[int, ...], ...], start: int) -> dict[int, int]:
    """Hops from one atom to every atom that it is connected with, nearest first."""
    found, waiting = {start: 0}, deque([start])
    while waiting:
        at = waiting.popleft()
        for other in neighbours[at]:
            if other not in found:
                found[other] = found[at] + 1
                waiting.append(other)
    return found


def _neighbours(problem: AtomicProblem) -> tuple[tuple[int, ...], ...]:
    reads = boundary(problem)
    ends = np.concatenate([[reads.reader, reads.owner], [reads.owner, reads.reader]], axis=1)
    found: list[list[int]] = [[] for _ in range(problem.n_atom)]
    for one, other in np.unique(ends, axis=1).T.tolist():
        found[one].append(other)
    return tuple(tuple(others) for others in found)


def _middle(neighbours: tuple[tuple[int, ...], ...], start: int) -> int:
    """Halfway along a longest way through the part of the graph around `start`."""
    one = list(distances(neighbours, start))[-1]
    from_one = distances(neighbours, one)
    at = list(from_one)[-1]
    for _ in range(from_one[at] // 2):
        at = next(other for other in neighbours[at] if from_one[other] == from_one[at] - 1)
    return at
