"""Damping for resources whose cost is flat: the curvature of the feeder's losses, from local wire data.

A linear cost under a linearised network is bang-bang: without damping a free reactive power would jump from
limit to limit at every anchoring. Adding ``h (x - x_anchor)**2 / 2`` leaves every settled point as it is, for
there x equals its anchor, and makes each round a descent when h is at least the curvature of the true cost.
Losses are ``sum r |I|**2``, so their Hessian is a sum over shared paths; ``(H d) / d`` bounds it from above
for any d > 0.
"""

from __future__ import annotations

import numpy as np

from feeders.network import FloatArray, IntArray
from market.linearisation import Conductors


def loss_curvature(
    lines: Conductors, n_slot: int, resource: IntArray, slot: IntArray, share: FloatArray, reach: FloatArray
) -> FloatArray:
    """Bound the second derivative of the losses in each resource's power [kW per kW**2], shape (n_resource,).

    Parameters
    ----------
    lines : Conductors
        Conductors, parents before children.
    n_slot : int
        Slots of the reduced tree.
    resource, slot, share : ndarray, shape (n_terminal,)
        Resource, slot and share of power of every terminal.
    reach : ndarray, shape (n_resource,)
        How far each resource can move [kW or kvar]; 0 for one that cannot.
    """
    behind, path = np.zeros(n_slot), np.zeros(n_slot)
    np.add.at(behind, slot, share * reach[resource])
    for to_slot, from_slot in zip(lines.to_slot[::-1], lines.from_slot[::-1], strict=True):
        behind[from_slot] += behind[to_slot]
    own = lines.row == lines.col
    for to_slot, from_slot, z in zip(lines.to_slot, lines.from_slot, lines.impedance[own], strict=True):
        path[to_slot] = path[from_slot] + z.real * behind[to_slot]
    total = np.bincount(resource, share * path[slot], len(reach))
    return 2 * total / np.where(reach > 0, reach, 1.0)
