"""The Newton step of the optimality conditions, limit by limit: what each adds to H and c, and how far it goes.

Every pair of slack and price goes as far as it stays positive, on its own: nobody waits for the shortest step
in the network. Variables and multipliers of rows take the whole step, so that rows hold after the first one
whatever the pairs do; what a pair missed is a residual that its next step repairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from feeders.network import FloatArray
from market.interior_point.limits import Limits, Pairs
from market.interior_point.sweeps import System
from market.problem.compiled import compiled

KEPT = 0.1
"""Share of itself that a slack or a price keeps at least in one step."""
WHOLE = 0.99
"""Shares of a step above this count as the whole of it."""


class Progress(NamedTuple):
    """What a step left over, as agents reduce it over the tree.

    Attributes
    ----------
    blocked : float
        Share of the pairs that could not take the whole step.
    primal, dual : float
        Largest residual of a limit's slack, and of a marginal cost [units of the problem].
    """

    blocked: float
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
def _room(p: float, q: float, radius: float) -> float:
    return (radius * radius - p * p - q * q) / (2.0 * radius)


@compiled
def _reach(value: float, change: float) -> float:
    """Share of a step after which a positive number keeps its least share of itself."""
    if change >= 0.0:
        return 1.0
    return min(1.0, (1.0 - KEPT) * value / -change)


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
    blocked, primal, dual = 0, 0.0, 0.0
    for k in range(len(limits.variable)):
        j, sign = limits.variable[k], limits.sign[k]
        slope, constant, along = _price_line(limits, pairs, k, x[j])
        d_price = constant + t * along + slope * sign * step[j]
        s, e, nu, soft = pairs.slack[k], 0.0, 1.0, not np.isinf(limits.cap[k])
        d_excess, d_missing = 0.0, 0.0
        if soft:
            e, nu = pairs.excess[k], pairs.missing[k]
            d_missing = limits.cap[k] - pairs.price[k] - nu - d_price
            d_excess = (t - e * nu - e * d_missing) / nu
        d_slack = d_excess - sign * step[j] + (e + sign * (limits.bound[k] - x[j]) - s)
        along_s = _reach(s, d_slack)
        along_mu = _reach(pairs.price[k], d_price)
        if soft:
            along_s = min(along_s, _reach(e, d_excess))
            along_mu = min(along_mu, _reach(nu, d_missing))
            pairs.excess[k] += along_s * d_excess
            pairs.missing[k] += along_mu * d_missing
        pairs.slack[k] += along_s * d_slack
        pairs.price[k] += along_mu * d_price
        if along_s < WHOLE or along_mu < WHOLE:
            blocked += 1
        off_s, off_mu = _off_centre(pairs.slack[k], pairs.price[k], t)
        primal = max(primal, (1.0 - along_s) * abs(d_slack - d_excess), off_s)
        dual = max(dual, (1.0 - along_mu) * abs(d_price), off_mu)
        if soft:
            off_s, off_mu = _off_centre(pairs.excess[k], pairs.missing[k], t)
            primal, dual = max(primal, off_s), max(dual, off_mu)
    for d in range(len(limits.radius)):
        stuck, missed, lag = _advance_disc(limits, pairs, d, x, step, t)
        blocked += stuck
        primal, dual = max(primal, missed), max(dual, lag)
    return Progress(blocked / max(len(limits.variable) + len(limits.radius), 1), primal, dual)


@compiled
def _advance_disc(
    limits: Limits, pairs: Pairs, d: int, x: FloatArray, step: FloatArray, t: float
) -> tuple[int, float, float]:
    """Let the pair of one disc follow: whether it was stopped short, and its residuals."""
    p, q = limits.discs[d]
    price, slack, radius = pairs.disc_price[d], pairs.disc_slack[d], limits.radius[d]
    inward = -(x[p] * step[p] + x[q] * step[q]) / radius
    d_slack = _room(x[p], x[q], radius) - slack + inward
    d_price = (t - price * slack - price * d_slack) / slack
    along_s, along_mu = _reach(slack, d_slack), _reach(price, d_price)
    pairs.disc_slack[d] += along_s * d_slack
    pairs.disc_price[d] += along_mu * d_price
    off_s, lag = _off_centre(pairs.disc_slack[d], pairs.disc_price[d], t)
    missed = max(abs(_room(x[p] + step[p], x[q] + step[q], radius) - pairs.disc_slack[d]), off_s)
    for j in (p, q):
        stated = price * step[j] + d_price * x[j]
        change = pairs.disc_price[d] * (x[j] + step[j]) - price * x[j]
        lag = max(lag, abs(change - stated) / radius)
    return int(along_s < WHOLE or along_mu < WHOLE), missed, lag
