"""How both central references are solved: as accurately as it gets, or with an error."""

from __future__ import annotations

import warnings

import cvxpy as cp

from feeders.errors import ClearingError

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


def _options(solver: str, accuracy: float) -> dict[str, float]:
    if solver != cp.CLARABEL:
        return {}
    return dict.fromkeys(("tol_feas", "tol_gap_abs", "tol_gap_rel"), accuracy)
