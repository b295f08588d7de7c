"""Solve a horizon by the settings' method, warm from interval to interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.horizon.outlook import Outlook
from dlmp_cosim.market.horizon.problem import HorizonProblem, stacked, unstacked
from dlmp_cosim.market.interior_point.carried import Carried, carry
from dlmp_cosim.market.interior_point.clear import network_limits
from dlmp_cosim.market.interior_point.fronts import Plan, answers_directly, make_plan, plan_for
from dlmp_cosim.market.interior_point.horizon import Course, Opening, iterate_horizon
from dlmp_cosim.market.pac.areas import partition
from dlmp_cosim.market.pac.clear import Effort, Warmth, begin, negotiate_areas, negotiate_buses
from dlmp_cosim.market.pac.negotiate import USUAL
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective
from dlmp_cosim.market.problem.prices import network_solver
from dlmp_cosim.market.problem.solution import Multipliers, Solution
from dlmp_cosim.market.settings import MarketSettings


@dataclass(frozen=True)
class Findings:
    """What a method found, in units of the problem.

    Attributes
    ----------
    first : Solution
        Resources and multipliers of the limits of the first step.
    x, y : tuple of ndarray
        Variables and duals of the network rows of every step.
    own : ndarray
        The couplings' own variables; empty where a method does not tell.
    own_cost : float
        What those cost.
    effort : Effort
        What it took.
    """

    first: Solution
    x: tuple[FloatArray, ...]
    y: tuple[FloatArray, ...]
    own: FloatArray
    own_cost: float
    effort: Effort


@dataclass(frozen=True)
class _Memory:
    """What the last solution leaves to the next: where, at what prices [$/h], and for which steps.

    `by_part` holds values and prices of the couplings' variables once more, by resource and by what they are.
    """

    outlook: Outlook
    x: tuple[FloatArray, ...]
    own: FloatArray
    multipliers: tuple[Multipliers, ...]
    by_part: Mapping[int, Mapping[str, FloatArray]]


def findings_of(horizon: HorizonProblem, solutions: Sequence[Solution], own_cost: float) -> Findings:
    """State solutions of every step, each in the unit of the whole, as findings.

    Parameters
    ----------
    horizon : HorizonProblem
        What they solve.
    solutions : sequence of Solution
        Resources and multipliers of limits, step by step.
    own_cost : float
        What the terms over time cost.
    """
    x, y, plan = [], [], make_plan(horizon.steps[0])
    for problem, solution in zip(horizon.steps, solutions, strict=True):
        solver = network_solver(problem, plan.network)
        x.append(np.concatenate([solver.state(solution.resources), solution.resources]))
        y.append(solver.duals(problem.linear[: problem.n_state] + solution.limits))
    return Findings(solutions[0], tuple(x), tuple(y), np.zeros(0), own_cost, Effort())


class HorizonSolver:
    """Solves horizons of one circuit, each from the last.

    Parameters
    ----------
    settings : MarketSettings
        Method, tolerance and round budget.
    """

    def __init__(self, settings: MarketSettings) -> None:
        self.settings = settings
        self._memory: _Memory | None = None
        self._warmth: Warmth | None = None
        self._carried: tuple[AtomicProblem, IntArray, Carried] | None = None
        self._stacked: Plan | None = None

    def solve(self, horizon: HorizonProblem, outlook: Outlook) -> Findings:
        """Find the optimum of all steps by the settings' method.

        Parameters
        ----------
        horizon : HorizonProblem
            The steps and their couplings.
        outlook : Outlook
            Which steps these are.

        Raises
        ------
        ClearingError
            When the network's rows do not determine it.
        """
        if self.settings.method == "interior-point":
            return self._sweeps(horizon, outlook)
        return self._negotiation(horizon)

    def _sweeps(self, horizon: HorizonProblem, outlook: Outlook) -> Findings:
        carried = self._plan(horizon)
        each = max(2 * carried.plan.height, 1)
        course = iterate_horizon(
            horizon,
            carried,
            self._opening(horizon, outlook),
            tolerance=self.settings.tolerance,
            max_steps=max(self.settings.negotiation_rounds // each - 1, 1),
        )
        self._remember(horizon, outlook, course)
        first, n = horizon.steps[0], horizon.steps[0].n_state
        resources = np.clip(course.x[0][n:], first.lower[n:], first.upper[n:])
        limits = network_limits(first, course.x[0], course.multipliers[0])
        effort = _effort(carried, course, horizon)
        own_cost = objective(horizon.own, course.own)
        return Findings(Solution(resources, limits), course.x, course.y, course.own, own_cost, effort)

    def _negotiation(self, horizon: HorizonProblem) -> Findings:
        """Negotiate about all steps at once: the same agents, whose messages are as many times longer."""
        problem = stacked(horizon)
        self._stacked = plan_for(problem, self._stacked)
        solver = network_solver(problem, self._stacked.network)
        start = begin(problem, solver, self._fitting(problem))
        if self.settings.method == "pac-accelerated" and self.settings.agents:
            area = partition(problem.parent, self.settings.agents)
            found = negotiate_areas(problem, solver, area, start, self.settings, USUAL)
        else:
            found = negotiate_buses(problem, solver, start, self.settings, USUAL)
        solution, effort, weight = found
        self._warmth = Warmth(solution.resources, solution.limits * problem.cost_unit, weight)
        n, count = horizon.steps[0].n_state, len(horizon.steps)
        duals = solver.duals(problem.linear[: problem.n_state] + solution.limits)
        x, own = unstacked(horizon, np.concatenate([solver.state(solution.resources), solution.resources]))
        first = Solution(x[0][n:], solution.limits[:n])
        own_cost = objective(horizon.own, own)
        return Findings(first, tuple(x), tuple(np.split(duals, count)), own, own_cost, effort)

    def _fitting(self, problem: AtomicProblem) -> Warmth | None:
        """Keep the last start, where the horizon still has its shape."""
        warmth = self._warmth
        fits = warmth is not None and len(warmth.limits) == problem.n_state
        size = len(problem.linear) - problem.n_state
        return warmth if warmth is not None and fits and len(warmth.dispatch) == size else None

    def _plan(self, horizon: HorizonProblem) -> Carried:
        """Keep the last plan for as long as steps have its pattern."""
        step = horizon.steps[0]
        if self._carried is not None:
            before, power, carried = self._carried
            same = np.array_equal(power, horizon.power) and _same_pattern(before, step)
            if same:
                return carried
        carried = carry(step, horizon.power)
        self._carried = (step, horizon.power, carried)
        return carried

    def _opening(self, horizon: HorizonProblem, outlook: Outlook) -> Opening:
        """Begin each step where the last plan had it."""
        memory, own = self._memory, np.zeros(len(horizon.own.linear))
        size = len(horizon.steps[0].linear)
        if memory is None or len(memory.x[0]) != size:
            return Opening(tuple(np.zeros(size) for _ in horizon.steps), own)
        unit = horizon.steps[0].cost_unit
        if memory.outlook is outlook and len(memory.own) == len(own):
            return Opening(memory.x, memory.own, tuple(m.scaled(1 / unit) for m in memory.multipliers))
        before = [memory.outlook.step_at(step.span.first) for step in outlook.steps]
        weight, old = outlook.hours / outlook.hours[0], memory.outlook.hours / memory.outlook.hours[0]
        prices = [memory.multipliers[k].scaled(weight[t] / old[k] / unit) for t, k in enumerate(before)]
        kept = _own_prices(horizon, memory, before, own) / unit
        nowhere = np.zeros(len(own), dtype=np.int64)
        last = Multipliers(kept, np.zeros(0), nowhere)
        return Opening(tuple(memory.x[k] for k in before), own, (*prices, last))

    def _remember(self, horizon: HorizonProblem, outlook: Outlook, course: Course) -> None:
        unit = horizon.steps[0].cost_unit
        prices = tuple(item.scaled(unit) for item in course.multipliers)
        own: dict[int, dict[str, FloatArray]] = {}
        first = 0
        for coupling in horizon.couplings:
            mine = slice(first, first + len(coupling.lower))
            values = np.vstack([course.own[mine], prices[-1].limits[:, mine]])
            own[coupling.resource] = {name: values[:, at] for name, at in coupling.parts.items()}
            first += len(coupling.lower)
        self._memory = _Memory(outlook, course.x, course.own, prices, own)


def _own_prices(horizon: HorizonProblem, memory: _Memory, before: list[int], own: FloatArray) -> FloatArray:
    """Take up what couplings held a step, by its time: values into `own`, and prices [$/h], shape (4, n)."""
    prices, first = np.zeros((4, len(own))), 0
    for coupling in horizon.couplings:
        for name, at in coupling.parts.items():
            values = memory.by_part.get(coupling.resource, {}).get(name)
            if values is not None and len(at) == len(before) and values.shape[1] == len(memory.x):
                own[first + at], prices[:, first + at] = values[0, before], values[1:, before]
        first += len(coupling.lower)
    return prices


def _same_pattern(one: AtomicProblem, other: AtomicProblem) -> bool:
    pairs = (
        (one.rows.indptr, other.rows.indptr),
        (one.rows.indices, other.rows.indices),
        (answers_directly(one), answers_directly(other)),
    )
    return all(np.array_equal(a, b) for a, b in pairs)


def _effort(carried: Carried, course: Course, horizon: HorizonProblem) -> Effort:
    """Count one-hop messages in sequence; each tells of all steps, and of the terms that it carries."""
    sweeps, plan, count = course.steps + 1, carried.plan, len(horizon.steps)
    told = count * (count + 5) // 2 * carried.hops
    # The step from the root to its desk is no message; without a carried power there is none.
    hops = plan.height - bool(carried.roots)
    return Effort(
        rounds=2 * hops * sweeps,
        messages=(plan.messages - 2 * len(carried.roots)) * sweeps,
        scalars=(count * plan.scalars + told) * sweeps,
        converged=course.converged,
        primal=course.primal,
        dual=course.dual,
    )
