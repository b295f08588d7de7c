"""OpenDSS as the AC engine of a `Network`: the only module that speaks its language.

Balance of every solved state: head = sum of loads + losses - capacitors - sum of injections. Losses are what
enters all branches less what leaves them; a capacitor gives ``kvar * |V|**2`` of reactive power.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from feeders.dss_script import build_commands
from feeders.engine import Regulators
from feeders.errors import FeederError
from feeders.network import TAP_STEP, ComplexArray, FloatArray, IntArray, Network, node_id
from feeders.opendss.library import DSSException, engine_for
from feeders.setpoints import check_option, check_setpoints, check_taps, failed_state
from feeders.state import AcState
from feeders.terminals import injection_terminals, load_terminals
from feeders.validate import check_network

ControlMode = Literal["static", "off"]

CONTROL_MODES: Final[dict[ControlMode, int]] = {"off": -1, "static": 0}
"""OpenDSS numbers of the control modes."""

CONTROLS_UNSETTLED: Final = 485
"""OpenDSS error number for more control iterations than allowed."""


@dataclass(frozen=True)
class _Layout:
    """Where the engine keeps what, in the order of the `Network`.

    Attributes
    ----------
    node : ndarray of int
        Position of each node in the engine's voltages.
    end_from, end_to : ndarray of int
        Position of each branch end in the engine's element currents.
    node_from, node_to : ndarray of int
        Node of each branch end, in `Network` order.
    base_volt : ndarray
        Base voltage of each node [V].
    """

    node: IntArray
    end_from: IntArray
    end_to: IntArray
    node_from: IntArray
    node_to: IntArray
    base_volt: FloatArray


class OpenDssFeeder:
    """One feeder in an OpenDSS engine of its own; never changes the working directory.

    Parameters
    ----------
    network : Network
        The feeder.
    regulators : {"automatic", "held", "neutral"}
        Tap changers act; stay where `set_taps` or the network put them; or all start at 0 and stay.
    control_mode : {"static", "off"}
        Whether controls settle within each solution or never act.
    tolerance : float
        Voltage change between iterations at which a power flow counts as solved [pu].

    Raises
    ------
    InputError
        When the network is not a sound radial feeder.
    FeederError
        When OpenDSS refuses the circuit, loses one of its nodes or leaves one without voltage.
    """

    def __init__(
        self,
        network: Network,
        *,
        regulators: Regulators = "automatic",
        control_mode: ControlMode = "static",
        tolerance: float = 1e-8,
    ) -> None:
        check_network(network)
        check_option("regulators", regulators, ("automatic", "held", "neutral"))
        check_option("control_mode", control_mode, tuple(CONTROL_MODES))
        if not 0.0 < tolerance < 1e-2:
            raise FeederError(f"tolerance is {tolerance}; expected more than 0 and less than 0.01 pu")
        self.network = network
        self._automatic = regulators == "automatic" and control_mode != "off"
        self._tolerance = tolerance
        self._engine = engine_for(self)
        self._loads = load_terminals(network)
        self._injections = injection_terminals(network)
        start = network.initial_taps * (regulators != "neutral")
        self._layout = self._build(start)

    @property
    def taps(self) -> IntArray:
        """Position of every regulated conductor, shape (n_tap,)."""
        positions = []
        transformers = self._engine.ActiveCircuit.Transformers
        for regulator in self.network.regulators:
            transformers.Name = regulator.name
            transformers.Wdg = 2
            positions += [round((transformers.Tap - 1.0) / TAP_STEP)] * len(regulator.phases)
        return np.array(positions, dtype=np.int64)

    def set_taps(self, taps: IntArray) -> None:
        """Move every regulated conductor to a position.

        Parameters
        ----------
        taps : ndarray of int, shape (n_tap,)
            Positions, -16 to 16; equal for the phases of one regulator.

        Raises
        ------
        FeederError
            When the length, a position or a ganged group is wrong.
        """
        positions = iter(check_taps(self.network, taps))
        transformers = self._engine.ActiveCircuit.Transformers
        for regulator in self.network.regulators:
            position = max(next(positions) for _ in regulator.phases)
            transformers.Name = regulator.name
            transformers.Wdg = 2
            transformers.Tap = 1.0 + TAP_STEP * position

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        """Solve the AC power flow.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage, after curtailment [kVA].
        injection : ndarray, shape (n_resource,)
            Power injected by generators and storage, equal on their phases [kVA]; 0 for flexible loads.
        controls : bool
            Whether regulators may move; they never do when held, neutral or switched off.

        Returns
        -------
        AcState
            The solution. Without convergence every number in it is NaN, the taps are those from before, and
            the next call starts from a fresh circuit.

        Raises
        ------
        FeederError
            When a set-point has the wrong length or is not finite.
        """
        demand, injection = check_setpoints(self.network, demand, injection)
        before = self.taps
        self._write(demand, injection)
        solution = self._engine.ActiveCircuit.Solution
        solution.ControlMode = CONTROL_MODES["static" if controls and self._automatic else "off"]
        solved = self._converges(solution)
        iterations = int(solution.Totaliterations)
        state = self._read(demand, injection, iterations) if solved else None
        if state is None or not np.isfinite(state.voltage).all():
            self._layout = self._build(before)
            return failed_state(self.network, demand, injection, before, iterations)
        return state

    def _converges(self, solution: Any) -> bool:
        """Solve; False when the power flow does not converge or regulators keep moving."""
        try:
            solution.Solve()
        except DSSException as error:
            if error.args[0] == CONTROLS_UNSETTLED:
                return False
            raise FeederError(f"OpenDSS could not solve {self.network.name}: {error}") from error
        return bool(solution.Converged)

    def _build(self, taps: IntArray) -> _Layout:
        """Build the circuit afresh, solve it without control and find everything in it."""
        text = self._engine.Text
        try:
            text.Command = "clear"
            for command in build_commands(self.network, tolerance=self._tolerance, automatic=self._automatic):
                text.Command = command
        except DSSException as error:
            raise FeederError(f"OpenDSS refused the circuit of {self.network.name}: {error}") from error
        self.set_taps(taps)
        circuit = self._engine.ActiveCircuit
        layout = _find_everything(self.network, circuit)
        _check_voltages(self.network, np.asarray(circuit.AllBusVolts).view(np.complex128)[layout.node])
        return layout

    def _write(self, demand: ComplexArray, injection: ComplexArray) -> None:
        """Set the power of every load element: loads first, then injections, as they were built."""
        power = np.concatenate([demand, -self._injections.power(injection)])
        loads = self._engine.ActiveCircuit.Loads
        for k, (kw, kvar) in enumerate(zip(power.real.tolist(), power.imag.tolist(), strict=True), 1):
            loads.idx = k
            loads.kW = kw
            loads.kvar = kvar

    def _read(self, demand: ComplexArray, injection: ComplexArray, iterations: int) -> AcState:
        """Read the solution in the order of the network."""
        at, circuit = self._layout, self._engine.ActiveCircuit
        volt = np.asarray(circuit.AllBusVolts).view(np.complex128)[at.node]
        amp = np.asarray(circuit.PDElements.AllCurrents).view(np.complex128)
        amp_from, amp_to = amp[at.end_from], -amp[at.end_to]
        power_from = volt[at.node_from] * amp_from.conj() / 1e3
        power_to = volt[at.node_to] * amp_to.conj() / 1e3
        voltage = volt / at.base_volt
        circuit.SetActiveElement("vsource.source")
        source = -np.asarray(circuit.ActiveCktElement.Currents).view(np.complex128)
        n_head = len(self.network.head_ids)
        return AcState(
            voltage=voltage,
            power_from=power_from,
            power_to=power_to,
            current=np.maximum(np.abs(amp_from), np.abs(amp_to)),
            load=self._loads.served(demand, voltage),
            demand=demand,
            injection=injection,
            tap=self.taps,
            head=volt[:n_head] * source[:n_head].conj() / 1e3,
            losses=complex(power_from.sum() - power_to.sum()),
            iterations=iterations,
        )


def _check_voltages(network: Network, volt: ComplexArray) -> None:
    """Raise when a node has no voltage: it is then not connected, whatever the engine says."""
    for name, magnitude in zip(network.node_ids, np.abs(volt).tolist(), strict=True):
        if not magnitude > 0.0:
            raise FeederError(f"node {name} of {network.name} has no voltage; expected a path to the source")


def _find_everything(network: Network, circuit: Any) -> _Layout:
    """Map the engine's own order to the network's."""
    names = {name.lower(): k for k, name in enumerate(circuit.AllNodeNames)}
    lost = [name for name in network.node_ids if name.lower() not in names]
    extra = sorted(set(names) - {name.lower() for name in network.node_ids})
    if lost or extra:
        raise FeederError(
            f"OpenDSS lost nodes {lost[:5]} and made nodes {extra[:5]}; expected those of {network.name}"
        )
    ends = dict(_branch_ends(network, circuit.PDElements))
    conductors = [(branch, phase) for branch in network.branches for phase in branch.phases]
    node = network.node_index
    return _Layout(
        node=np.array([names[name.lower()] for name in network.node_ids]),
        end_from=np.array([ends[node_id(branch.name, phase)][0] for branch, phase in conductors]),
        end_to=np.array([ends[node_id(branch.name, phase)][1] for branch, phase in conductors]),
        node_from=np.array([node[node_id(branch.from_bus, phase)] for branch, phase in conductors]),
        node_to=np.array([node[node_id(branch.to_bus, phase)] for branch, phase in conductors]),
        base_volt=np.array([1e3 * item.kv_base for item in network.buses for _ in item.phases]),
    )


def _branch_ends(network: Network, elements: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each ``branch.phase`` with the positions of its two ends in the engine's element currents."""
    counts = zip(elements.AllNames, elements.AllNumConductors, elements.AllNumTerminals, strict=True)
    start, layout = 0, {}
    for name, conductors, terminals in counts:
        layout[name.lower()] = (start, int(conductors))
        start += int(conductors * terminals)
    for branch in network.branches:
        if branch.kind != "regulator":
            first, conductors = layout[f"line.{branch.name.lower()}"]
            for k, phase in enumerate(branch.phases):
                yield node_id(branch.name, phase), (first + k, first + conductors + k)
    for regulator in network.regulators:
        first, conductors = layout[f"transformer.{regulator.name.lower()}"]
        for k, phase in enumerate(regulator.phases):
            yield node_id(regulator.branch, phase), (first + k, first + conductors + k)
