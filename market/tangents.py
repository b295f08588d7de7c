"""Branch flow on the tangents of its cones: a linear network that is exact at the flow it was taken at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from feeders.network import FloatArray
from market.atoms import AtomicProblem
from market.prices import network_solver


def tangent_problem(problem: AtomicProblem, x: FloatArray) -> AtomicProblem:
    """Replace every cone by its tangent at `x`, which makes the network linear.

    The tangent of ``l = (P**2 + Q**2) / v`` is ``l = 2 P0/v0 P + 2 Q0/v0 Q - l0/v0 v``, without a constant.

    Parameters
    ----------
    problem : AtomicProblem
        Problem with cones.
    x : ndarray, shape (n,)
        Variables; flows and voltages give the tangents.
    """
    p, q, current, v = problem.cones.T
    k, (m, n) = len(p), problem.rows.shape
    lines = np.arange(k)
    slope_p, slope_q = 2 * x[p] / x[v], 2 * x[q] / x[v]
    slope_v = (x[p] ** 2 + x[q] ** 2) / x[v] ** 2
    tangents = sp.csr_matrix(
        (
            np.concatenate([np.ones(k), -slope_p, -slope_q, slope_v]),
            (np.tile(lines, 4), np.concatenate([current, p, q, v])),
        ),
        shape=(k, n),
    )
    return replace(
        problem,
        rows=sp.vstack([problem.rows, tangents]).tocsr(),
        row_lower=np.append(problem.row_lower, np.zeros(k)),
        row_upper=np.append(problem.row_upper, np.zeros(k)),
        row_penalty=np.append(problem.row_penalty, np.full(k, np.inf)),
        row_atom=np.append(problem.row_atom, problem.variable_atom[current]),
        cones=np.zeros((0, 4), dtype=np.int64),
        n_state=m + k,
    )


def solve_flow(problem: AtomicProblem, x: FloatArray, resources: FloatArray) -> FloatArray:
    """Branch flow under a dispatch, cones tight: Newton's method, which is a few tangents in a row."""
    for _ in range(20):
        state = network_solver(tangent_problem(problem, x)).state(resources)
        moved = float(np.max(np.abs(state - x[: len(state)])))
        x = np.concatenate([state, resources])
        if moved < 1e-10:
            break
    return x
