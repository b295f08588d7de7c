"""The Newton step of the optimality conditions, limit by limit: what each adds to H and c, how far it goes.

Every pair of slack and price goes as far as it stays positive, on its own: nobody waits for the shortest
step in the network. Variables and multipliers of rows take the whole step, so that rows hold after the first
one whatever the pairs do; what a pair missed is a residual that its next step repairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.discs import add_discs, advance_discs
from dlmp_cosim.market.interior_point.limits import Limits, Pairs
from dlmp_cosim.market.interior_point.pairs import follow, off_centre
from dlmp_cosim.market.interior_point.sweeps import System
from dlmp_cosim.market.problem.compiled import compiled

ROUNDING = 1e-15
"""Share of what a difference is taken of below which it is nothing: a slack knows itself better than that."""


@compiled
def _missed(limits: Limits, pairs: Pairs, k: int, x: float) -> float:
    """Say what a limit's slack has to gain to be what `x` leaves of it."""
    soft = not np.isinf(limits.cap[k])
    excess = pairs.excess[k] if soft else 0.0
    missed = limits.sign[k] * (limits.bound[k] - x) + excess - pairs.slack[k]
    return float(missed) if abs(missed) > ROUNDING * max(1.0, abs(x), excess) else 0.0


@compiled
def _open_cap(limits: Limits, pairs: Pairs, k: int) -> float:
    """Say what a soft limit's price and what is missing to its cap have to gain together."""
    left = limits.cap[k] - pairs.price[k] - pairs.missing[k]
    return float(left) if abs(left) > ROUNDING * limits.cap[k] else 0.0


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
    limits: Limits, pairs: Pairs, x: FloatArray, curve: FloatArray, linear: FloatArray, system: System
) -> None:
    """Write H and c of the next step into `system`.

    Parameters
    ----------
    limits, pairs : Limits, Pairs
        Limits, and where their slacks and prices are.
    x : ndarray, shape (n,)
        Variables.
    curve, linear : ndarray, shape (n,)
        Their costs; the curve of a known variable is infinite.
    system : System
        Where to write.
    """
    for j in range(len(x)):
        system.curve[j], system.cross[j] = curve[j], 0.0
        system.cost[0, j] = 0.0 if np.isinf(curve[j]) else linear[j] + curve[j] * x[j]
        system.cost[1, j] = 0.0
    for k in range(len(limits.variable)):
        j, sign = limits.variable[k], limits.sign[k]
        slope, constant, along = _price_line(limits, pairs, k, _missed(limits, pairs, k, x[j]))
        system.curve[j] += slope
        system.cost[0, j] += sign * (pairs.price[k] + constant)
        system.cost[1, j] += sign * along
    add_discs(limits, pairs, x, system)


@compiled
def _price_line(limits: Limits, pairs: Pairs, k: int, missed: float) -> tuple[float, float, float]:
    """Slope, constant and part in t of the change of a limit's price over that of its variable."""
    s, mu = pairs.slack[k], pairs.price[k]
    if np.isinf(limits.cap[k]):
        return mu / s, -mu - mu * missed / s, 1.0 / s
    e, nu = pairs.excess[k], pairs.missing[k]
    open_cap = _open_cap(limits, pairs, k)
    width = s + mu * e / nu
    constant = mu * (e + e * open_cap / nu - s - missed) / width
    return mu / width, constant, (1.0 - mu / nu) / width


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
        missed = _missed(limits, pairs, k, x[j])
        slope, constant, along = _price_line(limits, pairs, k, missed)
        change = constant + t * along + slope * sign * step[j]
        price, slack = pairs.price[k] + change, pairs.slack[k] + missed - sign * step[j]
        excess, missing = 0.0, 1.0
        if not np.isinf(limits.cap[k]):
            e, nu = pairs.excess[k], pairs.missing[k]
            rise = _open_cap(limits, pairs, k) - change
            missing, excess = nu + rise, (t - e * rise) / nu
            pairs.excess[k], pairs.missing[k] = follow(e, nu, excess, missing, t)
            slack += excess - e
        pairs.slack[k], pairs.price[k] = follow(pairs.slack[k], pairs.price[k], slack, price, t)
        lag_s = max(abs(pairs.slack[k] - slack), abs(pairs.excess[k] - excess))
        lag_mu = abs(pairs.price[k] - price)
        if not np.isinf(limits.cap[k]):
            lag_mu = max(lag_mu, abs(pairs.missing[k] - missing))
        off_s, off_mu = off_centre(pairs.slack[k], pairs.price[k], t)
        primal, dual = max(primal, lag_s, off_s), max(dual, lag_mu / max(price, 1.0), off_mu)
    missed_by_discs, lag_of_discs = advance_discs(limits, pairs, x, step, t)
    return Progress(max(primal, missed_by_discs), max(dual, lag_of_discs))
