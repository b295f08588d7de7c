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
from dlmp_cosim.market.interior_point.sweeps import System, inverse_of
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
        n = problem.n_state
        self._n, self._factors = n, factors
        self._rows = problem.rows.indptr, problem.rows.indices, problem.rows.data
        self._place: dict[int, int] = {}
        self._pulls, self._gains = np.empty((FEW, n)), np.empty((FEW, len(problem.linear) - n))

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
        n, held = self._n, np.flatnonzero(system.curve[: self._n])
        if len(held) > FEW or not system.curve[n:].all() or np.isinf(system.curve[held]).any():
            return None
        places = self._places(held.tolist())
        cost = system.cost[0] + t * system.cost[1]
        step, right = np.zeros(len(cost)), system.right.copy()
        multipliers = -self._factors.solve_transposed(cost[:n])
        pulls = self._pulls, self._gains, places, system.curve[held]
        if not _respond(self._rows, system, cost[n:], pulls, step[n:], multipliers, right):
            return None
        step[:n] = self._factors.solve(right)
        return step, multipliers

    def _places(self, held: list[int]) -> IntArray:
        """Places of the multipliers that pull at held variables, and of what resources do to those."""
        missing = [j for j in held if j not in self._place]
        if len(self._place) + len(missing) > FEW:
            self._place.clear()
            missing = held
        for j in missing:
            place = self._place[j] = len(self._place)
            unit = np.zeros(self._n)
            unit[j] = 1.0
            self._pulls[place] = self._factors.solve_transposed(unit)
            self._gains[place] = 0.0
            _pull(self._rows, self._n, self._pulls[place], self._gains[place])
        return np.array([self._place[j] for j in held], dtype=np.int64)


@compiled
def _respond(
    rows: tuple[IntArray, IntArray, FloatArray],
    system: System,
    force: FloatArray,
    held: tuple[FloatArray, FloatArray, IntArray, FloatArray],
    step: FloatArray,
    multipliers: FloatArray,
    right: FloatArray,
) -> bool:
    """Move resources so that held variables are held, in place, and what depends on it: whether they can be.

    Multipliers are those of the rows with nothing held, and `right` is left to the network's variables.
    """
    pulls, gains, places, curve = held
    n, few = len(multipliers), len(places)
    _pull(rows, n, multipliers, force)
    _give(system, n, force, step)
    small, answers = np.zeros((few, few + 1)), np.empty((few, len(step)))
    for a in range(few):
        pull, gain = pulls[places[a]], gains[places[a]]
        _give(system, n, gain, answers[a])
        small[a, few] = _product(pull, right) + _product(gain, step)
    for a in range(few):
        for b in range(few):
            small[a, b] = _product(gains[places[a]], answers[b])
        small[a, a] += 1.0 / curve[a]
    if not eliminate(small, np.empty(few, dtype=np.int64)):
        return False
    for r in range(len(step)):
        step[r] = -step[r]
    for a in range(few - 1, -1, -1):
        price = small[a, few]
        for b in range(a + 1, few):
            price -= small[a, b] * small[b, few]
        small[a, few] = price = price / small[a, a]
        _add(price, answers[a], step)
        _add(-price, pulls[places[a]], multipliers)
    _take(rows, n, step, right)
    return True


@compiled
def _product(one: FloatArray, other: FloatArray) -> float:
    """Add up products; written out, as array expressions take the compiler twice as long."""
    total = 0.0
    for k in range(len(one)):
        total += one[k] * other[k]
    return total


@compiled
def _add(share: float, what: FloatArray, total: FloatArray) -> None:
    """Add a share of something to a total, in place."""
    for k in range(len(what)):
        total[k] += share * what[k]


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
def _take(rows: tuple[IntArray, IntArray, FloatArray], n: int, step: FloatArray, right: FloatArray) -> None:
    """Take what resource variables do in the rows off their right-hand sides."""
    indptr, indices, data = rows
    for row in range(len(indptr) - 1):
        for e in range(indptr[row], indptr[row + 1]):
            if indices[e] >= n:
                right[row] -= data[e] * step[indices[e] - n]


@compiled
def _give(system: System, n: int, force: FloatArray, answer: FloatArray) -> None:
    """Multiply by the inverse curvature of the resource variables, those of a disc together."""
    curve, cross, mates = system.curve, system.cross, system.mate
    for r in range(len(force)):
        own, other = inverse_of(curve, cross, mates, n + r)
        answer[r] = own * force[r]
        if other != 0.0:
            answer[r] += other * force[mates[n + r] - n]
