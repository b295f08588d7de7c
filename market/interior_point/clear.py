"""Clear one linear network by sweeps between single buses."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import alone
from dlmp_cosim.market.interior_point.fronts import Plan
from dlmp_cosim.market.interior_point.method import Agreement, agree
from dlmp_cosim.market.interior_point.sweeps import Store, make_store
from dlmp_cosim.market.interior_point.workspace import Workspace, make_workspace
from dlmp_cosim.market.pac.clear import Effort, Warmth
from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room
from dlmp_cosim.market.problem.factors import Factors, WholeFactors
from dlmp_cosim.market.problem.solution import Multipliers, Solution
from dlmp_cosim.market.settings import MarketSettings

NOT_TRIED = Effort(converged=False, primal=np.inf, dual=np.inf)
"""Effort of a negotiation whose budget was not enough for one step."""


class Room:
    """Memory of the sweeps, kept as long as a plan is: what is new costs as much as what is written there."""

    def __init__(self) -> None:
        self._kept: tuple[Plan, Store] | None = None

    def store(self, plan: Plan, n: int) -> Store:
        """Memory for the sweeps of a plan of a problem with `n` variables; what is in it means nothing."""
        if self._kept is None or self._kept[0] is not plan:
            self._kept = plan, make_store(plan.fronts, n)
        return self._kept[1]


def negotiate_sweeps(
    problem: AtomicProblem,
    plan: Plan,
    start: Warmth | None,
    settings: MarketSettings,
    room: Room | None = None,
    factors: Factors | WholeFactors | None = None,
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
    room : Room, optional
        Memory that is kept from problem to problem.
    factors : Factors or WholeFactors, optional
        Factors of its network's rows, which save sweeps where few limits hold.

    Returns
    -------
    Solution, Effort, Warmth
        What was agreed, what it took, and what it leaves to the next one.
    """
    store = None if room is None else room.store(plan, len(problem.linear))
    work, height = make_workspace(leave_room(problem), plan, store, factors), plan.height
    solution, agreed, warmth = alone(sweep_to_agreement(problem, work, height, start, settings))
    effort = NOT_TRIED
    if agreed is not None:
        effort = effort_of(plan, agreed.steps, agreed.primal, agreed.dual, converged=agreed.converged)
    return solution, effort, warmth


async def sweep_to_agreement(
    problem: AtomicProblem, work: Workspace, height: int, start: Warmth | None, settings: MarketSettings
) -> tuple[Solution, Agreement | None, Warmth]:
    """Find one agent's part of the optimum, together with its neighbours; see `negotiate_sweeps`.

    Parameters
    ----------
    problem : AtomicProblem
        The agent's part as it was stated, or all.
    work : Workspace
        The same ready to be iterated on.
    height : int
        Hops from the farthest bus to its root, which budgets of rounds are counted by.
    start : Warmth, optional
        What the clearing before left to this agent.
    settings : MarketSettings
        Tolerance and round budget.

    Returns
    -------
    Solution, Agreement or None, Warmth
        What was agreed of its part, how, and what it leaves to the next one; None when the budget was not
        enough for one step.
    """
    n, total = problem.n_state, len(problem.linear)
    x, earlier = np.zeros(total), None
    if start is not None:
        x[n:] = start.dispatch
        if start.multipliers is not None and start.multipliers.limits.shape[1] == total:
            earlier = start.multipliers.scaled(1 / problem.cost_unit)
    steps = settings.negotiation_rounds // max(2 * height, 1) - 1
    if steps < 1:
        return _as_before(problem, x[n:], start)
    agreed = await agree(work, x, earlier, tolerance=settings.tolerance, max_steps=steps)
    limits = network_limits(problem, agreed.x, agreed.multipliers)
    resources = np.clip(agreed.x[n:], problem.lower[n:], problem.upper[n:])
    warmth = Warmth(
        resources, limits * problem.cost_unit, multipliers=agreed.multipliers.scaled(problem.cost_unit)
    )
    return Solution(resources, limits), agreed, warmth


def _as_before(
    problem: AtomicProblem, resources: FloatArray, start: Warmth | None
) -> tuple[Solution, None, Warmth]:
    """Stay where things are, when the budget is not enough for one step and the verdict on it."""
    powers = np.clip(resources, problem.lower[problem.n_state :], problem.upper[problem.n_state :])
    limits = np.zeros(problem.n_state) if start is None else start.limits / problem.cost_unit
    warmth = Warmth(powers, limits * problem.cost_unit) if start is None else start
    return Solution(powers, limits), None, warmth


def network_limits(problem: AtomicProblem, x: FloatArray, multipliers: Multipliers) -> FloatArray:
    """Multipliers of the network's soft limits; what is farther from its limit than its price has none."""
    n = problem.n_state
    upper, lower, x = multipliers.soft_upper[:n], multipliers.soft_lower[:n], x[:n]
    upper = np.where(upper > problem.soft_upper[:n] - x, upper, 0.0)
    lower = np.where(lower > x - problem.soft_lower[:n], lower, 0.0)
    signed: FloatArray = upper - lower
    return signed


def effort_of(plan: Plan, steps: int, primal: float, dual: float, *, converged: bool) -> Effort:
    """Count one-hop messages in sequence: two sweeps for each step, and two for the verdict on the last."""
    sweeps = steps + 1
    return Effort(
        rounds=2 * plan.height * sweeps,
        messages=plan.messages * sweeps,
        scalars=plan.scalars * sweeps,
        converged=converged,
        primal=primal,
        dual=dual,
    )
