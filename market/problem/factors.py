"""The network's rows factorised along the tree of its agents: a small dense front a bus, in compiled loops.

The rows of a bus determine its variables once those around it are known, so every front pivots among its own
rows, and what a factorisation costs grows with the number of buses. Which front meets which, is fixed by the
pattern (`market.interior_point.square`); only numbers change from clearing to clearing.
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
def _front(fronts: SquareFronts, numbers: FloatArray, k: int) -> FloatArray:
    """Numbers of one front as a matrix."""
    n_own = fronts.own_ptr[k + 1] - fronts.own_ptr[k]
    height = n_own + fronts.row_edge_ptr[k + 1] - fronts.row_edge_ptr[k]
    width = n_own + fronts.column_edge_ptr[k + 1] - fronts.column_edge_ptr[k]
    return numbers[fronts.room_ptr[k] : fronts.room_ptr[k + 1]].reshape(height, width)


@compiled
def _factorise(fronts: SquareFronts, entries: FloatArray, numbers: FloatArray, pivots: IntArray) -> bool:
    """Factorise every front, leaves first, and hand its remainder to its parent."""
    for k in range(len(fronts.own_ptr) - 1):
        work = _front(fronts, numbers, k)
        for e in range(fronts.entry_ptr[k], fronts.entry_ptr[k + 1]):
            work[fronts.entry_row[e], fronts.entry_column[e]] += entries[fronts.entry[e]]
        for place in range(fronts.child_ptr[k], fronts.child_ptr[k + 1]):
            _take_in(fronts, numbers, fronts.child[place], work)
        if not eliminate(work, pivots[fronts.own_ptr[k] : fronts.own_ptr[k + 1]]):
            return False
    return True


@compiled
def _take_in(fronts: SquareFronts, numbers: FloatArray, child: int, work: FloatArray) -> None:
    """Add what a child's rows leave over."""
    n_own = fronts.own_ptr[child + 1] - fronts.own_ptr[child]
    remainder = _front(fronts, numbers, child)[n_own:, n_own:]
    row, column = fronts.row_edge_ptr[child], fronts.column_edge_ptr[child]
    for i in range(remainder.shape[0]):
        target = work[fronts.row_at[row + i]]
        for j in range(remainder.shape[1]):
            target[fronts.column_at[column + j]] += remainder[i, j]


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
        for i in range(p + 1, height):
            factor = work[i, p] / work[p, p]
            work[i, p] = factor
            if factor != 0.0:
                row, pivot = numba.uintp(i * width), numba.uintp(p * width)
                for j in range(numba.uintp(p + 1), numba.uintp(width)):
                    flat[row + j] -= factor * flat[pivot + j]
    return True


@compiled
def _solve(
    fronts: SquareFronts, numbers: FloatArray, pivots: IntArray, right: FloatArray, x: FloatArray
) -> None:
    """Solve for `x`, leaves first and back; `right` is used up."""
    for k in range(len(fronts.own_ptr) - 1):
        work, start, edge = _front(fronts, numbers, k), fronts.own_ptr[k], fronts.row_edge_ptr[k]
        n_own = fronts.own_ptr[k + 1] - start
        for i in range(n_own):
            here, there = fronts.row[start + i], fronts.row[start + pivots[start + i]]
            right[here], right[there] = right[there], right[here]
        for i in range(work.shape[0]):
            row = fronts.row[start + i] if i < n_own else fronts.row_edge[edge + i - n_own]
            for j in range(min(i, n_own)):
                right[row] -= work[i, j] * right[fronts.row[start + j]]
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        work, start, edge = _front(fronts, numbers, k), fronts.own_ptr[k], fronts.column_edge_ptr[k]
        n_own = fronts.own_ptr[k + 1] - start
        for i in range(n_own - 1, -1, -1):
            value = right[fronts.row[start + i]]
            for j in range(n_own, work.shape[1]):
                value -= work[i, j] * x[fronts.column_edge[edge + j - n_own]]
            for j in range(i + 1, n_own):
                value -= work[i, j] * x[fronts.column[start + j]]
            x[fronts.column[start + i]] = value / work[i, i]


@compiled
def _solve_transposed(
    fronts: SquareFronts, numbers: FloatArray, pivots: IntArray, right: FloatArray, y: FloatArray
) -> None:
    """Solve the transposed rows for `y`, leaves first and back; `right` is used up."""
    for k in range(len(fronts.own_ptr) - 1):
        work, start, edge = _front(fronts, numbers, k), fronts.own_ptr[k], fronts.column_edge_ptr[k]
        n_own = fronts.own_ptr[k + 1] - start
        for i in range(n_own):
            value = right[fronts.column[start + i]] / work[i, i]
            right[fronts.column[start + i]] = value
            for j in range(i + 1, n_own):
                right[fronts.column[start + j]] -= work[i, j] * value
            for j in range(n_own, work.shape[1]):
                right[fronts.column_edge[edge + j - n_own]] -= work[i, j] * value
    for k in range(len(fronts.own_ptr) - 2, -1, -1):
        work, start, edge = _front(fronts, numbers, k), fronts.own_ptr[k], fronts.row_edge_ptr[k]
        n_own = fronts.own_ptr[k + 1] - start
        for i in range(n_own):
            y[fronts.row[start + i]] = right[fronts.column[start + i]]
        for i in range(work.shape[0] - 1, 0, -1):
            value = y[fronts.row[start + i]] if i < n_own else y[fronts.row_edge[edge + i - n_own]]
            for j in range(min(i, n_own)):
                y[fronts.row[start + j]] -= work[i, j] * value
        for i in range(n_own - 1, -1, -1):
            here, there = fronts.row[start + i], fronts.row[start + pivots[start + i]]
            y[here], y[there] = y[there], y[here]
