"""The pieces that a variable can lie in: at a limit, or between two.

The cost of a variable's limits is convex and piecewise linear: infinite beyond hard ones, rising with the
penalty beyond soft ones, nothing between. A variable is at its hard lower limit, below the soft one, at it,
between, and so on upwards; inside a piece its price is known and at a limit its value is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.compiled import compiled
from dlmp_cosim.market.problem.solution import Multipliers

AT_LOWER, BELOW, AT_SOFT_LOWER, BETWEEN, AT_SOFT_UPPER, ABOVE, AT_UPPER = range(7)
WEIGHT = 0.03
"""What a unit of price weighs at most against a unit of a variable when both say where it belongs."""


class Breaks(NamedTuple):
    """Where the pieces of every variable end.

    Attributes
    ----------
    lower, soft_lower, soft_upper, upper : ndarray, shape (n,)
        Limits in order; infinite where there is none.
    penalty : ndarray, shape (n,)
        Price beyond the soft ones.
    weight : ndarray, shape (n,)
        How far a unit of price moves a variable: by its cost's curve, where that is steep.
    """

    lower: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    upper: FloatArray
    penalty: FloatArray
    weight: FloatArray


def find_breaks(problem: AtomicProblem) -> Breaks:
    """List where the pieces of a problem's variables end."""
    soft = problem.penalty > 0
    low = np.maximum(np.where(soft, problem.soft_lower, -np.inf), problem.lower)
    high = np.minimum(np.where(soft, problem.soft_upper, np.inf), problem.upper)
    weight = 1.0 / np.maximum(problem.quadratic, 1.0 / WEIGHT)
    return Breaks(problem.lower, low, high, problem.upper, problem.penalty, weight)


@compiled
def locate(breaks: Breaks, j: int, value: float, price: float) -> int:
    """Piece of a variable: the nearest point to value and price at which both fit."""
    y, rise = value + breaks.weight[j] * price, breaks.weight[j] * breaks.penalty[j]
    if y <= breaks.lower[j] - rise:
        return AT_LOWER
    if y < breaks.soft_lower[j] - rise:
        return BELOW
    if y <= breaks.soft_lower[j]:
        return AT_SOFT_LOWER
    if y < breaks.soft_upper[j]:
        return BETWEEN
    if y <= breaks.soft_upper[j] + rise:
        return AT_SOFT_UPPER
    return ABOVE if y < breaks.upper[j] + rise else AT_UPPER


@compiled
def end_of(breaks: Breaks, j: int, piece: int) -> float:
    """Value of a variable at one of its limits; not a number inside a piece."""
    lower, soft_lower, soft_upper = breaks.lower[j], breaks.soft_lower[j], breaks.soft_upper[j]
    end = breaks.upper[j] if piece == AT_UPPER else np.nan
    end = soft_upper if piece == AT_SOFT_UPPER else end
    end = soft_lower if piece == AT_SOFT_LOWER else end
    return float(lower if piece == AT_LOWER else end)


@compiled
def price_in(breaks: Breaks, j: int, piece: int) -> float:
    """Price of a variable inside a piece."""
    if piece == BELOW:
        return float(-breaks.penalty[j])
    return float(breaks.penalty[j]) if piece == ABOVE else 0.0


@compiled
def relocate(breaks: Breaks, pieces: IntArray, x: FloatArray, prices: FloatArray) -> float:
    """Find the pieces that values and prices point to, in place, and how far they are from fitting.

    Parameters
    ----------
    breaks : Breaks
        Where pieces end.
    pieces : ndarray of int, shape (n,)
        What changes.
    x, prices : ndarray, shape (n,)
        Variables, and what their limits cost at the margin.
    """
    worst = 0.0
    for j in range(len(x)):
        pieces[j] = locate(breaks, j, x[j], prices[j])
        end = end_of(breaks, j, pieces[j])
        off = abs(prices[j] - price_in(breaks, j, pieces[j])) if np.isnan(end) else abs(x[j] - end)
        if not off <= worst:
            worst = off
    return worst


def split_prices(breaks: Breaks, prices: FloatArray) -> FloatArray:
    """Prices of upper, lower, soft upper and soft lower limits, shape (4, n); see `Multipliers`."""
    upper, lower = np.maximum(prices, 0.0), np.maximum(-prices, 0.0)
    soft = np.minimum(upper, breaks.penalty), np.minimum(lower, breaks.penalty)
    return np.stack([upper - soft[0], lower - soft[1], *soft])


def joined(multipliers: Multipliers) -> FloatArray:
    """Add up what all limits of a variable cost at the margin, shape (n,)."""
    upper, lower, soft_upper, soft_lower = multipliers.limits
    prices: FloatArray = upper + soft_upper - lower - soft_lower
    return prices
