"""The sweeps of agents of several buses: which fronts each eliminates, and what passes between them.

Areas are connected parts of the elimination tree, so that every agent sends one summary towards the root and
hears one answer, however many buses it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.agents.neighbours import Ties
from dlmp_cosim.market.agents.parts import Cut, Part, cut, part_of, positions
from dlmp_cosim.market.interior_point.fronts import BoolArray, Fronts, Plan
from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room


@dataclass(frozen=True)
class Crossing:
    """Which fronts of an agent's sweeps meet those of neighbours.

    Attributes
    ----------
    areas, ghosts : tuple of int
        Neighbours whose summaries arrive, and the number that the front behind each has here.
    up, top : int
        Neighbour that the own summary goes to, and the front that it comes from; -1 at the root.
    """

    areas: tuple[int, ...] = ()
    ghosts: tuple[int, ...] = ()
    up: int = -1
    top: int = -1


ALL = Crossing()
"""The crossing of an agent that eliminates everything."""


@dataclass(frozen=True)
class SweepPart:
    """What one agent has to know to take part in sweeps.

    Attributes
    ----------
    part : Part
        Its part of the problem.
    fronts : Fronts
        Its fronts; unknown k is variable k, or the multiplier of row ``k - n_known``.
    crossing : Crossing
        Where they meet those of neighbours.
    direct : ndarray of bool, shape (n,)
        Which of its variables answer directly.
    ties : Ties
        Whom it talks to.
    curved : bool
        Whether anybody has a disc.
    height : int
        Hops from the farthest bus to its root.
    """

    part: Part
    fronts: Fronts
    crossing: Crossing
    direct: BoolArray
    ties: Ties
    curved: bool
    height: int


@dataclass(frozen=True)
class SweepCut:
    """The same without numbers: what a pattern and a partition fix.

    Attributes
    ----------
    plan : Plan
        Plan of the pattern.
    area : ndarray of int, shape (n_atom,)
        Area of every atom.
    cuts : tuple of Cut
        What every agent holds.
    fronts, crossings, ties : tuple
        Fronts, crossing and ties of every agent.
    """

    plan: Plan
    area: IntArray
    cuts: tuple[Cut, ...]
    fronts: tuple[Fronts, ...]
    crossings: tuple[Crossing, ...]
    ties: tuple[Ties, ...]


def sweep_areas(plan: Plan, n_area: int) -> IntArray:
    """Cut the elimination tree into `n_area` connected areas, 0 for one a bus, shape (n_atom,).

    Parameters
    ----------
    plan : Plan
        Plan of the problem.
    n_area : int
        Areas wanted; parts of the circuit without a connection are areas of their own in any case.
    """
    up, n = parents(plan.fronts), len(plan.atoms)
    tops = up < 0
    for _ in range(min(n_area or n, n) - int(tops.sum())):
        tops[_cut_off(up, tops)] = True
    area = np.empty(n, dtype=np.int64)
    area[plan.atoms] = _numbered(up, tops)
    return area


def _numbered(up: IntArray, tops: BoolArray) -> IntArray:
    """Give numbers to the areas below their tops; fronts come before those that they report to."""
    area = np.cumsum(tops) - 1
    for front in range(len(up) - 1, -1, -1):
        if not tops[front]:
            area[front] = area[up[front]]
    return area.astype(np.int64)


def _cut_off(up: IntArray, tops: BoolArray) -> int:
    """Find the front to cut off with all behind it: what comes nearest to half of the largest area."""
    area, behind = _numbered(up, tops), np.ones(len(up), dtype=np.int64)
    for front in range(len(up)):
        if not tops[front]:
            behind[up[front]] += behind[front]
    sizes = np.bincount(area)
    inner = np.flatnonzero((area == int(np.argmax(sizes))) & ~tops)
    return int(inner[np.argmin(np.abs(2 * behind[inner] - sizes.max()))])


def parents(fronts: Fronts) -> IntArray:
    """Front that every front's message goes to; -1 at a root."""
    up = np.full(len(fronts.child_ptr) - 1, -1, dtype=np.int64)
    up[fronts.child] = np.repeat(np.arange(len(up)), np.diff(fronts.child_ptr))
    return up


def cut_sweeps(problem: AtomicProblem, plan: Plan, area: IntArray) -> SweepCut:
    """Say which fronts each agent eliminates and what it has to know for that.

    Parameters
    ----------
    problem : AtomicProblem
        A problem with the pattern of the plan.
    plan : Plan
        The plan.
    area : ndarray of int, shape (n_atom,)
        Area of every atom: connected in the elimination tree.
    """
    fronts, up = plan.fronts, parents(plan.fronts)
    of_front = area[plan.atoms]
    passing = []
    for k in range(int(area.max()) + 1):
        mine = np.flatnonzero(of_front == k)
        ghosts = np.flatnonzero((up >= 0) & (of_front != k) & (of_front[up] == k))
        edges = [fronts.edge[fronts.edge_ptr[f] : fronts.edge_ptr[f + 1]] for f in (*mine, *ghosts)]
        passing.append(np.concatenate(edges) if edges else np.zeros(0, dtype=np.int64))
    cuts = cut(problem, area, passing)
    views = [_view(plan, problem, cuts[k], of_front, up, k) for k in range(len(cuts))]
    crossings = tuple(view[1] for view in views)
    return SweepCut(
        plan, area, cuts, tuple(view[0] for view in views), crossings, _ties(of_front, crossings, cuts)
    )


def _ties(of_front: IntArray, crossings: tuple[Crossing, ...], cuts: tuple[Cut, ...]) -> tuple[Ties, ...]:
    """Whom each agent talks to; roots of parts without a connection ask the last one."""
    last = int(of_front[-1])
    up = [found.up if found.up >= 0 or k == last else last for k, found in enumerate(crossings)]
    down: list[list[int]] = [[] for _ in up]
    for k, other in enumerate(up):
        if other >= 0:
            down[other].append(k)
    return tuple(
        Ties(above, tuple(below), piece.halos) for above, below, piece in zip(up, down, cuts, strict=True)
    )


def _view(
    plan: Plan, problem: AtomicProblem, piece: Cut, of_front: IntArray, up: IntArray, k: int
) -> tuple[Fronts, Crossing]:
    """Call an agent's fronts, unknowns and entries by their places in its own arrays."""
    fronts, mine = plan.fronts, np.flatnonzero(of_front == k)
    ghosts = np.flatnonzero((up >= 0) & (of_front != k) & (of_front[up] == k))
    seen = np.append(mine, ghosts)
    unknown, entry, row = _names(problem, piece)
    own = _taken(fronts.own_ptr, mine)
    edge = _taken(fronts.edge_ptr, seen)
    children = _taken(fronts.child_ptr, mine)
    entries, local = _taken(fronts.entry_ptr, mine), _taken(fronts.local_ptr, mine)
    column = _taken(fronts.column_ptr, piece.variables[: piece.n])
    view = Fronts(
        own_ptr=_pointer(fronts.own_ptr, mine),
        own=unknown[fronts.own[own]],
        edge_ptr=_pointer(fronts.edge_ptr, seen),
        edge=unknown[fronts.edge[edge]],
        edge_at=fronts.edge_at[edge],
        child_ptr=_pointer(fronts.child_ptr, mine),
        child=positions(seen, fronts.child[children]),
        entry_ptr=_pointer(fronts.entry_ptr, mine),
        entry=entry[fronts.entry[entries]],
        entry_row=fronts.entry_row[entries],
        entry_column=fronts.entry_column[entries],
        local_ptr=_pointer(fronts.local_ptr, mine),
        local=unknown[fronts.local[local]],
        column_ptr=_pointer(fronts.column_ptr, piece.variables[: piece.n]),
        column_entry=entry[fronts.column_entry[column]],
        column_row=fronts.column_row[column],
        column_multiplier=row[fronts.column_multiplier[column]],
    )
    tops = mine[(up[mine] < 0) | (of_front[up[mine]] != k)]
    top = int(tops[-1])
    above = int(of_front[up[top]]) if up[top] >= 0 else -1
    crossing = Crossing(
        tuple(of_front[ghosts].tolist()),
        tuple(range(len(mine), len(seen))),
        above,
        int(np.searchsorted(mine, top)) if above >= 0 else -1,
    )
    return view, crossing


def _names(problem: AtomicProblem, piece: Cut) -> tuple[IntArray, IntArray, IntArray]:
    """Numbers that an agent gives to unknowns, entries and rows of the whole problem; -1 where it has none.

    Its entries are those of its own rows, then those of others' rows in its own variables.
    """
    n, rows = len(problem.linear), problem.rows.tocsr()
    unknown = np.full(n + rows.shape[0], -1, dtype=np.int64)
    unknown[piece.variables] = np.arange(len(piece.variables))
    unknown[n + piece.rows] = len(piece.variables) + np.arange(len(piece.rows))
    row = np.full(rows.shape[0], -1, dtype=np.int64)
    row[piece.rows] = np.arange(len(piece.rows))
    entry = np.full(rows.nnz, -1, dtype=np.int64)
    held = _taken(rows.indptr, piece.rows[: piece.m])
    entry[held] = np.arange(len(held))
    numbered = type(rows)((np.arange(1, rows.nnz + 1), rows.indices, rows.indptr), shape=rows.shape).tocsc()
    at = _taken(numbered.indptr, piece.variables[: piece.n])
    foreign = row[numbered.indices[at]] >= piece.m
    entry[numbered.data[at[foreign]] - 1] = len(held) + np.arange(int(foreign.sum()))
    return unknown, entry, row


def _taken(pointer: IntArray, which: IntArray) -> IntArray:
    """Positions of some members' parts of a flat array, one after the other."""
    sizes = np.diff(pointer)[which]
    first = np.append(0, np.cumsum(sizes))
    at: IntArray = np.arange(first[-1]) + np.repeat(pointer[which] - first[:-1], sizes)
    return at


def _pointer(pointer: IntArray, which: IntArray) -> IntArray:
    return np.append(0, np.cumsum(np.diff(pointer)[which])).astype(np.int64)


def sweep_parts(problem: AtomicProblem, cuts: SweepCut) -> tuple[SweepPart, ...]:
    """Hand out the numbers of a problem.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    cuts : SweepCut
        Who holds what.
    """
    curved = bool(len(leave_room(problem).disc_radius))
    return tuple(
        SweepPart(
            part=part_of(problem, piece),
            fronts=fronts,
            crossing=crossing,
            direct=cuts.plan.direct[piece.variables[: piece.n]],
            ties=ties,
            curved=curved,
            height=cuts.plan.height,
        )
        for piece, fronts, crossing, ties in zip(
            cuts.cuts, cuts.fronts, cuts.crossings, cuts.ties, strict=True
        )
    )
