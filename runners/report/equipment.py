"""What a run says of equipment: how far branches are loaded, what storage holds, which limits break when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import FloatArray, Network, node_id
from dlmp_cosim.market.audit import IntervalRecord, Kind
from dlmp_cosim.runners.judge.voltage_quality import point_voltages

BoolArray = npt.NDArray[np.bool_]


def limited_nodes(network: Network) -> BoolArray:
    """Tell which nodes a voltage limit looks at, shape (n_node,); all of them where there are no limits."""
    ends = {
        node_id(point.bus, phase)
        for point in network.voltage_points
        for phase in (point.phase, point.other)
        if phase
    }
    return np.array([not ends or name in ends for name in network.node_ids], dtype=np.bool_)


def limited_voltage(results: Results) -> FloatArray:
    """Return the magnitude of every voltage that limits hold for, shape (n, n_point) [pu]; NaN where dark."""
    magnitude, angle = results.values("feeder/voltage_magnitude"), results.values("feeder/voltage_angle")
    return point_voltages(results.network, magnitude * np.exp(1j * angle))


def branch_values(results: Results) -> dict[str, FloatArray]:
    """Return loading [share of the rating] and real power [kW] of every branch, shape (n, n_branch)."""
    network = results.network
    current, power = results.values("feeder/branch_current"), results.values("feeder/branch_power_real")
    return {
        "loading": branch_loading(network, current),
        "power": np.add.reduceat(
            np.where(_first_terminal(network), power, 0.0), _starts(network), axis=1
        ).reshape(len(power), -1),
    }


def branch_loading(network: Network, current: FloatArray) -> FloatArray:
    """Return the largest current of each branch as a share of its rating, shape (n, n_branch).

    Parameters
    ----------
    network : Network
        The circuit.
    current : ndarray, shape (n, n_conductor)
        Current of every conductor at every terminal [A].

    Returns
    -------
    ndarray
        NaN for a branch without a rating.
    """
    if not network.branches:
        return np.zeros((len(current), 0))
    share = np.maximum.reduceat(current / network.conductor_rating, _starts(network), axis=1)
    rated = np.logical_or.reduceat(np.isfinite(network.conductor_rating), _starts(network))
    return np.where(rated, share, np.nan)


def _starts(network: Network) -> list[int]:
    """Position of the first conductor of every branch."""
    sizes = [len(branch.node_ids) for branch in network.branches]
    return [0, *np.cumsum(sizes)[:-1].tolist()] if sizes else []


def _first_terminal(network: Network) -> FloatArray:
    """Tell for every conductor whether it is at the first terminal of its branch."""
    flags = [k == 0 for b in network.branches for k, end in enumerate(b.terminals) for _ in end.phases]
    return np.array(flags, dtype=np.float64)


def stored_energy(results: Results) -> dict[str, FloatArray]:
    """Return the energy of every storage at the end of each interval [kWh].

    It follows from the injected power and the settings of the owner in the scenario (``start_kwh`` and the
    efficiencies); without settings it counts from zero, without losses.
    """
    network, power = results.network, results.values("feeder/injection_real")
    rules = _settings_by_resource(results.scenario.get("owner") or ())
    found = {}
    for k, resource in enumerate(network.resources):
        if resource.kind == "storage":
            rule = rules.get(resource.name, {})
            found[resource.name] = _energy(power[:, k], results.period_h, rule)
    return found


def _settings_by_resource(owners: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {
        str(resource["name"]): owner.get("settings") or {}
        for owner in owners
        for resource in owner.get("resource") or ()
    }


def _energy(power: FloatArray, hours: float, rule: Mapping[str, Any]) -> FloatArray:
    charge, discharge = (float(rule.get(f"{way}_efficiency", 1.0)) for way in ("charge", "discharge"))
    rate = np.where(power > 0.0, -power / discharge, -power * charge)
    energy: FloatArray = float(rule.get("start_kwh", 0.0)) + np.cumsum(rate) * hours
    return energy


def count_breaches(records: Iterable[IntervalRecord]) -> dict[str, FloatArray]:
    """Count the limits that AC breaks in each interval, by kind; shape (n,) each."""
    rows = [[violation.kind for violation in record.verdict.violations] for record in records]
    found = {kind: np.array([row.count(kind) for row in rows], dtype=np.float64) for kind in get_args(Kind)}
    return {kind: counts for kind, counts in found.items() if kind != "outage" or counts.any()}
