"""Discs in the Newton step: what each adds to H and c, and how its slack and price follow."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.limits import Limits, Pairs, disc_room
from dlmp_cosim.market.interior_point.pairs import follow, off_centre
from dlmp_cosim.market.interior_point.sweeps import System
from dlmp_cosim.market.problem.compiled import compiled

_room = compiled(disc_room)


@compiled
def add_discs(limits: Limits, pairs: Pairs, x: FloatArray, system: System) -> None:
    """Add what discs ask for to H and c; of a known power nothing is asked.

    Parameters
    ----------
    limits, pairs : Limits, Pairs
        The discs, and where their slacks and prices are.
    x : ndarray, shape (n,)
        Variables.
    system : System
        Where to add.
    """
    for d in range(len(limits.radius)):
        p, q = limits.discs[d]
        price, slack, radius = pairs.disc_price[d], pairs.disc_slack[d], limits.radius[d]
        slope = price / slack
        missed = _room(x[p], x[q], radius) - slack
        at_p, at_q = x[p] / radius, x[q] / radius
        for j, at in ((p, at_p), (q, at_q)):
            if not np.isinf(system.curve[j]):
                system.curve[j] += price / radius + slope * at * at
                system.cost[0, j] -= slope * missed * at
                system.cost[1, j] += at / slack
        system.cross[p] = slope * at_p * at_q
        system.cross[q] = system.cross[p]


@compiled
def advance_discs(
    limits: Limits, pairs: Pairs, x: FloatArray, step: FloatArray, t: float
) -> tuple[float, float]:
    """Let the pairs of all discs follow a step from `x`, in place: their largest residuals.

    Parameters
    ----------
    limits, pairs : Limits, Pairs
        The discs, and their slacks and prices, which change.
    x, step : ndarray, shape (n,)
        Variables before the step, and the step.
    t : float
        What the products are to become.

    Returns
    -------
    float, float
        Largest residual of a slack and of a price.
    """
    primal, dual = 0.0, 0.0
    for d in range(len(limits.radius)):
        missed, lag = _advance_disc(limits, pairs, d, x, step, t)
        primal, dual = max(primal, missed), max(dual, lag)
    return primal, dual


@compiled
def _advance_disc(
    limits: Limits, pairs: Pairs, d: int, x: FloatArray, step: FloatArray, t: float
) -> tuple[float, float]:
    """Let the pair of one disc follow: its residuals."""
    p, q = limits.discs[d]
    price, slack, radius = pairs.disc_price[d], pairs.disc_slack[d], limits.radius[d]
    inward = -(x[p] * step[p] + x[q] * step[q]) / radius
    d_slack = _room(x[p], x[q], radius) - slack + inward
    d_price = (t - price * slack - price * d_slack) / slack
    pairs.disc_slack[d], pairs.disc_price[d] = follow(slack, price, slack + d_slack, price + d_price, t)
    off_s, lag = off_centre(pairs.disc_slack[d], pairs.disc_price[d], t)
    missed = max(abs(_room(x[p] + step[p], x[q] + step[q], radius) - pairs.disc_slack[d]), off_s)
    for j in (p, q):
        stated = price * step[j] + d_price * x[j]
        change = pairs.disc_price[d] * (x[j] + step[j]) - price * x[j]
        lag = max(lag, abs(change - stated) / radius)
    return missed, lag
