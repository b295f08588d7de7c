"""The iteration: sweeps up and down until products are small and nothing is left over.

After Pakazad, Hansson and Andersen, "Distributed primal-dual interior-point methods for solving
tree-structured coupled problems using message passing" (Optimization Methods and Software, 2017); what
differs is that no step length is agreed on (`market.interior_point.newton`), which halves the sweeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import alone
from dlmp_cosim.market.interior_point.active import (
    FASTER,
    TRIES,
    Guess,
    known_variables,
    may_arrive,
    next_guess,
)
from dlmp_cosim.market.interior_point.fronts import Plan
from dlmp_cosim.market.interior_point.limits import (
    Limits,
    Pairs,
    centred,
    find_discs,
    find_limits,
    inside,
    prices_by_kind,
    resumed,
)
from dlmp_cosim.market.interior_point.newton import Progress, advance, linearise
from dlmp_cosim.market.interior_point.pieces import find_breaks, joined, relocate, split_prices
from dlmp_cosim.market.interior_point.workspace import Workspace, make_workspace
from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room
from dlmp_cosim.market.problem.solution import Multipliers

FIRST_PRODUCT, RESUMED_PRODUCT = 1.0, 5e-3
"""Product of every pair at the start, from nothing and from earlier prices [units of the problem]."""
SEARCHED_PRODUCT = 1e-4
"""Product of a disc's slack and price at the start of a search for pieces [units of the problem]."""
BEHIND, UP_TO_DATE = 10.0, 0.1
"""Residuals above which products wait, and below which they fall fast [units of the problem]."""
SLOW, FAST = 0.2, 0.005
"""Factors by which products fall in a step."""
LEAST_PRODUCT = 1e-14
"""Products fall no further: stiffer limits than that would drown in rounding."""
PATIENCE = 10
"""Steps at one product after which earlier prices have turned out to be of no use."""


UNDETERMINED = "the rows of the network do not determine it: an agent cannot solve its part"


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


class Goal(NamedTuple):
    """Where an approach starts and when it ends: products, tolerance, steps at one product and in all."""

    first: float
    last: float
    tolerance: float
    patience: int
    steps: int


class Point(NamedTuple):
    """Where an approach ended."""

    x: FloatArray
    multipliers: FloatArray
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
    work = make_workspace(leave_room(problem), plan)
    return alone(agree(work, x, earlier, tolerance=tolerance, max_steps=max_steps))


async def agree(
    work: Workspace,
    x: FloatArray,
    earlier: Multipliers | None = None,
    *,
    tolerance: float,
    max_steps: int,
) -> Agreement:
    """Iterate as one agent among others, or alone; see `iterate`.

    Parameters
    ----------
    work : Workspace
        The agent's part, or all.
    x : ndarray, shape (n,)
        Where its own variables begin.
    earlier : Multipliers, optional
        Prices of its limits to begin with; every agent has some, or none has.
    tolerance, max_steps
        As in `iterate`, the same for all.
    """
    task = _Task(work, tolerance, max_steps)
    start = inside(task.problem, x)
    if earlier is not None:
        pairs = resume_pairs(task.discs, start, earlier, RESUMED_PRODUCT)
        agreed = await task.search(start, earlier, pairs, TRIES)
        if not agreed.converged and task.left:
            pairs = resume_pairs(task.limits, start, earlier, RESUMED_PRODUCT)
            agreed = await task.approach(start, pairs, RESUMED_PRODUCT, PATIENCE)
    if earlier is None or (not agreed.converged and task.left):
        pairs = centred(task.limits, start, FIRST_PRODUCT)
        agreed = await task.approach(start, pairs, FIRST_PRODUCT, max_steps)
    return agreed


class _Task:
    """One agent's part, what is left of its budget, and the trace of what was tried on it."""

    def __init__(self, work: Workspace, tolerance: float, max_steps: int) -> None:
        self.work, self.problem = work, work.problem
        self.tolerance, self.max_steps = tolerance, max_steps
        self.discs, self.breaks = find_discs(self.problem), find_breaks(self.problem)
        self.last, self.trace = max(tolerance**2, LEAST_PRODUCT), list[tuple[float, float, float]]()

    @cached_property
    def limits(self) -> Limits:
        """Every limit, which an approach has to keep away from; a search needs none but the discs."""
        return find_limits(self.problem)

    @property
    def left(self) -> int:
        """Steps that may still be taken."""
        return self.max_steps - len(self.trace)

    async def search(self, start: FloatArray, near: Multipliers, pairs: Pairs, tries: int) -> Agreement:
        """Look for the pieces of the optimum near those of another point; pairs of discs change in place."""
        work, known, done = self.work, known_variables(self.work), False
        guess = Guess(work.with_others(start), joined(near), np.zeros(work.columns.shape[1]), near.pieces)
        t, worst = SEARCHED_PRODUCT if work.curved else self.last, np.inf
        for _ in range(min(tries, self.left)):
            t = max(t * FASTER, self.last)
            guess = await next_guess(work, self.breaks, known, self.discs, pairs, guess, t)
            self.trace.append((t, guess.primal, guess.dual))
            before, worst = worst, max(guess.primal, guess.dual)
            done = worst <= self.tolerance and t == self.last
            if done or not may_arrive(before, worst):
                break
        multipliers = Multipliers(split_prices(self.breaks, guess.prices), pairs.disc_price, guess.pieces)
        return self._agreement(guess.x, guess.multipliers, multipliers, done)

    async def approach(self, x: FloatArray, pairs: Pairs, t: float, patience: int) -> Agreement:
        """Take interior steps until products are small; the pairs change in place."""
        x = self.work.with_others(x)
        goal = Goal(t, self.last, self.tolerance, patience, self.left)
        point = await _approach(self, x, pairs, goal)
        own = point._replace(x=point.x[: self.work.n])
        return self._agreement(point.x, point.multipliers, self._multipliers(own, pairs), point.done)

    def _multipliers(self, point: Point, pairs: Pairs) -> Multipliers:
        """Prices of the limits at an interior point, and the pieces that they point to."""
        prices = prices_by_kind(self.limits, pairs, len(point.x))
        found = Multipliers(prices, pairs.disc_price, np.zeros(len(point.x), dtype=np.int64))
        relocate(self.breaks, found.pieces, point.x, joined(found))
        return found

    def _agreement(
        self, x: FloatArray, rows: FloatArray, multipliers: Multipliers, converged: bool
    ) -> Agreement:
        _, primal, dual = self.trace[-1]
        trace = np.array(self.trace)
        own, m = x[: self.work.n], len(self.problem.row_lower)
        return Agreement(own, -rows[:m], multipliers, converged, len(trace), primal, dual, trace)


async def _approach(task: _Task, x: FloatArray, pairs: Pairs, goal: Goal) -> Point:
    """Take steps until the goal is met or given up; the pairs change in place, the trace grows."""
    t, done, progress, at_one = goal.first, False, Progress(np.inf, np.inf), 0
    multipliers = np.zeros(task.work.columns.shape[1])
    for _ in range(goal.steps):
        before, t = t, max(t * product_factor(progress), goal.last)
        at_one = at_one + 1 if t == before else 1
        if at_one > goal.patience:
            break
        taken = await _step(task.work, task.limits, pairs, x, t)
        if taken is None:
            if not task.trace:
                raise ClearingError(UNDETERMINED)
            # Digits end before the tolerance is met: what there is counts as not converged.
            break
        x, multipliers, progress = taken
        task.trace.append((t, progress.primal, progress.dual))
        done = t <= goal.last and max(progress.primal, progress.dual) <= goal.tolerance
        if done:
            break
    return Point(x, multipliers, done)


def resume_pairs(limits: Limits, x: FloatArray, earlier: Multipliers, product: float) -> Pairs:
    """Take up earlier prices of all limits, every pair with the same product."""
    discs = earlier.discs if len(earlier.discs) == len(limits.radius) else np.zeros(len(limits.radius))
    return resumed(limits, x, earlier.limits[limits.kind, limits.variable], discs, product)


def product_factor(progress: Progress) -> float:
    """How far products fall in the next step: not in the first, and not while pairs are far behind."""
    left = max(progress.primal, progress.dual)
    if left > BEHIND:
        return 1.0
    return FAST if left < UP_TO_DATE else SLOW


async def _step(
    work: Workspace, limits: Limits, pairs: Pairs, x: FloatArray, t: float
) -> tuple[FloatArray, FloatArray, Progress] | None:
    """Take one Newton step; the pairs change in place. None where an agent cannot solve its part."""
    linearise(limits, pairs, x[: work.n], work.curve, work.problem.linear, work.system)
    solved = await work.solve(x, t)
    if solved is None:
        return None
    step, multipliers = solved
    progress = advance(limits, pairs, x, step, t)
    return x + step, multipliers, Progress(*await work.near.largest(*progress))
