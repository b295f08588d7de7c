"""A balanced equivalent of an unbalanced feeder, for market models that see one phase.

Power is spread evenly over three equal phases. A line keeps its positive-sequence impedance, the
mean self impedance less the mean mutual one. Spreading a lateral of n phases over three would understate its
voltage drop and losses, so its impedance is multiplied by 3 / n. What is lost is the imbalance: on buses with
three phases the result is the mean of the phases, not the worst of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feeders.network import TAP_STEP, Branch, ComplexArray, FloatArray, IntArray, Network, node_id


@dataclass(frozen=True)
class BalancedFeeder:
    """A radial feeder in per unit, root first: branch k feeds bus k + 1.

    With P + jQ three-phase power entering a branch in units of `base_kva`, and v the squared voltage [pu],
    ``v_to = ratio**2 * v_from - 2 (r P + x Q)`` to first order.

    Attributes
    ----------
    buses : tuple of str
        Names.
    parent : ndarray of int, shape (n_bus,)
        Parent of each bus; -1 for the source.
    resistance, reactance : ndarray, shape (n_branch,)
        Series impedance [pu].
    ratio : ndarray, shape (n_branch,)
        Voltage ratio: the mean over a regulator's phases at the positions asked for; 1 elsewhere.
    near_zero : ndarray of bool, shape (n_branch,)
        Switches and regulators: next to no impedance, to be merged in a market model.
    rating : ndarray, shape (n_branch,)
        Apparent power rating of all conductors together at nominal voltage [pu].
    load_bus : ndarray of int, shape (n_load,)
        Bus of each load, in the order of the `Network`.
    load_exponent : ndarray of int, shape (n_load,)
        Voltage exponent of each load.
    resource_bus : ndarray of int, shape (n_resource,)
        Bus of each resource.
    capacitor : ndarray, shape (n_bus,)
        Reactive power of capacitors at nominal voltage [pu].
    source_voltage : float
        Voltage held at the source [pu].
    base_kva : float
        Three-phase base power [kVA].
    """

    buses: tuple[str, ...]
    parent: IntArray
    resistance: FloatArray
    reactance: FloatArray
    ratio: FloatArray
    near_zero: np.ndarray[tuple[int], np.dtype[np.bool_]]
    rating: FloatArray
    load_bus: IntArray
    load_exponent: IntArray
    resource_bus: IntArray
    capacitor: FloatArray
    source_voltage: float
    base_kva: float

    def bus_demand(self, demand: ComplexArray) -> ComplexArray:
        """Add up loads by bus and voltage exponent.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage [kVA].

        Returns
        -------
        ndarray, shape (3, n_bus)
            Constant-power, constant-current and constant-impedance demand of every bus [pu].
        """
        total = np.zeros((3, len(self.buses)), dtype=np.complex128)
        np.add.at(total, (self.load_exponent, self.load_bus), demand / self.base_kva)
        return total


def balance(
    network: Network,
    *,
    taps: IntArray | None = None,
    scale_laterals: bool = True,
    base_kva: float = 1000.0,
) -> BalancedFeeder:
    """Build the balanced equivalent of a network.

    Parameters
    ----------
    network : Network
        A checked network.
    taps : ndarray of int, shape (n_tap,), optional
        Regulator positions; those of the network by default.
    scale_laterals : bool
        Whether the impedance of a branch with n phases is multiplied by 3 / n.
    base_kva : float
        Three-phase base power [kVA].

    Returns
    -------
    BalancedFeeder
        The equivalent.
    """
    bus = network.bus_index
    position = dict(zip(network.tap_ids, network.initial_taps if taps is None else taps, strict=True))
    kv = [network.buses[bus[branch.from_bus]].kv_base for branch in network.branches]
    impedance = np.array(
        [
            _positive_sequence(branch)
            * (3.0 / len(branch.phases) if scale_laterals else 1.0)
            / (3e3 * volts**2)
            for branch, volts in zip(network.branches, kv, strict=True)
        ],
        dtype=np.complex128,
    )
    capacitor = np.zeros(len(network.buses))
    np.add.at(
        capacitor, [bus[item.bus] for item in network.capacitors], [item.kvar for item in network.capacitors]
    )
    conductors = [len(branch.phases) * branch.rating_a for branch in network.branches]
    return BalancedFeeder(
        buses=tuple(item.name for item in network.buses),
        parent=np.array(network.parent, dtype=np.int64),
        resistance=impedance.real * base_kva,
        reactance=impedance.imag * base_kva,
        ratio=np.array([_mean_ratio(branch, position) for branch in network.branches]),
        near_zero=np.array([branch.kind != "line" for branch in network.branches]),
        rating=np.array(conductors) * np.array(kv) / base_kva,
        load_bus=np.array([bus[load.bus] for load in network.loads], dtype=np.int64),
        load_exponent=np.array([load.exponent for load in network.loads], dtype=np.int64),
        resource_bus=np.array([bus[resource.bus] for resource in network.resources], dtype=np.int64),
        capacitor=capacitor / base_kva,
        source_voltage=network.source_voltage_pu,
        base_kva=base_kva,
    )


def _positive_sequence(branch: Branch) -> complex:
    """Return mean self impedance less mean mutual impedance [ohm]."""
    matrix, n = branch.impedance_ohm, len(branch.phases)
    mutual = (matrix.sum() - np.trace(matrix)) / (n * (n - 1)) if n > 1 else 0.0
    return complex(np.trace(matrix) / n - mutual)


def _mean_ratio(branch: Branch, position: dict[str, int]) -> float:
    """Return the mean voltage ratio of a branch's phases."""
    return 1.0 + TAP_STEP * float(np.mean([position.get(node_id(branch.name, p), 0) for p in branch.phases]))
