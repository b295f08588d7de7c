"""Trees: of two-ended segments that a table lists, and of the buses of a network."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Element, IntArray, Network

Ends = tuple[str, str]


@dataclass(frozen=True)
class Link:
    """One segment as the tree uses it: `from_bus` is nearer to the root."""

    segment: int
    from_bus: str
    to_bus: str


@dataclass(frozen=True)
class Tree:
    """A spanning walk from the root.

    Attributes
    ----------
    links : tuple of Link
        Segments used, every parent before its children; laterals stay together.
    loops : tuple of int
        Segments that would close a loop.
    unreached : tuple of int
        Segments that the root does not reach.
    """

    links: tuple[Link, ...]
    loops: tuple[int, ...]
    unreached: tuple[int, ...]


def walk(root: str, segments: Sequence[Ends]) -> Tree:
    """Walk from the root along the segments, depth first, in the order of the list.

    Parameters
    ----------
    root : str
        Bus that feeds everything.
    segments : sequence of pair of str
        Both ends of each segment, in any direction.

    Returns
    -------
    Tree
        The walk, with what closes loops and what is out of reach.
    """
    touching: dict[str, list[int]] = {}
    for k, ends in enumerate(segments):
        for bus in dict.fromkeys(ends):
            touching.setdefault(bus, []).append(k)
    links: list[Link] = []
    loops: list[int] = []
    seen = {root}
    used: set[int] = set()
    stack = [(k, root) for k in reversed(touching.get(root, []))]
    while stack:
        k, from_bus = stack.pop()
        if k in used:
            continue
        used.add(k)
        a, b = segments[k]
        to_bus = b if from_bus == a else a
        if to_bus in seen:
            loops.append(k)
            continue
        seen.add(to_bus)
        links.append(Link(k, from_bus, to_bus))
        stack.extend((child, to_bus) for child in reversed(touching[to_bus]) if child not in used)
    unreached = tuple(k for k in range(len(segments)) if k not in used)
    return Tree(tuple(links), tuple(sorted(loops)), unreached)


@dataclass(frozen=True)
class BusTree:
    """A tree that spans the buses of a network, as shallow as its loops allow.

    Attributes
    ----------
    order : ndarray of int, shape (n_bus,)
        Buses, every parent before its children; the first source's comes first.
    parent : ndarray of int, shape (n_bus,)
        Parent of each bus; -1 for the first source's, and for the first of every island.
    branch : ndarray of int, shape (n_bus,)
        Position in `Network.branches` of the branch that leads to the parent; -1 where there is none.
    loops : tuple of int
        Branches that close a loop, or run beside one of the tree.
    """

    order: IntArray
    parent: IntArray
    branch: IntArray
    loops: tuple[int, ...]

    @property
    def roots(self) -> IntArray:
        """Buses without a parent, in the order of the tree."""
        return self.order[self.parent[self.order] < 0]


def bus_tree(network: Network) -> BusTree:
    """Span the buses of a network breadth first, starting at the first source."""
    ends = [_buses_of(network, branch) for branch in network.branches]
    touching: list[list[int]] = [[] for _ in network.buses]
    for k, buses in enumerate(ends):
        for bus in buses:
            touching[bus].append(k)
    n = len(network.buses)
    parent, entry = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    order: list[int] = []
    seen, used, loops = [False] * n, [False] * len(ends), []
    for root in (network.bus_index[network.sources[0].terminal.bus], *range(n)):
        queue = deque([] if seen[root] else [root])
        seen[root] = True
        while queue:
            here = queue.popleft()
            order.append(here)
            for k in touching[here]:
                if used[k]:
                    continue
                used[k] = True
                others = [bus for bus in ends[k] if bus != here]
                if any(seen[bus] for bus in others):
                    loops.append(k)
                for bus in others:
                    if not seen[bus]:
                        seen[bus], parent[bus], entry[bus] = True, here, k
                        queue.append(bus)
    return BusTree(np.array(order, dtype=np.int64), parent, entry, tuple(sorted(loops)))


@dataclass(frozen=True)
class RadialTree:
    """The buses of a circuit without loops; elements side by side between two buses are one link.

    Attributes
    ----------
    order : ndarray of int, shape (n_bus,)
        Buses in `Network.buses`, every parent before its children; laterals stay together.
    parent : ndarray of int, shape (n_bus,)
        Position in `order` of the parent of each bus of `order`; -1 for the source.
    links : tuple of tuple of int, length n_bus - 1
        Positions in `Network.branches` of what joins each bus of `order` but the source to its parent.
    """

    order: IntArray
    parent: IntArray
    links: tuple[tuple[int, ...], ...]


def radial_tree(network: Network) -> RadialTree:
    """Span a network that has one source, no loop and no island.

    Raises
    ------
    InputError
        When it has, with the element and why.
    """
    for source in network.sources[1:]:
        what = f"{source.name} is a second source beside {network.sources[0].name}"
        raise InputError(what, where=network.name, expected="one source")
    tree = bus_tree(network)
    links: dict[frozenset[int], list[int]] = {
        frozenset((bus, int(tree.parent[bus]))): [] for bus in tree.order.tolist() if tree.parent[bus] >= 0
    }
    for k, branch in enumerate(network.branches):
        ends = frozenset(_buses_of(network, branch))
        if len(ends) == 2 and ends not in links:
            raise _not_radial(network, branch, "closes a loop")
        if len(ends) != 2:
            raise _not_radial(network, branch, f"joins {len(ends)} buses rather than two")
        links[ends].append(k)
    for bus in tree.roots[1:]:
        what = f"the source does not reach bus {network.buses[bus].name}"
        raise InputError(what, where=network.name, expected="one island")
    order = _depth_first(tree)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    parent = tree.parent[order]
    return RadialTree(
        order=order,
        parent=np.where(parent < 0, -1, position[parent]),
        links=tuple(tuple(links[frozenset((bus, int(tree.parent[bus])))]) for bus in order[1:].tolist()),
    )


def _depth_first(tree: BusTree) -> IntArray:
    """Buses of a tree with one root, each lateral to its end before the next."""
    children: dict[int, list[int]] = {}
    for bus in tree.order[1:].tolist():
        children.setdefault(int(tree.parent[bus]), []).append(bus)
    order, stack = [], [int(tree.order[0])]
    while stack:
        here = stack.pop()
        order.append(here)
        stack.extend(reversed(children.get(here, [])))
    return np.array(order, dtype=np.int64)


def _not_radial(network: Network, branch: Element, what: str) -> InputError:
    """Build the error for an element that a tree has no place for."""
    ends = " to ".join(end.bus for end in branch.terminals)
    return InputError(f"{branch.name} ({ends}) {what}", where=network.name, expected="a radial circuit")


def _buses_of(network: Network, branch: Element) -> tuple[int, ...]:
    """Buses that a branch joins, each once."""
    return tuple(dict.fromkeys(network.bus_index[end.bus] for end in branch.terminals))
