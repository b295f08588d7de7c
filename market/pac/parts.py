"""One area's iterations of the accelerated negotiation, with the words that it exchanges.

The kernels and rules are those of `market.pac.iterations`, and sums over all agents are added up in the same
order there: each agent's own first, then hop by hop to the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.agents.neighbours import Neighbours, Ties
from dlmp_cosim.market.agents.parts import Part, cut, part_of
from dlmp_cosim.market.pac.iterations import Outcome, next_weight, reflect, restart_due, way
from dlmp_cosim.market.pac.kernels import distance, dual_step, primal_step, residuals
from dlmp_cosim.market.pac.negotiate import Start, Tuning, pack
from dlmp_cosim.market.pac.step_sizes import Gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import gathering_of


@dataclass(frozen=True)
class TalkPart:
    """What one agent has to know to negotiate.

    Attributes
    ----------
    part : Part
        Its part of the problem.
    gains : Gains
        Steps of its own variables and rows.
    start : Start
        Where its variables and duals begin, those of others that it has to know of included.
    ties : Ties
        Whom it talks to.
    """

    part: Part
    gains: Gains
    start: Start
    ties: Ties


@dataclass(frozen=True)
class Shares:
    """Which variables and rows of the whole problem are each agent's own."""

    variables: tuple[IntArray, ...]
    rows: tuple[IntArray, ...]


def talk_parts(
    problem: AtomicProblem, gains: Gains, start: Start, area: IntArray
) -> tuple[tuple[TalkPart, ...], Shares]:
    """Hand a problem out to its agents.

    Parameters
    ----------
    problem : AtomicProblem
        The problem.
    gains : Gains
        Steps of all variables and rows.
    start : Start
        Where everybody begins.
    area : ndarray of int, shape (n_atom,)
        Agent of every atom, numbered from 0 without gaps.
    """
    cuts = cut(problem, area)
    gathering = gathering_of(tuple(tuple(halo.area for halo in piece.halos) for piece in cuts))
    down = gathering.heard
    x = np.clip(start.x, problem.lower, problem.upper)
    parts = tuple(
        TalkPart(
            part_of(problem, piece),
            Gains(gains.tau[piece.variables[: piece.n]], gains.sigma[piece.rows[: piece.m]]),
            Start(x[piece.variables], start.y[piece.rows], start.weight),
            Ties(int(gathering.towards[k]), down[k], piece.halos),
        )
        for k, piece in enumerate(cuts)
    )
    own = Shares(
        tuple(piece.variables[: piece.n] for piece in cuts), tuple(piece.rows[: piece.m] for piece in cuts)
    )
    return parts, own


async def accelerated_part(
    talk: TalkPart, near: Neighbours, tolerance: float, limit: int, tuning: Tuning
) -> Outcome:
    """Take part in `market.pac.iterations.accelerated` as one agent.

    Parameters
    ----------
    talk : TalkPart
        What the agent knows.
    near : Neighbours
        Whom it talks to.
    tolerance : float
        Largest residual of anybody's.
    limit : int
        Iterations after which to give up.
    tuning : Tuning
        Restarts, and iterations between checks; the same for all.

    Returns
    -------
    Outcome
        Variables and duals, its own and then those that it was told; residuals, weight and iterations are
        everybody's.
    """
    rule, every = tuning.restart, tuning.check_every
    part, x, y = talk.part, talk.start.x.copy(), talk.start.y.copy()
    a = pack(part.problem, talk.gains, part.columns, gathering_of(((),)))
    omega = talk.start.weight
    anchor_x, anchor_y, new, new_dual = x.copy(), y.copy(), x.copy(), y.copy()
    restarts, k, done = 0, 0, 0
    first, last, primal, dual = np.inf, np.inf, np.inf, np.inf
    while done < limit:
        primal_step(a, x, y, omega, new)
        await near.share_values(new)
        dual_step(a, x, new, y, omega, new_dual)
        await near.share_prices(new_dual)
        done += 1
        restart, checks = False, done % every == 0
        if k == 0 or checks:
            moved = distance(a, x, new, y, new_dual)
            if checks:
                # What a restart would need goes along: a sweep takes longer than a sum.
                far = distance(a, new, anchor_x, new_dual, anchor_y)
                off = residuals(a, x, new, y, new_dual, omega)
                *sums, primal, dual = await near.gather((*moved, *far), off)
            else:
                sums = [*await near.gather(moved)]
            restart, first, last = restart_due(rule, way((sums[0], sums[1]), omega), first, last, k, done)
        if checks and primal <= tolerance and dual <= tolerance:
            break
        if restart:
            omega = next_weight(rule, (sums[2], sums[3]), omega)
            x[:], y[:], anchor_x[:], anchor_y[:] = new, new_dual, new, new_dual
            k, restarts = 0, restarts + 1
        else:
            k += 1
            reflect(x, new, anchor_x, k)
            reflect(y, new_dual, anchor_y, k)
    return Outcome(new, new_dual, done, primal, dual, omega, restarts, np.empty((0, 3)))
