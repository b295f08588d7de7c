"""Currents over voltages and flows: Kirchhoff's law and every branch current as one sparse complex table.

With nodes p at the parent's side of a bundle and c at the child's, the admittance block says

    I_p = Y_pp V_p + Y_pc V_c          I_c = Y_cp V_p + Y_cc V_c

Admittances span ten orders of magnitude from services to switches, so no row but that of the flow itself may
hold them: with ``M = Y_cc pinv(Y_pc)`` the current at the child is

    I_c = (Y_cp - M Y_pp) V_p + (Y_cc - M Y_pc) V_c + M I_p

which leaves charging, magnetising and zero-sequence admittances beside the flow. Rows of the table only gain
multiples of the flow's row by this, so the duals of Kirchhoff's law stay what they were.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.market.nodal.spanning import Bundle, Spanning, element_nodes, span

NO_COUPLING = 1e-9
"""Share of the strongest coupling through a bundle below which a mode does not pass it."""

WELL_COUPLED = 1e3
"""Condition of a coupling up to which the rows of its flows are solved for the voltages behind it."""


@dataclass(frozen=True)
class Piece:
    """One bundle, or one element that is in none.

    Attributes
    ----------
    elements : tuple of int
        Its elements.
    places : tuple of ndarray of int
        Positions of each element's conductors among `nodes`.
    nodes : ndarray of int
        Nodes that it touches; those at the parent's side come first.
    n_parent : int
        Nodes at the parent's side; 0 for an element that is in no bundle.
    begin, end : int
        Its entries in the table.
    """

    elements: tuple[int, ...]
    places: tuple[IntArray, ...]
    nodes: IntArray
    n_parent: int
    begin: int
    end: int


class CurrentTable:
    """Rows of currents: out of every node, into every flow, into every branch conductor.

    Columns are the node voltages [V] and then the flows [A]. Rows are the nodes (sum of all currents out of
    each through elements, 0 at a solution without loads), the flows (flow less admittance times voltage), and
    the conductors of `Network.conductor_ids`.

    Parameters
    ----------
    network : Network
        The circuit.
    spanning : Spanning
        Its tree.
    """

    def __init__(self, network: Network, spanning: Spanning) -> None:
        self._network = network
        self.n_node, self.n_flow = len(network.node_ids), spanning.n_flow
        self.n_conductor = len(network.conductor_ids)
        self._blocks = [element.admittance_s for element in network.elements]
        self._controlled = [k for k, element in enumerate(network.elements) if element.controlled]
        self._first_conductor = _first_conductors(network)
        nodes = element_nodes(network)
        rows, columns, self._pieces, start = [], [], [], 0
        parts: list[Bundle | int] = [*spanning.bundles, *spanning.others]
        for bundle in parts:
            piece, row, column = self._lay(bundle, nodes, start)
            start = piece.end
            self._pieces.append(piece)
            rows.append(row)
            columns.append(column)
        row, column, source = _source_entries(network, spanning)
        self.row, self.column = np.concatenate([*rows, row]), np.concatenate([*columns, column])
        moving = set(self._controlled)
        self._moving = [piece for piece in self._pieces if moving.intersection(piece.elements)]
        self._values = np.concatenate([np.zeros(start, dtype=np.complex128), source])
        for piece in self._pieces:
            self._values[piece.begin : piece.end] = self._stamp(piece)
        self._admittance = network.initial_admittance
        self._conductors: sp.csr_matrix | None = None
        self._balanced: ComplexArray | None = None

    def fresh(self) -> CurrentTable:
        """Copy a table that has not been moved from the taps of the start, to be moved by itself."""
        table = copy(self)
        table._blocks = list(self._blocks)
        return table

    @cached_property
    def balance(self) -> tuple[IntArray, IntArray, IntArray]:
        """Rows and columns of the entries of the nodes' and the flows' rows, and where these entries are."""
        mine = np.flatnonzero(self.row < self.n_node + self.n_flow)
        return self.row[mine], self.column[mine], mine

    def values(self, admittance: ComplexArray) -> ComplexArray:
        """Entries of the table at the present taps and switches, in the order of `row` and `column`."""
        if not np.array_equal(admittance, self._admittance):
            start = 0
            for k in self._controlled:
                n = len(self._blocks[k])
                self._blocks[k] = admittance[start : start + n * n].reshape(n, n)
                start += n * n
            self._values, self._conductors, self._balanced = self._values.copy(), None, None
            for piece in self._moving:
                self._values[piece.begin : piece.end] = self._stamp(piece)
            self._admittance = admittance.copy()
        return self._values

    def balanced(self, admittance: ComplexArray) -> ComplexArray:
        """Entries of the nodes' and the flows' rows, in the order of `balance`."""
        values = self.values(admittance)
        if self._balanced is None:
            self._balanced = values[self.balance[2]]
        return self._balanced

    def conductors(self, admittance: ComplexArray) -> sp.csr_matrix:
        """Rows of the branch conductors, shape (n_conductor, n_node + n_flow)."""
        values = self.values(admittance)
        if self._conductors is None:
            first = self.n_node + self.n_flow
            mine = self.row >= first
            entries = (values[mine], (self.row[mine] - first, self.column[mine]))
            self._conductors = sp.csr_matrix(entries, shape=(self.n_conductor, first))
        return self._conductors

    def _lay(
        self, bundle: Bundle | int, nodes: list[IntArray], start: int
    ) -> tuple[Piece, IntArray, IntArray]:
        """Places of one piece, in the order of `_stamp`."""
        if isinstance(bundle, Bundle):
            elements, upper, flows = bundle.elements, bundle.parent_nodes, bundle.flows
            lower = bundle.child_nodes
        else:
            elements, upper, flows = (bundle,), np.zeros(0, np.int64), np.zeros(0, np.int64)
            lower = np.unique(nodes[bundle])
        local = np.concatenate([upper, lower])
        order = np.argsort(local)
        places = tuple(order[np.searchsorted(local, nodes[k], sorter=order)] for k in elements)
        conductors = [
            self._first_conductor[k] + np.arange(len(nodes[k]))
            for k in elements
            if self._network.elements[k].is_branch
        ]
        first = self.n_node + self.n_flow
        full = np.concatenate([lower, self.n_node + flows, *(first + at for at in conductors)])
        across = np.concatenate([local, self.n_node + flows])
        row = np.concatenate([upper, np.repeat(full, len(across))])
        column = np.concatenate([self.n_node + flows, np.tile(across, len(full))])
        return Piece(elements, places, local, len(upper), start, start + len(row)), row, column

    def _stamp(self, piece: Piece) -> ComplexArray:
        """Entries of one piece: flows at the parent's nodes, then all other rows in full."""
        n, up = len(piece.nodes), piece.n_parent
        block = np.zeros((n, n), dtype=np.complex128)
        parts = []
        for k, at in zip(piece.elements, piece.places, strict=True):
            block[np.ix_(at, at)] += self._blocks[k]
            if self._network.elements[k].is_branch:
                mine = np.zeros((len(at), n), dtype=np.complex128)
                mine[:, at] = self._blocks[k]
                parts.append(mine)
        rows: ComplexArray = np.concatenate([block[up:], np.zeros((up, n)), *parts])
        base = self._network.base_v[piece.nodes]
        inverse = _pseudo_inverse(block[:up, up:], base[:up], base[up:])
        through = np.asarray(rows[:, up:] @ inverse, dtype=np.complex128)
        rows -= np.asarray(through @ block[:up], dtype=np.complex128)
        flows = slice(n - up, n)
        mixed = _mixture(block[:up, up:], inverse)
        rows[flows], through[flows] = -mixed @ block[:up], mixed
        return np.concatenate([np.ones(up), np.hstack([rows, through]).ravel()])


def current_table(network: Network) -> CurrentTable:
    """Make the table of a circuit, which is laid out and stamped once for all who ask for it.

    Parameters
    ----------
    network : Network
        The circuit.
    """
    return _laid_out(network).fresh()


@lru_cache(maxsize=4)
def _laid_out(network: Network) -> CurrentTable:
    return CurrentTable(network, span(network))


def _pseudo_inverse(coupling: ComplexArray, row_base: FloatArray, column_base: FloatArray) -> ComplexArray:
    """Inverse of the coupling through a bundle, where it has one, found in per unit."""
    if not coupling.size:
        return np.zeros(coupling.shape[::-1], dtype=np.complex128)
    scaled = coupling * row_base[:, None] * column_base
    inverse = np.linalg.pinv(scaled, rcond=NO_COUPLING) * column_base[:, None] * row_base
    return np.asarray(inverse, dtype=np.complex128)


def _mixture(coupling: ComplexArray, inverse: ComplexArray) -> ComplexArray:
    """Mixture of a bundle's flow rows that leaves each child voltage a row of its own, where there is one.

    Solved for the voltages behind a line, ``V_c = A V_p + B I_p``, first-order methods need a third less
    rounds.
    """
    size = len(coupling)
    if coupling.shape == (size, size) and np.linalg.cond(coupling @ coupling.conj().T) < WELL_COUPLED**2:
        return inverse
    return np.eye(size, dtype=np.complex128)


def _first_conductors(network: Network) -> dict[int, int]:
    """Position of the first conductor of every branch, by position of its element."""
    first, start = {}, 0
    for k, element in enumerate(network.elements):
        if element.is_branch:
            first[k] = start
            start += len(element.node_ids)
    return first


def _source_entries(network: Network, spanning: Spanning) -> tuple[IntArray, IntArray, ComplexArray]:
    """Lay a source's flow, which enters its node and is its admittance times the voltage it lacks."""
    n = len(network.node_ids)
    flow = n + spanning.n_flow - spanning.n_head + np.arange(spanning.n_head)
    ones = np.ones(len(flow), dtype=np.complex128)
    rows, columns, values = [network.head_node, flow], [flow, flow], [-ones, ones]
    start = 0
    for source in network.sources:
        m = len(source.terminal.phases)
        own = slice(start, start + m)
        rows.append(np.repeat(flow[own], m))
        columns.append(np.tile(network.head_node[own], m))
        values.append(source.admittance_s.ravel())
        start += m
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
