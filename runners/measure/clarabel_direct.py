"""The market's own problem handed to Clarabel as it is: the yardstick of a clearing on large circuits."""

from __future__ import annotations

import time

import clarabel
import numpy as np
import scipy.sparse as sp

from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room

BIG = 1e20
"""Clarabel's own bound for infinity."""
REGULARISATIONS = (1e-8, 1e-7)
"""What Clarabel adds to the diagonal of its systems: its default, and what it is tried with where that ends
without an answer, as on large circuits. On others more of it leads astray."""


def solve_directly(problem: AtomicProblem) -> tuple[float, float, str]:
    """Solve a problem without cones, its rows equalities, by Clarabel.

    Parameters
    ----------
    problem : AtomicProblem
        The problem. Soft limits become variables for what exceeds them.

    Returns
    -------
    float, float, str
        Optimal cost in units of the problem, processor time within the solver on its last try, set-up with it
        [s], and how it says that it ended.
    """
    problem = leave_room(problem)
    n, soft = len(problem.linear), problem.penalty > 0
    upper = np.flatnonzero(soft & (problem.soft_upper < BIG))
    lower = np.flatnonzero(soft & (problem.soft_lower > -BIG))
    beyond = len(upper) + len(lower)
    linear = np.concatenate([problem.linear, problem.penalty[upper], problem.penalty[lower]])
    quadratic = sp.diags(np.concatenate([problem.quadratic, np.zeros(beyond)])).tocsc()
    rows, right, cones = _constraints(problem, upper, lower, n, beyond)
    for regularisation in REGULARISATIONS:
        settings = clarabel.DefaultSettings()
        settings.verbose, settings.static_regularization_constant = False, regularisation
        began = time.process_time()
        found = clarabel.DefaultSolver(quadratic, linear, rows, right, cones, settings).solve()
        took = time.process_time() - began
        if found.status == clarabel.SolverStatus.Solved:
            break
    return found.obj_val + problem.offset, took, str(found.status)


def _constraints(
    problem: AtomicProblem, upper: np.ndarray, lower: np.ndarray, n: int, beyond: int
) -> tuple[sp.csc_matrix, np.ndarray, list[object]]:
    """Rows ``A x + s = b`` with s in zero, non-negative and second-order cones."""
    total, eye = n + beyond, sp.identity(n + beyond, format="csr")
    boxed_up = np.flatnonzero(problem.upper < BIG)
    boxed_down = np.flatnonzero(problem.lower > -BIG)
    over, under = n + np.arange(len(upper)), n + len(upper) + np.arange(len(lower))
    blocks = [
        (sp.hstack([problem.rows, sp.csr_matrix((problem.rows.shape[0], beyond))]), problem.row_lower),
        (eye[upper] - eye[over], problem.soft_upper[upper]),
        (-eye[lower] - eye[under], -problem.soft_lower[lower]),
        (-eye[n:], np.zeros(beyond)),
        (eye[boxed_up], problem.upper[boxed_up]),
        (-eye[boxed_down], -problem.lower[boxed_down]),
    ]
    cones: list[object] = [
        clarabel.ZeroConeT(problem.rows.shape[0]),
        clarabel.NonnegativeConeT(sum(len(right) for _, right in blocks[1:])),
    ]
    for pair, radius in zip(problem.discs, problem.disc_radius, strict=True):
        blocks.append((sp.vstack([sp.csr_matrix((1, total)), -eye[pair]]), np.array([radius, 0.0, 0.0])))
        cones.append(clarabel.SecondOrderConeT(3))
    return sp.vstack([rows for rows, _ in blocks]).tocsc(), np.concatenate([r for _, r in blocks]), cones
