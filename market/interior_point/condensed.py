"""A Newton step without sweeps, where few network variables are held at a limit.

The network's rows determine its variables, and in one process they are factorised already. With A = [N, R]
over network and resource variables, and curvature in held network variables alone, the step follows from a
small system: one equation for every held variable. With Z the multipliers that pull at the held variables,
``N' Z = E``, and G = R' Z what resources do to them,

    (1 / h + G' H_r^-1 G) w = Z' b - G' x_0,    m = m_0 - Z w,    x_r = x_0 + H_r^-1 G w

where m_0 and x_0 are multipliers and resources with nothing held. It is the step of the sweeps
(`market.interior_point.sweeps`) but for rounding: h is the same stiffness there and here.
"""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.interior_point.sweeps import System
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.problem.factors import Factors, WholeFactors, eliminate

FEW = 8
"""Held variables beyond which sweeps are quicker: each costs a solution with the network's factors."""


class Condensed:
    """Steps of one problem on the factors of its network.

    Parameters
    ----------
    problem : AtomicProblem
        The problem; its rows are those of the network.
    factors : Factors or WholeFactors
        Its rows factorised in the network's variables.
    """

    def __init__(self, problem: AtomicProblem, factors: Factors | WholeFactors) -> None:
        self._problem, self._factors = problem, factors
        self._pulls: dict[int, tuple[FloatArray, FloatArray]] = {}

    def solve(self, system: System, t: float) -> tuple[FloatArray, FloatArray] | None:
        """Solve a system, where it is one that this is for.

        Parameters
        ----------
        system : System
            The system.
        t : float
            What the products of slacks and prices are to become.

        Returns
        -------
        tuple of ndarray, shape (n,) and (m,), or None
            Step and multipliers of the rows; None where sweeps have to find them.
        """
        rows, n = self._problem.rows, self._problem.n_state
        held = np.flatnonzero(system.curve[:n])
        if len(held) > FEW or not system.curve[n:].all() or np.isinf(system.curve[held]).any():
            return None
        cost = system.cost[0] + t * system.cost[1]
        multipliers = -self._factors.solve_transposed(cost[:n])
        pulls, gains = self._pull_at(held)
        step = np.zeros(len(cost))
        inside = rows.indptr, rows.indices, rows.data
        if not _respond(inside, system, cost, pulls, gains, held, step, multipliers):
            return None
        step[:n] = self._factors.solve(system.right - rows @ step)
        return step, multipliers

    def _pull_at(self, held: IntArray) -> tuple[FloatArray, FloatArray]:
        """Multipliers that pull at each held variable, and what each resource variable does to it."""
        problem, n = self._problem, self._problem.n_state
        for j in held.tolist():
            if j not in self._pulls:
                unit = np.zeros(n)
                unit[j] = 1.0
                pull = self._factors.solve_transposed(unit)
                self._pulls[j] = pull, (problem.rows.T @ pull)[n:]
        if not len(held):
            return np.empty((0, n)), np.empty((0, len(problem.linear) - n))
        pulls, gains = zip(*(self._pulls[j] for j in held.tolist()), strict=True)
        return np.stack(pulls), np.stack(gains)


@compiled
def _respond(
    rows: tuple[IntArray, IntArray, FloatArray],
    system: System,
    cost: FloatArray,
    pulls: FloatArray,
    gains: FloatArray,
    held: IntArray,
    step: FloatArray,
    multipliers: FloatArray,
) -> bool:
    """Move resources and multipliers, in place, so that held variables are held: whether they can be."""
    n, few = pulls.shape[1], len(held)
    force = cost[n:].copy()
    _pull(rows, n, multipliers, force)
    free = np.empty(len(force))
    _give(system, n, force, free)
    small, answers = np.zeros((few, few + 1)), np.empty_like(gains)
    for a in range(few):
        _give(system, n, gains[a], answers[a])
        small[a, a] = 1.0 / system.curve[held[a]]
        small[a, few] = (pulls[a] * system.right).sum() + (gains[a] * free).sum()
    for a in range(few):
        for b in range(few):
            small[a, b] += (gains[a] * answers[b]).sum()
    if not eliminate(small, np.empty(few, dtype=np.int64)):
        return False
    step[n:] = -free
    for a in range(few - 1, -1, -1):
        price = small[a, few]
        for b in range(a + 1, few):
            price -= small[a, b] * small[b, few]
        small[a, few] = price = price / small[a, a]
        step[n:] += price * answers[a]
        multipliers -= price * pulls[a]
    return True


@compiled
def _pull(
    rows: tuple[IntArray, IntArray, FloatArray], n: int, multipliers: FloatArray, force: FloatArray
) -> None:
    """Add what multipliers of the rows do to resource variables."""
    indptr, indices, data = rows
    for row in range(len(indptr) - 1):
        for e in range(indptr[row], indptr[row + 1]):
            if indices[e] >= n:
                force[indices[e] - n] += data[e] * multipliers[row]


@compiled
def _give(system: System, n: int, force: FloatArray, answer: FloatArray) -> None:
    """Multiply by the inverse curvature of the resource variables, those of a disc together."""
    curve, cross, mates = system.curve, system.cross, system.mate
    for r in range(len(force)):
        j = n + r
        mate = mates[j]
        if mate >= 0 and not np.isinf(curve[j]) and not np.isinf(curve[mate]):
            whole = curve[j] * curve[mate] - cross[j] * cross[j]
            answer[r] = (curve[mate] * force[r] - cross[j] * force[mate - n]) / whole
        else:
            answer[r] = force[r] / curve[j]
