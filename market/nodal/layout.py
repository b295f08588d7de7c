"""Positions and owners of the nodal problem's variables and rows, fixed by the network."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import GROUND, FloatArray, IntArray, Network, node_id
from dlmp_cosim.market.nodal.ratings import rated_conductors
from dlmp_cosim.market.nodal.spanning import Spanning, span
from dlmp_cosim.market.problem.damping import nameplates
from dlmp_cosim.market.settings import MarketSettings

POWER_UNIT = 100.0
"""Unit of power inside the problem [kW]."""
VOLTAGE_UNIT = 0.005
"""Unit of relative voltage inside the problem."""


@dataclass(frozen=True)
class Points:
    """The voltages that limits hold for; to ground a node's own variable carries the limit.

    Attributes
    ----------
    to_ground : ndarray of int, shape (n_to_ground,)
        Positions in `Network.voltage_points`.
    node : ndarray of int, shape (n_to_ground,)
        Node of each.
    between : ndarray of int, shape (n_between,)
        Positions of those between two nodes.
    first, second : ndarray of int, shape (n_between,)
        Their nodes.
    base_v : ndarray, shape (n_point,)
        Nominal voltage of every point [V].
    """

    to_ground: IntArray
    node: IntArray
    between: IntArray
    first: IntArray
    second: IntArray
    base_v: FloatArray


@dataclass(frozen=True)
class Layout:
    """Positions of variables and rows; row k determines variable k up to `n_state`.

    Attributes
    ----------
    spanning : Spanning
        Atoms and flows.
    points : Points
        Voltages with limits.
    rated : ndarray of int, shape (n_rated,)
        Conductors whose rating could bind.
    voltage : ndarray of int, shape (2, n_node)
        Relative change of every node's voltage, its magnitude and its angle; the rows are Kirchhoff's law
        there, as real and reactive power.
    flow : ndarray of int, shape (2, n_flow)
        Real and reactive power of every flow at the node it leaves.
    across : ndarray of int, shape (n_between,)
        Relative change of the voltage between two nodes.
    loading : ndarray of int, shape (n_rated,)
        Current over rating.
    resource : ndarray of int, shape (2, n_resource)
        Real and reactive power of every resource.
    variable_atom, row_atom : ndarray of int
        Owners.
    reach : ndarray, shape (n,)
        Nameplate of every resource variable [100 kW]; infinite for the network's.
    """

    spanning: Spanning
    points: Points
    rated: IntArray
    voltage: IntArray
    flow: IntArray
    across: IntArray
    loading: IntArray
    resource: IntArray
    variable_atom: IntArray
    row_atom: IntArray
    reach: FloatArray

    @property
    def n_state(self) -> int:
        """Number of variables of the network, and of rows."""
        return len(self.row_atom)

    @property
    def n(self) -> int:
        """Number of variables."""
        return len(self.variable_atom)


def lay_out(network: Network, settings: MarketSettings, watched: Collection[int] = ()) -> Layout:
    """Fix positions and owners of the problem of one network.

    Parameters
    ----------
    network : Network
        The circuit.
    settings : MarketSettings
        Its factor on ratings says which could bind.
    watched : collection of int, optional
        Conductors whose rating takes part whatever is listed behind them.
    """
    spanning, points = span(network), _points(network)
    rated = np.union1d(
        rated_conductors(network, spanning, settings.rating_scale), np.array(sorted(watched), dtype=np.int64)
    ).astype(np.int64)
    counts = (len(network.node_ids), spanning.n_flow, len(points.between), len(rated), len(network.resources))
    sizes = (2 * counts[0], 2 * counts[1], counts[2], counts[3], 2 * counts[4])
    voltage, flow, across, loading, resource = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    bus_atom, at = spanning.atom_of_bus, network.node_bus
    home = np.array([bus_atom[network.bus_index[r.bus]] for r in network.resources], dtype=np.int64)
    row_atom = np.concatenate(
        [
            np.tile(bus_atom[at], 2),
            np.tile(spanning.flow_atom, 2),
            bus_atom[at[points.first]],
            _conductor_atom(network, spanning)[rated],
        ]
    )
    known = np.concatenate(nameplates(network)) / POWER_UNIT
    return Layout(
        spanning=spanning,
        points=points,
        rated=rated,
        voltage=voltage.reshape(2, -1),
        flow=flow.reshape(2, -1),
        across=across,
        loading=loading,
        resource=resource.reshape(2, -1),
        variable_atom=np.concatenate([row_atom, np.tile(home, 2)]),
        row_atom=row_atom,
        reach=np.concatenate([np.full(len(row_atom), np.inf), known]),
    )


def _points(network: Network) -> Points:
    """Sort the voltages with limits into those to ground and those between nodes."""
    index = network.node_index
    first = np.array([index[node_id(p.bus, p.phase)] for p in network.voltage_points], dtype=np.int64)
    grounded = np.array([p.other == GROUND for p in network.voltage_points], dtype=bool)
    second = [index[node_id(p.bus, p.other)] for p in network.voltage_points if p.other != GROUND]
    return Points(
        to_ground=np.flatnonzero(grounded),
        node=first[grounded],
        between=np.flatnonzero(~grounded),
        first=first[~grounded],
        second=np.array(second, dtype=np.int64),
        base_v=np.array([1e3 * p.kv_base for p in network.voltage_points], dtype=np.float64),
    )


def _conductor_atom(network: Network, spanning: Spanning) -> IntArray:
    """Atom that owns the loading of each conductor: the child of its bundle, else its own bus."""
    branches = np.array([k for k, e in enumerate(network.elements) if e.is_branch], dtype=np.int64)
    child = spanning.element_atom[branches[network.conductor_branch]]
    own = spanning.atom_of_bus[network.node_bus[network.conductor_node]]
    return np.where(child >= 0, child, own)
