"""The power flow of the market's own network, for many demands at once: where steps ahead are anchored.

Kirchhoff's law ``Y V + sum_k (e_a - e_b) conj(S_k / U_k) = I_source`` is solved by fixed-point iteration,
with the first demand as admittances inside the matrix: it is factorised once, and every iteration is one
solve for all. Controls stand where the state that it starts from has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sla

from dlmp_cosim.feeders.admittance import conductor_admittance, nodal_admittance
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import Terminals, injection_terminals, load_terminals, machine_terminals
from dlmp_cosim.market.resources import curtails, injects

TOLERANCE, ITERATIONS = 1e-9, 300
"""Change of voltage at which a power flow counts as solved [pu], and iterations after which it does not."""
RUNAWAY = 10.0
"""Change of voltage that no solution is behind [pu]."""
KVA = 1e3


class PowerFlow:
    """Solves one circuit at the controls' positions of any AC state.

    Parameters
    ----------
    network : Network
        The circuit.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._loads = load_terminals(network)
        kinds = (self._loads, injection_terminals(network), machine_terminals(network))
        self._ends = [_ends(kind, len(network.node_ids)) for kind in kinds]
        self._kinds: tuple[Terminals, ...] = kinds
        self._base = network.base_v
        self._source = np.concatenate([s.admittance_s @ s.voltage_v for s in network.sources])

    def solve(
        self, state: AcState, demands: Sequence[ComplexArray], injections: Sequence[ComplexArray]
    ) -> list[AcState]:
        """Solve a power flow for each demand, starting from a state.

        Parameters
        ----------
        state : AcState
            Controls' positions, machines' powers and voltages to start from.
        demands : sequence of ndarray, shape (n_load,)
            Demand at nominal voltage after curtailment [kVA].
        injections : sequence of ndarray, shape (n_resource,)
            Power of the resources that inject [kVA].

        Raises
        ------
        ClearingError
            When one does not converge; names its place.
        """
        demand, injection = np.array(demands), np.array(injections)
        machine = np.broadcast_to(state.machine, (len(demand), len(state.machine)))
        power = [
            KVA * k.share * v[:, k.owner]
            for k, v in zip(self._kinds, (demand, injection, machine), strict=True)
        ]
        inside = self._as_admittance(power[0][0])
        matrix = nodal_admittance(self._network, state.admittance) + inside
        factors = sla.splu(matrix.tocsc())
        source = np.zeros(len(self._base), dtype=np.complex128)
        np.add.at(source, self._network.head_node, self._source)
        volts = np.tile(state.voltage * self._base, (len(demand), 1))
        for _ in range(ITERATIONS):
            current = source + (inside @ volts.T).T - self._drawn(volts, power)
            new = np.ascontiguousarray(factors.solve(np.ascontiguousarray(current.T)).T)
            change = np.abs(new - volts) / np.where(self._base > 0, self._base, 1.0)
            volts = new
            if change.max() < TOLERANCE or change.max() > RUNAWAY:
                break
        worst = change.max(axis=1)
        if not (worst < TOLERANCE).all():
            raise ClearingError(f"the market's own power flow {int(np.argmax(worst)) + 1} did not converge")
        return self._states(state, volts, demand, injection)

    def _as_admittance(self, drawn: ComplexArray) -> sp.csr_matrix:
        """State what the loads draw at nominal voltage, as admittances between nodes [S]."""
        own = np.conj(drawn) / self._loads.nominal_v**2
        return (self._ends[0].T @ sp.diags(own) @ self._ends[0]).tocsr()

    def _drawn(self, volts: ComplexArray, power: list[ComplexArray]) -> ComplexArray:
        """Currents that leave the nodes, shape (n_step, n_node) [A]."""
        total = np.zeros_like(volts)
        for k, (ends, nominal) in enumerate(zip(self._ends, power, strict=True)):
            across = (ends @ volts.T).T
            drawn = self._served(across, nominal) if k == 0 else -nominal
            there = across != 0
            current = np.where(there, np.conj(drawn / np.where(there, across, 1.0)), 0.0)
            total += (ends.T @ current.T).T
        return total

    def _served(self, across: ComplexArray, nominal: ComplexArray) -> ComplexArray:
        """Power that loads draw at a voltage, leg by leg [VA]."""
        real, reactive = self._loads.factors(np.abs(across) / self._loads.nominal_v)
        return np.asarray(nominal.real * real + 1j * nominal.imag * reactive)

    def _states(
        self,
        state: AcState,
        volts: ComplexArray,
        demand: ComplexArray,
        injection: ComplexArray,
    ) -> list[AcState]:
        network = self._network
        current = (conductor_admittance(network, state.admittance) @ volts.T).T
        power = volts[:, network.conductor_node] * np.conj(current) / KVA
        base = np.where(self._base > 0, self._base, 1.0)
        found = []
        for k, row in enumerate(volts):
            load = self._loads.served(demand[k], row / base)
            head = row[network.head_node] * np.conj(self._from_source(row)) / KVA
            losses = complex(head.sum() + injection[k].sum() + state.machine.sum() - load.sum())
            found.append(
                AcState(
                    voltage=row / base,
                    power=power[k],
                    current=np.abs(current[k]),
                    load=load,
                    demand=demand[k],
                    injection=injection[k],
                    machine=state.machine,
                    tap=state.tap,
                    capacitor=state.capacitor,
                    admittance=state.admittance,
                    head=head,
                    losses=losses,
                )
            )
        return found

    def _from_source(self, volts: ComplexArray) -> ComplexArray:
        """Currents that the sources give [A]."""
        found, start = [], 0
        for source in self._network.sources:
            at = self._network.head_node[start : start + len(source.terminal.phases)]
            found.append(source.admittance_s @ (source.voltage_v - volts[at]))
            start += len(at)
        return np.concatenate(found)


def set_points(
    network: Network, demand: ComplexArray, dispatch: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    """Demand after curtailment and injections of a planned dispatch [kVA].

    Parameters
    ----------
    network : Network
        The circuit.
    demand : ndarray, shape (n_load,)
        Nominal demand before curtailment [kVA].
    dispatch : ndarray, shape (n_resource,)
        Award of every resource, positive towards the grid [kVA].
    """
    place = {name: k for k, name in enumerate(network.load_ids)}
    left, injection = demand.copy(), np.zeros(len(network.resources), dtype=np.complex128)
    for k, resource in enumerate(network.resources):
        if injects(resource):
            injection[k] = dispatch[k]
        elif curtails(resource):
            at = place[resource.load]
            there = float(demand[at].real)
            left[at] *= 1.0 - (min(dispatch[k].real / there, 1.0) if there > 0 else 0.0)
    return left, injection


def _ends(terminals: Terminals, n_node: int) -> sp.csr_matrix:
    """Voltage across the legs over node voltages, shape (n_leg, n_node)."""
    n = len(terminals.node)
    at = np.tile(np.arange(n), 2), np.concatenate([terminals.node, terminals.other])
    return sp.csr_matrix((np.repeat([1.0, -1.0], n), at), shape=(n, n_node + 1))[:, :n_node].tocsr()
