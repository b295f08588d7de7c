"""A curve through the sums of a series that never falls where they do not."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.market.isone.series import FloatArray


def monotone_cubic(values: FloatArray, at: FloatArray) -> FloatArray:
    """Evaluate the monotone cubic of Fritsch and Butland through values at 0, 1, 2, ...

    It is SciPy's ``PchipInterpolator`` to the last bit: importing that takes a quarter of a second in every
    process that reads demand.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Three values at least.
    at : ndarray, shape (m,)
        Where to evaluate, within [0, n - 1].

    Returns
    -------
    ndarray, shape (m,)
        The curve there, in the unit of `values`.
    """
    slope, tangent = np.diff(values), tangents(np.diff(values))
    bend = tangent[:-1] + tangent[1:] - 2.0 * slope
    piece = np.clip(np.floor(at).astype(np.int64), 0, slope.size - 1)
    along = at - piece
    powers = along, along * along, along * along * along
    terms = tangent[:-1], slope - tangent[:-1] - bend, bend
    found = values[:-1][piece]
    for term, power in zip(terms, powers, strict=True):
        found = found + term[piece] * power
    return np.asarray(found)


def tangents(slope: FloatArray) -> FloatArray:
    """Slopes at the knots: harmonic means of those beside them, 0 where these differ in sign.

    Parameters
    ----------
    slope : ndarray, shape (n - 1,)
        Slopes between the knots, two at least.

    Returns
    -------
    ndarray, shape (n,)
        In the unit of `slope`.
    """
    before, after = slope[:-1], slope[1:]
    inner = np.zeros(before.size)
    alike = (np.sign(before) == np.sign(after)) & (before != 0.0)
    inner[alike] = 1.0 / ((3.0 / before[alike] + 3.0 / after[alike]) / 6.0)
    return np.concatenate([[_end(slope[0], slope[1])], inner, [_end(slope[-1], slope[-2])]])


def _end(first: float, second: float) -> float:
    """Slope at an end, by a parabola through three knots, which keeps the sign and does not overshoot."""
    found = (3.0 * first - second) / 2.0
    if np.sign(found) != np.sign(first):
        return 0.0
    if np.sign(first) != np.sign(second) and abs(found) > 3.0 * abs(first):
        return 3.0 * first
    return found
