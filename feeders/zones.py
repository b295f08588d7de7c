"""Which nodes admittances join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, IntArray


def zones(index: Mapping[str, int], parts: Iterable[tuple[tuple[str, ...], ComplexArray]]) -> IntArray:
    """Find the group of nodes joined by admittances that each node is in, shape (n_node,).

    Parameters
    ----------
    index : mapping of str to int
        Position of every ``bus.node``.
    parts : iterable of (tuple of str, ndarray)
        Nodes of an admittance block, as ``bus.node``, and the block [S].
    """
    none = np.zeros(0, dtype=np.int64)
    rows, columns = [none], [none]
    for names, block in parts:
        at = np.array([index[name] for name in names])
        i, j = np.nonzero(block)
        rows.append(at[i])
        columns.append(at[j])
    return joined(len(index), np.concatenate(rows), np.concatenate(columns))


def joined(n: int, one: IntArray, other: IntArray) -> IntArray:
    """Find the connected group of every node, numbered in the order of their first nodes, shape (n,).

    As SciPy's `connected_components`, without what SciPy takes to import: every federate checks its network
    with this at its start, and most need SciPy for nothing else.

    Parameters
    ----------
    n : int
        Number of nodes.
    one, other : ndarray of int, shape (n_edge,)
        Ends of the edges.
    """
    first = np.arange(n)
    while True:
        low = np.minimum(first[one], first[other])
        better = first.copy()
        # The first node known so far learns it too: rounds grow as the logarithm of a path.
        for end in (one, other):
            np.minimum.at(better, end, low)
            np.minimum.at(better, first[end], low)
        better = better[better]
        if np.array_equal(better, first):
            return np.unique(first, return_inverse=True)[1].astype(np.int64)
        first = better
