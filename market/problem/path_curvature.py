"""The curvature of a circuit's losses in what each resource gives, bounded along a tree of its buses.

See `market.problem.damping` for what it is for. A current at a bus comes through the elements that join it to
its parent: of currents I at its nodes, ``Y_pc inv(Y_cc) I`` enter at the parent's, and ``Re inv(Y_cc)`` is
what they meet on the way. Magnitudes are added up, so currents that would cancel do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dlmp_cosim.feeders.network import GROUND, ComplexArray, FloatArray, IntArray, Network, node_id
from dlmp_cosim.feeders.radial import bus_tree
from dlmp_cosim.market.problem.damping import nameplates

BETWEEN_PHASES = 1 / np.sqrt(3)
"""Current of a leg between two nodes over that of a leg to ground of the same power."""


@dataclass(frozen=True)
class Step:
    """The way from one bus to its parent: nodes at both, currents passed on, resistance met [pu per kW]."""

    up: IntArray
    down: IntArray
    passed: FloatArray
    resistance: FloatArray


@lru_cache(maxsize=4)
def path_curvature(network: Network) -> tuple[FloatArray, FloatArray]:
    """Bound the second derivative of the losses in each resource's real and free reactive power.

    Parameters
    ----------
    network : Network
        The circuit, at the taps of its start.

    Returns
    -------
    ndarray, ndarray, shape (n_resource,)
        Bounds [kW per kW**2, kW per kvar**2].
    """
    steps = _steps(network)
    sites = [
        (k, network.node_index[node_id(resource.bus, phase)], weight / len(resource.legs))
        for k, resource in enumerate(network.resources)
        for leg in resource.legs
        for phase in leg
        if phase != GROUND
        for weight in (1.0 if GROUND in leg else BETWEEN_PHASES,)
    ]
    owner, node, share = (
        np.array(column) for column in (zip(*sites, strict=True) if sites else ((), (), ()))
    )
    at = owner.astype(np.int64), node.astype(np.int64), share.astype(np.float64)
    real, reactive = (_bound(network, steps, at, reach) for reach in nameplates(network))
    for bounds in (real, reactive):
        # Remembered, and so the same for all who ask.
        bounds.flags.writeable = False
    return real, reactive


def _bound(
    network: Network, steps: list[Step], at: tuple[IntArray, IntArray, FloatArray], reach: FloatArray
) -> FloatArray:
    owner, node, share = at
    behind, path = np.zeros(len(network.node_ids)), np.zeros(len(network.node_ids))
    np.add.at(behind, node, share * reach[owner])
    for step in reversed(steps):
        behind[step.up] += step.passed @ behind[step.down]
    for step in steps:
        path[step.down] = step.passed.T @ path[step.up] + step.resistance * behind[step.down]
    total = np.bincount(owner, share * path[node], len(reach))
    curvature: FloatArray = 2 * total / np.where(reach > 0, reach, 1.0)
    return curvature


def _steps(network: Network) -> list[Step]:
    """Ways from every bus to its parent, parents first."""
    tree, index = bus_tree(network), network.node_index
    along: dict[int, list[tuple[IntArray, ComplexArray]]] = {}
    for element in network.branches:
        nodes = np.array([index[name] for name in element.node_ids], dtype=np.int64)
        buses = np.unique(network.node_bus[nodes])
        for child, up in (buses, buses[::-1]) if len(buses) == 2 else ():
            if tree.parent[child] == up:
                along.setdefault(int(child), []).append((nodes, element.admittance_s))
    return [_step(network, bus, along[bus]) for bus in tree.order.tolist() if bus in along]


def _step(network: Network, bus: int, parts: list[tuple[IntArray, ComplexArray]]) -> Step:
    nodes = np.unique(np.concatenate([at for at, _ in parts]))
    down = network.node_bus[nodes] == bus
    base = network.base_v[nodes]
    block = np.zeros((len(nodes), len(nodes)), dtype=np.complex128)
    for at, admittance in parts:
        place = np.searchsorted(nodes, at)
        np.add.at(block, np.ix_(place, place), admittance)
    block *= 1e-3 * base[:, None] * base
    impedance = np.linalg.pinv(block[np.ix_(down, down)], rcond=1e-9)
    passed = np.abs(block[np.ix_(~down, down)] @ impedance)
    return Step(nodes[~down], nodes[down], passed, np.maximum(impedance.diagonal().real, 0.0))
