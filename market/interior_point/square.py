"""Fronts of the network's rows alone: what a plan of the optimality conditions says of their elimination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.problem.factors import SquareFronts

if TYPE_CHECKING:
    from dlmp_cosim.market.interior_point.fronts import BoolArray, Fronts


def square_fronts(fronts: Fronts, up: IntArray, n: int, n_state: int) -> SquareFronts | None:
    """Keep of the fronts of a problem its first rows and variables; None where a front is not square.

    Parameters
    ----------
    fronts : Fronts
        Fronts of the problem's optimality conditions.
    up : ndarray of int, shape (n_front,)
        Parent of every front, -1 at a root.
    n : int
        Number of its variables.
    n_state : int
        Number of rows and variables that are kept.
    """
    every = np.arange(len(fronts.own_ptr) - 1)
    front = np.concatenate([np.repeat(every, np.diff(ptr)) for ptr in (fronts.own_ptr, fronts.edge_ptr)])
    order = np.argsort(front, kind="stable")
    unknown = np.append(fronts.own, fronts.edge)[order]
    first = np.searchsorted(front[order], every)
    is_column, is_row = unknown < n_state, (unknown >= n) & (unknown < n + n_state)
    row_place, column_place = (_places(kept, first) for kept in (is_row, is_column))
    _, row, own_ptr = _kept(fronts.own_ptr, fronts.own, n, n + n_state)
    _, column, column_ptr = _kept(fronts.own_ptr, fronts.own, 0, n_state)
    if not np.array_equal(own_ptr, column_ptr):
        return None
    at_row, row_edge, row_edge_ptr = _kept(fronts.edge_ptr, fronts.edge, n, n + n_state)
    at_column, column_edge, column_edge_ptr = _kept(fronts.edge_ptr, fronts.edge, 0, n_state)
    above = first[up[np.repeat(every, np.diff(fronts.edge_ptr))]] + fronts.edge_at
    mine = first[np.repeat(every, np.diff(fronts.entry_ptr))]
    rows, columns = mine + fronts.entry_row, mine + fronts.entry_column
    inside = is_row[rows] & is_column[columns]
    sizes = np.diff(own_ptr)
    room = (sizes + np.diff(row_edge_ptr)) * (sizes + np.diff(column_edge_ptr))
    return SquareFronts(
        own_ptr=own_ptr,
        row=row - n,
        column=column,
        row_edge_ptr=row_edge_ptr,
        row_edge=row_edge - n,
        row_at=row_place[above[at_row]],
        column_edge_ptr=column_edge_ptr,
        column_edge=column_edge,
        column_at=column_place[above[at_column]],
        child_ptr=fronts.child_ptr,
        child=fronts.child,
        entry_ptr=np.append(0, np.cumsum(inside))[fronts.entry_ptr],
        entry=fronts.entry[inside],
        entry_row=row_place[rows[inside]],
        entry_column=column_place[columns[inside]],
        room_ptr=np.append(0, np.cumsum(room)),
    )


def _kept(pointer: IntArray, unknown: IntArray, low: int, high: int) -> tuple[BoolArray, IntArray, IntArray]:
    """Which members of a flat array lie in a range, those members, and their pointer."""
    kept = (unknown >= low) & (unknown < high)
    return kept, unknown[kept], np.append(0, np.cumsum(kept))[pointer]


def _places(kept: BoolArray, first: IntArray) -> IntArray:
    """Place of every member among those of its front that are kept."""
    before = np.append(0, np.cumsum(kept))
    at: IntArray = before[:-1] - np.repeat(before[first], np.diff(np.append(first, len(kept))))
    return at
