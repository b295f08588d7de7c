"""What both central references share: offers as columns, index matrices, and how they are solved."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.offers import Offer

ACCURACIES = (1e-8, 1e-7)
"""What Clarabel is asked for in turn. Where tens of limits bind, or the cost is near zero, its own 1e-8 is at
times out of reach: rows or the duality gap stop at 4e-8."""


def solve(problem: cp.Problem, solver: str) -> None:
    """Solve a parametrised problem in place.

    Parameters
    ----------
    problem : cvxpy.Problem
        The problem, with its parameters set.
    solver : str
        An installed solver of CVXPY.

    Raises
    ------
    ClearingError
        When the solver finds no optimum of that accuracy.
    """
    for accuracy in ACCURACIES if solver == cp.CLARABEL else ACCURACIES[:1]:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Solution may be inaccurate")
                problem.solve(solver=solver, ignore_dpp=False, **_options(solver, accuracy))
        except cp.error.SolverError as error:
            raise ClearingError(f"the reference solver gave up: {error}") from error
        if problem.status != cp.OPTIMAL_INACCURATE:
            break
    if problem.status != cp.OPTIMAL:
        raise ClearingError(f"the reference solver ends with {problem.status!r}")


def offer_columns(table: Sequence[Offer | None], power: float, unit: float) -> dict[str, FloatArray]:
    """State the offers as one column for each of their numbers; zeros where there is none.

    Not `market.offers.offer_terms`: a reference shares no statement with the models that it checks.

    Parameters
    ----------
    table : sequence of Offer or None
        Offer of every resource.
    power, unit : float
        Unit of power [kVA] and of cost [$/h].
    """
    keys = ("p_min", "p_max", "q_min", "q_max", "s_max", "cost", "curve", "ratio")
    rows = [(0.0,) * len(keys) if offer is None else _offer_row(offer, power, unit) for offer in table]
    return dict(zip(keys, np.reshape(rows, (-1, len(keys))).T, strict=True))


def _offer_row(offer: Offer, power: float, unit: float) -> tuple[float, ...]:
    free = offer.reactive_ratio is None
    far = 10 * max(map(abs, (offer.p_min_kw, offer.p_max_kw, offer.q_min_kvar, offer.q_max_kvar, 1.0)))
    return (
        offer.p_min_kw / power,
        offer.p_max_kw / power,
        offer.q_min_kvar / power if free else 0.0,
        offer.q_max_kvar / power if free else 0.0,
        (offer.s_max_kva if free and np.isfinite(offer.s_max_kva) else far) / power,
        offer.cost_linear * power / 1e3 / unit,
        offer.cost_quadratic * power**2 / 1e3 / unit,
        offer.reactive_ratio or 0.0,
    )


def pick(index: IntArray, size: int) -> sp.csr_matrix:
    """Matrix that picks entries `index` of a vector of `size`.

    Parameters
    ----------
    index : ndarray of int, shape (n_index,)
        Entries to pick, in this order.
    size : int
        Length of the vector.
    """
    return sp.csr_matrix((np.ones(len(index)), (np.arange(len(index)), index)), shape=(len(index), size))


def incidence(index: IntArray, size: int, count: int) -> sp.csr_matrix:
    """Matrix that adds entry k of a vector of `count` to place ``index[k]``.

    Parameters
    ----------
    index : ndarray of int, shape (count,)
        Place that each entry is added to.
    size : int
        Number of places.
    count : int
        Length of the vector.
    """
    return sp.csr_matrix((np.ones(count), (index, np.arange(count))), shape=(size, count))


def _options(solver: str, accuracy: float) -> dict[str, float]:
    if solver != cp.CLARABEL:
        return {}
    return dict.fromkeys(("tol_feas", "tol_gap_abs", "tol_gap_rel"), accuracy)
