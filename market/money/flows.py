"""Power of participants at the nodes where they are connected: what a meter there would read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.terminals import Terminals, load_terminals

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Flows:
    """Power of one kind of participant at the nodes where it is connected.

    Attributes
    ----------
    owner : ndarray of int, shape (n_terminal,)
        Load, resource or machine of each terminal.
    node : ndarray of int, shape (n_terminal,)
        Node of each terminal.
    power : ndarray, shape (n, n_terminal)
        Complex power [kVA].
    """

    owner: IntArray
    node: IntArray
    power: ComplexArray

    def at_nodes(self, values: FloatArray, count: int) -> FloatArray:
        """Add values of the terminals up by node, shape (n, count).

        Parameters
        ----------
        values : ndarray, shape (n, n_terminal)
            Power, energy or money of every terminal, in any unit.
        count : int
            Nodes of the circuit.
        """
        return _add_up(values, self.node, count)

    def by_owner(self, values: FloatArray, count: int) -> FloatArray:
        """Add values of the terminals up by load, resource or machine, shape (n, count).

        Parameters
        ----------
        values : ndarray, shape (n, n_terminal)
            Power, energy or money of every terminal, in any unit.
        count : int
            Loads, resources or machines of the circuit.
        """
        return _add_up(values, self.owner, count)


def load_flows(network: Network, power: ComplexArray, voltage: ComplexArray) -> Flows:
    """Split the power of loads over their terminals: over legs as their voltages tell, then as `leg_flows`.

    Parameters
    ----------
    network : Network
        The circuit.
    power : ndarray, shape (n, n_load)
        Complex power [kVA].
    voltage : ndarray, shape (n, n_node)
        Complex voltage [pu].
    """
    legs = load_terminals(network)
    split = np.zeros((len(power), len(legs.owner)), dtype=np.complex128)
    for row, (total, volts) in enumerate(zip(power, voltage, strict=True)):
        real, reactive = (_shares(legs, factor) for factor in legs.factors(np.abs(legs.across(volts))))
        split[row] = total[legs.owner].real * real + 1j * total[legs.owner].imag * reactive
    return _at_terminals(network, legs, split, voltage)


def leg_flows(network: Network, legs: Terminals, power: ComplexArray, voltage: ComplexArray) -> Flows:
    """Split powers equally over legs, and each leg over the nodes that it lies between.

    A leg between nodes a and b carries one current, so its terminals take ``S Va / (Va - Vb)`` and ``-S Vb /
    (Va - Vb)``: they sum to S, and each is what a meter at that node would read.

    Parameters
    ----------
    network : Network
        The circuit.
    legs : Terminals
        Legs of the owners.
    power : ndarray, shape (n, n_owner)
        Complex power [kVA].
    voltage : ndarray, shape (n, n_node)
        Complex voltage [pu].
    """
    return _at_terminals(network, legs, power[:, legs.owner] * legs.share, voltage)


def _shares(legs: Terminals, factor: FloatArray) -> FloatArray:
    """Share of its load's power that each leg draws, in proportion to its factor."""
    weight = legs.share * factor
    total = np.bincount(legs.owner, weight)[legs.owner] if len(weight) else weight
    shares: FloatArray = np.where(total != 0, weight / np.where(total != 0, total, 1.0), legs.share)
    return shares


def _at_terminals(network: Network, legs: Terminals, power: ComplexArray, voltage: ComplexArray) -> Flows:
    """Split the power of legs, shape (n, n_leg), over the nodes that they lie between; ground takes none."""
    volts = np.hstack([voltage * network.base_v, np.zeros((len(voltage), 1))])
    first, second = volts[:, legs.node], volts[:, legs.other]
    across = first - second
    current = np.divide(power, across, out=np.zeros_like(power), where=across != 0)
    two_ended = np.flatnonzero(legs.other < len(network.node_ids))
    return Flows(
        owner=np.concatenate([legs.owner, legs.owner[two_ended]]),
        node=np.concatenate([legs.node, legs.other[two_ended]]),
        power=np.hstack([current * first, -(current * second)[:, two_ended]]),
    )


def _add_up(values: FloatArray, index: IntArray, count: int) -> FloatArray:
    total = np.zeros((count, len(values)))
    np.add.at(total, index, values.T)
    return total.T
