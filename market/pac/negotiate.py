"""Proximal Atomic Coordination: agents negotiate an `AtomicProblem` by messages between neighbours.

In an iteration every agent takes a proximal step on its own variables against the duals of the one before
(message 1: the new values its neighbours read), then every agent moves the duals of its own rows (message 2:
those duals, back to the neighbours whose values the row reads). With equal gains this is the primal-dual
hybrid gradient method, which is why `pac-accelerated` may use its preconditioning, restarts and primal weight
without another message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.pac.iterations import (
    USUAL_RESTARTS,
    Outcome,
    RestartRule,
    accelerated,
    nesterov,
    published,
)
from dlmp_cosim.market.pac.kernels import Arrays
from dlmp_cosim.market.pac.step_sizes import Gains, atom_gains, local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import Gathering, Sweep, Ways, gathering_of, neighbours_of, ways_of

PacMethod = Literal["pac", "nst-pac", "pac-accelerated"]

CHECK_EVERY = 10
"""Iterations between checks of the stopping and restart rules."""
HOPS = 2
"""One-hop messages in sequence of an iteration: values, then duals."""
CHECKED = 3
"""Numbers that a check needs: two residuals and the restart distance. Agents apart send six: that distance,
and the one that a restart would need, as two sums each."""
MASK = 0.5
"""Width of the private mask on the duals: gammahat is drawn from [0.5, 1] gamma."""
MOMENTUM = 0.3
"""Extrapolation of the duals in `nst-pac`."""
DUAL_RATIO, CONE_RATIO = 1.0, 100.0
"""Dual over primal step of the published iterations, on linear networks and with cones: on the IEEE 123-node
feeder no other power of ten does better at every hour."""


@dataclass(frozen=True)
class Tuning:
    """What a study of convergence varies; nobody has to choose any of it for a new feeder.

    Attributes
    ----------
    gains : callable, optional
        Chooses the steps of a problem; by default `local_gains`, for the published methods `atom_gains`.
    restart : RestartRule
        Restarts and primal weight of the accelerated method.
    check_every : int
        Iterations between checks of the stopping and restart rules.
    mask : float
        Width of the private mask on the duals of the published methods, a share of gamma.
    momentum : float
        Extrapolation of the duals in `nst-pac`.
    watch_margin : float
        Agents of several buses watch a limit from this distance on, in units of the problem (at 0.1 from
        0.001 pu**2, or 10 % of a rating).
    """

    gains: Callable[[AtomicProblem], Gains] | None = None
    restart: RestartRule = USUAL_RESTARTS
    check_every: int = CHECK_EVERY
    mask: float = MASK
    momentum: float = MOMENTUM
    watch_margin: float = 0.1


USUAL = Tuning()
"""What agents use."""


@dataclass(frozen=True)
class Start:
    """Where a negotiation begins.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Variables.
    y : ndarray, shape (m,)
        Duals.
    weight : float
        Primal weight of the accelerated method.
    """

    x: FloatArray
    y: FloatArray
    weight: float = 1.0


@dataclass(frozen=True)
class Negotiation:
    """How a negotiation ended.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Variables.
    y : ndarray, shape (m,)
        Duals of the rows.
    converged : bool
        Whether both residuals met the tolerance.
    iterations : int
        Times that values were sent, and duals back.
    rounds, messages, scalars : int
        One-hop messages in sequence, messages between neighbours and numbers in them: two a round for each
        iteration, and for each check a sweep to the middle of the agents and one back.
    sweep : Sweep
        What such a sweep and the one back take.
    primal_residual, dual_residual : float
        Largest residuals at the last check, in units of the problem.
    weight : float
        Primal weight at the end, for a warm start.
    restarts : int
        Restarts of the accelerated method.
    trace : ndarray, shape (n_check, 3)
        Iteration, primal and dual residual of every check.
    """

    x: FloatArray
    y: FloatArray
    converged: bool
    iterations: int
    rounds: int
    messages: int
    scalars: int
    sweep: Sweep
    primal_residual: float
    dual_residual: float
    weight: float
    restarts: int
    trace: FloatArray


def pack(
    problem: AtomicProblem,
    gains: Gains,
    columns: sp.csc_matrix | None = None,
    gathering: Gathering | None = None,
) -> Arrays:
    """Lay a problem out as flat arrays for the compiled steps.

    Parameters
    ----------
    problem : AtomicProblem
        The problem, or one agent's part of it.
    gains : Gains
        Steps of its variables and rows.
    columns : csc_matrix, optional
        Entries of its variables in all rows that they are in, where some of these are another agent's.
    gathering : Gathering, optional
        In which order its agents add up, where that is known.
    """
    rows = problem.rows.tocsr()
    columns = problem.rows.tocsc() if columns is None else columns
    order, towards = gathering or gathering_of(neighbours_of(problem))
    return Arrays(
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int64),
        columns.data,
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int64),
        rows.data,
        gains.tau,
        gains.sigma,
        problem.linear,
        problem.quadratic,
        problem.lower,
        problem.upper,
        problem.soft_lower,
        problem.soft_upper,
        problem.penalty,
        problem.row_lower,
        problem.row_upper,
        problem.row_penalty,
        problem.discs,
        problem.disc_radius,
        problem.cones,
        problem.variable_atom,
        problem.row_atom,
        order,
        towards,
    )


def negotiate(
    problem: AtomicProblem,
    start: Start,
    *,
    method: PacMethod = "pac-accelerated",
    tolerance: float = 1e-4,
    max_iterations: int = 20_000,
    seed: int = 0,
    gains: Gains | None = None,
    tuning: Tuning = USUAL,
    ways: Ways | None = None,
) -> Negotiation:
    """Negotiate until every agent's residuals meet the tolerance or the iterations are spent.

    Parameters
    ----------
    problem : AtomicProblem
        The problem; the published methods want one with copies (`market.problem.atoms.with_copies`).
    start : Start
        Where to begin.
    method : {"pac-accelerated", "pac", "nst-pac"}
        The iteration.
    tolerance : float
        Largest residual of any row and of any variable's marginal cost, in units of the problem.
    max_iterations : int
        Iterations after which to give up.
    seed : int
        Seed of the private masks of the published methods.
    gains : Gains, optional
        Steps; chosen from local rows and columns by default.
    tuning : Tuning, optional
        Everything else about the iteration.
    ways : Ways, optional
        Its `ways_of`, where they are known.
    """
    ways = ways or ways_of(problem)
    arrays = pack(problem, gains or _choose_gains(problem, method, tuning), gathering=ways.gathering)
    x = np.clip(start.x, problem.lower, problem.upper)
    outcome = _run(arrays, x, start, method, tolerance, max_iterations, seed, tuning)
    done = outcome.iterations
    # Where it starts afresh, the accelerated method asks once more how far an iteration moves.
    checks = len(outcome.trace) + (outcome.restarts + 1 if method == "pac-accelerated" and done else 0)
    talked = exchanged(ways, done, checks)
    return Negotiation(
        x=outcome.x,
        y=outcome.y,
        converged=outcome.primal <= tolerance and outcome.dual <= tolerance and _is_whole(outcome),
        iterations=done,
        rounds=talked.rounds,
        messages=talked.messages,
        scalars=talked.scalars,
        sweep=talked.sweep,
        primal_residual=outcome.primal,
        dual_residual=outcome.dual,
        weight=outcome.weight,
        restarts=outcome.restarts,
        trace=outcome.trace,
    )


class Exchanged(NamedTuple):
    """What a negotiation sent: see `Negotiation`."""

    rounds: int
    messages: int
    scalars: int
    sweep: Sweep


def exchanged(ways: Ways, iterations: int, checks: int) -> Exchanged:
    """Count what agents send in so many iterations and checks.

    Parameters
    ----------
    ways : Ways
        What passes between them.
    iterations, checks : int
        How many.
    """
    reads, sweep = ways.reads, ways.sweep
    return Exchanged(
        rounds=HOPS * iterations * bool(sweep.hops) + sweep.hops * checks,
        messages=iterations * reads.messages_per_round + checks * sweep.messages,
        scalars=iterations * reads.scalars_per_round + checks * sweep.messages * CHECKED,
        sweep=sweep,
    )


def iterations_within(rounds: int, sweep: Sweep, every: int = CHECK_EVERY) -> int:
    """Count the iterations that a budget of rounds allows, their checks included.

    Parameters
    ----------
    rounds : int
        The budget.
    sweep : Sweep
        What a check takes.
    every : int, optional
        Iterations between checks.
    """
    if not sweep.hops:
        return rounds
    # A check may start afresh, which takes a sweep more; so does the first iteration.
    whole, left = divmod(max(rounds - sweep.hops, 0), HOPS * every + 2 * sweep.hops)
    return every * whole + min(left // HOPS, every - 1)


def _is_whole(outcome: Outcome) -> bool:
    """Whether the last iterate has a number everywhere: a largest residual passes over NaN."""
    return bool(np.isfinite(outcome.x).all() and np.isfinite(outcome.y).all())


def _choose_gains(problem: AtomicProblem, method: PacMethod, tuning: Tuning) -> Gains:
    if tuning.gains is not None:
        return tuning.gains(problem)
    if method == "pac-accelerated":
        return local_gains(problem)
    gains = atom_gains(problem, CONE_RATIO if len(problem.cones) else DUAL_RATIO)
    if method == "nst-pac":
        # Extrapolating values and duals lengthens both steps, and the product of both must stay below one.
        return Gains(gains.tau / (1 + 2 * tuning.momentum), gains.sigma)
    return gains


def _run(
    arrays: Arrays,
    x: FloatArray,
    start: Start,
    method: PacMethod,
    tolerance: float,
    limit: int,
    seed: int,
    tuning: Tuning,
) -> Outcome:
    every, mask = tuning.check_every, tuning.mask
    if method == "pac-accelerated":
        return accelerated(arrays, x, start.y, start.weight, tuning.restart, tolerance, limit, every)
    rng = np.random.default_rng(seed)
    if method == "pac":
        return published(arrays, x, start.y, mask, rng, tolerance, limit, every)
    return nesterov(arrays, x, start.y, tuning.momentum, mask, rng, tolerance, limit, every)
