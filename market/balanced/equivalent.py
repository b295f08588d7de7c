"""The balanced equivalent of a feeder on merged buses, for the branch-flow market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feeders.balanced import BalancedFeeder, balance
from feeders.network import FloatArray, IntArray, Network
from market.balanced.layout import BASE_KVA
from market.problem.reduction import ReducedTree


@dataclass(frozen=True)
class Equivalent:
    """The balanced feeder on merged buses, at given taps.

    Attributes
    ----------
    resistance, reactance, rating : ndarray, shape (n_line,)
        Series impedance and apparent power rating [pu].
    gain : ndarray, shape (n_bus,)
        Squared voltage of a bus over that of its atom.
    from_gain : ndarray, shape (n_line,)
        The same for the sending bus of each line.
    v_source : float
        Squared voltage at the root [pu**2].
    feeder : BalancedFeeder
        What it was made from.
    """

    resistance: FloatArray
    reactance: FloatArray
    rating: FloatArray
    gain: FloatArray
    from_gain: FloatArray
    v_source: float
    feeder: BalancedFeeder


def equivalent(network: Network, tree: ReducedTree, taps: IntArray) -> Equivalent:
    """Merge switches and regulators of the balanced feeder at `taps`."""
    feeder = balance(network, taps=taps, base_kva=BASE_KVA)
    gain = np.ones(len(feeder.buses))
    for k, branch in enumerate(network.branches):
        if branch.kind != "line":
            gain[k + 1] = gain[feeder.parent[k + 1]] * feeder.ratio[k] ** 2
    lines = tree.entry_branch[1:]
    return Equivalent(
        resistance=feeder.resistance[lines],
        reactance=feeder.reactance[lines],
        rating=feeder.rating[lines],
        gain=gain,
        from_gain=gain[feeder.parent[lines + 1]],
        v_source=feeder.source_voltage**2,
        feeder=feeder,
    )
