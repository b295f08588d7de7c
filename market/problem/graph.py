"""Agents as a graph: who talks with whom, how far apart they are, and where their middle is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem, Boundary, boundary


class Sweep(NamedTuple):
    """What a sweep to the middle of the agents and one back take.

    Attributes
    ----------
    hops : int
        One-hop messages in sequence: twice as many as the farthest agent is hops away from the middle.
    messages : int
        Messages in all: every agent but the one in the middle sends one and gets one.
    """

    hops: int
    messages: int


class Gathering(NamedTuple):
    """In which order what all agents have is added up: each agent's own first, then hop by hop to the middle.

    Attributes
    ----------
    order : ndarray of int, shape (n_agent,)
        Agents in the order in which they pass on; the one in the middle is the last.
    towards : ndarray of int, shape (n_agent,)
        Neighbour that each passes on to; -1 in the middle.
    """

    order: IntArray
    towards: IntArray

    @property
    def heard(self) -> tuple[tuple[int, ...], ...]:
        """Those who pass on to each agent, in their order."""
        found: list[list[int]] = [[] for _ in self.order]
        for agent in self.order.tolist():
            if self.towards[agent] >= 0:
                found[self.towards[agent]].append(agent)
        return tuple(tuple(others) for others in found)


class Ways(NamedTuple):
    """What passes between the agents of a problem: values of a round, and sweeps."""

    reads: Boundary
    sweep: Sweep
    gathering: Gathering


def ways_of(problem: AtomicProblem) -> Ways:
    """Measure what passes between a problem's agents.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    """
    reads = boundary(problem)
    neighbours = _neighbours(reads, problem.n_atom)
    found = _far(neighbours)
    return Ways(reads, _sweep(found), _gathering(neighbours, found))


def sweep_of_tree(parent: IntArray) -> Sweep:
    """Measure the sweeps of agents that stand in a tree.

    Parameters
    ----------
    parent : ndarray of int, shape (n_agent,)
        Parent of each agent, -1 at a root.
    """
    found: list[list[int]] = [[] for _ in parent]
    for child in np.flatnonzero(parent >= 0).tolist():
        found[child].append(int(parent[child]))
        found[parent[child]].append(child)
    return _sweep(_far(tuple(tuple(others) for others in found)))


def gathering_of(neighbours: tuple[tuple[int, ...], ...]) -> Gathering:
    """Say in which order agents add up what all of them have.

    Parameters
    ----------
    neighbours : tuple of tuple of int, length n_agent
        Agents that each agent talks with.
    """
    return _gathering(neighbours, _far(neighbours))


def _far(neighbours: tuple[tuple[int, ...], ...]) -> list[dict[int, int]]:
    """Hops from the middle of every part of the graph, nearest first."""
    left, found = set(range(len(neighbours))), []
    while left:
        found.append(distances(neighbours, middle_of(neighbours, min(left))))
        left -= found[-1].keys()
    return found


def _sweep(found: Sequence[dict[int, int]]) -> Sweep:
    hops = max((2 * max(far.values()) for far in found), default=0)
    return Sweep(hops, 2 * sum(len(far) - 1 for far in found))


def _gathering(neighbours: tuple[tuple[int, ...], ...], found: Sequence[dict[int, int]]) -> Gathering:
    order, towards = [at for far in found for at in far], np.full(len(neighbours), -1, dtype=np.int64)
    for far in found:
        for at, hops in far.items():
            nearer = (other for other in neighbours[at] if far[other] == hops - 1)
            # The middle of a part without a connection passes on to the first one's.
            towards[at] = next(nearer) if hops else order[0]
    if order:
        towards[order[0]] = -1
    return Gathering(np.array(order[::-1], dtype=np.int64), towards)


def neighbours_of(problem: AtomicProblem) -> tuple[tuple[int, ...], ...]:
    """List the atoms that each atom reads or is read by."""
    return _neighbours(boundary(problem), problem.n_atom)


def _neighbours(reads: Boundary, n_atom: int) -> tuple[tuple[int, ...], ...]:
    ends = np.concatenate([[reads.reader, reads.owner], [reads.owner, reads.reader]], axis=1)
    found: list[list[int]] = [[] for _ in range(n_atom)]
    for one, other in np.unique(ends, axis=1).T.tolist():
        found[one].append(other)
    return tuple(tuple(others) for others in found)


def distances(neighbours: tuple[tuple[int, ...], ...], start: int) -> dict[int, int]:
    """Hops from one atom to every atom that it is connected with, nearest first.

    Parameters
    ----------
    neighbours : tuple of tuple of int, length n_atom
        Atoms that each atom talks with.
    start : int
        Atom from which hops are counted.
    """
    found, waiting = {start: 0}, deque([start])
    while waiting:
        at = waiting.popleft()
        for other in neighbours[at]:
            if other not in found:
                found[other] = found[at] + 1
                waiting.append(other)
    return found


def middle_of(neighbours: tuple[tuple[int, ...], ...], start: int) -> int:
    """Halfway along a longest way through the part of the graph around `start`.

    Parameters
    ----------
    neighbours : tuple of tuple of int, length n_atom
        Atoms that each atom talks with.
    start : int
        An atom of the part that is looked at.
    """
    one = list(distances(neighbours, start))[-1]
    from_one = distances(neighbours, one)
    at = list(from_one)[-1]
    for _ in range(from_one[at] // 2):
        at = next(other for other in neighbours[at] if from_one[other] == from_one[at] - 1)
    return at
