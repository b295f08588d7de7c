"""Where a compiled circuit keeps what, in the order of its `Network`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.errors import FeederError, nearest_name
from dlmp_cosim.feeders.network import GROUND, ComplexArray, Element, FloatArray, IntArray, Network, node_id
from dlmp_cosim.feeders.opendss.conductors import PASSIVE_CLASSES, Conductors, elements_of, read_conductors


@dataclass(frozen=True)
class Layout:
    """Positions in the engine's own arrays.

    Attributes
    ----------
    node : ndarray of int, shape (n_node,)
        Position of each node in the engine's voltages.
    load : ndarray of int, shape (n_load,)
        Number of each load among the engine's loads, 1 is the first.
    added : ndarray of int, shape (n_injection_leg,)
        Number of each added load that injects for a resource.
    gather : sparse matrix, shape (n_conductor, n_engine_conductor)
        Sums currents of the engine's passive elements to those of branch conductors.
    engine_node : ndarray of int, shape (n_engine_conductor,)
        Position, among the engine's voltages and a last entry for ground, of the node behind each current.
    others : tuple of str
        Passive elements whose currents the engine does not list with the rest, such as faults; they follow.
    blocks : tuple of ndarray
        For each controlled element, what sums the engine's conductors to its own.
    """

    node: IntArray
    load: IntArray
    added: IntArray
    gather: sp.csr_matrix
    engine_node: IntArray
    others: tuple[str, ...]
    blocks: tuple[FloatArray, ...]


def lay_out(circuit: Any, network: Network, added: list[str]) -> Layout:
    """Find everything of a network in a compiled and solved circuit.

    Parameters
    ----------
    circuit : dss.ICircuit
        The circuit, with the loads that inject for resources.
    network : Network
        What is to be found.
    added : list of str
        Names of the added loads, one for each leg of what injects.

    Raises
    ------
    FeederError
        When a node, an element or a load of the network is not there.
    """
    nodes = {name.lower(): k for k, name in enumerate(circuit.AllNodeNames)}
    loads = {name.lower(): k for k, name in enumerate(circuit.Loads.AllNames, 1)}
    passive = _Passive(circuit, nodes)
    return Layout(
        node=_positions("node", network.node_ids, nodes, network),
        load=_positions("load", network.load_ids, loads, network),
        added=_positions("load", added, loads, network),
        gather=passive.gather(network),
        engine_node=passive.node,
        others=passive.others,
        blocks=tuple(passive.rows(network, element) for element in network.controlled),
    )


def _positions(
    kind: str, names: tuple[str, ...] | list[str], there: dict[str, int], network: Network
) -> IntArray:
    missing = next((name for name in names if name not in there), None)
    if missing is not None:
        near = nearest_name(missing, there)
        hint = f"; did you mean {near!r}?" if near else ""
        raise FeederError(f"the circuit of {network.name} has no {kind} {missing!r}{hint}")
    return np.array([there[name] for name in names], dtype=np.int64)


class _Passive:
    """Conductors of the engine's passive elements, in the order of its currents."""

    def __init__(self, circuit: Any, nodes: dict[str, int]) -> None:
        self._conductors: dict[str, Conductors] = {}
        self._start: dict[str, int] = {}
        self._nodes, self._at = nodes, list[int]()
        elements = circuit.PDElements
        counts = zip(elements.AllNames, elements.AllNumConductors, elements.AllNumTerminals, strict=True)
        # Without an element the engine lists one that is not there.
        for full, per_terminal, terminals in counts if elements.Count else ():
            circuit.SetActiveElement(full)
            if circuit.ActiveCktElement.Enabled:
                self._add(circuit.ActiveCktElement)
            else:
                self._at += [len(nodes)] * int(per_terminal * terminals)
        listed, others = set(self._conductors), []
        for name, item in elements_of(circuit, PASSIVE_CLASSES):
            if name not in listed:
                self._add(item)
                others.append(name)
        self.others = tuple(others)
        self.node: IntArray = np.array(self._at, dtype=np.int64)

    def _add(self, element: Any) -> None:
        found = read_conductors(element, keep_open=True)
        self._conductors[found.name] = found
        self._start[found.name] = len(self._at)
        for end, node in zip(found.end, found.node, strict=True):
            name = node_id(found.buses[end], node)
            self._at.append(len(self._nodes) if node == GROUND else self._nodes[name])

    def gather(self, network: Network) -> sp.csr_matrix:
        """Write what sums the engine's currents to those of branch conductors."""
        rows, columns, done = [], [], 0
        for branch in network.branches:
            i, j = np.nonzero(self.rows(network, branch))
            rows.append(i + done)
            columns.append(j + self._start[branch.name])
            done += len(branch.node_ids)
        shape = (done, len(self.node))
        if not rows:
            return sp.csr_matrix(shape)
        at = (np.concatenate(rows), np.concatenate(columns))
        return sp.csr_matrix((np.ones(len(at[0])), at), shape=shape)

    def rows(self, network: Network, element: Element) -> FloatArray:
        """Write what sums an element's conductors in the engine to those in the network."""
        if element.name not in self._conductors:
            near = nearest_name(element.name, self._conductors)
            raise FeederError(
                f"the circuit of {network.name} has no element {element.name!r}"
                + (f"; did you mean {near!r}?" if near else "")
            )
        found = self._conductors[element.name]
        ids = [node_id(end.bus, phase) for end in found.terminals for phase in end.phases]
        # Conductors that were open or dead when the network was read are not in it; the order is the same.
        kept, wanted = [], list(element.node_ids)
        for k, name in enumerate(ids):
            if wanted and name == wanted[0]:
                kept.append(k)
                wanted.pop(0)
        if wanted:
            raise FeederError(
                f"element {element.name} of {network.name} does not reach {wanted[0]} in the circuit"
            )
        return found.gathering[kept]


def engine_powers(layout: Layout, volts: ComplexArray, amps: ComplexArray) -> ComplexArray:
    """Power into every conductor of the engine's passive elements, shape (n_engine_conductor,) [kVA].

    Parameters
    ----------
    layout : Layout
        Says which node is behind which conductor.
    volts : ndarray
        The engine's voltages [V].
    amps : ndarray, shape (n_engine_conductor,)
        Currents into its passive elements [A].
    """
    return np.asarray(np.append(volts, 0.0)[layout.engine_node] * amps.conj() / 1e3)
