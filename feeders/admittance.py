"""The admittance matrix of a network: the sum of its elements' blocks, at the present taps and switches."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.network import ComplexArray, Element, Network


def blocks(network: Network, admittance: ComplexArray) -> dict[str, ComplexArray]:
    """Admittance block of every element, by name [S].

    Parameters
    ----------
    network : Network
        The circuit.
    admittance : ndarray, shape (n_admittance,)
        Blocks of the controlled elements, one after the other, row by row [S].
    """
    found = {element.name: element.admittance_s for element in network.elements}
    start = 0
    for element in network.controlled:
        n = len(element.node_ids)
        found[element.name] = admittance[start : start + n * n].reshape(n, n)
        start += n * n
    return found


def nodal_admittance(network: Network, admittance: ComplexArray) -> sp.csr_matrix:
    """Sum the blocks of all elements and of the sources' impedances, shape (n_node, n_node) [S].

    Parameters
    ----------
    network : Network
        The circuit.
    admittance : ndarray, shape (n_admittance,)
        Blocks of the controlled elements at their present positions, as in `blocks` [S].
    """
    table = blocks(network, admittance)
    parts = [(element.node_ids, table[element.name]) for element in network.elements]
    parts += [(_terminal_nodes(network, k), s.admittance_s) for k, s in enumerate(network.sources)]
    index = network.node_index
    rows, columns, values = [], [], []
    for names, block in parts:
        at = np.array([index[name] for name in names])
        rows.append(np.repeat(at, len(at)))
        columns.append(np.tile(at, len(at)))
        values.append(block.ravel())
    n = len(network.node_ids)
    entries = (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix((np.concatenate(values), entries), shape=(n, n))


def conductor_admittance(network: Network, admittance: ComplexArray) -> sp.csr_matrix:
    """Currents into the branches over node voltages, shape (n_conductor, n_node) [S].

    Parameters
    ----------
    network : Network
        The circuit.
    admittance : ndarray, shape (n_admittance,)
        Blocks of the controlled elements at their present positions, as in `blocks` [S].
    """
    table = blocks(network, admittance)
    rows, columns, values = [], [], []
    start = 0
    for branch in network.branches:
        at = _nodes(network, branch)
        n = len(at)
        rows.append(np.repeat(np.arange(start, start + n), n))
        columns.append(np.tile(at, n))
        values.append(table[branch.name].ravel())
        start += n
    shape = (start, len(network.node_ids))
    if not rows:
        return sp.csr_matrix(shape, dtype=np.complex128)
    return sp.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)


def _nodes(network: Network, element: Element) -> list[int]:
    return [network.node_index[name] for name in element.node_ids]


def _terminal_nodes(network: Network, source: int) -> tuple[str, ...]:
    end = network.sources[source].terminal
    return tuple(f"{end.bus}.{phase}" for phase in end.phases)
