"""Step sizes that agents choose from their own rows and columns: nobody tunes a gain for a new feeder.

Every resource counts in its own reach (its nameplate), so that a large generator and a small flexible load
take equal shares of their way. Ruiz scaling then brings rows, and the columns of everything
without a reach, to a largest entry of one. Each variable steps by the inverse of its column sum and each row
by the inverse of its row sum (Pock and Chambolle, ICCV 2011, lemma 2), which guarantees ``||S^(1/2) K
T^(1/2)|| <= 1`` in any units. Sums and maxima of a row reach over one neighbourhood only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem

RUIZ_PASSES = 10
"""Passes of row and column scaling; the figures change by less than 1 % after that."""
LEAST_REACH = 1e-3
"""Reach of a variable that cannot move, in units of the problem: next to nothing, but not zero."""


@dataclass(frozen=True)
class Gains:
    """Primal steps `tau`, shape (n,), and dual steps `sigma`, shape (m,)."""

    tau: FloatArray
    sigma: FloatArray


def local_gains(problem: AtomicProblem, passes: int = RUIZ_PASSES, *, by_reach: bool = True) -> Gains:
    """Choose all steps from local rows and columns.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    passes : int, optional
        Ruiz passes; 0 leaves the rows as the model scaled them.
    by_reach : bool, optional
        Whether resources count in their own reach or in the units of the model.
    """
    size = abs(problem.rows).tocoo()
    known = np.full(size.shape[1], np.inf)
    if by_reach and problem.reach is not None:
        known = np.maximum(problem.reach, LEAST_REACH)
    row, col = _ruiz(size, passes, known)
    scaled = size.data * row[size.row] * col[size.col]
    tau = col**2 / _positive(_sums(size.col, scaled, len(col)))
    sigma = row**2 / _positive(_sums(size.row, scaled, len(row)))
    return Gains(_fit_cones(problem, tau), sigma)


def atom_gains(problem: AtomicProblem, ratio: float) -> Gains:
    """Choose one rho and one gamma for each atom, from its own rows and columns, as published.

    Parameters
    ----------
    problem : AtomicProblem
        The problem with copies.
    ratio : float
        Dual step over primal step (gamma of the published iteration).
    """
    size = abs(problem.rows).tocsr()
    by_column, by_row = np.asarray(size.sum(axis=0)).ravel(), np.asarray(size.sum(axis=1)).ravel()
    widest, longest = np.zeros(problem.n_atom), np.zeros(problem.n_atom)
    np.maximum.at(widest, problem.variable_atom, by_column)
    np.maximum.at(longest, problem.row_atom, by_row)
    tau = 1 / _positive(widest[problem.variable_atom]) / np.sqrt(ratio)
    sigma = np.sqrt(ratio) / _positive(longest[problem.row_atom])
    return Gains(_fit_cones(problem, tau), sigma)


def uniform_gains(problem: AtomicProblem, ratio: float = 1.0) -> Gains:
    """Choose one pair of steps for everybody: what local choices are held against.

    It takes the largest singular value of all rows, which no agent could know.

    Parameters
    ----------
    problem : AtomicProblem
        The problem, without cones.
    ratio : float, optional
        Dual step over primal step.
    """
    start = np.ones(min(problem.rows.shape))
    norm = float(sla.svds(problem.rows, k=1, v0=start, return_singular_vectors=False)[0])
    tau = np.full(problem.rows.shape[1], 1 / norm / np.sqrt(ratio))
    return Gains(tau, np.full(problem.rows.shape[0], np.sqrt(ratio) / norm))


def _ruiz(size: sp.coo_matrix, passes: int, known: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scale rows and columns to a largest entry of one; columns with a finite unit in `known` keep it."""
    free = ~np.isfinite(known)
    row, col = np.ones(size.shape[0]), np.where(free, 1.0, known)
    for _ in range(passes):
        value = size.data * row[size.row] * col[size.col]
        high_row, high_col = np.zeros_like(row), np.zeros_like(col)
        np.maximum.at(high_row, size.row, value)
        np.maximum.at(high_col, size.col, value)
        row /= np.sqrt(_positive(high_row))
        col[free] /= np.sqrt(_positive(high_col))[free]
    return row, col


def _sums(place: IntArray, value: FloatArray, count: int) -> FloatArray:
    """Sum of the values at each place."""
    return np.bincount(place, value, count).astype(np.float64, copy=False)


def _positive(value: FloatArray) -> FloatArray:
    """Replace zeros (empty rows or columns) by one."""
    return np.where(value > 0, value, 1.0)


def _fit_cones(problem: AtomicProblem, tau: FloatArray) -> FloatArray:
    """Shrink steps inside a cone until ``tau_l tau_v = (2 tau_p)**2`` and ``tau_p = tau_q``.

    Only then is the projection on ``p**2 + q**2 <= l v`` in the metric of the steps closed-form.
    """
    if not len(problem.cones):
        return tau
    tau = tau.copy()
    p, q, length, v = problem.cones.T
    power = np.minimum(np.minimum(tau[p], tau[q]), np.sqrt(tau[length] * tau[v]) / 2)
    shrink = 2 * power / np.sqrt(tau[length] * tau[v])
    tau[p] = tau[q] = power
    tau[length] *= shrink
    tau[v] *= shrink
    return tau
