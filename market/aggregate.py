"""Many small devices as one offer, and one award as many: pure numbers.

A device's cost is linear over an interval, so that of all together is a rising staircase of marginal costs.
An offer holds a straight line, which is fitted to it around the price that is expected; what that loses is
measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import FloatArray

LEAST_KW = 1e-2
"""Power that is not worth a slope of its own: a line through it could be too steep for an offer [kW]."""


@dataclass(frozen=True)
class Window:
    """What devices can do in an interval, positive towards the grid; all of shape (n_device,).

    Attributes
    ----------
    low, high : ndarray
        Limits of each [kW].
    cost : ndarray
        Marginal cost of each [$/MWh]: of what it gives, or worth of what it takes.
    """

    low: FloatArray
    high: FloatArray
    cost: FloatArray

    @property
    def order(self) -> list[int]:
        """Devices, the cheapest first; equal ones as they are listed."""
        return [int(k) for k in np.argsort(self.cost, kind="stable")]

    def spent(self, power: FloatArray) -> float:
        """Cost of running so [$/h]."""
        return float(self.cost @ power) / 1e3


@dataclass(frozen=True)
class Line:
    """A straight line of marginal cost: at 0 kW [$/MWh], and its rise [$/MWh per kW]."""

    linear: float
    quadratic: float


def window(rows: Sequence[tuple[float, float, float]]) -> Window:
    """Gather devices, each with its limits and cost."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Window(*table.T)


def fitted(devices: Window, price: float) -> Line:
    """Fit a line to the staircase of marginal costs, exact where it meets the price that is expected.

    The line passes through what the devices would do at that price, so that it loses nothing there; its rise
    is that of least squares over all power that can be moved. A price beyond all costs counts as the nearest.

    Parameters
    ----------
    devices : Window
        What they can do.
    price : float
        Price that is expected where they are [$/MWh].

    Returns
    -------
    Line
        Never falling; flat at the mean cost where nothing can be moved.
    """
    order = devices.order
    width, cost = (devices.high - devices.low)[order], devices.cost[order]
    moves = width > 0.0
    width, cost = width[moves], cost[moves]
    if float(width.sum()) <= LEAST_KW:
        return Line(float(devices.cost.mean()) if len(devices.cost) else 0.0, 0.0)
    level = min(max(price, float(cost[0])), float(cost[-1]))
    ends = float(devices.low.sum()) + np.cumsum(width)
    met = float(best(devices, price).sum())
    away = ends - width / 2 - met
    # The mean square of a step's distances is that of its middle and its width squared over 12.
    rise = float(width @ (away * (cost - level))) / float(width @ (away**2 + width**2 / 12))
    rise = max(rise, 0.0)
    return Line(level - rise * met, rise)


def shared(devices: Window, kw: float) -> tuple[FloatArray, float]:
    """Share a power among devices, the cheapest first, each within its limits.

    Parameters
    ----------
    devices : Window
        What they can do.
    kw : float
        What they are to do together [kW].

    Returns
    -------
    ndarray, shape (n_device,)
        Power of each [kW]; together what was asked, to rounding.
    float
        What of it no device can do [kW].
    """
    power, left = devices.low.copy(), kw - float(devices.low.sum())
    for k in devices.order:
        more = min(max(left, 0.0), float(devices.high[k] - devices.low[k]))
        power[k] += more
        left -= more
    return power, left


def best(devices: Window, price: float) -> FloatArray:
    """Return what each device would do by itself at a price [$/MWh], shape (n_device,) [kW].

    Parameters
    ----------
    devices : Window
        Limits and marginal costs of the devices.
    price : float
        Price of real power [$/MWh]; a device whose cost equals it stays at its lower limit.
    """
    return np.where(devices.cost < price, devices.high, devices.low)


def missed(devices: Window, power: FloatArray, price: float) -> float:
    """Return what devices lose by doing something else than the best at a price [$/h]; never negative.

    Parameters
    ----------
    devices : Window
        What they can do.
    power : ndarray, shape (n_device,)
        What they do [kW].
    price : float
        Price where they are [$/MWh].
    """
    wanted = best(devices, price)
    return (price * float((wanted - power).sum())) / 1e3 - devices.spent(wanted) + devices.spent(power)
