"""One-sided limits of a problem's variables, each with a slack and a price: what the method keeps positive.

A hard limit ``sign * (x - bound) <= 0`` has a slack s and a price mu with ``s * mu = t``. A soft one may be
exceeded by e at a price of `cap`, so its own price is at most `cap`; what is missing to it, nu = cap - mu,
pairs with e: ``e * nu = t``. At t = 0 these are the optimality conditions.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem

Number = TypeVar("Number", float, FloatArray)

INSIDE = 0.1
"""Share of a box by which a start stays away from its walls."""


class Limits(NamedTuple):
    """Limits as flat arrays, with the discs after them.

    Attributes
    ----------
    variable : ndarray of int, shape (n_limit,)
        Variable of each limit.
    sign : ndarray, shape (n_limit,)
        1 for an upper limit, -1 for a lower one.
    bound, cap : ndarray, shape (n_limit,)
        Where it lies, and its highest price; infinite for a hard one.
    kind : ndarray of int, shape (n_limit,)
        Row of `prices_by_kind` that it belongs to.
    discs : ndarray of int, shape (n_disc, 2)
        Variables of every disc.
    radius : ndarray, shape (n_disc,)
        Their radii.
    """

    variable: IntArray
    sign: FloatArray
    bound: FloatArray
    cap: FloatArray
    kind: IntArray
    discs: IntArray
    radius: FloatArray


class Pairs(NamedTuple):
    """Slacks and prices; `excess` and `missing` mean nothing for hard limits.

    Attributes
    ----------
    slack, price, excess, missing : ndarray, shape (n_limit,)
        s, mu, e and nu of the limits.
    disc_slack, disc_price : ndarray, shape (n_disc,)
        Those of the discs.
    """

    slack: FloatArray
    price: FloatArray
    excess: FloatArray
    missing: FloatArray
    disc_slack: FloatArray
    disc_price: FloatArray


def find_limits(problem: AtomicProblem) -> Limits:
    """List the limits of a problem; variables without room have none, for they are known."""
    room = problem.upper > problem.lower
    kinds = (
        (problem.upper, 1.0, room, None),
        (problem.lower, -1.0, room, None),
        (problem.soft_upper, 1.0, problem.penalty > 0, problem.penalty),
        (problem.soft_lower, -1.0, problem.penalty > 0, problem.penalty),
    )
    parts = []
    for kind, (bounds, direction, counts, penalty) in enumerate(kinds):
        which = np.flatnonzero(np.isfinite(bounds) & counts)
        highest = np.full(len(which), np.inf) if penalty is None else penalty[which]
        signs = np.full(len(which), direction)
        parts.append((which, signs, bounds[which], highest, np.full(len(which), kind)))
    variable, sign, bound, cap, kind_of = (np.concatenate(column) for column in zip(*parts, strict=True))
    discs = problem.discs.astype(np.int64)
    return Limits(variable, sign, bound, cap, kind_of, discs, problem.disc_radius)


def find_discs(problem: AtomicProblem) -> Limits:
    """List the discs of a problem alone."""
    none, nobody = np.zeros(0), np.zeros(0, dtype=np.int64)
    return Limits(nobody, none, none, none, nobody, problem.discs.astype(np.int64), problem.disc_radius)


def inside(problem: AtomicProblem, x: FloatArray) -> FloatArray:
    """Move `x` away from its hard walls, by a share of the room between them."""
    gap = INSIDE * np.where(np.isfinite(problem.upper - problem.lower), problem.upper - problem.lower, 1.0)
    return np.clip(x, problem.lower + gap, problem.upper - gap)


def centred(limits: Limits, x: FloatArray, t: float) -> Pairs:
    """Slacks and prices whose products are all `t` and that fit `x` where it is inside.

    Parameters
    ----------
    limits : Limits
        The limits.
    x : ndarray, shape (n,)
        Variables.
    t : float
        The product.
    """
    room = limits.sign * (limits.bound - x[limits.variable])
    soft = np.isfinite(limits.cap)
    cap = np.where(soft, limits.cap, 1.0)
    # The root in (0, cap) of t / mu - t / (cap - mu) = room; where room changes sign it mirrors at cap / 2.
    size = np.abs(room)
    half = size * cap + 2 * t
    root = 2 * t * cap / (half + np.sqrt(np.maximum(half**2 - 4 * size * t * cap, 0.0)))
    hard = t / np.where(room > 0, room, np.sqrt(t))
    price = np.where(soft, np.where(room < 0, cap - root, root), hard)
    return _from_prices(limits, x, price, t)


def resumed(limits: Limits, x: FloatArray, prices: FloatArray, disc_prices: FloatArray, t: float) -> Pairs:
    """Slacks and prices that take up earlier prices, where those say more than where `x` lies.

    Parameters
    ----------
    limits : Limits
        The limits.
    x : ndarray, shape (n,)
        Variables.
    prices : ndarray, shape (n_limit,)
        Earlier prices.
    disc_prices : ndarray, shape (n_disc,)
        Earlier prices of the discs.
    t : float
        Product of every pair.
    """
    if not len(limits.variable) and not len(limits.radius):
        return Pairs(*(np.zeros(0) for _ in Pairs._fields))
    fresh = centred(limits, x, t)
    top = limits.cap - np.minimum(t / limits.cap + np.sqrt(t) * 1e-3, limits.cap / 3)
    price = np.minimum(np.maximum(prices, fresh.price), top)
    pairs = _from_prices(limits, x, price, t)
    disc_price = np.maximum(disc_prices, pairs.disc_price)
    return pairs._replace(disc_price=disc_price, disc_slack=t / disc_price)


def _from_prices(limits: Limits, x: FloatArray, price: FloatArray, t: float) -> Pairs:
    soft = np.isfinite(limits.cap)
    missing = np.where(soft, limits.cap - price, 1.0)
    excess = np.where(soft, t / missing, 0.0)
    p, q = x[limits.discs[:, 0]], x[limits.discs[:, 1]]
    disc_slack = np.maximum(disc_room(p, q, limits.radius), INSIDE * limits.radius)
    return Pairs(t / price, price, excess, missing, disc_slack, t / disc_slack)


def disc_room(p: Number, q: Number, radius: Number) -> Number:
    """How far powers are inside their disc, to first order at its rim; of one disc or of all."""
    return (radius * radius - p * p - q * q) / (2.0 * radius)


def prices_by_kind(limits: Limits, pairs: Pairs, n: int) -> FloatArray:
    """Prices by variable: upper, lower, soft upper and soft lower limits, shape (4, n)."""
    found = np.zeros((4, n))
    found[limits.kind, limits.variable] = pairs.price
    return found
