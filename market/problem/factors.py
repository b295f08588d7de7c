"""The network's rows factorised along the tree of its agents: a small dense front a bus, in compiled loops.

The rows of a bus determine its variables once those around it are known, so every front pivots among its own
rows, and what a factorisation costs grows with the number of buses. Which front meets which, is fixed by the
pattern (`market.interior_point.square`); only numbers change from clearing to clearing.

Loops take arrays out of their records first: compiled code would read them there again for every entry.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.compiled import compiled

LEAST_PIVOT = 1e-30
"""A pivot smaller than this is none. Stiff limits leave pivots as small as the inverse of their stiffness."""


class SquareFronts(NamedTuple):
    """Fronts of square rows, ``x_ptr[f]:x_ptr[f + 1]`` being front f's part of x.

    Attributes
    ----------
    own_ptr, row, column : ndarray of int
        Rows eliminated, and as many variables.
    row_edge_ptr, row_edge, row_at : ndarray of int
        Later rows that those variables are in, and their places in the parent's front.
    column_edge_ptr, column_edge, column_at : ndarray of int
        Later variables that those rows read, and their places in the parent's front.
    child_ptr, child : ndarray of int
        Fronts whose remainders arrive.
    entry_ptr, entry, entry_row, entry_column : ndarray of int
        Entries of the matrix, with the places of their row and their variable.
    room_ptr : ndarray of int
        Where each front's numbers are among those of all.
    """

    own_ptr: IntArray
    row: IntArray
    column: IntArray
    row_edge_ptr: IntArray
    row_edge: IntArray
    row_at: IntArray
    column_edge_ptr: IntArray
    column_edge: IntArray
    column_at: IntArray
    child_ptr: IntArray
    child: IntArray
    entry_ptr: IntArray
    entry: IntArray
    entry_row: IntArray
    entry_column: IntArray
    room_ptr: IntArray


class Factors(NamedTuple):
    """Triangular factors of every front, rows interchanged.

    Attributes
    ----------
    fronts : SquareFronts
        The fronts.
    numbers : ndarray
        Of front f, shape (n_own + n_row_edge, n_own + n_column_edge): factors, and in the last corner the
        remainder that its parent has taken in.
    pivots : ndarray of int
        Row of its front that each own row was interchanged with.
    """

    fronts: SquareFronts
    numbers: FloatArray
    pivots: IntArray

    def solve(self, right: FloatArray) -> FloatArray:
        """Find x with ``A x = right``, shape (n,)."""
        x, left = np.empty(len(right)), right.copy()
        _solve(self.fronts, self.numbers, self.pivots, left, x)
        return x

    def solve_transposed(self, right: FloatArray) -> FloatArray:
        """Find y with ``A' y = right``, shape (n,)."""
        y, left = np.empty(len(right)), right.copy()
        _solve_transposed(self.fronts, self.numbers, self.pivots, left, y)
        return y


class WholeFactors(NamedTuple):
    """The same with pivots among all rows, where those of a bus alone do not determine its variables."""

    lu: SuperLU

    def solve(self, right: FloatArray) -> FloatArray:
        """Find x with ``A x = right``, shape (n,)."""
        return np.asarray(self.lu.solve(right))

    def solve_transposed(self, right: FloatArray) -> FloatArray:
        """Find y with ``A' y = right``, shape (n,)."""
        return np.asarray(self.lu.solve(right, "T"))


def factorise(rows: sp.csr_matrix, n: int, fronts: SquareFronts | None) -> Factors | WholeFactors:
    """Factorise the first rows in as many variables.

    Parameters
    ----------
    rows : csr_matrix, shape (m, at least `n`)
        Rows.
    n : int
        How many of them, and of their variables.
    fronts : SquareFronts, optional
        Their fronts; none where no elimination bus by bus determines the variables.

    Raises
    ------
    ClearingError
        When the rows do not determine them, as where a negotiation has run away.
    """
    if fronts is not None:
        numbers = np.zeros(fronts.room_ptr[-1])
        pivots = np.zeros(len(fronts.row), dtype=np.int64)
        if _factorise(fronts, rows.data, numbers, pivots):
            return Factors(fronts, numbers, pivots)
    try:
        return WholeFactors(splu(rows[:n, :n].tocsc()))
    except RuntimeError as error:
        raise ClearingError(f"the rows of the network have no solution: {error}") from None


@compiled
def _factorise(fronts: SquareFronts, entries: FloatArray, numbers: FloatArray, pivots: IntArray) -> bool:
    """Factorise every front, leaves first, and hand its remainder to its parent."""
    entry, rows, columns = fronts.entry, fronts.entry_row, fronts.entry_column
    for k in range(len(fronts.own_ptr) - 1):
        start, end = fronts.own_ptr[k], fronts.own_ptr[k + 1]
        height = end - start + fronts.row_edge_ptr[k + 1] - fronts.row_edge_ptr[k]
        width = end - start + fronts.column_edge_ptr[k + 1] - fronts.column_edge_ptr[k]
        work = numbers[fronts.room_ptr[k] : fronts.room_ptr[k + 1]].reshape(height, width)
        for e in range(fronts.entry_ptr[k], fronts.entry_ptr[k + 1]):
            work[rows[e], columns[e]] += entries[entry[e]]
        for child in fronts.child[fronts.child_ptr[k] : fronts.child_ptr[k + 1]]:
            _take_in(fronts, numbers, child, work)
        if not eliminate(work, pivots[start:end]):
            return False
    return True


@compiled
def _take_in(fronts: SquareFronts, numbers: FloatArray, child: int, work: FloatArray) -> None:
    """Add what a child's rows leave over."""
    rows, columns, row_ptr, column_ptr = (
        fronts.row_at,
        fronts.column_at,
        fronts.row_edge_ptr,
        fronts.column_edge_ptr,
    )
    n_own, first = fronts.own_ptr[child + 1] - fronts.own_ptr[child], column_ptr[child]
    width = column_ptr[child + 1] - first
    at = fronts.room_ptr[child] + n_own * (n_own + width) + n_own
    for place in range(row_ptr[child], row_ptr[child + 1]):
        row = rows[place]
        for j in range(width):
            work[row, columns[first + j]] += numbers[at + j]
        at += n_own + width


@compiled
def eliminate(work: FloatArray, pivots: IntArray) -> bool:
    """Gauss elimination of a front's own rows with pivots among them, in place.

    Places in the innermost loop are unsigned, so that the compiler sees that none is negative and takes
    several entries at a time.

    Parameters
    ----------
    work : ndarray, shape (height, width)
        Rows, the own ones first: they become the triangular factors, the last corner what is left over.
    pivots : ndarray of int, shape (n_own,)
        Of each own row, the one that it was interchanged with.

    Returns
    -------
    bool
        Whether there was a pivot for each.
    """
    height, width = work.shape
    flat = work.reshape(-1)
    for p in range(len(pivots)):
        best = p
        for i in range(p + 1, len(pivots)):
            if abs(work[i, p]) > abs(work[best, p]):
                best = i
        pivots[p] = best
        if not abs(work[best, p]) > LEAST_PIVOT:
            return False
        if best != p:
            for j in range(width):
                work[p, j], work[best, j] = work[best, j], work[p, j]
        inverse = 1.0 / work[p, p]
        for i in range(p + 1, height):
            if work[i, p] != 0.0:
                factor = work[i, p] * inverse
                work[i, p] = factor
                row, pivot = numba.uintp(i * width), numba.uintp(p * width)
                for j in range(numba.uintp(p + 1), numba.uintp(width)):
                    flat[row + j] -= factor * flat[pivot + j]
    return True


@compiled
def _solve(
    fronts: SquareFronts, numbers: FloatArray, pivots: IntArray, right: FloatArray, x: FloatArray
) -> None:
    """Solve for `x`, leaves first and back; `right` is used up."""
    rows, columns, beside, after = fronts.row, fronts.column, fronts.row_edge, fronts.column_edge
    part = np.empty(len(right))
    for k in range(len(fronts.own_ptr) - 1):
        start, n_own = fronts.own_ptr[k], fronts.own_ptr[k + 1] - fronts.own_ptr[k]
        width = n_own + fronts.column_edge_ptr[k + 1] - fronts.column_edge_ptr[k]
        at = fronts.room_ptr[k]
        for i in range(n_own):
            part[i] = right[rows[start + i]]
        for i in range(n_own):
            best = pivots[start + i]
            part[i], part[best] = part[best], part[i]
        for i in range(n_own):
            for j in range(i):
                part[i] -= numbers[at + j] * part[j]
            right[rows[start + i]] = part[i]
            at += width
        for place in range(fronts.row_edge_ptr[k], fronts.row_edge_ptr[k + 1]):
            value = right[beside[place]]
            for j in range(n_own):
                value -= numbers[at + j] * part[j]
            right[beside[place]] = value
            at += width
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        start, n_own = fronts.own_ptr[k], fronts.own_ptr[k + 1] - fronts.own_ptr[k]
        edge, width = fronts.column_edge_ptr[k], n_own
        for place in range(edge, fronts.column_edge_ptr[k + 1]):
            part[width] = x[after[place]]
            width += 1
        for i in range(n_own - 1, -1, -1):
            value, at = right[rows[start + i]], fronts.room_ptr[k] + i * width
            for j in range(i + 1, width):
                value -= numbers[at + j] * part[j]
            part[i] = value / numbers[at + i]
            x[columns[start + i]] = part[i]


@compiled
def _solve_transposed(
    fronts: SquareFronts, numbers: FloatArray, pivots: IntArray, right: FloatArray, y: FloatArray
) -> None:
    """Solve the transposed rows for `y`, leaves first and back; `right` is used up."""
    rows, columns, beside, after = fronts.row, fronts.column, fronts.row_edge, fronts.column_edge
    part = np.empty(len(right))
    for k in range(len(fronts.own_ptr) - 1):
        start, n_own = fronts.own_ptr[k], fronts.own_ptr[k + 1] - fronts.own_ptr[k]
        edge, n_edge = fronts.column_edge_ptr[k], fronts.column_edge_ptr[k + 1] - fronts.column_edge_ptr[k]
        at = fronts.room_ptr[k]
        silent = True
        for i in range(n_own):
            part[i] = right[columns[start + i]]
            silent &= part[i] == 0.0
        if silent:
            continue
        for j in range(n_edge):
            part[n_own + j] = right[after[edge + j]]
        for i in range(n_own):
            part[i] /= numbers[at + i]
            for j in range(numba.uintp(i + 1), numba.uintp(n_own + n_edge)):
                part[j] -= numbers[numba.uintp(at) + j] * part[i]
            right[columns[start + i]] = part[i]
            at += n_own + n_edge
        for j in range(n_edge):
            right[after[edge + j]] = part[n_own + j]
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        start, n_own = fronts.own_ptr[k], fronts.own_ptr[k + 1] - fronts.own_ptr[k]
        width = n_own + fronts.column_edge_ptr[k + 1] - fronts.column_edge_ptr[k]
        for i in range(n_own):
            part[i] = right[columns[start + i]]
        at = fronts.room_ptr[k] + n_own * width
        for place in range(fronts.row_edge_ptr[k], fronts.row_edge_ptr[k + 1]):
            value = y[beside[place]]
            for j in range(numba.uintp(n_own)):
                part[j] -= numbers[numba.uintp(at) + j] * value
            at += width
        for i in range(n_own - 1, 0, -1):
            at = fronts.room_ptr[k] + i * width
            for j in range(numba.uintp(i)):
                part[j] -= numbers[numba.uintp(at) + j] * part[i]
        for i in range(n_own - 1, -1, -1):
            best = pivots[start + i]
            part[i], part[best] = part[best], part[i]
        for i in range(n_own):
            y[rows[start + i]] = part[i]
