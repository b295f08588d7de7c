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
from dlmp_cosim.market.interior_point.fronts import BoolArray, Fronts
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.problem.factors import eliminate


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
        By front: what its own rows read of its edge, and their right-hand sides, ``(n_own, n_edge + 2)``.
    sent_ptr, sent : ndarray
        By front: its message, ``(n_edge, n_edge + 2)``.
    own_ptr, own : ndarray
        By front: the triangular factors of its own unknowns, ``(n_own + n_edge, n_own)``.
    pivots : ndarray of int
        Row of its front that each own row was interchanged with.
    seen : ndarray, shape (2, n)
        Diagonal of H and what is beside it at the last sweep up.
    moved : ndarray of bool, shape (n_front,)
        Whether that sweep had to eliminate a front anew; fronts of neighbours stand for themselves.
    work, right : ndarray
        Room for the largest front, and its right-hand sides.
    """

    kept_ptr: IntArray
    kept: FloatArray
    sent_ptr: IntArray
    sent: FloatArray
    own_ptr: IntArray
    own: FloatArray
    pivots: IntArray
    seen: FloatArray
    moved: BoolArray
    work: FloatArray
    right: FloatArray


def make_store(fronts: Fronts, n: int) -> Store:
    """Make room for the sweeps over some fronts of a system with `n` variables, and one set of entries."""
    own, edge = np.diff(fronts.own_ptr), np.diff(fronts.edge_ptr)
    sizes = own * (edge + 2), edge * (edge + 2), (own + edge) * own
    kept_ptr, sent_ptr, own_ptr = (np.append(0, np.cumsum(size)).astype(np.int64) for size in sizes)
    largest = int((own + edge).max(initial=0))
    return Store(
        kept_ptr=kept_ptr,
        kept=np.zeros(kept_ptr[-1]),
        sent_ptr=sent_ptr,
        sent=np.zeros(sent_ptr[-1]),
        own_ptr=own_ptr,
        own=np.empty(own_ptr[-1]),
        pivots=np.zeros(fronts.own_ptr[-1], dtype=np.int64),
        seen=np.full((2, n), np.nan),
        moved=np.ones(len(own), dtype=np.bool_),
        work=np.empty(largest**2),
        right=np.empty((largest, 2)),
    )


@compiled
def sweep_up(fronts: Fronts, system: System, store: Store) -> int:
    """Eliminate every front, leaves first; where no curvature has changed right-hand sides are enough.

    Returns
    -------
    int
        -1, or the first front whose own unknowns its equations do not determine.
    """
    for k in range(len(fronts.own_ptr) - 1):
        n_own = fronts.own_ptr[k + 1] - fronts.own_ptr[k]
        n_edge = fronts.edge_ptr[k + 1] - fronts.edge_ptr[k]
        size = n_own + n_edge
        work, right = store.work[: size * size].reshape(size, size), store.right[:size]
        pivots = store.pivots[fronts.own_ptr[k] : fronts.own_ptr[k + 1]]
        own = store.own[store.own_ptr[k] : store.own_ptr[k + 1]].reshape(size, n_own)
        kept = store.kept[store.kept_ptr[k] : store.kept_ptr[k + 1]].reshape(n_own, n_edge + 2)
        sent = store.sent[store.sent_ptr[k] : store.sent_ptr[k + 1]].reshape(n_edge, n_edge + 2)
        store.moved[k] = _has_moved(fronts, system, store, k)
        if store.moved[k]:
            _state_matrix(fronts, system, store, k, work)
            if not eliminate(work, pivots):
                store.seen[:, :] = np.nan
                return k
            own[:, :] = work[:, :n_own]
            kept[:, :n_edge] = work[:n_own, n_own:]
            sent[:, :n_edge] = work[n_own:, n_own:]
        _state_right(fronts, system, store, k, right)
        _carry(own, pivots, right)
        kept[:, n_edge:] = right[:n_own]
        sent[:, n_edge:] = right[n_own:]
    store.seen[0, :], store.seen[1, :] = system.curve, system.cross
    return -1


@compiled
def _has_moved(fronts: Fronts, system: System, store: Store, k: int) -> bool:
    """Whether anything but right-hand sides has changed in a front, or behind it."""
    curve, cross = store.seen[0], store.seen[1]
    for place in range(fronts.child_ptr[k], fronts.child_ptr[k + 1]):
        if store.moved[fronts.child[place]]:
            return True
    for place in range(fronts.own_ptr[k], fronts.own_ptr[k + 1]):
        j = fronts.own[place]
        if j < len(curve) and system.curve[j] != curve[j]:
            return True
    for place in range(fronts.local_ptr[k], fronts.local_ptr[k + 1]):
        j = fronts.local[place]
        mate = max(system.mate[j], 0)
        if system.curve[j] != curve[j] or system.cross[j] != cross[j] or system.curve[mate] != curve[mate]:
            return True
    return False


@compiled
def _state_matrix(fronts: Fronts, system: System, store: Store, k: int, work: FloatArray) -> None:
    """Curvatures and entries of a front, less what answers directly, and what its children leave over."""
    work[:, :] = 0.0
    n, start = len(system.curve), fronts.own_ptr[k]
    for i in range(fronts.own_ptr[k + 1] - start):
        unknown = fronts.own[start + i]
        if unknown < n:
            work[i, i] += system.curve[unknown]
    for e in range(fronts.entry_ptr[k], fronts.entry_ptr[k + 1]):
        value = system.entries[fronts.entry[e]]
        work[fronts.entry_row[e], fronts.entry_column[e]] += value
        work[fronts.entry_column[e], fronts.entry_row[e]] += value
    _answer_directly(fronts, system, k, work)
    _take_in(fronts, store, k, work)


@compiled
def _state_right(fronts: Fronts, system: System, store: Store, k: int, right: FloatArray) -> None:
    """Both parts of a front's right-hand sides: own ones, of what answers directly, and of its children."""
    right[:, :] = 0.0
    n, start = len(system.curve), fronts.own_ptr[k]
    for i in range(fronts.own_ptr[k + 1] - start):
        unknown = fronts.own[start + i]
        if unknown < n:
            right[i, 0] -= system.cost[0, unknown]
            right[i, 1] -= system.cost[1, unknown]
        else:
            right[i, 0] += system.right[unknown - n]
    for place in range(fronts.local_ptr[k], fronts.local_ptr[k + 1]):
        j = fronts.local[place]
        constant, along = alone(system, j, 0), alone(system, j, 1)
        for e in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
            row, value = fronts.column_row[e], system.entries[fronts.column_entry[e]]
            right[row, 0] -= value * constant
            right[row, 1] -= value * along
    for place in range(fronts.child_ptr[k], fronts.child_ptr[k + 1]):
        child = fronts.child[place]
        start = fronts.edge_ptr[child]
        n_edge = fronts.edge_ptr[child + 1] - start
        sent = store.sent[store.sent_ptr[child] : store.sent_ptr[child + 1]].reshape(n_edge, n_edge + 2)
        for i in range(n_edge):
            row = fronts.edge_at[start + i]
            right[row, 0] += sent[i, n_edge]
            right[row, 1] += sent[i, n_edge + 1]


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
def _answer_directly(fronts: Fronts, system: System, k: int, work: FloatArray) -> None:
    """Take the variables that answer the multipliers of their own rows out of a front."""
    for place in range(fronts.local_ptr[k], fronts.local_ptr[k + 1]):
        j = fronts.local[place]
        own, other = inverse(system, j)
        mate = system.mate[j]
        for e in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
            row, value = fronts.column_row[e], system.entries[fronts.column_entry[e]]
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
def _take_in(fronts: Fronts, store: Store, k: int, work: FloatArray) -> None:
    """Add the matrices of the messages of a front's children."""
    for place in range(fronts.child_ptr[k], fronts.child_ptr[k + 1]):
        child = fronts.child[place]
        start = fronts.edge_ptr[child]
        n_edge = fronts.edge_ptr[child + 1] - start
        sent = store.sent[store.sent_ptr[child] : store.sent_ptr[child + 1]].reshape(n_edge, n_edge + 2)
        for i in range(n_edge):
            row = fronts.edge_at[start + i]
            for j in range(n_edge):
                work[row, fronts.edge_at[start + j]] += sent[i, j]


@compiled
def _carry(own: FloatArray, pivots: IntArray, right: FloatArray) -> None:
    """Do to both parts of right-hand sides what the elimination of the own rows did to their matrix."""
    for p in range(len(pivots)):
        best = pivots[p]
        for part in range(2):
            right[p, part], right[best, part] = right[best, part], right[p, part]
    for i in range(own.shape[0]):
        row, constant, along = own[i], right[i, 0], right[i, 1]
        for p in range(min(i, len(pivots))):
            constant -= row[p] * right[p, 0]
            along -= row[p] * right[p, 1]
        right[i, 0], right[i, 1] = constant, along


@compiled
def sweep_down(fronts: Fronts, system: System, store: Store, t: float, x: FloatArray, m: FloatArray) -> None:
    """Solve every front from its edge, roots first, into variables `x` and multipliers `m`."""
    n = len(system.curve)
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        start, first = fronts.own_ptr[k], fronts.edge_ptr[k]
        n_own, n_edge = fronts.own_ptr[k + 1] - start, fronts.edge_ptr[k + 1] - first
        own = store.own[store.own_ptr[k] : store.own_ptr[k + 1]].reshape(n_own + n_edge, n_own)
        kept = store.kept[store.kept_ptr[k] : store.kept_ptr[k + 1]].reshape(n_own, n_edge + 2)
        edge, solved = store.right[:n_edge, 0], store.right[:n_own, 1]
        for j in range(n_edge):
            unknown = fronts.edge[first + j]
            edge[j] = x[unknown] if unknown < n else m[unknown - n]
        for i in range(n_own - 1, -1, -1):
            value = kept[i, n_edge] + t * kept[i, n_edge + 1]
            for j in range(n_edge):
                value -= kept[i, j] * edge[j]
            for j in range(i + 1, n_own):
                value -= own[i, j] * solved[j]
            value /= own[i, i]
            solved[i] = value
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
