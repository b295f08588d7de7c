"""Compiled steps of the negotiation. Arrays in, arrays out; `market.pac.negotiate` owns the meaning.

Every iteration reads the values and duals of the one before and writes new ones, so an atom sees its
neighbours only through the previous one. Duals follow the convention ``L = f(x) + y' (z - K x)`` with z in
the range of its row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.agents.neighbours import LARGEST
from dlmp_cosim.market.problem.compiled import compiled

BISECTIONS = 60


class Arrays(NamedTuple):
    """One problem and its steps as flat arrays; columns are the rows' transpose.

    Attributes
    ----------
    col_ptr, col_index, col_value : ndarray
        The matrix by columns.
    row_ptr, row_index, row_value : ndarray
        The matrix by rows.
    tau, sigma : ndarray
        Primal and dual steps of the variables and rows that are the agent's own; others' may come after them.
    linear, quadratic, lower, upper, soft_lower, soft_upper, penalty : ndarray
        Costs and bounds of the variables.
    row_lower, row_upper, row_penalty : ndarray
        Ranges of the rows.
    discs, disc_radius, cones : ndarray
        Curved sets.
    variable_agent, row_agent : ndarray of int
        Agent of every variable and row.
    order, towards : ndarray of int, shape (n_agent,)
        How agents add up: see `market.problem.graph.Gathering`.
    """

    col_ptr: IntArray
    col_index: IntArray
    col_value: FloatArray
    row_ptr: IntArray
    row_index: IntArray
    row_value: FloatArray
    tau: FloatArray
    sigma: FloatArray
    linear: FloatArray
    quadratic: FloatArray
    lower: FloatArray
    upper: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    penalty: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    row_penalty: FloatArray
    discs: IntArray
    disc_radius: FloatArray
    cones: IntArray
    variable_agent: IntArray
    row_agent: IntArray
    order: IntArray
    towards: IntArray


@compiled
def dot(ptr: IntArray, index: IntArray, value: FloatArray, k: int, vector: FloatArray) -> float:
    """Product of row (or column) `k` with `vector`."""
    total = 0.0
    for e in range(ptr[k], ptr[k + 1]):
        total += value[e] * vector[index[e]]
    return total


@compiled
def scalar_prox(a: Arrays, i: int, pull: float, weight: float) -> float:
    """Minimise ``weight x**2 / 2 - pull x`` plus the cost, soft limit and bounds of variable `i`."""
    curve = weight + a.quadratic[i]
    top = pull - a.linear[i]
    x = top / curve
    if a.penalty[i] > 0.0:
        if x < a.soft_lower[i]:
            x = min((top + a.penalty[i]) / curve, a.soft_lower[i])
        elif x > a.soft_upper[i]:
            x = max((top - a.penalty[i]) / curve, a.soft_upper[i])
    return float(min(max(x, a.lower[i]), a.upper[i]))


@compiled
def disc_prox(
    a: Arrays, d: int, pull_p: float, pull_q: float, weight_p: float, weight_q: float
) -> tuple[float, float]:
    """Minimise both costs in a box and a disc: bisect on the disc's multiplier."""
    p, q = a.discs[d, 0], a.discs[d, 1]
    low, high = 0.0, 0.0
    x = scalar_prox(a, p, pull_p, weight_p)
    y = scalar_prox(a, q, pull_q, weight_q)
    limit = a.disc_radius[d] ** 2
    if x * x + y * y <= limit:
        return x, y
    high = weight_p + weight_q
    for _ in range(BISECTIONS):
        x = scalar_prox(a, p, pull_p, weight_p + high)
        y = scalar_prox(a, q, pull_q, weight_q + high)
        if x * x + y * y <= limit:
            break
        high *= 2.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        x = scalar_prox(a, p, pull_p, weight_p + middle)
        y = scalar_prox(a, q, pull_q, weight_q + middle)
        if x * x + y * y > limit:
            low = middle
        else:
            high = middle
    return scalar_prox(a, p, pull_p, weight_p + high), scalar_prox(a, q, pull_q, weight_q + high)


@compiled
def project_cone(x: FloatArray, a: Arrays, c: int) -> None:
    """Project (p, q, l, v) on ``p**2 + q**2 <= l v`` in the metric of the steps, in place.

    With ``tau_l tau_v = (2 tau_p)**2`` the cone is a rotated standard cone in scaled variables.
    """
    p, q, length, v = a.cones[c, 0], a.cones[c, 1], a.cones[c, 2], a.cones[c, 3]
    root_p, root_l, root_v = np.sqrt(a.tau[p]), np.sqrt(a.tau[length]), np.sqrt(a.tau[v])
    s, t = x[p] / root_p, x[q] / root_p
    big, small = x[length] / root_l, x[v] / root_v
    axis, side = (big + small) / np.sqrt(2.0), (big - small) / np.sqrt(2.0)
    norm = np.sqrt(s * s + t * t + side * side)
    if norm <= axis:
        return
    if norm <= -axis:
        axis, scale = 0.0, 0.0
    else:
        axis, scale = (axis + norm) / 2.0, (axis + norm) / (2.0 * norm)
    side *= scale
    x[p], x[q] = s * scale * root_p, t * scale * root_p
    x[length], x[v] = (axis + side) / np.sqrt(2.0) * root_l, (axis - side) / np.sqrt(2.0) * root_v


@compiled
def primal_step(a: Arrays, x: FloatArray, y: FloatArray, omega: float, new: FloatArray) -> None:
    """Every atom's proximal step on its own variables, against the last iteration's duals."""
    for i in range(a.tau.size):
        weight = omega / a.tau[i]
        pull = x[i] * weight + dot(a.col_ptr, a.col_index, a.col_value, i, y)
        new[i] = scalar_prox(a, i, pull, weight)
    for d in range(a.discs.shape[0]):
        p, q = a.discs[d, 0], a.discs[d, 1]
        weight_p, weight_q = omega / a.tau[p], omega / a.tau[q]
        pull_p = x[p] * weight_p + dot(a.col_ptr, a.col_index, a.col_value, p, y)
        pull_q = x[q] * weight_q + dot(a.col_ptr, a.col_index, a.col_value, q, y)
        new[p], new[q] = disc_prox(a, d, pull_p, pull_q, weight_p, weight_q)
    for c in range(a.cones.shape[0]):
        project_cone(new, a, c)


@compiled
def row_dual(a: Arrays, r: int, ahead: float, step: float) -> float:
    """Dual of row `r` after its value was pulled to `ahead` (dual less step times value)."""
    low = ahead + step * a.row_lower[r]
    if low > 0.0:
        return float(min(low, a.row_penalty[r]))
    high = ahead + step * a.row_upper[r]
    if high < 0.0:
        return float(max(high, -a.row_penalty[r]))
    return 0.0


@compiled
def dual_step(
    a: Arrays, x: FloatArray, new: FloatArray, y: FloatArray, omega: float, new_dual: FloatArray
) -> None:
    """Every row's dual step on the extrapolated values ``2 new - x``."""
    for r in range(a.sigma.size):
        value = 0.0
        for e in range(a.row_ptr[r], a.row_ptr[r + 1]):
            j = a.row_index[e]
            value += a.row_value[e] * (2.0 * new[j] - x[j])
        step = a.sigma[r] * omega
        new_dual[r] = row_dual(a, r, y[r] - step * value, step)


@compiled
def distance(a: Arrays, x: FloatArray, u: FloatArray, y: FloatArray, v: FloatArray) -> tuple[float, float]:
    """Squared distances of two iterates in the metric of the steps: primal and dual.

    Agents add up their own first, then hop by hop, so that the last digit does not depend on where they are.
    """
    primal, dual = np.zeros(a.order.size), np.zeros(a.order.size)
    for i in range(a.tau.size):
        primal[a.variable_agent[i]] += (x[i] - u[i]) ** 2 / a.tau[i]
    for r in range(a.sigma.size):
        dual[a.row_agent[r]] += (y[r] - v[r]) ** 2 / a.sigma[r]
    return gathered(a, primal), gathered(a, dual)


@compiled
def gathered(a: Arrays, sums: FloatArray) -> float:
    """Sum of what every agent has, hop by hop to the middle; changes `sums`.

    Beyond what agents may send it is infinite.
    """
    for k in a.order[:-1]:
        sums[a.towards[k]] += sums[k]
    total = sums[a.order[-1]]
    return float(total) if total < LARGEST else np.inf


@compiled
def residuals(
    a: Arrays, x: FloatArray, new: FloatArray, y: FloatArray, new_dual: FloatArray, omega: float
) -> tuple[float, float]:
    """Largest primal and dual residual of the optimality conditions at the new iterate.

    Each entry is known to the agent that owns the row or the variable: what its row misses, and what its
    marginal cost differs from the prices it sees.
    """
    primal, dual = 0.0, 0.0
    for r in range(a.sigma.size):
        miss = (y[r] - new_dual[r]) / (a.sigma[r] * omega)
        for e in range(a.row_ptr[r], a.row_ptr[r + 1]):
            j = a.row_index[e]
            miss += a.row_value[e] * (x[j] - new[j])
        primal = max(primal, abs(miss))
    for i in range(a.tau.size):
        miss = (x[i] - new[i]) * omega / a.tau[i]
        for e in range(a.col_ptr[i], a.col_ptr[i + 1]):
            r = a.col_index[e]
            miss += a.col_value[e] * (y[r] - new_dual[r])
        dual = max(dual, abs(miss))
    return primal, dual
