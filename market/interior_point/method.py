"""The iteration: sweeps up and down until products are small and nothing is left over.

After Pakazad, Hansson and Andersen, "Distributed primal-dual interior-point methods for solving
tree-structured coupled problems using message passing" (Optimization Methods and Software, 2017); what
differs is that no step length is agreed on (`market.interior_point.newton`), which halves the sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from feeders.errors import ClearingError
from feeders.network import FloatArray
from market.interior_point.fronts import Plan
from market.interior_point.limits import (
    Limits,
    Pairs,
    centred,
    find_limits,
    inside,
    prices_by_kind,
    resumed,
)
from market.interior_point.newton import Progress, advance, linearise
from market.interior_point.sweeps import Store, System, make_store, sweep_down, sweep_up
from market.problem.atoms import AtomicProblem, leave_room
from market.problem.solution import Multipliers

FIRST_PRODUCT, RESUMED_PRODUCT = 1.0, 1e-3
"""Product of every pair at the start, from nothing and from earlier prices [units of the problem]."""
BEHIND, UP_TO_DATE = 30.0, 0.1
"""Residuals above which products wait, and below which they fall fast [units of the problem]."""
SLOW, FAST = 0.2, 0.005
"""Factors by which products fall in a step."""
LEAST_PRODUCT = 1e-12
"""Products fall no further: stiffer limits than that would drown in rounding."""
FAR, PATIENCE = 1e3, 15
"""Residual, and number of steps, at which earlier prices have turned out to be of no use."""


@dataclass(frozen=True)
class Agreement:
    """How the iteration ended.

    Attributes
    ----------
    x, y : ndarray
        Variables, and duals of the rows.
    multipliers : Multipliers
        Prices of the limits.
    converged : bool
        Whether products and residuals met the tolerance.
    steps : int
        Newton steps.
    primal, dual : float
        Largest residuals after the last one [units of the problem].
    trace : ndarray, shape (steps, 3)
        Product, primal and dual residual of every step.
    """

    x: FloatArray
    y: FloatArray
    multipliers: Multipliers
    converged: bool
    steps: int
    primal: float
    dual: float
    trace: FloatArray


class Workspace(NamedTuple):
    """What the steps of one problem share."""

    plan: Plan
    store: Store
    system: System


class Goal(NamedTuple):
    """Where an approach starts and when it ends: products, tolerance, steps, and a residual too far off."""

    product: float
    tolerance: float
    steps: int
    far: float


class Point(NamedTuple):
    """Where an approach ended."""

    x: FloatArray
    multipliers: FloatArray
    progress: Progress
    done: bool


def iterate(
    problem: AtomicProblem,
    plan: Plan,
    x: FloatArray,
    earlier: Multipliers | None = None,
    *,
    tolerance: float = 1e-4,
    max_steps: int = 100,
) -> Agreement:
    """Iterate until no pair is farther than `tolerance` from being complementary, and nothing is left over.

    Parameters
    ----------
    problem : AtomicProblem
        The problem, its rows equalities, without cones.
    plan : Plan
        Plan of its pattern.
    x : ndarray, shape (n,)
        Where to begin; only what lies in boxes matters, once.
    earlier : Multipliers, optional
        Prices of limits to begin with.
    tolerance : float
        Largest residual, and root of the largest product of a limit's slack and its price.
    max_steps : int
        Newton steps after which to give up.

    Raises
    ------
    ClearingError
        When the rows do not determine what agents have to agree on.
    """
    problem = leave_room(problem)
    limits, work = find_limits(problem), Workspace(plan, make_store(plan.fronts), _system(problem))
    x = inside(problem, x)
    trace: list[tuple[float, float, float]] = []
    if earlier is not None:
        pairs = _resumed(limits, x, earlier)
        goal = Goal(RESUMED_PRODUCT, tolerance, min(PATIENCE, max_steps), FAR)
        point = _approach(problem, work, limits, pairs, x, goal, trace)
    if earlier is None or (not point.done and len(trace) < max_steps):
        pairs = centred(limits, x, FIRST_PRODUCT)
        goal = Goal(FIRST_PRODUCT, tolerance, max_steps - len(trace), np.inf)
        point = _approach(problem, work, limits, pairs, x, goal, trace)
    return Agreement(
        x=point.x,
        y=-point.multipliers,
        multipliers=Multipliers(prices_by_kind(limits, pairs, len(x)), pairs.disc_price),
        converged=point.done,
        steps=len(trace),
        primal=point.progress.primal,
        dual=point.progress.dual,
        trace=np.array(trace).reshape(-1, 3),
    )


def _approach(
    problem: AtomicProblem,
    work: Workspace,
    limits: Limits,
    pairs: Pairs,
    x: FloatArray,
    goal: Goal,
    trace: list[tuple[float, float, float]],
) -> Point:
    """Take steps until the goal is met or given up; the pairs change in place, the trace grows."""
    t, last, done = goal.product, max(goal.tolerance**2, LEAST_PRODUCT), False
    progress, multipliers = Progress(np.inf, np.inf), np.zeros(len(problem.row_lower))
    for _ in range(goal.steps):
        t = max(t * _factor(progress), last)
        x, multipliers, progress = _step(problem, work, limits, pairs, x, t)
        trace.append((t, progress.primal, progress.dual))
        left = max(progress.primal, progress.dual)
        done = t <= last and left <= goal.tolerance
        if done or left > goal.far:
            break
    return Point(x, multipliers, progress, done)


def _resumed(limits: Limits, x: FloatArray, earlier: Multipliers) -> Pairs:
    discs = earlier.discs if len(earlier.discs) == len(limits.radius) else np.zeros(len(limits.radius))
    return resumed(limits, x, earlier.limits[limits.kind, limits.variable], discs, RESUMED_PRODUCT)


def _system(problem: AtomicProblem) -> System:
    """Make room for the numbers of a step; variables without room are known and stay."""
    n, known = len(problem.linear), problem.lower == problem.upper
    mate = np.full(n, -1, dtype=np.int64)
    mate[problem.discs[:, 0]], mate[problem.discs[:, 1]] = problem.discs[:, 1], problem.discs[:, 0]
    curve, right = np.where(known, np.inf, 0.0), np.zeros(len(problem.row_lower))
    return System(problem.rows.data, curve, np.zeros(n), np.zeros((2, n)), right, mate)


def _factor(progress: Progress) -> float:
    """How far products fall in the next step: not in the first, and not while pairs are far behind."""
    left = max(progress.primal, progress.dual)
    if left > BEHIND:
        return 1.0
    return FAST if left < UP_TO_DATE else SLOW


def _step(
    problem: AtomicProblem, work: Workspace, limits: Limits, pairs: Pairs, x: FloatArray, t: float
) -> tuple[FloatArray, FloatArray, Progress]:
    """Take one Newton step; the pairs change in place."""
    plan, store, system = work
    linearise(limits, pairs, x, problem.quadratic, problem.linear, system)
    system.right[:] = problem.row_lower - problem.rows @ x
    if sweep_up(plan.fronts, system, store) >= 0:
        raise ClearingError("the rows of the network do not determine it: an agent cannot solve its part")
    step, multipliers = np.empty(len(x)), np.empty(len(problem.row_lower))
    sweep_down(plan.fronts, system, store, t, step, multipliers)
    progress = advance(limits, pairs, x, step, t)
    return x + step, multipliers, progress


def with_equalities(problem: AtomicProblem) -> AtomicProblem:
    """Give every row with a range a variable of its own for its value, in that range.

    Parameters
    ----------
    problem : AtomicProblem
        Any problem; the new variables come after its own.
    """
    ranged = np.flatnonzero(problem.row_lower < problem.row_upper)
    if not len(ranged):
        return problem
    k, m = len(ranged), len(problem.row_lower)
    value = sp.csr_matrix((-np.ones(k), (ranged, np.arange(k))), shape=(m, k))
    soft = np.isfinite(problem.row_penalty[ranged])
    low, high = problem.row_lower.copy(), problem.row_upper.copy()
    low[ranged], high[ranged] = 0.0, 0.0
    bottom, top = problem.row_lower[ranged], problem.row_upper[ranged]
    return replace(
        problem,
        quadratic=np.append(problem.quadratic, np.zeros(k)),
        linear=np.append(problem.linear, np.zeros(k)),
        lower=np.append(problem.lower, np.where(soft, -np.inf, bottom)),
        upper=np.append(problem.upper, np.where(soft, np.inf, top)),
        soft_lower=np.append(problem.soft_lower, np.where(soft, bottom, -np.inf)),
        soft_upper=np.append(problem.soft_upper, np.where(soft, top, np.inf)),
        penalty=np.append(problem.penalty, np.where(soft, problem.row_penalty[ranged], 0.0)),
        rows=sp.hstack([problem.rows, value]).tocsr(),
        row_lower=low,
        row_upper=high,
        row_penalty=np.full(m, np.inf),
        variable_atom=np.append(problem.variable_atom, problem.row_atom[ranged]),
        reach=None if problem.reach is None else np.append(problem.reach, np.full(k, np.inf)),
    )
