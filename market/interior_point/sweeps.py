"""One sweep up and one down: compiled elimination of the Newton system, front by front.

The system is ``[H, A'; A, 0] [dx; m] = [-c; b]`` with m the multipliers of the rows (their negative is what
prices are made of). A step is solved for and not its end, so that stiff limits lose no digits. Its right-hand
side is linear in t, ``c = c0 + t c1``, so that the root may choose t after the sweep up: every message
carries both parts.

Loops take arrays out of their records first: compiled code would read them there again for every entry.
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
    inverse : ndarray, shape (2, n)
        Of variables that answer directly: their own entry of the inverse of H, and that of the other of
        their disc in its row.
    alone : ndarray, shape (2, n)
        How those would move without multipliers: constant part, and part in t.
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
    inverse: FloatArray
    alone: FloatArray
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
        inverse=np.zeros((2, n)),
        alone=np.zeros((2, n)),
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
    _move_alone(fronts, system, store)
    anew = bool(np.isnan(store.seen[0, 0]))
    for k in range(len(fronts.own_ptr) - 1):
        start, end = fronts.own_ptr[k], fronts.own_ptr[k + 1]
        size = end - start + fronts.edge_ptr[k + 1] - fronts.edge_ptr[k]
        pivots, right = store.pivots[start:end], store.right[:size]
        store.moved[k] = anew or _has_moved(fronts, system, store, k)
        if store.moved[k]:
            work = store.work[: size * size].reshape(size, size)
            _state_matrix(fronts, system, store, k, work)
            if not eliminate(work, pivots):
                store.seen[:, :] = np.nan
                return k
            _keep_matrix(store, k, len(pivots), work)
        _state_right(fronts, system, store, k, right)
        _carry(store, k, pivots, right)
        _keep_right(store, k, len(pivots), right)
    store.seen[0, :], store.seen[1, :] = system.curve, system.cross
    return -1


@compiled
def _move_alone(fronts: Fronts, system: System, store: Store) -> None:
    """Find how variables that answer directly move without multipliers, and how they answer those."""
    curve, cross, mates, cost = system.curve, system.cross, system.mate, system.cost
    inverse, alone = store.inverse, store.alone
    for j in fronts.local:
        mate, (own, other) = max(mates[j], 0), inverse_of(curve, cross, mates, j)
        inverse[0, j], inverse[1, j] = own, other
        for part in range(2):
            alone[part, j] = -own * cost[part, j] - other * cost[part, mate]


@compiled
def inverse_of(curve: FloatArray, cross: FloatArray, mates: IntArray, j: int) -> tuple[float, float]:
    """Find the entry of a variable in the inverse of H, and that of the other of its disc in its row."""
    mate = mates[j]
    if mate < 0 or np.isinf(curve[j]) or np.isinf(curve[mate]):
        return 1.0 / curve[j], 0.0
    whole = curve[j] * curve[mate] - cross[j] * cross[j]
    return curve[mate] / whole, -cross[j] / whole


@compiled
def _has_moved(fronts: Fronts, system: System, store: Store, k: int) -> bool:
    """Whether anything but right-hand sides has changed in a front, or behind it."""
    curve, cross, mates, own = system.curve, system.cross, system.mate, fronts.own
    last_curve, last_cross, moved = store.seen[0], store.seen[1], False
    for place in range(fronts.child_ptr[k], fronts.child_ptr[k + 1]):
        moved |= store.moved[fronts.child[place]]
    for place in range(fronts.own_ptr[k], fronts.own_ptr[k + 1]):
        j = own[place]
        moved |= j < len(curve) and curve[j] != last_curve[j]
    for place in range(fronts.local_ptr[k], fronts.local_ptr[k + 1]):
        j = fronts.local[place]
        mate = max(mates[j], 0)
        moved |= curve[j] != last_curve[j] or cross[j] != last_cross[j] or curve[mate] != last_curve[mate]
    return moved


@compiled
def _state_matrix(fronts: Fronts, system: System, store: Store, k: int, work: FloatArray) -> None:
    """Curvatures and entries of a front, less what answers directly, and what its children leave over."""
    work[:, :] = 0.0
    curve, own, start = system.curve, fronts.own, fronts.own_ptr[k]
    for i in range(fronts.own_ptr[k + 1] - start):
        if own[start + i] < len(curve):
            work[i, i] += curve[own[start + i]]
    entries, entry, rows, columns = system.entries, fronts.entry, fronts.entry_row, fronts.entry_column
    for e in range(fronts.entry_ptr[k], fronts.entry_ptr[k + 1]):
        work[rows[e], columns[e]] += entries[entry[e]]
        work[columns[e], rows[e]] += entries[entry[e]]
    for place in range(fronts.local_ptr[k], fronts.local_ptr[k + 1]):
        j = fronts.local[place]
        _answer_directly(fronts, system, j, j, store.inverse[0, j], work)
        if store.inverse[1, j] != 0.0:
            _answer_directly(fronts, system, j, system.mate[j], store.inverse[1, j], work)
    _take_in(fronts, store, k, work)


@compiled
def _answer_directly(
    fronts: Fronts, system: System, one: int, other: int, inverse: float, work: FloatArray
) -> None:
    """Take how one variable answers the multipliers of another's rows out of a front."""
    entries, entry, rows, pointer = system.entries, fronts.column_entry, fronts.column_row, fronts.column_ptr
    for e in range(pointer[one], pointer[one + 1]):
        row, value = rows[e], entries[entry[e]] * inverse
        for f in range(pointer[other], pointer[other + 1]):
            work[row, rows[f]] -= value * entries[entry[f]]


@compiled
def _take_in(fronts: Fronts, store: Store, k: int, work: FloatArray) -> None:
    """Add the matrices of the messages of a front's children."""
    places, sent = fronts.edge_at, store.sent
    for child in fronts.child[fronts.child_ptr[k] : fronts.child_ptr[k + 1]]:
        start, at = fronts.edge_ptr[child], store.sent_ptr[child]
        n_edge = fronts.edge_ptr[child + 1] - start
        for i in range(n_edge):
            row = places[start + i]
            for j in range(n_edge):
                work[row, places[start + j]] += sent[at + j]
            at += n_edge + 2


@compiled
def _keep_matrix(store: Store, k: int, n_own: int, work: FloatArray) -> None:
    """Keep what eliminations leave: the factors of the own rows, what they read of the edge, the message."""
    own, kept, sent = store.own, store.kept, store.sent
    own_at, kept_at, sent_at = store.own_ptr[k], store.kept_ptr[k], store.sent_ptr[k]
    size, n_edge = len(work), len(work) - n_own
    for i in range(size):
        for j in range(n_own):
            own[own_at + j] = work[i, j]
        own_at += n_own
    for i in range(n_own):
        for j in range(n_edge):
            kept[kept_at + j] = work[i, n_own + j]
        kept_at += n_edge + 2
    for i in range(n_own, size):
        for j in range(n_edge):
            sent[sent_at + j] = work[i, n_own + j]
        sent_at += n_edge + 2


@compiled
def _keep_right(store: Store, k: int, n_own: int, right: FloatArray) -> None:
    """Keep right-hand sides beside the matrices, those of the message too."""
    kept, sent, n_edge = store.kept, store.sent, len(right) - n_own
    kept_at, sent_at = store.kept_ptr[k] + n_edge, store.sent_ptr[k] + n_edge
    for i in range(n_own):
        kept[kept_at], kept[kept_at + 1] = right[i, 0], right[i, 1]
        kept_at += n_edge + 2
    for i in range(n_own, len(right)):
        sent[sent_at], sent[sent_at + 1] = right[i, 0], right[i, 1]
        sent_at += n_edge + 2


@compiled
def _state_right(fronts: Fronts, system: System, store: Store, k: int, right: FloatArray) -> None:
    """Both parts of a front's right-hand sides: own ones, of what answers directly, and of its children."""
    right[:, :] = 0.0
    cost, given, n = system.cost, system.right, len(system.curve)
    own, start = fronts.own, fronts.own_ptr[k]
    for i in range(fronts.own_ptr[k + 1] - start):
        unknown = own[start + i]
        if unknown < n:
            right[i, 0], right[i, 1] = -cost[0, unknown], -cost[1, unknown]
        else:
            right[i, 0] = given[unknown - n]
    rows, entry, entries, alone = fronts.column_row, fronts.column_entry, system.entries, store.alone
    for j in fronts.local[fronts.local_ptr[k] : fronts.local_ptr[k + 1]]:
        for e in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
            right[rows[e], 0] -= entries[entry[e]] * alone[0, j]
            right[rows[e], 1] -= entries[entry[e]] * alone[1, j]
    places, sent = fronts.edge_at, store.sent
    for child in fronts.child[fronts.child_ptr[k] : fronts.child_ptr[k + 1]]:
        first, last = fronts.edge_ptr[child], fronts.edge_ptr[child + 1]
        at = store.sent_ptr[child] + last - first
        for place in range(first, last):
            right[places[place], 0] += sent[at]
            right[places[place], 1] += sent[at + 1]
            at += last - first + 2


@compiled
def _carry(store: Store, k: int, pivots: IntArray, right: FloatArray) -> None:
    """Do to both parts of right-hand sides what the elimination of the own rows did to their matrix."""
    for p in range(len(pivots)):
        best = pivots[p]
        for part in range(2):
            right[p, part], right[best, part] = right[best, part], right[p, part]
    own, at = store.own, store.own_ptr[k]
    for i in range(len(right)):
        constant, along = right[i, 0], right[i, 1]
        for p in range(min(i, len(pivots))):
            constant -= own[at + p] * right[p, 0]
            along -= own[at + p] * right[p, 1]
        right[i, 0], right[i, 1] = constant, along
        at += len(pivots)


@compiled
def sweep_down(fronts: Fronts, system: System, store: Store, t: float, x: FloatArray, m: FloatArray) -> None:
    """Solve every front from its edge, roots first, into variables `x` and multipliers `m`."""
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        _solve_own(fronts, store, k, t, x, m)
    _answer(fronts, system, store, t, x, m)


@compiled
def _solve_own(fronts: Fronts, store: Store, k: int, t: float, x: FloatArray, m: FloatArray) -> None:
    """Solve one front from its edge."""
    n, unknowns, start, first = len(x), fronts.own, fronts.own_ptr[k], fronts.edge_ptr[k]
    n_own, n_edge = fronts.own_ptr[k + 1] - start, fronts.edge_ptr[k + 1] - first
    own, kept, around, edge, solved = store.own, store.kept, fronts.edge, store.right[:, 0], store.right[:, 1]
    for j in range(n_edge):
        unknown = around[first + j]
        edge[j] = x[unknown] if unknown < n else m[unknown - n]
    for i in range(n_own - 1, -1, -1):
        at, beside = store.own_ptr[k] + i * n_own, store.kept_ptr[k] + i * (n_edge + 2)
        value = kept[beside + n_edge] + t * kept[beside + n_edge + 1]
        for j in range(n_edge):
            value -= kept[beside + j] * edge[j]
        for j in range(i + 1, n_own):
            value -= own[at + j] * solved[j]
        solved[i] = value / own[at + i]
        unknown = unknowns[start + i]
        if unknown < n:
            x[unknown] = solved[i]
        else:
            m[unknown - n] = solved[i]


@compiled
def _answer(fronts: Fronts, system: System, store: Store, t: float, x: FloatArray, m: FloatArray) -> None:
    """Find the variables that answer the multipliers of their own rows."""
    inverse, alone = store.inverse, store.alone
    for j in fronts.local:
        value = alone[0, j] + t * alone[1, j] - inverse[0, j] * _pull(fronts, system, j, m)
        if inverse[1, j] != 0.0:
            value -= inverse[1, j] * _pull(fronts, system, system.mate[j], m)
        x[j] = value


@compiled
def _pull(fronts: Fronts, system: System, j: int, m: FloatArray) -> float:
    """Sum of a variable's entries times their multipliers."""
    total, entries, entry, rows = 0.0, system.entries, fronts.column_entry, fronts.column_multiplier
    for e in range(fronts.column_ptr[j], fronts.column_ptr[j + 1]):
        total += entries[entry[e]] * m[rows[e]]
    return total
