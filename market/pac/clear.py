"""Negotiate one clearing of a linear network, between areas or between single buses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.offers import Refusal
from dlmp_cosim.market.pac.areas import condense
from dlmp_cosim.market.pac.negotiate import USUAL, Negotiation, Start, Tuning, iterations_within, negotiate
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective, with_copies
from dlmp_cosim.market.problem.graph import Sweep, ways_of
from dlmp_cosim.market.problem.prices import NetworkSolver
from dlmp_cosim.market.problem.solution import Multipliers, Solution
from dlmp_cosim.market.settings import PUBLISHED, MarketSettings

Talk = Callable[[AtomicProblem, Start, MarketSettings, Tuning], Negotiation]
"""What lets the atoms of a problem negotiate."""

MISSED = 1e-4
"""A limit that nobody watched and that is exceeded by more joins the negotiation."""
SWEEPS = 3
"""Sweeps to the middle and back around a negotiation: prices, flows and voltages, and the sum of costs."""
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
    """Negotiation figures summed over one clearing; residuals and convergence are those of its last part.

    Rounds are one-hop messages in sequence, those of the sweeps that open and close it too.
    """

    rounds: int = 0
    messages: int = 0
    scalars: int = 0
    converged: bool = True
    primal: float = 0.0
    dual: float = 0.0

    def add(self, talk: Negotiation) -> Effort:
        """Count another negotiation in, with the sweeps that close it; the first one with those before it."""
        around = SWEEPS if self.messages else 2 * SWEEPS
        with_talk = Effort(
            self.rounds + talk.rounds,
            self.messages + talk.messages,
            self.scalars + talk.scalars,
            talk.converged,
            talk.primal_residual,
            talk.dual_residual,
        )
        return with_talk.swept(around, talk.sweep)

    def swept(self, times: int, sweep: Sweep) -> Effort:
        """Count sweeps to the middle of the agents and back, a number or two in each message."""
        return replace(
            self,
            rounds=self.rounds + times * sweep.hops,
            messages=self.messages + times * sweep.messages,
            scalars=self.scalars + 2 * times * sweep.messages,
        )

    def and_then(self, later: Effort) -> Effort:
        """Add the figures of a later part of the same clearing."""
        return replace(
            later,
            rounds=self.rounds + later.rounds,
            messages=self.messages + later.messages,
            scalars=self.scalars + later.scalars,
        )


def with_effort(clearing: Clearing, effort: Effort, refused: Iterable[Refusal] = ()) -> Clearing:
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
        return replace(warmth, dispatch=_cheaper(problem, solver, limits, powers), limits=limits)
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
    talk: Talk | None = None,
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
    talk : callable, optional
        Lets them: by default at once, in this process.

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
        left = replace(settings, negotiation_rounds=max(settings.negotiation_rounds - effort.rounds, 0))
        agreed = (talk or talk_within)(condensed.problem, opening, left, tuning)
        effort, weight = effort.add(agreed), agreed.weight
        full[condensed.variables] = agreed.x
        limits = np.zeros(n)
        limits[watched] = -agreed.y[len(condensed.boundary) :][: len(watched)]
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
    talk: Talk | None = None,
) -> tuple[Solution, Effort, float]:
    """Negotiate between single buses; the published methods work on copies. See `negotiate_areas`."""
    n, m = len(problem.linear), len(problem.row_lower)
    whole = with_copies(problem) if settings.method in PUBLISHED else problem
    x = np.concatenate([solver.state(start.dispatch), start.dispatch])
    duals = solver.duals(problem.linear[: problem.n_state] + start.limits)
    y = np.append(duals, np.zeros(m - problem.n_state))
    if whole is not problem:
        x = np.append(x, x[_copied(whole, m)])
        y = np.append(y, _copy_duals(whole, y, m))
    agreed = (talk or talk_within)(whole, Start(x, y, start.weight), settings, tuning)
    limits = _multipliers(problem, agreed.x[:n], agreed.y[:m])
    resources = _cheaper(problem, solver, limits, agreed.x[problem.n_state : n])
    return Solution(resources, limits), Effort().add(agreed), agreed.weight


def talk_within(
    problem: AtomicProblem, start: Start, settings: MarketSettings, tuning: Tuning
) -> Negotiation:
    """Negotiate in this process within the settings' budget of rounds, the sweeps around it included.

    Parameters
    ----------
    problem : AtomicProblem
        The problem; with copies for the published methods.
    start : Start
        Where to begin.
    settings : MarketSettings
        Method, tolerance and round budget.
    tuning : Tuning
        How agents negotiate.
    """
    ways = ways_of(problem)
    return negotiate(
        problem,
        start,
        method=settings.method if settings.method in PUBLISHED else "pac-accelerated",
        tolerance=settings.tolerance,
        max_iterations=iteration_budget(ways.sweep, settings, tuning),
        tuning=tuning,
        ways=ways,
    )


def iteration_budget(sweep: Sweep, settings: MarketSettings, tuning: Tuning) -> int:
    """Count the iterations that the settings' budget of rounds leaves between its sweeps.

    Parameters
    ----------
    sweep : Sweep
        What a sweep to the middle of the agents and one back take.
    settings : MarketSettings
        Round budget.
    tuning : Tuning
        How often agents check.
    """
    return iterations_within(settings.negotiation_rounds - 2 * SWEEPS * sweep.hops, sweep, tuning.check_every)


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
    """Take the cheaper of the negotiated powers and the resources' exact answer to the final prices.

    Where rows tie resources over time, no price of one step answers for them.
    """
    if len(problem.row_lower) > problem.n_state:
        return agreed
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
    pull = np.asarray(whole.rows[:m].T @ y)
    return -pull[len(pull) - copies :]
