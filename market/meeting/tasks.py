"""What a coordinator hands each agent for one meeting, and the program that the agent runs on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.neighbours import Neighbours, Ties
from dlmp_cosim.market.interior_point.clear import sweep_to_agreement
from dlmp_cosim.market.interior_point.parts import SweepPart
from dlmp_cosim.market.interior_point.workspace import part_workspace
from dlmp_cosim.market.pac.clear import Warmth
from dlmp_cosim.market.pac.iterations import RestartRule
from dlmp_cosim.market.pac.negotiate import Tuning
from dlmp_cosim.market.pac.parts import TalkPart, accelerated_part
from dlmp_cosim.market.problem.solution import Multipliers
from dlmp_cosim.market.settings import MarketSettings


@dataclass(frozen=True)
class SweepTask:
    """One agent's share of a clearing by sweeps.

    Attributes
    ----------
    sweep : SweepPart
        Its part.
    dispatch : ndarray
        What its resources run at, in units of the problem.
    resumes : bool
        Whether it begins at the prices that it kept.
    layout : int
        Changes with who holds what: prices kept under another layout are of no use.
    tolerance : float
        Largest residual.
    negotiation_rounds : int
        Round budget.
    """

    sweep: SweepPart
    dispatch: FloatArray
    resumes: bool
    layout: int
    tolerance: float
    negotiation_rounds: int

    @property
    def ties(self) -> Ties:
        """Whom the agent talks to."""
        return self.sweep.ties


@dataclass(frozen=True)
class TalkTask:
    """One agent's share of a negotiation of first order.

    Attributes
    ----------
    talk : TalkPart
        Its part.
    tolerance : float
        Largest residual.
    limit : int
        Iterations after which to give up.
    check_every : int
        Iterations between checks.
    restart : RestartRule
        When to start afresh.
    """

    talk: TalkPart
    tolerance: float
    limit: int
    check_every: int
    restart: RestartRule

    @property
    def ties(self) -> Ties:
        """Whom the agent talks to."""
        return self.talk.ties


Task = SweepTask | TalkTask


@dataclass(frozen=True)
class Answer:
    """What an agent reports of its part when it is agreed on.

    Attributes
    ----------
    values, duals : ndarray
        Of sweeps: powers of its resources, and multipliers of its network variables' limits. Of a negotiation
        of first order: its variables, and the duals of its rows.
    told : ndarray
        What it told neighbours last, and then what it heard: by neighbours, its own variables first.
    figures : tuple of float
        Converged, rounds or steps, residuals, weight and restarts: the same from everybody.
    """

    values: FloatArray
    duals: FloatArray
    told: FloatArray
    figures: tuple[float, ...]


@dataclass
class Memory:
    """What an agent keeps from one meeting to the next: the prices of its own limits."""

    layout: int = -1
    multipliers: Multipliers | None = field(default=None)


async def take_part(task: Task, memory: Memory, near: Neighbours) -> Answer:
    """Take part in a meeting.

    Parameters
    ----------
    task : Task
        What the agent was handed.
    memory : Memory
        What it kept; changes.
    near : Neighbours
        Whom it talks to.
    """
    if isinstance(task, TalkTask):
        tuning = Tuning(restart=task.restart, check_every=task.check_every)
        outcome = await accelerated_part(task.talk, near, task.tolerance, task.limit, tuning)
        reached = outcome.primal <= task.tolerance and outcome.dual <= task.tolerance
        figures = reached, outcome.iterations, outcome.primal, outcome.dual, outcome.weight, outcome.restarts
        own = len(task.talk.part.problem.linear), len(task.talk.part.problem.row_lower)
        told = _told(near, outcome.x)
        return Answer(outcome.x[: own[0]], outcome.y[: own[1]], told, tuple(map(float, figures)))
    return await _sweep(task, memory, near)


async def _sweep(task: SweepTask, memory: Memory, near: Neighbours) -> Answer:
    sweep = task.sweep
    kept = memory.multipliers if task.resumes and memory.layout == task.layout else None
    start = Warmth(task.dispatch, np.zeros(sweep.part.problem.n_state), multipliers=kept)
    settings = MarketSettings(tolerance=task.tolerance, negotiation_rounds=task.negotiation_rounds)
    work, problem = part_workspace(sweep, near), sweep.part.problem
    solution, agreed, warmth = await sweep_to_agreement(problem, work, sweep.height, start, settings)
    memory.layout, memory.multipliers = task.layout, warmth.multipliers
    if agreed is None:
        return Answer(solution.resources, solution.limits, np.zeros(0), (0.0, -1.0, np.inf, np.inf))
    x = work.with_others(agreed.x)
    await near.share_values(x)
    work.check(x)
    figures = agreed.converged, agreed.steps, agreed.primal, agreed.dual
    return Answer(solution.resources, solution.limits, _told(near, x), tuple(map(float, figures)))


def _told(near: Neighbours, x: FloatArray) -> FloatArray:
    """Collect what was told to neighbours, and heard of them, in the order of `Halo`."""
    parts = [x[at] for halo in near.ties.halos for at in (halo.tell_values, halo.hear_values)]
    return np.concatenate(parts) if parts else np.zeros(0)
