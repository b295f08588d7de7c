"""Clear one linear network by sweeps between single buses."""

from __future__ import annotations

import numpy as np

from feeders.network import FloatArray
from market.interior_point.fronts import Plan
from market.interior_point.method import Agreement, iterate
from market.pac.clear import Effort, Warmth
from market.problem.atoms import AtomicProblem
from market.problem.solution import Solution
from market.settings import MarketSettings


def negotiate_sweeps(
    problem: AtomicProblem, plan: Plan, start: Warmth | None, settings: MarketSettings
) -> tuple[Solution, Effort, Warmth]:
    """Find the optimum of one problem by sweeps, from earlier prices where there are any.

    Parameters
    ----------
    problem : AtomicProblem
        The problem of all buses; its first `n_state` rows determine as many network variables.
    plan : Plan
        Plan of its pattern.
    start : Warmth, optional
        What the clearing before left.
    settings : MarketSettings
        Tolerance and round budget.

    Returns
    -------
    Solution, Effort, Warmth
        What was agreed, what it took, and what it leaves to the next one.
    """
    n, total = problem.n_state, len(problem.linear)
    x, earlier = np.zeros(total), None
    if start is not None:
        x[n:] = start.dispatch
        if start.multipliers is not None and start.multipliers.limits.shape[1] == total:
            earlier = start.multipliers.scaled(1 / problem.cost_unit)
    each = max(2 * plan.height, 1)
    steps = max(settings.max_rounds // each - 1, 1)
    agreed = iterate(problem, plan, x, earlier, tolerance=settings.tolerance, max_steps=steps)
    limits = _limits(problem, agreed)
    resources = np.clip(agreed.x[n:], problem.lower[n:], problem.upper[n:])
    warmth = Warmth(
        resources, limits * problem.cost_unit, multipliers=agreed.multipliers.scaled(problem.cost_unit)
    )
    return Solution(resources, limits), effort_of(plan, agreed), warmth


def _limits(problem: AtomicProblem, agreed: Agreement) -> FloatArray:
    """Multipliers of the network's soft limits; what is farther from its limit than its price has none."""
    n = problem.n_state
    upper, lower, x = agreed.multipliers.soft_upper[:n], agreed.multipliers.soft_lower[:n], agreed.x[:n]
    upper = np.where(upper > problem.soft_upper[:n] - x, upper, 0.0)
    lower = np.where(lower > x - problem.soft_lower[:n], lower, 0.0)
    signed: FloatArray = upper - lower
    return signed


def effort_of(plan: Plan, agreed: Agreement) -> Effort:
    """Count one-hop messages in sequence: two sweeps for each step, and two for the verdict on the last."""
    sweeps = agreed.steps + 1
    return Effort(
        rounds=2 * plan.height * sweeps,
        messages=plan.messages * sweeps,
        scalars=plan.scalars * sweeps,
        converged=agreed.converged,
        primal=agreed.primal,
        dual=agreed.dual,
    )
