"""Damping for resources whose cost is flat: the curvature of the feeder's losses, from local wire data.

A linear cost under a linearised network is bang-bang: without damping a free reactive power would jump from
limit to limit at every anchoring. Adding ``h (x - x_anchor)**2 / 2`` leaves every settled point as it is, for
there x equals its anchor, and makes each round a descent when h is at least the curvature of the true cost.
Losses are ``sum r |I|**2``, so their Hessian is a sum over shared paths; ``(H d) / d`` bounds it from above
for any d > 0.
"""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray, Network
from dlmp_cosim.market.resources import gives_reactive


def nameplates(network: Network) -> tuple[FloatArray, FloatArray]:
    """Real and free reactive power that every resource can give, shape (n_resource,) each [kW, kvar]."""
    free = [gives_reactive(resource) for resource in network.resources]
    kw = np.array([r.kw_max for r in network.resources], dtype=np.float64)
    kva = np.array([r.kva_max for r in network.resources], dtype=np.float64)
    return kw, np.where(free, kva, 0.0)


def loss_curvature(
    to_slot: IntArray,
    from_slot: IntArray,
    resistance: FloatArray,
    resource: IntArray,
    slot: IntArray,
    share: FloatArray,
    reach: FloatArray,
) -> FloatArray:
    """Bound the second derivative of the losses in each resource's power, shape (n_resource,).

    Parameters
    ----------
    to_slot, from_slot : ndarray of int, shape (n_conductor,)
        Ends of every conductor, parents before children.
    resistance : ndarray, shape (n_conductor,)
        Own resistance of every conductor [pu per unit of power].
    resource, slot, share : ndarray, shape (n_terminal,)
        Resource, slot and share of power of every terminal.
    reach : ndarray, shape (n_resource,)
        How far each resource can move [units of power]; 0 for one that cannot.
    """
    n_slot = int(max(to_slot.max(initial=0), from_slot.max(initial=0), slot.max(initial=0))) + 1
    behind, path = np.zeros(n_slot), np.zeros(n_slot)
    np.add.at(behind, slot, share * reach[resource])
    for down, up in zip(to_slot[::-1], from_slot[::-1], strict=True):
        behind[up] += behind[down]
    for down, up, ohm in zip(to_slot, from_slot, resistance, strict=True):
        path[down] = path[up] + ohm * behind[down]
    total = np.bincount(resource, share * path[slot], len(reach))
    curvature: FloatArray = 2 * total / np.where(reach > 0, reach, 1.0)
    return curvature
