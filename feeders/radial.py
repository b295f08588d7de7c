"""Turn a list of two-ended segments into a tree that hangs from one bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
