"""Negotiate one clearing of a linear network, between areas or between single buses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from feeders.network import FloatArray, IntArray
from market.clearing import Clearing
from market.offers import Refusal
from market.pac.areas import condense
from market.pac.negotiate import USUAL, Negotiation, Start, Tuning, negotiate
from market.problem.atoms import AtomicProblem, objective, with_copies
from market.problem.prices import NetworkSolver
from market.problem.solution import Multipliers, Solution
from market.settings import PUBLISHED, MarketSettings

MISSED = 1e-4
"""A limit that nobody watched and that is exceeded by more joins the negotiation."""
MAX_EXTENSIONS = 5
"""Times that newly exceeded limits may join one clearing."""


@dataclass(frozen=True)
class Warmth:
    """What a clearing leaves to the next one.

    Attributes
    ----------
    dispatch : ndarray, shape (n_resource_variable,)
        Resource powers in units of the problem.
    limits : ndarray, shape (n_state,)
        Multipliers of the limits [$/h per unit].
    weight : float
        Primal weight.
    multipliers : Multipliers, optional
        Prices of all limits, hard ones too [$/h per unit]; from the second-order method.
    """

    dispatch: FloatArray
    limits: FloatArray
    weight: float = 1.0
    multipliers: Multipliers | None = None


@dataclass(frozen=True)
class Effort:
    """Negotiation figures summed over one clearing; residuals and convergence are those of its last part."""

    rounds: int = 0
    messages: int = 0
    scalars: int = 0
    converged: bool = True
    primal: float = 0.0
    dual: float = 0.0

    def add(self, talk: Negotiation) -> Effort:
        """Count another negotiation in."""
        return Effort(
            self.rounds + talk.rounds,
            self.messages + talk.messages,
            self.scalars + talk.scalars,
            talk.converged,
            talk.primal_residual,
            talk.dual_residual,
        )

    def and_then(self, later: Effort) -> Effort:
        """Add the figures of a later part of the same clearing."""
        return replace(
            later,
            rounds=self.rounds + later.rounds,
            messages=self.messages + later.messages,
            scalars=self.scalars + later.scalars,
        )


def with_effort(clearing: Clearing, effort: Effort, refused: Iterable[Refusal]) -> Clearing:
    """Record on a clearing what its negotiation took, and whom it left out."""
    return replace(
        clearing,
        refused=tuple(str(refusal) for refusal in refused),
        status="solved" if effort.converged else "not_converged",
        rounds=effort.rounds,
        messages=effort.messages,
        scalars=effort.scalars,
        primal_residual=effort.primal,
        dual_residual=effort.dual,
    )


def begin(problem: AtomicProblem, solver: NetworkSolver, warmth: Warmth | None) -> Warmth:
    """Start at the last clearing or at the resources' answer to its limits, whichever is cheaper now.

    The first time, start at their answer to prices in which only limits beyond reach take part.
    """
    n = problem.n_state
    if warmth is not None:
        limits = warmth.limits / problem.cost_unit
        powers = np.clip(warmth.dispatch, problem.lower[n:], problem.upper[n:])
        return Warmth(_cheaper(problem, solver, limits, powers), limits, warmth.weight)
    idle = np.clip(np.zeros(len(problem.linear) - n), problem.lower[n:], problem.upper[n:])
    limits = _beyond_reach(problem, solver)
    duals = solver.duals(problem.linear[:n] + limits)
    return Warmth(solver.best_response(duals, idle), limits, 1.0)


def _beyond_reach(problem: AtomicProblem, solver: NetworkSolver) -> FloatArray:
    """Multipliers of limits that are exceeded whether resources give their least or their most: penalties.

    Duals that jump from nothing to a penalty would mislead the primal weight.
    """
    n = problem.n_state
    least, most = solver.state(problem.lower[n:]), solver.state(problem.upper[n:])
    below = np.maximum(least, most) < problem.soft_lower[:n]
    above = np.minimum(least, most) > problem.soft_upper[:n]
    limits: FloatArray = problem.penalty[:n] * (above.astype(np.float64) - below)
    return limits


def negotiate_areas(
    problem: AtomicProblem,
    solver: NetworkSolver,
    area: IntArray,
    start: Warmth,
    settings: MarketSettings,
    tuning: Tuning = USUAL,
) -> tuple[Solution, Effort, float]:
    """Negotiate between areas; limits that turn out exceeded join until none is left out.

    Parameters
    ----------
    problem : AtomicProblem
        The problem of all buses.
    solver : NetworkSolver
        Its factorised network.
    area : ndarray of int, shape (n_atom,)
        Area of every atom.
    start : Warmth
        Where to begin, in units of the problem.
    settings : MarketSettings
        Tolerance and round budget.
    tuning : Tuning, optional
        How agents negotiate.

    Returns
    -------
    Solution, Effort, float
        What was agreed, what it took, and the primal weight for the next time.
    """
    n = problem.n_state
    resources, limits, weight, effort = start.dispatch, start.limits, start.weight, Effort()
    watched = _near_limits(problem, solver.state(resources), limits, tuning.watch_margin)
    for _ in range(MAX_EXTENSIONS):
        condensed = condense(problem, area, watched)
        duals = solver.duals(problem.linear[:n] + limits)
        full = np.concatenate([solver.state(resources), resources])
        opening = Start(full[condensed.variables], condensed.start_duals(duals, -limits), weight)
        left = replace(settings, max_rounds=max(settings.max_rounds - effort.rounds, 0))
        talk = _talk(condensed.problem, opening, left, tuning)
        effort, weight = effort.add(talk), talk.weight
        full[condensed.variables] = talk.x
        limits = np.zeros(n)
        limits[watched] = -talk.y[len(condensed.boundary) :]
        resources = _cheaper(problem, solver, limits, full[n:])
        missed = np.setdiff1d(_exceeded(problem, solver.state(resources)), watched)
        if not len(missed):
            break
        watched = np.union1d(watched, missed)
    else:
        effort = replace(effort, converged=False)
    return Solution(resources, limits), effort, weight


def negotiate_buses(
    problem: AtomicProblem,
    solver: NetworkSolver,
    start: Warmth,
    settings: MarketSettings,
    tuning: Tuning = USUAL,
) -> tuple[Solution, Effort, float]:
    """Negotiate between single buses; the published methods work on copies. See `negotiate_areas`."""
    n, m = len(problem.linear), len(problem.row_lower)
    whole = with_copies(problem) if settings.method in PUBLISHED else problem
    x = np.concatenate([solver.state(start.dispatch), start.dispatch])
    y = solver.duals(problem.linear[:m] + start.limits)
    if whole is not problem:
        x = np.append(x, x[_copied(whole, m)])
        y = np.append(y, _copy_duals(whole, y, m))
    talk = _talk(whole, Start(x, y, start.weight), settings, tuning)
    limits = _multipliers(problem, talk.x[:n], talk.y[:m])
    resources = _cheaper(problem, solver, limits, talk.x[problem.n_state : n])
    return Solution(resources, limits), Effort().add(talk), talk.weight


def _talk(problem: AtomicProblem, start: Start, settings: MarketSettings, tuning: Tuning) -> Negotiation:
    return negotiate(
        problem,
        start,
        method=settings.method if settings.method in PUBLISHED else "pac-accelerated",
        tolerance=settings.tolerance,
        max_rounds=settings.max_rounds,
        tuning=tuning,
    )


def _near_limits(problem: AtomicProblem, state: FloatArray, limits: FloatArray, margin: float) -> IntArray:
    """Network variables whose soft limits are near, at the anchor or at the start, or had a price."""
    n = problem.n_state
    near = np.zeros(n, dtype=bool)
    for value in (state, np.zeros(n)):
        near |= value > problem.soft_upper[:n] - margin
        near |= value < problem.soft_lower[:n] + margin
    return np.flatnonzero((problem.penalty[:n] > 0) & (near | (limits != 0)))


def _exceeded(problem: AtomicProblem, state: FloatArray) -> IntArray:
    n = problem.n_state
    beyond = (state > problem.soft_upper[:n] + MISSED) | (state < problem.soft_lower[:n] - MISSED)
    return np.flatnonzero((problem.penalty[:n] > 0) & beyond)


def _cheaper(
    problem: AtomicProblem, solver: NetworkSolver, limits: FloatArray, agreed: FloatArray
) -> FloatArray:
    """Take the cheaper of the negotiated powers and the resources' exact answer to the final prices."""
    answer = solver.best_response(solver.duals(problem.linear[: problem.n_state] + limits), agreed)
    costs = [objective(problem, np.concatenate([solver.state(r), r])) for r in (agreed, answer)]
    return answer if costs[1] <= costs[0] else agreed


def _multipliers(problem: AtomicProblem, x: FloatArray, y: FloatArray) -> FloatArray:
    """Multipliers of the soft limits from stationarity: K'y - c - Qx, where the variable is at its limit."""
    n = problem.n_state
    gradient = (problem.rows.T @ y - problem.linear - problem.quadratic * x)[:n]
    penalty = problem.penalty[:n]
    at_upper = (x[:n] >= problem.soft_upper[:n] - MISSED) & (gradient > 0)
    at_lower = (x[:n] <= problem.soft_lower[:n] + MISSED) & (gradient < 0)
    return np.where(at_upper | at_lower, np.clip(gradient, -penalty, penalty), 0.0)


def _copied(whole: AtomicProblem, m: int) -> IntArray:
    """Original of every copy."""
    ties = whole.rows[m:].tocoo()
    original = np.zeros(whole.rows.shape[0] - m, dtype=np.int64)
    original[ties.row[ties.data < 0]] = ties.col[ties.data < 0]
    return original


def _copy_duals(whole: AtomicProblem, y: FloatArray, m: int) -> FloatArray:
    """Duals of the coordination rows at which no copy has a marginal cost: the reversed pull of its rows."""
    copies = whole.rows.shape[0] - m
    pull = whole.rows[:m].T @ y
    return -np.asarray(pull)[-copies:]
