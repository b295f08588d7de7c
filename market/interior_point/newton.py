"""The Newton step of the optimality conditions, limit by limit: what each adds to H and c, how far it goes.

Every pair of slack and price goes as far as it stays positive, on its own: nobody waits for the shortest
step in the network. Variables and multipliers of rows take the whole step, so that rows hold after the first
one whatever the pairs do; what a pair missed is a residual that its next step repairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from feeders.network import FloatArray
from market.interior_point.limits import Limits, Pairs, disc_room
from market.interior_point.sweeps import System
from market.problem.compiled import compiled

KEPT = 0.1
"""Share of itself that a slack or a price keeps at least in one step."""
LEAST_SHARE = 1e-4
"""Share of its goal below which a pair's product does not fall: two small numbers would not find back."""


_room = compiled(disc_room)


class Progress(NamedTuple):
    """What a step left over, as agents reduce it over the tree.

    Attributes
    ----------
    primal, dual : float
        Largest residual of a limit's slack, and of a price, of a dear limit's relative to it [units of the
        problem].
    """

    primal: float
    dual: float


@compiled
def linearise(
    limits: Limits, pairs: Pairs, x: FloatArray, quadratic: FloatArray, linear: FloatArray, system: System
) -> None:
    """Write H and c of the next step into `system`; variables that are known keep their infinite curve.

    Parameters
    ----------
    limits, pairs : Limits, Pairs
        Limits, and where their slacks and prices are.
    x : ndarray, shape (n,)
        Variables.
    quadratic, linear : ndarray, shape (n,)
        Their costs.
    system : System
        Where to write.
    """
    for j in range(len(x)):
        if not np.isinf(system.curve[j]):
            system.curve[j], system.cost[0, j] = quadratic[j], linear[j] + quadratic[j] * x[j]
            system.cost[1, j], system.cross[j] = 0.0, 0.0
    for k in range(len(limits.variable)):
        j, sign = limits.variable[k], limits.sign[k]
        slope, constant, along = _price_line(limits, pairs, k, x[j])
        system.curve[j] += slope
        system.cost[0, j] += sign * (pairs.price[k] + constant)
        system.cost[1, j] += sign * along
    for d in range(len(limits.radius)):
        p, q = limits.discs[d]
        price, slack, radius = pairs.disc_price[d], pairs.disc_slack[d], limits.radius[d]
        slope = price / slack
        missed = _room(x[p], x[q], radius) - slack
        at_p, at_q = x[p] / radius, x[q] / radius
        for j, at in ((p, at_p), (q, at_q)):
            system.curve[j] += price / radius + slope * at * at
            system.cost[0, j] -= slope * missed * at
            system.cost[1, j] += at / slack
        system.cross[p] = slope * at_p * at_q
        system.cross[q] = system.cross[p]


@compiled
def _price_line(limits: Limits, pairs: Pairs, k: int, x: float) -> tuple[float, float, float]:
    """Slope, constant and part in t of the change of a limit's price over that of its variable."""
    s, mu = pairs.slack[k], pairs.price[k]
    missed = limits.sign[k] * (limits.bound[k] - x) - s
    if np.isinf(limits.cap[k]):
        return mu / s, -mu - mu * missed / s, 1.0 / s
    e, nu = pairs.excess[k], pairs.missing[k]
    missed += e
    open_cap = limits.cap[k] - mu - nu
    width = s + mu * e / nu
    constant = mu * (e + e * open_cap / nu - s - missed) / width
    return mu / width, constant, (1.0 - mu / nu) / width


@compiled
def _follow(slack: float, price: float, new_slack: float, new_price: float, t: float) -> tuple[float, float]:
    """Move a pair as far as both stay positive, and no nearer to the corner than its product allows."""
    slack = max(new_slack, KEPT * slack)
    price = max(new_price, KEPT * price)
    short = LEAST_SHARE * t / (slack * price)
    if short > 1.0:
        slack, price = slack * np.sqrt(short), price * np.sqrt(short)
    return slack, price


@compiled
def _off_centre(slack: float, price: float, t: float) -> tuple[float, float]:
    """How far the smaller one of a pair is from where their product is `t`; the other one counts as right."""
    if slack < price:
        return abs(slack - t / price), 0.0
    return 0.0, abs(price - t / slack)


@compiled
def advance(limits: Limits, pairs: Pairs, x: FloatArray, step: FloatArray, t: float) -> Progress:
    """Let every pair follow a step from `x` as far as it can, in place.

    Parameters
    ----------
    limits, pairs : Limits, Pairs
        Limits and their slacks and prices, which change.
    x, step : ndarray, shape (n,)
        Variables before the step, and the step.
    t : float
        What the products are to become.
    """
    primal, dual = 0.0, 0.0
    for k in range(len(limits.variable)):
        j, sign = limits.variable[k], limits.sign[k]
        slope, constant, along = _price_line(limits, pairs, k, x[j])
        price = pairs.price[k] + constant + t * along + slope * sign * step[j]
        room = sign * (limits.bound[k] - x[j]) - sign * step[j]
        excess, missing = 0.0, 1.0
        if not np.isinf(limits.cap[k]):
            e, nu = pairs.excess[k], pairs.missing[k]
            missing = limits.cap[k] - price
            excess = (t - e * (missing - nu)) / nu
            pairs.excess[k], pairs.missing[k] = _follow(e, nu, excess, missing, t)
        slack = room + excess
        pairs.slack[k], pairs.price[k] = _follow(pairs.slack[k], pairs.price[k], slack, price, t)
        lag_s = max(abs(pairs.slack[k] - slack), abs(pairs.excess[k] - excess))
        lag_mu = abs(pairs.price[k] - price)
        if not np.isinf(limits.cap[k]):
            lag_mu = max(lag_mu, abs(pairs.missing[k] - missing))
        off_s, off_mu = _off_centre(pairs.slack[k], pairs.price[k], t)
        primal, dual = max(primal, lag_s, off_s), max(dual, lag_mu / max(price, 1.0), off_mu)
    for d in range(len(limits.radius)):
        missed, lag = _advance_disc(limits, pairs, d, x, step, t)
        primal, dual = max(primal, missed), max(dual, lag)
    return Progress(primal, dual)


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
    pairs.disc_slack[d], pairs.disc_price[d] = _follow(slack, price, slack + d_slack, price + d_price, t)
    off_s, lag = _off_centre(pairs.disc_slack[d], pairs.disc_price[d], t)
    missed = max(abs(_room(x[p] + step[p], x[q] + step[q], radius) - pairs.disc_slack[d]), off_s)
    for j in (p, q):
        stated = price * step[j] + d_price * x[j]
        change = pairs.disc_price[d] * (x[j] + step[j]) - price * x[j]
        lag = max(lag, abs(change - stated) / radius)
    return missed, lag
