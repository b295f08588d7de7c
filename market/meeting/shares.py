"""Who stands for which buses, when some agents are out and neighbours look after their wires."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.agents.neighbours import Ties
from dlmp_cosim.market.interior_point.fronts import Plan
from dlmp_cosim.market.interior_point.parts import SweepPart, parents


def atom_parents(plan: Plan) -> IntArray:
    """Atom towards the root of every atom in the elimination tree; -1 at a root."""
    up = parents(plan.fronts)
    found = np.full(len(up), -1, dtype=np.int64)
    inner = up >= 0
    found[plan.atoms[inner]] = plan.atoms[up[inner]]
    return found


def merge(area: IntArray, up: IntArray, out: Collection[int]) -> tuple[IntArray, IntArray]:
    """Give the buses of agents that are out to a neighbour of theirs.

    Parameters
    ----------
    area : ndarray of int, shape (n_atom,)
        Agent of every atom.
    up : ndarray of int, shape (n_atom,)
        Atom towards the root of every atom; -1 at a root.
    out : collection of int
        Agents that are out.

    Returns
    -------
    ndarray of int, shape (n_atom,)
        Area of every atom, numbered without gaps.
    ndarray of int, shape (n_area,)
        Agent of every area.

    Raises
    ------
    ClearingError
        When nobody is left.
    """
    area, left = area.copy(), set(out) & set(area.tolist())
    inner = np.flatnonzero(up >= 0)
    while left:
        below, above = area[inner], area[up[inner]]
        meets = [
            (k, other)
            for k, other in (*zip(below, above, strict=True), *zip(above, below, strict=True))
            if k in left and other not in left
        ]
        if not meets:
            raise ClearingError("no agent is left that could look after the wires of those that are out")
        for k, other in meets:
            if k in left:
                area[area == k] = other
                left.discard(k)
    numbers, merged = np.unique(area, return_inverse=True)
    return merged.astype(np.int64).ravel(), numbers.astype(np.int64)


def renamed_ties(ties: Ties, numbers: IntArray) -> Ties:
    """Call neighbours by the numbers of their agents in place of those of their areas.

    Parameters
    ----------
    ties : Ties
        Ties of one agent, by areas.
    numbers : ndarray of int, shape (n_area,)
        Agent of every area, as `merge` returns it.
    """
    halos = tuple(replace(halo, area=int(numbers[halo.area])) for halo in ties.halos)
    up = int(numbers[ties.up]) if ties.up >= 0 else -1
    return Ties(up, tuple(int(numbers[k]) for k in ties.down), halos)


def renamed_sweep(part: SweepPart, numbers: IntArray) -> SweepPart:
    """Do the same for the sweeps of an agent.

    Parameters
    ----------
    part : SweepPart
        One agent's part, its neighbours by areas.
    numbers : ndarray of int, shape (n_area,)
        Agent of every area, as `merge` returns it.
    """
    here = part.crossing
    crossing = replace(
        here,
        areas=tuple(int(numbers[k]) for k in here.areas),
        up=int(numbers[here.up]) if here.up >= 0 else -1,
    )
    return replace(part, crossing=crossing, ties=renamed_ties(part.ties, numbers))
