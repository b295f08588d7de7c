"""The pattern of the elimination: what every agent eliminates, and what its message to its parent is about.

Unknowns are the problem's variables and the multipliers of its rows; unknown k is variable k, or the
multiplier of row ``k - n``. An agent's front holds its own unknowns and, as its edge, the later ones that
they or its children's messages touch. A variable that lies in a box and that only its own atom reads never
gets that far: it answers the multipliers directly, however many such resources share a bus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.interior_point.square import square_fronts
from dlmp_cosim.market.interior_point.tree import Order, elimination_order
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.factors import SquareFronts

BoolArray = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Fronts(NamedTuple):
    """Fronts as flat arrays, in order of elimination; ``x_ptr[f]:x_ptr[f + 1]`` is front f's part of x.

    Attributes
    ----------
    own_ptr, own : ndarray of int
        Unknowns eliminated.
    edge_ptr, edge, edge_at : ndarray of int
        Unknowns of the message to the parent, and their places in the parent's front.
    child_ptr, child : ndarray of int
        Fronts whose messages arrive.
    entry_ptr, entry, entry_row, entry_column : ndarray of int
        Entries of the rows' matrix, with the places of their multiplier and of their variable.
    local_ptr, local : ndarray of int
        Variables that answer directly.
    column_ptr, column_entry, column_row, column_multiplier : ndarray of int
        Entries of each of those variables, by variable, with the places of their multipliers and their rows.
    """

    own_ptr: IntArray
    own: IntArray
    edge_ptr: IntArray
    edge: IntArray
    edge_at: IntArray
    child_ptr: IntArray
    child: IntArray
    entry_ptr: IntArray
    entry: IntArray
    entry_row: IntArray
    entry_column: IntArray
    local_ptr: IntArray
    local: IntArray
    column_ptr: IntArray
    column_entry: IntArray
    column_row: IntArray
    column_multiplier: IntArray


@dataclass(frozen=True)
class Plan:
    """All that the pattern of a problem fixes.

    Attributes
    ----------
    fronts : Fronts
        The fronts.
    atoms : ndarray of int, shape (n_atom,)
        Atom of every front.
    direct : ndarray of bool, shape (n,)
        Which variables answer directly.
    height : int
        Hops from the farthest agent to its root, along messages.
    messages, scalars : int
        Messages of a sweep up and a sweep down, and numbers in them.
    most : int
        Numbers in the largest message.
    indptr, indices : ndarray of int
        The pattern that this is a plan of.
    owners : (ndarray, ndarray) of int
        Atom of every variable, and of every row.
    shared : ndarray of bool, shape (n,)
        Which variables other atoms than their own read.
    network : SquareFronts, optional
        Fronts of the network's rows alone; None where an agent does not own as many rows as variables.
    """

    fronts: Fronts
    atoms: IntArray
    direct: BoolArray
    height: int
    messages: int
    scalars: int
    most: int
    indptr: IntArray
    indices: IntArray
    owners: tuple[IntArray, IntArray]
    shared: BoolArray
    network: SquareFronts | None

    def fits(self, problem: AtomicProblem) -> bool:
        """Whether a problem has the pattern of this plan."""
        mine = (self.indptr, self.indices, *self.owners)
        theirs = (problem.rows.indptr, problem.rows.indices, problem.variable_atom, problem.row_atom)
        if not all(a is b or np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True)):
            return False
        return np.array_equal(self.direct, _in_a_box(problem) & ~self.shared)


def answers_directly(problem: AtomicProblem) -> BoolArray:
    """Which variables lie in a box and are read by their own atom alone, shape (n,)."""
    return np.asarray(_in_a_box(problem) & ~_read_by_others(problem))


def _in_a_box(problem: AtomicProblem) -> BoolArray:
    return np.asarray(np.isfinite(problem.lower) & np.isfinite(problem.upper))


def _read_by_others(problem: AtomicProblem) -> BoolArray:
    """Which variables other atoms than their own read, shape (n,)."""
    entries = problem.rows.tocoo()
    foreign = problem.row_atom[entries.row] != problem.variable_atom[entries.col]
    found = np.zeros(len(problem.linear), dtype=np.bool_)
    found[entries.col[foreign]] = True
    return found


def make_plan(problem: AtomicProblem, order: Order | None = None) -> Plan:
    """Plan the elimination of a problem whose rows are equalities.

    Parameters
    ----------
    problem : AtomicProblem
        The problem; only its pattern counts.
    order : Order, optional
        Who eliminates before whom; from leaves to the middle without it.
    """
    order, n = order or elimination_order(problem), len(problem.linear)
    shared, entries = _read_by_others(problem), problem.rows.tocoo()
    direct = _in_a_box(problem) & ~shared
    owner = np.concatenate([order.place[problem.variable_atom], order.place[problem.row_atom]])
    kept = ~direct[entries.col]
    row, column = entries.row[kept] + n, entries.col[kept].astype(np.int64)
    front = np.minimum(owner[row], owner[column])
    counts = np.concatenate([~direct, np.ones(len(problem.row_lower), dtype=np.bool_)])
    own = _grouped(owner, counts, problem.n_atom)
    edges, parent = _edges(own, owner, front, row, column)
    places = _Places(own, edges, n + len(problem.row_lower))
    local = _grouped(owner[:n], direct, problem.n_atom)
    edge_ptr, edge = _flat(edges)
    sizes = np.diff(edge_ptr)
    fronts = Fronts(
        *_flat(own),
        edge_ptr,
        edge,
        places.find(np.repeat(parent, sizes), edge),
        *_flat(_children(parent)),
        *_entries(places, front, np.flatnonzero(kept), row, column, problem.n_atom),
        *_flat(local),
        *_columns(places, owner, problem.rows.tocsr(), direct, n),
    )
    hops = _hops(order, parent)
    up = sizes * (sizes + 1) // 2 + 2 * sizes + 2
    sent = parent >= 0
    return Plan(
        fronts=fronts,
        atoms=order.atoms,
        direct=direct,
        height=_height(parent, hops),
        messages=2 * int(hops[sent].sum()),
        scalars=int(((up + sizes + 2) * hops)[sent].sum()),
        most=int(up[sent].max(initial=0)),
        indptr=problem.rows.indptr,
        indices=problem.rows.indices,
        owners=(problem.variable_atom, problem.row_atom),
        shared=shared,
        network=square_fronts(fronts, parent, n, problem.n_state),
    )


def plan_for(problem: AtomicProblem, last: Plan | None) -> Plan:
    """Keep the last plan for as long as problems have its pattern, or make a new one.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    last : Plan, optional
        Plan of the problem before.
    """
    return last if last is not None and last.fits(problem) else make_plan(problem)


class _Places:
    """Places of unknowns inside fronts."""

    def __init__(self, own: list[IntArray], edges: list[IntArray], n: int) -> None:
        self._n = n
        sizes = [len(a) + len(b) for a, b in zip(own, edges, strict=True)]
        which = np.repeat(np.arange(len(own)), sizes)
        unknown = np.concatenate([part for pair in zip(own, edges, strict=True) for part in pair])
        at = np.concatenate([np.arange(size) for size in sizes])
        keys = which * n + unknown
        order = np.argsort(keys)
        self._keys, self._at = keys[order], at[order]

    def find(self, front: IntArray, unknown: IntArray) -> IntArray:
        """Places of unknowns in the front beside each."""
        if not len(front):
            return np.zeros(0, dtype=np.int64)
        return self._at[np.searchsorted(self._keys, front * self._n + unknown)].astype(np.int64)


def _grouped(owner: IntArray, counts: BoolArray, n: int) -> list[IntArray]:
    """Members of every group, ascending."""
    which = np.flatnonzero(counts)
    order = np.argsort(owner[which], kind="stable")
    cuts = np.searchsorted(owner[which][order], np.arange(1, n))
    return [part.astype(np.int64) for part in np.split(which[order], cuts)]


def _edges(
    own: list[IntArray], owner: IntArray, front: IntArray, row: IntArray, column: IntArray
) -> tuple[list[IntArray], IntArray]:
    """Later unknowns that each front touches, and the front that eliminates the first of them."""
    touched: list[set[int]] = [set() for _ in own]
    for ends in (row, column):
        later = owner[ends] > front
        for k, unknown in zip(front[later].tolist(), ends[later].tolist(), strict=True):
            touched[k].add(unknown)
    parent = np.full(len(own), -1, dtype=np.int64)
    for k, edge in enumerate(touched):
        if edge:
            up = min(int(owner[unknown]) for unknown in edge)
            parent[k] = up
            touched[up] |= {unknown for unknown in edge if owner[unknown] > up}
    return [np.array(sorted(edge), dtype=np.int64) for edge in touched], parent


def _flat(parts: list[IntArray]) -> tuple[IntArray, IntArray]:
    pointer = np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64)
    return pointer, np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


def _children(parent: IntArray) -> list[IntArray]:
    found: list[list[int]] = [[] for _ in parent]
    for k, up in enumerate(parent.tolist()):
        if up >= 0:
            found[up].append(k)
    return [np.array(part, dtype=np.int64) for part in found]


def _entries(
    places: _Places, front: IntArray, entry: IntArray, row: IntArray, column: IntArray, n: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    order = np.argsort(front, kind="stable")
    front, entry, row, column = front[order], entry[order], row[order], column[order]
    pointer = np.searchsorted(front, np.arange(n + 1)).astype(np.int64)
    return pointer, entry.astype(np.int64), places.find(front, row), places.find(front, column)


def _columns(
    places: _Places, owner: IntArray, rows: sp.csr_matrix, direct: BoolArray, n: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Entries of the variables that answer directly, by variable."""
    numbered = sp.csr_matrix(
        (np.arange(1, rows.nnz + 1), rows.indices, rows.indptr), shape=rows.shape
    ).tocsc()
    sizes = np.where(direct, np.diff(numbered.indptr), 0)
    pointer = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    mine = np.repeat(direct, np.diff(numbered.indptr))
    at = numbered.indices[mine].astype(np.int64) + n
    return pointer, numbered.data[mine].astype(np.int64) - 1, places.find(owner[at], at), at - n


def _hops(order: Order, parent: IntArray) -> IntArray:
    """Hops of every message to its parent; 1 on a tree."""
    return np.array(
        [
            1 if up < 0 else order.hops(int(order.atoms[k]), int(order.atoms[up]))
            for k, up in enumerate(parent)
        ],
        dtype=np.int64,
    )


def _height(parent: IntArray, hops: IntArray) -> int:
    height = np.zeros(len(parent), dtype=np.int64)
    for k, up in enumerate(parent.tolist()):
        if up >= 0:
            height[up] = max(height[up], height[k] + hops[k])
    return int(height.max(initial=0))
