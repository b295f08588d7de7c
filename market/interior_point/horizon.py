"""The second-order method over a horizon: sweeps of every step, tied together by the powers that last.

A step's network is eliminated by the sweeps of a single interval (`market.interior_point.sweeps`). Powers of
resources with terms over time are carried along: a message to a parent is, for every step, a quadratic
summary in what the two share and in the carried powers behind it; beside it travels each such resource's own
summary of its terms, a matrix in its powers of all steps. The root solves for the carried powers, and the
sweeps down answer. So one Newton step of the whole horizon is one sweep up and one down, and what a store
holds, or when a car leaves, stays with its resource.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.horizon.coupling import Coupling
from dlmp_cosim.market.horizon.problem import HorizonProblem
from dlmp_cosim.market.interior_point.carried import Carried, with_carried
from dlmp_cosim.market.interior_point.limits import (
    Limits,
    Pairs,
    centred,
    find_limits,
    inside,
    prices_by_kind,
)
from dlmp_cosim.market.interior_point.method import FIRST_PRODUCT, LEAST_PRODUCT, product_factor, resume_pairs
from dlmp_cosim.market.interior_point.newton import Progress, advance, linearise
from dlmp_cosim.market.interior_point.sweeps import System, make_store, sweep_down, sweep_up
from dlmp_cosim.market.interior_point.workspace import new_system, own_curve
from dlmp_cosim.market.problem.atoms import AtomicProblem, leave_room
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.problem.factors import eliminate
from dlmp_cosim.market.problem.solution import Multipliers

T = TypeVar("T")

RESUMED_PRODUCT = 1e-4
"""Product of every pair at the start from earlier prices: a horizon changes less than an interval does."""
FAR, PATIENCE = 1e3, 15
"""Residual, and number of steps, at which earlier prices have turned out to be of no use."""
NEAR = 0.03
"""Distance from a soft limit at which a resumed point is taken to be [units of the problem]."""
THREADS = 2
"""Steps whose sweeps run at a time."""


@dataclass(frozen=True)
class Opening:
    """Where an iteration begins.

    Attributes
    ----------
    x : tuple of ndarray
        Variables of every step; only what lies in boxes matters.
    own : ndarray
        The couplings' own variables.
    multipliers : tuple of Multipliers, optional
        Earlier prices of the limits of every step, then of the couplings.
    """

    x: tuple[FloatArray, ...]
    own: FloatArray
    multipliers: tuple[Multipliers, ...] | None = None


@dataclass(frozen=True)
class Course:
    """How the iteration over a horizon ended.

    Attributes
    ----------
    x : tuple of ndarray
        Variables of every step.
    y : tuple of ndarray
        Duals of every step's network rows.
    own : ndarray
        The couplings' own variables.
    multipliers : tuple of Multipliers
        Prices of the limits of every step, then of the couplings.
    converged : bool
        Whether products and residuals met the tolerance.
    steps : int
        Newton steps.
    primal, dual : float
        Largest residuals after the last one [units of the problem].
    """

    x: tuple[FloatArray, ...]
    y: tuple[FloatArray, ...]
    own: FloatArray
    multipliers: tuple[Multipliers, ...]
    converged: bool
    steps: int
    primal: float
    dual: float


class _Goal(NamedTuple):
    """Where an approach starts and when it ends: product, tolerance, steps, and a residual too far off."""

    product: float
    tolerance: float
    steps: int
    far: float


class _Part(NamedTuple):
    """One step of the horizon, or the couplings, while it iterates; all but `problem` changes in place."""

    problem: AtomicProblem
    limits: Limits
    pairs: Pairs
    system: System
    curve: FloatArray
    x: FloatArray
    change: FloatArray
    multipliers: FloatArray


class _Answer(NamedTuple):
    """How a coupling answers its powers: columns are constant, in t, and by the power of every step."""

    own: FloatArray
    multipliers: FloatArray


def iterate_horizon(
    horizon: HorizonProblem,
    carried: Carried,
    opening: Opening,
    *,
    tolerance: float = 1e-4,
    max_steps: int = 100,
) -> Course:
    """Iterate over all steps at once, as `market.interior_point.method.iterate` does over one.

    Parameters
    ----------
    horizon : HorizonProblem
        The steps and their couplings.
    carried : Carried
        Plan of every step.
    opening : Opening
        Where to begin.
    tolerance : float
        Largest residual, and root of the largest product of a limit's slack and its price.
    max_steps : int
        Newton steps after which to give up.

    Raises
    ------
    ClearingError
        When the rows do not determine what agents have to agree on.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        run = _Run(horizon, carried, pool)
        taken = 0
        if opening.multipliers is not None:
            parts = run.begin(opening, opening.multipliers)
            goal = _Goal(RESUMED_PRODUCT, tolerance, min(PATIENCE, max_steps), FAR)
            progress, done, taken = run.approach(parts, goal)
        if opening.multipliers is None or (not done and taken < max_steps):
            parts = run.begin(opening, None)
            goal = _Goal(FIRST_PRODUCT, tolerance, max_steps - taken, np.inf)
            progress, done, more = run.approach(parts, goal)
            taken += more
    n, m = len(horizon.steps[0].linear), len(horizon.steps[0].row_lower)
    return Course(
        x=tuple(part.x[:n] for part in parts[:-1]),
        y=tuple(-part.multipliers[:m] for part in parts[:-1]),
        own=parts[-1].x,
        multipliers=tuple(_prices(part) for part in parts),
        converged=done,
        steps=taken,
        primal=progress.primal,
        dual=progress.dual,
    )


class _Run:
    """The Newton steps of one horizon."""

    def __init__(self, horizon: HorizonProblem, carried: Carried, pool: ThreadPoolExecutor) -> None:
        self._couplings, self._carried, self._pool = horizon.couplings, carried, pool
        self._orders = [_order_of(coupling) for coupling in horizon.couplings]
        self._power = horizon.power
        self._problems = [leave_room(with_carried(step, horizon.power)) for step in horizon.steps]
        self._problems.append(horizon.own)
        self._stores = [make_store(carried.plan.fronts, len(step.linear)) for step in self._problems[:-1]]
        self._first_carried = len(horizon.steps[0].linear) + len(horizon.couplings)

    def begin(self, opening: Opening, earlier: Sequence[Multipliers] | None) -> list[_Part]:
        """Set up every step and the couplings, at earlier prices or from the middle."""
        parts = []
        for k, problem in enumerate(self._problems):
            given = opening.own if k == len(self._problems) - 1 else opening.x[k]
            x = np.zeros(len(problem.linear))
            x[: len(given)] = given
            x = inside(problem, x)
            limits = find_limits(problem)
            if earlier is None:
                pairs = centred(limits, x, FIRST_PRODUCT)
            else:
                pairs = resume_pairs(limits, _within_soft(problem, x), earlier[k], RESUMED_PRODUCT)
            m = len(problem.row_lower)
            room = new_system(problem), own_curve(problem)
            parts.append(_Part(problem, limits, pairs, *room, x, np.zeros(len(x)), np.zeros(m)))
        return parts

    def approach(self, parts: list[_Part], goal: _Goal) -> tuple[Progress, bool, int]:
        """Take steps until the goal is met or given up; parts change in place."""
        t, last = goal.product, max(goal.tolerance**2, LEAST_PRODUCT)
        progress, done, taken = Progress(np.inf, np.inf), False, 0
        while taken < goal.steps:
            t = max(t * product_factor(progress), last)
            progress = self._step(parts, t)
            taken += 1
            left = max(progress.primal, progress.dual)
            done = t <= last and left <= goal.tolerance
            if done or left > goal.far:
                break
        return progress, done, taken

    def _step(self, parts: list[_Part], t: float) -> Progress:
        """Take one Newton step of all parts."""
        steps, couplings = parts[:-1], parts[-1]
        _linearise(couplings)
        summaries = self._each(self._up, steps)
        powers = np.array([part.x[self._first_carried :] for part in steps])
        answers = _answers(self._couplings, self._orders, couplings, powers)
        change = self._at_root(summaries, answers, t)
        _respond(self._couplings, couplings, answers, change, t)
        for part, more in zip(steps, change, strict=True):
            part.change[self._first_carried :] = more

        def down(k: int, part: _Part) -> Progress:
            fronts = self._carried.fronts
            sweep_down(fronts, part.system, self._stores[k], t, part.change, part.multipliers)
            self._tie(part)
            return _advance(part, t)

        reached = [*self._each(down, steps), _advance(couplings, t)]
        return Progress(max(p.primal for p in reached), max(p.dual for p in reached))

    def _tie(self, part: _Part) -> None:
        """Let powers follow what was carried of them: solved from a flat cost they would be rounding."""
        first, count = len(part.x) - 2 * len(self._power), len(self._power)
        stiff, carried = part.change[first : first + count], part.change[self._first_carried :]
        part.change[self._power] = part.system.right[len(part.system.right) - count :] + stiff + carried

    def _each(self, work: Callable[[int, _Part], T], steps: Sequence[_Part]) -> list[T]:
        return list(self._pool.map(work, range(len(steps)), steps))

    def _up(self, k: int, part: _Part) -> tuple[FloatArray, FloatArray]:
        """Sweep up one step: its summary in the carried powers, a matrix and two right-hand sides."""
        _linearise(part)
        part.system.right[:] = part.problem.row_lower - part.problem.rows @ part.x
        store, carried = self._stores[k], self._carried
        if sweep_up(carried.fronts, part.system, store) >= 0:
            raise ClearingError("the rows of the network do not determine it: an agent cannot solve its part")
        size = len(self._couplings)
        matrix, right = np.zeros((size, size)), np.zeros((size, 2))
        for front, at in zip(carried.roots, carried.at, strict=True):
            sent = store.sent[store.sent_ptr[front] : store.sent_ptr[front + 1]].reshape(len(at), -1)
            matrix[np.ix_(at, at)] += sent[:, : len(at)]
            right[at] += sent[:, len(at) :]
        return matrix, right

    def _at_root(
        self, summaries: Sequence[tuple[FloatArray, FloatArray]], answers: Sequence[_Answer], t: float
    ) -> FloatArray:
        """Solve for the change of the carried powers, shape (n_step, n_coupling)."""
        count, size = len(summaries), len(self._couplings)
        whole, right = np.zeros((count, size, count, size)), np.zeros((count, size))
        for k, (matrix, sides) in enumerate(summaries):
            whole[k, :, k, :] = matrix
            right[k] = sides[:, 0] + t * sides[:, 1]
        for k, (coupling, answer) in enumerate(zip(self._couplings, answers, strict=True)):
            pull = coupling.power.T @ answer.multipliers
            whole[:, k, :, k] += pull[:, 2:]
            right[:, k] -= pull[:, 0] + t * pull[:, 1]
        if not size:
            return right
        solved = np.linalg.solve(whole.reshape(count * size, count * size), right.ravel())
        return np.asarray(solved.reshape(count, size))


def _prices(part: _Part) -> Multipliers:
    """Prices of a part's limits; pieces are of no use to a start from interior points."""
    prices = prices_by_kind(part.limits, part.pairs, len(part.x))
    return Multipliers(prices, part.pairs.disc_price, np.zeros(len(part.x), dtype=np.int64))


def _within_soft(problem: AtomicProblem, x: FloatArray) -> FloatArray:
    """Move `x` inside its soft limits: a point of before says nothing of limits around another anchor."""
    room = np.minimum(problem.soft_upper - problem.soft_lower, 2 * NEAR) / 2
    return np.clip(x, problem.soft_lower + room, problem.soft_upper - room)


def _linearise(part: _Part) -> None:
    linearise(part.limits, part.pairs, part.x, part.curve, part.problem.linear, part.system)


def _advance(part: _Part, t: float) -> Progress:
    """Let a part's pairs follow its change, and its variables take all of it."""
    progress = advance(part.limits, part.pairs, part.x, part.change, t)
    part.x[:] += part.change
    return progress


def _answers(
    couplings: Sequence[Coupling], orders: Sequence[IntArray], part: _Part, powers: FloatArray
) -> list[_Answer]:
    """Let every coupling solve its own part, each for itself."""
    found, first = [], 0
    for k, (coupling, order) in enumerate(zip(couplings, orders, strict=True)):
        m, n = coupling.own.shape
        mine = slice(first, first + n)
        first += n
        right = coupling.right - coupling.own @ part.x[mine] - coupling.power @ powers[:, k]
        curve, cost = part.system.curve[mine], part.system.cost[:, mine].copy()
        solved = np.empty((n + m, 2 + len(powers)))
        if not _answer_alone(coupling.own, coupling.power, order, curve, cost, right, solved):
            raise ClearingError("the terms of a resource over time do not determine what it holds")
        found.append(_Answer(solved[:n], solved[n:]))
    return found


def _order_of(coupling: Coupling) -> IntArray:
    """Place of every own variable, then of every multiplier, so that what belongs together is near.

    A variable in no row comes last: it is alone with its limits and its cost.
    """
    found: dict[int, int] = {}
    m, n = coupling.own.shape
    for row in range(m):
        for column in [*np.flatnonzero(coupling.own[row]).tolist(), n + row]:
            found.setdefault(column, len(found))
    for column in range(n):
        found.setdefault(column, len(found))
    return np.array([found[k] for k in range(n + m)], dtype=np.int64)


@compiled
def _answer_alone(
    own: FloatArray,
    power: FloatArray,
    order: IntArray,
    curve: FloatArray,
    cost: FloatArray,
    right: FloatArray,
    solved: FloatArray,
) -> bool:
    """Solve a coupling's own variables and multipliers by its powers; whether its rows determine them."""
    m, n = own.shape
    size, width = n + m, 2 + power.shape[1]
    work = np.zeros((size, size + width))
    for j in range(n):
        at = order[j]
        work[at, at] = curve[j]
        work[at, size] = -cost[0, j]
        work[at, size + 1] = -cost[1, j]
    for i in range(m):
        at = order[n + i]
        for j in range(n):
            if own[i, j] != 0.0:
                work[at, order[j]] = own[i, j]
                work[order[j], at] = own[i, j]
        work[at, size] = right[i]
        for t in range(power.shape[1]):
            work[at, size + 2 + t] = -power[i, t]
    if not eliminate(work, np.zeros(size, dtype=np.int64)):
        return False
    for i in range(size - 1, -1, -1):
        answer = work[i, size:]
        for j in range(i + 1, size):
            answer -= work[i, j] * work[j, size:]
        answer /= work[i, i]
    for j in range(size):
        solved[j] = work[order[j], size:]
    return True


def _respond(
    couplings: Sequence[Coupling], part: _Part, answers: Sequence[_Answer], change: FloatArray, t: float
) -> None:
    """Write down how the couplings' own variables change with their powers."""
    first = 0
    for k, (coupling, answer) in enumerate(zip(couplings, answers, strict=True)):
        n = coupling.own.shape[1]
        part.change[first : first + n] = answer.own @ np.concatenate([[1.0, t], change[:, k]])
        first += n
