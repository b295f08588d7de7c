"""A circuit in OpenDSS, solved again and again with new set-points.

Balance of every solved state: head = sum of loads - machines - injections + losses. Losses are the power into
all elements, shunt capacitors among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from feeders.engine import Regulators
from feeders.errors import FeederError
from feeders.network import ComplexArray, IntArray, Network
from feeders.opendss.case import Case
from feeders.opendss.circuit import CONTROLS_UNSETTLED, compile_case
from feeders.opendss.elements import block
from feeders.opendss.library import DSSException, engine_for
from feeders.opendss.standins import add_stand_ins, stand_in_names
from feeders.setpoints import check_option, check_setpoints, check_taps, failed_state
from feeders.state import AcState
from feeders.terminals import Terminals, injection_terminals

ControlMode = Literal["static", "off"]

CONTROL_MODES: Final[dict[ControlMode, int]] = {"off": -1, "static": 0}
"""OpenDSS numbers of the control modes."""


@dataclass(frozen=True)
class _Layout:
    """Where the engine keeps what, in the order of the `Network`.

    Attributes
    ----------
    node : ndarray of int
        Position of each node in the engine's voltages.
    conductor : ndarray of int
        Position of each branch conductor in the engine's element currents.
    element_node : ndarray of int
        Node behind each entry of the engine's element currents; the number of nodes for ground.
    load, stand_in : ndarray of int
        Number of each load, and of each leg of what injects, among the engine's loads, from 1.
    """

    node: IntArray
    conductor: IntArray
    element_node: IntArray
    load: IntArray
    stand_in: IntArray


class OpenDssFeeder:
    """One circuit in an OpenDSS engine of its own; never changes the working directory.

    Parameters
    ----------
    case : Case
        The circuit.
    network : Network
        What was read from it, with the market's resources.
    regulators : {"automatic", "held", "neutral"}
        Controls act; everything stays where `set_taps` or the circuit put it; or all taps are 0 and stay.
    control_mode : {"static", "off"}
        Whether controls settle within each solution or never act.
    tolerance : float
        Voltage change between iterations at which a power flow counts as solved [pu].

    Raises
    ------
    FeederError
        When OpenDSS refuses the circuit, or it is not that of the network.
    """

    def __init__(
        self,
        case: Case,
        network: Network,
        *,
        regulators: Regulators = "automatic",
        control_mode: ControlMode = "static",
        tolerance: float = 1e-8,
    ) -> None:
        check_option("regulators", regulators, ("automatic", "held", "neutral"))
        check_option("control_mode", control_mode, tuple(CONTROL_MODES))
        if not 0.0 < tolerance < 1e-2:
            raise FeederError(f"tolerance is {tolerance}; expected more than 0 and less than 0.01 pu")
        self.case, self.network = case, network
        self._automatic = regulators == "automatic" and control_mode != "off"
        self._tolerance = tolerance
        self._engine = engine_for(self)
        self._injections: Terminals = injection_terminals(network)
        self._layout = self._build(network.initial_taps * (regulators != "neutral"))

    @property
    def taps(self) -> IntArray:
        """Position of every regulator, shape (n_tap,)."""
        positions = []
        transformers = self._engine.ActiveCircuit.Transformers
        for regulator in self.network.regulators:
            transformers.Name = regulator.element.partition(".")[2]
            transformers.Wdg = regulator.winding
            positions.append(round((transformers.Tap - 1.0) / regulator.step_pu))
        return np.array(positions, dtype=np.int64)

    def set_taps(self, taps: IntArray) -> None:
        """Move every regulator to a position.

        Parameters
        ----------
        taps : ndarray of int, shape (n_tap,)
            Positions; 0 is the nominal ratio.

        Raises
        ------
        FeederError
            When the length or a position is wrong.
        """
        transformers = self._engine.ActiveCircuit.Transformers
        moves = zip(self.network.regulators, check_taps(self.network, taps), self.taps.tolist(), strict=True)
        for regulator, position, present in moves:
            if position != present:
                transformers.Name = regulator.element.partition(".")[2]
                transformers.Wdg = regulator.winding
                transformers.Tap = 1.0 + regulator.step_pu * position

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        """Solve the AC power flow.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage, after curtailment [kVA].
        injection : ndarray, shape (n_resource,)
            Power injected by generators and storage, equal on their legs [kVA]; 0 for flexible loads.
        controls : bool
            Whether controls may act; they never do when held, neutral or switched off.

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
        """Solve; False when the power flow does not converge or controls keep moving."""
        try:
            solution.Solve()
        except DSSException as error:
            if error.args[0] == CONTROLS_UNSETTLED:
                return False
            raise FeederError(f"OpenDSS could not solve {self.case.name}: {error}") from error
        return bool(solution.Converged)

    def _build(self, taps: IntArray) -> _Layout:
        """Compile the circuit afresh, add what injects, and find everything in it."""
        compile_case(self._engine, self.case, tolerance=self._tolerance)
        circuit = self._engine.ActiveCircuit
        self._restore_capacitors(circuit)
        # What listed demand means must not change with the circuit's own multiplier.
        circuit.Solution.LoadMult = 1.0
        add_stand_ins(self._engine, self.network)
        self.set_taps(taps)
        circuit.Solution.ControlMode = CONTROL_MODES["off"]
        circuit.Solution.Solve()
        return _find_everything(self.network, circuit)

    def _restore_capacitors(self, circuit: Any) -> None:
        """Close the steps of switched capacitors that were closed when the network was read."""
        for bank in self.network.capacitor_banks:
            circuit.Capacitors.Name = bank.element.partition(".")[2]
            circuit.Capacitors.States = [int(k < bank.closed) for k in range(bank.steps)]

    def _write(self, demand: ComplexArray, injection: ComplexArray) -> None:
        """Set the power of every load, and of every stand-in for what injects."""
        power = np.concatenate([demand, -self._injections.power(injection)])
        numbers = np.concatenate([self._layout.load, self._layout.stand_in])
        loads = self._engine.ActiveCircuit.Loads
        rows = zip(numbers.tolist(), power.real.tolist(), power.imag.tolist(), strict=True)
        for number, kw, kvar in rows:
            loads.idx = number
            loads.kW = kw
            loads.kvar = kvar

    def _read(self, demand: ComplexArray, injection: ComplexArray, iterations: int) -> AcState:
        """Read the solution in the order of the network."""
        at, circuit, network = self._layout, self._engine.ActiveCircuit, self.network
        volt = np.asarray(circuit.AllBusVolts).view(np.complex128)[at.node]
        amp = np.asarray(circuit.PDElements.AllCurrents).view(np.complex128)
        entering = np.append(volt, 0.0)[at.element_node] * amp.conj() / 1e3
        return AcState(
            voltage=volt / network.base_v,
            power=entering[at.conductor],
            current=np.abs(amp[at.conductor]),
            load=self._terminal_power([f"load.{name}" for name in network.load_ids]),
            demand=demand,
            injection=injection,
            machine=-self._terminal_power(network.machine_ids),
            tap=self.taps,
            capacitor=self._capacitor_steps(circuit),
            admittance=self._admittance(circuit),
            head=volt[network.head_node] * self._source_currents(circuit).conj() / 1e3,
            losses=complex(entering.sum()),
            iterations=iterations,
        )

    def _terminal_power(self, names: tuple[str, ...] | list[str]) -> ComplexArray:
        """Power into each element with these names [kVA], shape (n,)."""
        circuit, found = self._engine.ActiveCircuit, []
        for name in names:
            circuit.SetActiveElement(name)
            found.append(complex(*circuit.ActiveCktElement.TotalPowers[:2]))
        return np.array(found, dtype=np.complex128)

    def _source_currents(self, circuit: Any) -> ComplexArray:
        """Current that every source gives at each conductor of its terminal [A]."""
        found = [np.zeros(0, dtype=np.complex128)]
        for source in self.network.sources:
            circuit.SetActiveElement(source.name)
            active = circuit.ActiveCktElement
            live = [k for k in range(int(active.NumConductors)) if active.NodeOrder[k]]
            found.append(-np.asarray(active.Currents).view(np.complex128)[live])
        return np.concatenate(found)

    def _capacitor_steps(self, circuit: Any) -> IntArray:
        """Closed steps of every switched capacitor."""
        steps = []
        for bank in self.network.capacitor_banks:
            circuit.Capacitors.Name = bank.element.partition(".")[2]
            steps.append(sum(int(state) for state in circuit.Capacitors.States))
        return np.array(steps, dtype=np.int64)

    def _admittance(self, circuit: Any) -> ComplexArray:
        """Blocks of all elements under control, as they stand [S]."""
        found = [np.zeros(0, dtype=np.complex128)]
        for element in self.network.controlled:
            circuit.SetActiveElement(element.name)
            found.append(block(circuit.ActiveCktElement).ravel())
        return np.concatenate(found)


def _find_everything(network: Network, circuit: Any) -> _Layout:
    """Map the engine's own order to the network's."""
    names = {name.lower(): k for k, name in enumerate(circuit.AllNodeNames)}
    lost = [name for name in network.node_ids if name not in names]
    extra = sorted(set(names) - set(network.node_ids))
    if lost or extra:
        raise FeederError(
            f"OpenDSS lost nodes {lost[:5]} and made nodes {extra[:5]}; expected those of {network.name}"
        )
    first, element_node = _element_currents(network, circuit)
    loads = {name.lower(): k for k, name in enumerate(circuit.Loads.AllNames, 1)}
    return _Layout(
        node=np.array([names[name] for name in network.node_ids], dtype=np.int64),
        conductor=np.array(
            [first[branch.name] + k for branch in network.branches for k in _live(circuit, branch.name)],
            dtype=np.int64,
        ),
        element_node=element_node,
        load=np.array([loads[name] for name in network.load_ids], dtype=np.int64),
        stand_in=np.array([loads[name] for name in stand_in_names(network)], dtype=np.int64),
    )


def _live(circuit: Any, name: str) -> list[int]:
    circuit.SetActiveElement(name)
    return [k for k, node in enumerate(circuit.ActiveCktElement.NodeOrder) if node]


def _element_currents(network: Network, circuit: Any) -> tuple[dict[str, int], IntArray]:
    """First entry of each element in the engine's list of currents, and the node behind every entry."""
    first: dict[str, int] = {}
    nodes: list[int] = []
    ground = len(network.node_ids)
    for name in circuit.PDElements.AllNames:
        circuit.SetActiveElement(name)
        active = circuit.ActiveCktElement
        first[name.lower()] = len(nodes)
        width = int(active.NumConductors)
        if not active.Enabled:
            nodes += [ground] * (width * int(active.NumTerminals))
            continue
        for k, node in enumerate(active.NodeOrder):
            bus = active.BusNames[k // width].split(".", 1)[0].lower()
            nodes.append(network.node_index[f"{bus}.{int(node)}"] if node else ground)
    return first, np.array(nodes, dtype=np.int64)
