"""Where loads and injections meet the network, and what loads draw at voltages other than nominal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from feeders.network import ComplexArray, FloatArray, IntArray, Network, node_id

LOW_SHARE: Final = 0.7
"""Share of `Network.load_vmin_pu` below which a load is its nominal impedance."""

INJECTED_KINDS: Final = ("generator", "storage")
"""Kinds of resource that inject power; a flexible load acts through its load's demand."""


def voltage_factor(voltage: FloatArray, exponent: FloatArray, vmin_pu: float) -> FloatArray:
    """Return served power over nominal power.

    Above `vmin_pu` it is voltage to the exponent. Below ``LOW_SHARE * vmin_pu`` every load is its nominal
    impedance; in between the current is interpolated, so that the factor has no jump.

    Parameters
    ----------
    voltage : ndarray, shape (n,)
        Magnitude across the load [pu of its own nominal voltage].
    exponent : ndarray, shape (n,)
        0 constant power, 1 constant current, 2 constant impedance.
    vmin_pu : float
        Lowest voltage at which the exponent holds [pu].

    Returns
    -------
    ndarray, shape (n,)
        Factor on the nominal power.
    """
    factor = voltage**exponent
    if voltage.size and voltage.min() < vmin_pu:
        low = LOW_SHARE * vmin_pu
        rise = (voltage - low) / (vmin_pu - low)
        current = low + rise * (vmin_pu ** (exponent - 1.0) - low)
        bent = np.where(voltage <= low, voltage**2, voltage * current)
        factor = np.where((voltage < vmin_pu) & (exponent < 2.0), bent, factor)
    return factor


@dataclass(frozen=True)
class LoadTerminals:
    """Where every load of a network sits and how it follows voltage; all arrays have shape (n_load,).

    Attributes
    ----------
    node : ndarray of int
        Node of its first phase.
    other : ndarray of int
        Node of its second phase, for a load between phases; else the number of nodes, for neutral.
    scale : ndarray
        Nominal voltage across the load [pu of line to neutral]: 1, or sqrt(3) between phases.
    exponent : ndarray
        Voltage exponent.
    vmin_pu : float
        Lowest voltage at which the exponents hold [pu].
    """

    node: IntArray
    other: IntArray
    scale: FloatArray
    exponent: FloatArray
    vmin_pu: float

    def across(self, voltage: ComplexArray) -> ComplexArray:
        """Return the voltage across every load [pu of its nominal voltage], given that of every node [pu]."""
        grounded = np.append(voltage, 0.0)
        return np.asarray((grounded[self.node] - grounded[self.other]) / self.scale)

    def served(self, demand: ComplexArray, voltage: ComplexArray) -> ComplexArray:
        """Return the power drawn by every load.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Power at nominal voltage [kVA].
        voltage : ndarray, shape (n_node,)
            Voltage of every node [pu].

        Returns
        -------
        ndarray, shape (n_load,)
            Power served [kVA].
        """
        return demand * voltage_factor(np.abs(self.across(voltage)), self.exponent, self.vmin_pu)


def load_terminals(network: Network) -> LoadTerminals:
    """Find the nodes of every load of a checked network."""
    node, neutral = network.node_index, len(network.node_ids)
    delta = [len(load.phases) == 2 for load in network.loads]
    ends = [[node[node_id(load.bus, phase)] for phase in load.phases] for load in network.loads]
    return LoadTerminals(
        node=np.array([end[0] for end in ends], dtype=np.int64),
        other=np.array([end[1] if len(end) == 2 else neutral for end in ends], dtype=np.int64),
        scale=np.where(delta, np.sqrt(3.0), 1.0),
        exponent=np.array([load.exponent for load in network.loads], dtype=np.float64),
        vmin_pu=network.load_vmin_pu,
    )


@dataclass(frozen=True)
class InjectionTerminals:
    """Where injections go: one entry per phase of every resource that injects; shape (n_terminal,).

    Attributes
    ----------
    resource : ndarray of int
        Position of the resource.
    node : ndarray of int
        Node that it feeds.
    share : ndarray
        Share of the resource's power.
    """

    resource: IntArray
    node: IntArray
    share: FloatArray

    def power(self, injection: ComplexArray) -> ComplexArray:
        """Return the power of every terminal, given that of every resource [kVA]."""
        return injection[self.resource] * self.share


def injection_terminals(network: Network) -> InjectionTerminals:
    """Find the nodes that the resources of a checked network feed, in resource order."""
    sites = [
        (k, network.node_index[node_id(resource.bus, phase)], 1.0 / len(resource.phases))
        for k, resource in enumerate(network.resources)
        if resource.kind in INJECTED_KINDS
        for phase in resource.phases
    ]
    columns = list(zip(*sites, strict=True)) or [(), (), ()]
    return InjectionTerminals(
        resource=np.array(columns[0], dtype=np.int64),
        node=np.array(columns[1], dtype=np.int64),
        share=np.array(columns[2], dtype=np.float64),
    )
