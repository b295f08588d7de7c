"""What a method hands back to a model, whatever the method: a dispatch and the multipliers of the limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective

LEAST_LIMIT_PRICE: Final = 1e-6
"""A limit whose multiplier is smaller than this share of the problem's unit is not reported."""
PENALTY_SHARE: Final = 0.999
"""A limit whose multiplier is more than this share of its penalty is exceeded."""


@dataclass(frozen=True)
class Solution:
    """A solved problem, whatever solved it.

    Attributes
    ----------
    resources : ndarray, shape (n_resource_variable,)
        Resource variables, in the problem's units.
    limits : ndarray, shape (n_state,)
        Multipliers of the soft limits: positive at an upper limit, negative at a lower one.
    """

    resources: FloatArray
    limits: FloatArray


@dataclass(frozen=True)
class Multipliers:
    """Prices of every limit of a problem, hard ones and soft ones, for a later start.

    Attributes
    ----------
    limits : ndarray, shape (4, n)
        By variable: upper, lower, soft upper and soft lower limit.
    discs : ndarray, shape (n_disc,)
        Those of the discs.
    pieces : ndarray of int, shape (n,)
        Where every variable lies between its limits (`market.interior_point.pieces`).
    """

    limits: FloatArray
    discs: FloatArray
    pieces: IntArray

    @property
    def soft_upper(self) -> FloatArray:
        """Those of the soft upper limits, shape (n,)."""
        return np.asarray(self.limits[2])

    @property
    def soft_lower(self) -> FloatArray:
        """Those of the soft lower limits, shape (n,)."""
        return np.asarray(self.limits[3])

    def scaled(self, factor: float) -> Multipliers:
        """State them in another unit of cost."""
        return replace(self, limits=self.limits * factor, discs=self.discs * factor)


def pays(problem: AtomicProblem, multipliers: FloatArray, k: int) -> bool:
    """Whether a limit has its penalty for a price: a held one costs less, however roughly it is held.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    multipliers : ndarray, shape (n_state,)
        Multipliers of the soft limits, in the problem's unit of cost.
    k : int
        Variable whose soft limit is meant.
    """
    return bool(abs(multipliers[k]) > PENALTY_SHARE * problem.penalty[k])


def settled_cost(problem: AtomicProblem, x: FloatArray, multipliers: FloatArray) -> float:
    """Cost without penalties for what a held limit misses within the tolerance, in units of the problem.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    x : ndarray, shape (n,)
        Its variables.
    multipliers : ndarray, shape (n_state,)
        Multipliers of its soft limits.
    """
    n = len(multipliers)
    missed = np.maximum(problem.soft_lower - x, 0.0) + np.maximum(x - problem.soft_upper, 0.0)
    held = [k for k in np.flatnonzero(missed[:n]) if not pays(problem, multipliers, int(k))]
    return objective(problem, x) - float(problem.penalty[held] @ missed[held])
