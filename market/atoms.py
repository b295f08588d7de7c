"""The market as a problem of atoms: sparse rows, bounds and costs, and which bus owns what.

Every bus with its parent branch is an atom. An atom owns variables and rows; a row may read variables of its own
atom and of neighbouring atoms only. All quantities are scaled to order one by the model that builds the problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from feeders.network import FloatArray, IntArray


@dataclass(frozen=True)
class AtomicProblem:
    """A convex problem whose variables and rows belong to atoms.

    Minimise ``sum(quadratic * x**2) / 2 + linear @ x + offset`` plus soft limits, subject to ``rows @ x == rhs``,
    ``lower <= x <= upper``, discs ``x[p]**2 + x[q]**2 <= radius**2`` and cones ``x[p]**2 + x[q]**2 <= x[l] * x[v]``.
    A soft limit costs ``penalty`` per unit outside ``[soft_lower, soft_upper]``. The dual of a row is the rise of
    the optimal cost per unit of its right-hand side.

    Attributes
    ----------
    quadratic, linear : ndarray, shape (n,)
        Separable cost.
    lower, upper : ndarray, shape (n,)
        Hard bounds; infinite where there is none.
    soft_lower, soft_upper, penalty : ndarray, shape (n,)
        Soft limits and the cost of leaving them.
    rows : csr_matrix, shape (m, n)
        Equality rows.
    rhs : ndarray, shape (m,)
        Right-hand side.
    variable_atom, row_atom : ndarray of int, shape (n,) and (m,)
        Owner of each variable and row.
    parent : ndarray of int, shape (n_atom,)
        Parent atom; -1 at the root.
    discs : ndarray of int, shape (n_disc, 2)
        Variables p, q on a disc.
    disc_radius : ndarray, shape (n_disc,)
        Radius of each disc.
    cones : ndarray of int, shape (n_cone, 4)
        Variables p, q, l, v of each cone.
    offset : float
        Constant cost.
    cost_unit : float
        Cost of one unit of the objective [$/h].
    row_unit : ndarray, shape (m,)
        Physical size of one unit of each row [kW, kvar or pu], for prices and residuals.
    """

    quadratic: FloatArray
    linear: FloatArray
    lower: FloatArray
    upper: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    penalty: FloatArray
    rows: sp.csr_matrix
    rhs: FloatArray
    variable_atom: IntArray
    row_atom: IntArray
    parent: IntArray
    discs: IntArray
    disc_radius: FloatArray
    cones: IntArray
    offset: float
    cost_unit: float
    row_unit: FloatArray
