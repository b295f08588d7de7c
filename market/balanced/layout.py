"""Where variables and rows of the balanced problem are, and the units in which agents negotiate them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.balanced.tangents import Units

BASE_KVA = 1000.0
"""Unit of power inside the problem [kVA]: squared currents are then of order one."""

NEGOTIATED_KVA = 100.0
"""Unit of power between agents [kVA]."""

NEGOTIATED_V = 0.01
"""Unit of squared voltage between agents [pu**2]."""


@dataclass(frozen=True)
class ConeLayout:
    """Positions of variables and rows; a line has the index of the atom that it feeds, less one.

    Attributes
    ----------
    p, q : ndarray of int, shape (n_atom,)
        Flow into each atom; at the root the head power.
    current, v_from, v : ndarray of int, shape (n_line,)
        Squared current, copy of the parent's squared voltage, and squared voltage.
    loading : ndarray of int, shape (n_line,)
        Squared current over squared rating.
    resource_p, resource_q : ndarray of int, shape (n_resource,)
        Power of each resource.
    balance_p, balance_q : ndarray of int, shape (n_atom,)
        Balance rows.
    drop, copy, rating : ndarray of int, shape (n_line,)
        Voltage rows, coordination rows, rows that define the loading.
    n, m : int
        Numbers of variables and rows.
    """

    p: IntArray
    q: IntArray
    current: IntArray
    v_from: IntArray
    v: IntArray
    loading: IntArray
    resource_p: IntArray
    resource_q: IntArray
    balance_p: IntArray
    balance_q: IntArray
    drop: IntArray
    copy: IntArray
    rating: IntArray
    n: int
    m: int

    @property
    def n_network(self) -> int:
        """Number of network variables, which come before those of the resources."""
        return self.n - len(self.resource_p) - len(self.resource_q)


def cone_layout(n_atom: int, n_resource: int) -> ConeLayout:
    """Place variables and rows in order, the network before the resources.

    Parameters
    ----------
    n_atom : int
        Atoms of the reduced tree, the root included; it has one line less.
    n_resource : int
        Resources of the network.
    """
    n_line = n_atom - 1
    columns = _consecutive([n_atom, n_atom, n_line, n_line, n_line, n_line, n_resource, n_resource])
    rows = _consecutive([n_atom, n_atom, n_line, n_line, n_line])
    p, q, current, v_from, v, loading, resource_p, resource_q = columns
    balance_p, balance_q, drop, copy, rating = rows
    return ConeLayout(
        p=p,
        q=q,
        current=current,
        v_from=v_from,
        v=v,
        loading=loading,
        resource_p=resource_p,
        resource_q=resource_q,
        balance_p=balance_p,
        balance_q=balance_q,
        drop=drop,
        copy=copy,
        rating=rating,
        n=sum(map(len, columns)),
        m=sum(map(len, rows)),
    )


def _consecutive(sizes: list[int]) -> list[IntArray]:
    """Split 0, 1, 2, ... into ranges of the given sizes."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


def negotiated_units(lay: ConeLayout) -> Units:
    """Units of the negotiation: 100 kW, 0.01 pu**2, the price of 100 kW."""
    power, voltage = NEGOTIATED_KVA / BASE_KVA, NEGOTIATED_V
    variable, row = np.full(lay.n, power), np.full(lay.m + len(lay.current), power)
    variable[lay.v] = variable[lay.v_from] = row[lay.drop] = row[lay.copy] = voltage
    variable[lay.loading] = row[lay.rating] = 1.0
    return Units(variable, row, power)
