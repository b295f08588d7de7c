"""Indices of voltage quality over all voltages that limits hold for, and all intervals of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network, node_id
from dlmp_cosim.market.audit import Limits, point_voltage

PHASES = (1, 2, 3)
TURN = np.exp(2j * np.pi / 3)


@dataclass(frozen=True)
class VoltageQuality:
    """Indices of voltage quality; the voltages are those that limits hold for (`Network.voltage_points`).

    Attributes
    ----------
    low_pu, high_pu : float
        Lowest and highest voltage [pu].
    outside_share : float
        Part of all voltages and intervals that is outside the band by more than the audit's tolerance.
    violation_pu : float
        Mean over voltages and intervals of how far they are outside the band (SAVMVI) [pu].
    fluctuation_pu : float
        Mean over voltages of the size of their change from one interval to the next (SAVFI) [pu].
    unbalance : float
        Mean over three-phase buses and intervals of negative over positive sequence (SAVUI).
    unbalance_max : float
        Largest of these.
    unbalance_at : str
        Bus that has it; empty where no bus has three phases.
    tap_steps, capacitor_steps : float
        Steps that regulators moved, and switched capacitors.
    """

    low_pu: float
    high_pu: float
    outside_share: float
    violation_pu: float
    fluctuation_pu: float
    unbalance: float
    unbalance_max: float
    unbalance_at: str
    tap_steps: float
    capacitor_steps: float


def voltage_quality(results: Results) -> VoltageQuality:
    """Compute the indices of a run.

    Raises
    ------
    ResultsError
        When the file lacks a topic.
    """
    network, market = results.network, results.scenario["market"]
    limits = Limits(market["voltage_min_pu"], market["voltage_max_pu"])
    magnitude, angle = results.values("feeder/voltage_magnitude"), results.values("feeder/voltage_angle")
    volts = magnitude * np.exp(1j * angle)
    points = point_voltages(network, volts)
    out = outside(points, limits)
    # Intervals with the head open have no voltage anywhere, and nothing that could be out of balance.
    apart, where = unbalance(network, volts[volts.any(axis=1)])
    worst = np.unravel_index(int(np.argmax(apart)), apart.shape) if apart.size else None
    return VoltageQuality(
        low_pu=float(np.fmin.reduce(points, axis=None, initial=np.nan)),
        high_pu=float(np.fmax.reduce(points, axis=None, initial=np.nan)),
        outside_share=_mean(np.where(np.isnan(out), np.nan, out > limits.voltage_tolerance_pu)),
        violation_pu=_mean(out),
        fluctuation_pu=_mean(np.abs(np.diff(points, axis=0))),
        unbalance=_mean(apart),
        unbalance_max=float(apart[worst]) if worst else float("nan"),
        unbalance_at=where[int(worst[1])] if worst else "",
        tap_steps=_moved(results.values("feeder/regulator_tap")),
        capacitor_steps=_moved(results.values("feeder/capacitor_steps")),
    )


def point_voltages(network: Network, volts: ComplexArray) -> FloatArray:
    """Return the magnitude of every voltage that limits hold for, shape (n, n_point) [pu]; NaN where dark.

    Parameters
    ----------
    network : Network
        The circuit.
    volts : ndarray, shape (n, n_node)
        Voltages to ground [pu].
    """
    rows = [point_voltage(network, row) for row in volts]
    return lit(np.array(rows, dtype=np.float64).reshape(len(volts), len(network.voltage_points)))


def lit(voltage: FloatArray) -> FloatArray:
    """Leave NaN for what is dark: it has no voltage that could be low.

    Parameters
    ----------
    voltage : ndarray
        Magnitudes [pu].
    """
    return np.where(voltage > 0.0, voltage, np.nan)


def outside(points: FloatArray, limits: Limits) -> FloatArray:
    """Return how far voltages are outside the band, 0 inside [pu].

    Parameters
    ----------
    points : ndarray, shape (n, n_point)
        Voltage magnitudes [pu]; NaN where there is none, and there it stays NaN.
    limits : Limits
        The band.
    """
    beyond: FloatArray = np.maximum(limits.voltage_min_pu - points, points - limits.voltage_max_pu)
    return np.where(np.isnan(beyond), np.nan, np.maximum(beyond, 0.0))


def unbalance(network: Network, volts: ComplexArray) -> tuple[FloatArray, tuple[str, ...]]:
    """Return negative over positive sequence of every live three-phase bus, and the names of the buses.

    Parameters
    ----------
    network : Network
        The circuit.
    volts : ndarray, shape (n, n_node)
        Voltages to ground [pu].

    Returns
    -------
    ndarray, shape (n, n_bus)
        Ratios.
    tuple of str
        Names of the buses.
    """
    places: IntArray = np.array(
        [
            [network.node_index[node_id(bus.name, phase)] for phase in PHASES]
            for bus in network.buses
            if set(PHASES) <= set(bus.phases)
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    live = np.asarray((np.abs(volts[:, places]) > 0.0).all(axis=(0, 2)))
    a, b, c = np.moveaxis(volts[:, places[live]], -1, 0)
    positive, negative = np.abs(a + TURN * b + TURN**2 * c), np.abs(a + TURN**2 * b + TURN * c)
    names = [bus.name for bus in network.buses if set(PHASES) <= set(bus.phases)]
    return negative / positive, tuple(names[k] for k in np.flatnonzero(live).tolist())


def _mean(values: FloatArray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _moved(positions: FloatArray) -> float:
    return float(np.abs(np.diff(positions, axis=0)).sum())
