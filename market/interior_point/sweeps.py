"""One sweep up and one down: compiled elimination of the Newton system, front by front.

The system is ``[H, A'; A, 0] [dx; m] = [-c; b]`` with m the multipliers of the rows (their negative is what
prices are made of). A step is solved for and not its end, so that stiff limits lose no digits. Its right-hand
side is linear in t, ``c = c0 + t c1``, so that the root may choose t after the sweep up: every message
carries both parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.interior_point.fronts import Fronts
from dlmp_cosim.market.problem.compiled import compiled

LEAST_PIVOT = 1e-30
"""A pivot smaller than this is none. Stiff limits leave pivots as small as the inverse of their stiffness."""


class System(NamedTuple):
    """Numbers of one Newton step.

    Attributes
    ----------
    entries : ndarray
        Entries of A, by rows.
    curve : ndarray, shape (n,)
        Diagonal of H; infinite for a variable that is known.
    cross : ndarray, shape (n,)
        Its entry beside it, in the column of the other variable of a disc.
    cost : ndarray, shape (2, n)
        c0 and c1.
    right : ndarray, shape (m,)
        b.
    mate : ndarray of int, shape (n,)
        The other variable of a disc; -1 where there is none.
    """

    entries: FloatArray
    curve: FloatArray
    cross: FloatArray
    cost: FloatArray
    right: FloatArray
    mate: IntArray


class Store(NamedTuple):
    """What agents keep between the sweep up and the sweep down, and the messages sent up.

    Attributes
    ----------
    kept_ptr, kept : ndarray
        By front: its own unknowns as they follow from its edge, ``(n_own, n_edge + 2)``.
    sent_ptr, sent : ndarray
        By front: its message, ``(n_edge, n_edge + 2)``.
    work : ndarray
        Room for the largest front.
    """

    kept_ptr: IntArray
    kept: FloatArray
    sent_ptr: IntArray
    sent: FloatArray
    work: FloatArray


def make_store(fronts: Fronts) -> Store:
    """Make room for the sweeps over some fronts."""
    own, edge = np.diff(fronts.own_ptr), np.diff(fronts.edge_ptr)
    kept_ptr = np.concatenate([[0], np.cumsum(own * (edge + 2))]).astype(np.int64)
    sent_ptr = np.concatenate([[0], np.cumsum(edge * (edge + 2))]).astype(np.int64)
    largest = int((own + edge).max(initial=0))
    return Store(
        kept_ptr, np.zeros(kept_ptr[-1]), sent_ptr, np.zeros(sent_ptr[-1]), np.zeros(largest * (largest + 2))
    )


@compiled
def sweep_up(fronts: Fronts, system: System, store: Store) -> int:
    """Eliminate every front, leaves first.

    Returns
    -------
    int
        -1, or the first front whose own unknowns its equations do not determine.
    """
    for k in range(len(fronts.own_ptr) - 1):
        n_own = fronts.own_ptr[k + 1] - fronts.own_ptr[k]
        n_edge = fronts.edge_ptr[k + 1] - fronts.edge_ptr[k]
        size = n_own + n_edge
        work = store.work[: size * (size + 2)].reshape(size, size + 2)
        work[:, :] = 0.0
        _state_own(fronts, system, k, work, size)
        _answer_directly(fronts, system, k, work, size)
        _take_in(fronts, store, k, work, size)
        if not eliminate(work, n_own, size + 2):
            return k
        kept = store.kept[store.kept_ptr[k] : store.kept_ptr[k + 1]].reshape(n_own, n_edge + 2)
        kept[:, :] = work[:n_own, n_own:]
        sent = store.sent[store.sent_ptr[k] : store.sent_ptr[k + 1]].reshape(n_edge, n_edge + 2)
        sent[:, :] = work[n_own:, n_own:]
    return -1


@compiled
def _state_own(fronts: Fronts, system: System, k: int, work: FloatArray, size: int) -> None:
    """Own costs, right-hand sides and entries of a front."""
    n = len(system.curve)
    start = fronts.own_ptr[k]
    for i in range(fronts.own_ptr[k + 1] - start):
        unknown = fronts.own[start + i]
        if unknown < n:
            work[i, i] += system.curve[unknown]
            work[i, size] -= system.cost[0, unknown]
            work[i, size + 1] -= system.cost[1, unknown]
        else:
            work[i, size] += system.right[unknown - n]
    for e in range(fronts.entry_ptr[k], fronts.entry_ptr[k + 1]):
        value = system.entries[fronts.entry[e]]
        work[fronts.entry_row[e], fronts.entry_column[e]] += value
        work[fronts.entry_column[e], fronts.entry_row[e]] += value


@compiled
def inverse(system: System, j: int) -> tuple[float, float]:
    """Entries of the inverse of H in the row of a variable: its own, and that of the other of its disc."""
    mate = system.mate[j]
    if mate < 0 or np.isinf(system.curve[mate]) or np.isinf(system.curve[j]):
        return 1.0 / system.curve[j], 0.0
    across = system.cross[j]
    whole = system.curve[j] * system.curve[mate] - across * across
    return system.curve[mate] / whole, -across / whole


@compiled
def _answer_directly(fronts: Fronts, system: System, k: int, work: FloatArray, size: int) -> None:
    """Take the variables that answer the multipliers of their own rows out of a front."""
    for place in range(fronts.local_ptr[k], fronts.local_ptr[k + 1]):
        j = fronts.local[place]
        own, other = inverse(system, j)
        mate = system.mate[j]
        constant, along = alone(system, j, 0), alone(system, j, 1)
        for e in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
            row, value = fronts.column_row[e], system.entries[fronts.column_entry[e]]
            work[row, size] -= value * constant
            work[row, size + 1] -= value * along
            for f in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
                work[row, fronts.column_row[f]] -= value * own * system.entries[fronts.column_entry[f]]
            if other != 0.0:
                for f in range(fronts.column_ptr[mate], fronts.column_ptr[mate + 1]):
                    work[row, fronts.column_row[f]] -= value * other * system.entries[fronts.column_entry[f]]


@compiled
def alone(system: System, j: int, part: int) -> float:
    """How a variable would move without multipliers: its constant part, or its part in t."""
    own, other = inverse(system, j)
    value = -own * system.cost[part, j]
    if other != 0.0:
        value -= other * system.cost[part, system.mate[j]]
    return float(value)


@compiled
def _take_in(fronts: Fronts, store: Store, k: int, work: FloatArray, size: int) -> None:
    """Add the messages of a front's children."""
    for place in range(fronts.child_ptr[k], fronts.child_ptr[k + 1]):
        child = fronts.child[place]
        start = fronts.edge_ptr[child]
        n_edge = fronts.edge_ptr[child + 1] - start
        sent = store.sent[store.sent_ptr[child] : store.sent_ptr[child + 1]].reshape(n_edge, n_edge + 2)
        for i in range(n_edge):
            row = fronts.edge_at[start + i]
            for j in range(n_edge):
                work[row, fronts.edge_at[start + j]] += sent[i, j]
            work[row, size] += sent[i, n_edge]
            work[row, size + 1] += sent[i, n_edge + 1]


@compiled
def eliminate(work: FloatArray, n_own: int, width: int) -> bool:
    """Gauss elimination of the own rows, pivoting among them, then their solution by the rest, in place.

    Loops run over slices from 0, so that the compiler sees that no index is negative and takes several
    entries at a time.

    Parameters
    ----------
    work : ndarray, shape (size, at least `width`)
        Rows; the first `n_own` become what their unknowns are by the columns after them.
    n_own : int
        Unknowns to be eliminated.
    width : int
        Columns that count.

    Returns
    -------
    bool
        Whether there was a pivot for each.
    """
    size = work.shape[0]
    for p in range(n_own):
        best = p
        for i in range(p + 1, n_own):
            if abs(work[i, p]) > abs(work[best, p]):
                best = i
        if not abs(work[best, p]) > LEAST_PIVOT:
            return False
        pivot = work[p, p:width]
        if best != p:
            other = work[best, p:width]
            for j in range(len(pivot)):
                pivot[j], other[j] = other[j], pivot[j]
        for i in range(p + 1, size):
            row = work[i, p:width]
            factor = row[0] / pivot[0]
            if factor != 0.0:
                for j in range(1, len(pivot)):
                    row[j] -= factor * pivot[j]
    for p in range(n_own - 1, -1, -1):
        target = work[p, n_own:width]
        for i in range(p + 1, n_own):
            factor = work[p, i]
            if factor != 0.0:
                known = work[i, n_own:width]
                for j in range(len(target)):
                    target[j] -= factor * known[j]
        for j in range(len(target)):
            target[j] /= work[p, p]
    return True


@compiled
def sweep_down(fronts: Fronts, system: System, store: Store, t: float, x: FloatArray, m: FloatArray) -> None:
    """Solve every front from its edge, roots first, into variables `x` and multipliers `m`."""
    n = len(system.curve)
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        start, first = fronts.own_ptr[k], fronts.edge_ptr[k]
        n_own, n_edge = fronts.own_ptr[k + 1] - start, fronts.edge_ptr[k + 1] - first
        kept = store.kept[store.kept_ptr[k] : store.kept_ptr[k + 1]].reshape(n_own, n_edge + 2)
        for i in range(n_own):
            value = kept[i, n_edge] + t * kept[i, n_edge + 1]
            for j in range(n_edge):
                unknown = fronts.edge[first + j]
                value -= kept[i, j] * (x[unknown] if unknown < n else m[unknown - n])
            unknown = fronts.own[start + i]
            if unknown < n:
                x[unknown] = value
            else:
                m[unknown - n] = value
    _answer(fronts, system, t, x, m)


@compiled
def _answer(fronts: Fronts, system: System, t: float, x: FloatArray, m: FloatArray) -> None:
    """Find the variables that answer the multipliers of their own rows."""
    for place in range(len(fronts.local)):
        j = fronts.local[place]
        own, other = inverse(system, j)
        value = alone(system, j, 0) + t * alone(system, j, 1) - own * _pull(fronts, system, j, m)
        if other != 0.0:
            value -= other * _pull(fronts, system, system.mate[j], m)
        x[j] = value


@compiled
def _pull(fronts: Fronts, system: System, j: int, m: FloatArray) -> float:
    """Sum of a variable's entries times their multipliers."""
    total = 0.0
    for e in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
        total += system.entries[fronts.column_entry[e]] * m[fronts.column_multiplier[e]]
    return total
