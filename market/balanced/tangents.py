"""Branch flow on the tangents of its cones: a linear network that is exact at the flow it was taken at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.fronts import Plan, plan_for
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.prices import NetworkSolver, network_solver

Solve = Callable[[FloatArray], FloatArray]
"""Solution of square rows for known right-hand sides."""

FLOW_STEPS = 60
"""Steps after which a branch flow counts as unsolvable; some five are usual."""
FLOW_SOLVED, FLOW_LOST = 1e-10, 1e6
"""Last step of a solved branch flow, and a step after which there will be none, in units of the problem."""


class Tangents:
    """The tangents of one problem's cones at any flow.

    The tangent of ``l = (P**2 + Q**2) / v`` is ``l = 2 P0/v0 P + 2 Q0/v0 Q - l0/v0 v``, without a constant.

    Parameters
    ----------
    problem : AtomicProblem
        Problem with cones.
    last : Plan, optional
        Plan of an earlier one's tangents.

    Attributes
    ----------
    plan : Plan
        Plan of the tangents' pattern, wherever they are taken.
    sweeps : int
        Sweeps to the middle of the agents and back that flows have taken so far, one for each Newton step.
    """

    def __init__(self, problem: AtomicProblem, last: Plan | None = None) -> None:
        self.problem, self.sweeps = problem, 0
        count, (m, n) = len(problem.cones), problem.rows.shape
        ends = np.arange(0, 4 * count + 1, 4)
        place = sp.csr_matrix((np.arange(4 * count), problem.cones.ravel(), ends), shape=(count, n))
        place.sort_indices()
        self._order = place.data
        nothing = np.zeros(count)
        self._flat = replace(
            problem,
            rows=sp.vstack([problem.rows, place], format="csr", dtype=np.float64),
            row_lower=np.append(problem.row_lower, nothing),
            row_upper=np.append(problem.row_upper, nothing),
            row_penalty=np.append(problem.row_penalty, nothing + np.inf),
            row_atom=np.append(problem.row_atom, problem.variable_atom[problem.cones[:, 2]]),
            cones=np.zeros((0, 4), dtype=np.int64),
            n_state=m + count,
        )
        self.plan = plan_for(self._flat, last)

    def at(self, x: FloatArray) -> AtomicProblem:
        """Replace every cone by its tangent at `x`, shape (n,), which makes the network linear."""
        p, q, _, v = x[self.problem.cones].T
        slopes = np.stack([-2 * p / v, -2 * q / v, np.ones(len(v)), (p**2 + q**2) / v**2], axis=1)
        rows = self._flat.rows.copy()
        rows.data[self.problem.rows.nnz :] = slopes.ravel()[self._order]
        return replace(self._flat, rows=rows)

    def flow(self, x: FloatArray, resources: FloatArray, solve: Solve | None = None) -> FloatArray:
        """Branch flow under a dispatch, cones tight: Newton's method with the factors of one tangent.

        Parameters
        ----------
        x : ndarray, shape (n,)
            A flow not far away.
        resources : ndarray, shape (n_resource_variable,)
            Resource variables.
        solve : callable, optional
            Solves the network rows of the tangents at `x`; factorised here unless somebody has done so.

        Raises
        ------
        ClearingError
            When no flow is found.
        """
        found = self.find_flow(x, resources, solve)
        if found is None:
            raise ClearingError("no balanced branch flow carries the dispatch: the voltage collapses")
        return found

    def find_flow(
        self, x: FloatArray, resources: FloatArray, solve: Solve | None = None
    ) -> FloatArray | None:
        """Branch flow under a dispatch, or None; see `flow`.

        Parameters
        ----------
        x : ndarray, shape (n,)
            A flow not far away, where Newton's method begins.
        resources : ndarray, shape (n_resource_variable,)
            Resource variables, in the problem's units.
        solve : callable, optional
            Solves the network rows of the tangents at `x`; factorised here unless somebody has done so.
        """
        problem, solve = self.problem, solve or network_solver(self.at(x), self.plan.network).factors.solve
        p, q, current, v = problem.cones.T
        n = len(x) - len(resources)
        x = np.concatenate([x[:n], resources])
        for _ in range(FLOW_STEPS):
            self.sweeps += 1
            slack = x[current] - (x[p] ** 2 + x[q] ** 2) / x[v]
            step = solve(np.append(problem.rows @ x - problem.row_lower, slack))
            x[:n] -= step
            size = np.max(np.abs(step))
            if size < FLOW_SOLVED:
                return x
            if not size < FLOW_LOST:
                break
        return None


@dataclass(frozen=True)
class Units:
    """Units in which a problem is negotiated.

    Attributes
    ----------
    variable : ndarray, shape (n,)
        Unit of each variable; equal for the two of a disc.
    row : ndarray, shape (m,)
        Unit of each row.
    cost : float
        Unit of cost.
    """

    variable: FloatArray
    row: FloatArray
    cost: float

    def plainly(self, solver: NetworkSolver) -> Solve:
        """Solve the network rows in plain units with the factors of those in these units."""
        unit, factors = self.variable[: len(self.row)], solver.factors
        return lambda known: unit * factors.solve(known / self.row)


def in_units(problem: AtomicProblem, centre: FloatArray, units: Units) -> AtomicProblem:
    """State the same problem in ``z``, with ``x = centre + unit z``.

    Parameters
    ----------
    problem : AtomicProblem
        A problem without cones.
    centre : ndarray, shape (n,)
        What becomes zero; itself zero for variables on a disc.
    units : Units
        Units of z, of the rows and of the cost.
    """
    unit, shift = units.variable, problem.rows @ centre
    rows = problem.rows.copy()
    rows.data *= unit[rows.indices] / np.repeat(units.row, np.diff(rows.indptr))
    at_centre = problem.linear @ centre + problem.quadratic @ centre**2 / 2
    return replace(
        problem,
        quadratic=problem.quadratic * unit**2 / units.cost,
        linear=(problem.linear + problem.quadratic * centre) * unit / units.cost,
        lower=(problem.lower - centre) / unit,
        upper=(problem.upper - centre) / unit,
        soft_lower=(problem.soft_lower - centre) / unit,
        soft_upper=(problem.soft_upper - centre) / unit,
        penalty=problem.penalty * unit / units.cost,
        rows=rows,
        row_lower=(problem.row_lower - shift) / units.row,
        row_upper=(problem.row_upper - shift) / units.row,
        row_penalty=problem.row_penalty * units.row / units.cost,
        disc_radius=problem.disc_radius / unit[problem.discs[:, 0]],
        offset=(problem.offset + float(at_centre)) / units.cost,
        cost_unit=problem.cost_unit * units.cost,
        reach=None if problem.reach is None else problem.reach / unit,
    )
