"""A circuit in OpenDSS as the AC engine of its `Network`: set-points in, one solved state out.

Balance of every solved state: head = sum of loads - machines - injections + losses, where losses are the
power into all passive elements, shunt capacitors among them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any, Final, Literal

import numpy as np

from dlmp_cosim.feeders.engine import Regulators
from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import ComplexArray, IntArray, Network
from dlmp_cosim.feeders.opendss.case import Case
from dlmp_cosim.feeders.opendss.compile import OFF, STATIC, compile_case, settle
from dlmp_cosim.feeders.opendss.conductors import admittance_block, gathered, read_conductors
from dlmp_cosim.feeders.opendss.connected import leg_power, listed_factor
from dlmp_cosim.feeders.opendss.controls import read_steps, read_winding, write_tap
from dlmp_cosim.feeders.opendss.layout import Layout, engine_powers, lay_out
from dlmp_cosim.feeders.opendss.library import DSSException, engine_for
from dlmp_cosim.feeders.opendss.standins import add_stand_ins, stand_in_names
from dlmp_cosim.feeders.setpoints import (
    check_capacitors,
    check_option,
    check_setpoints,
    check_taps,
    failed_state,
)
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals
from dlmp_cosim.feeders.validate import check_network

ControlMode = Literal["static", "off"]

CONTROLS_UNSETTLED: Final = 485
"""OpenDSS error number for more control iterations than allowed."""

ON_A_STEP: Final = 1e-6
"""How far a tap ratio may lie beside a whole step and count as on it [pu]."""


class OpenDssFeeder:
    """One circuit in an OpenDSS engine of its own; never changes the working directory.

    Parameters
    ----------
    case : Case
        The circuit.
    network : Network
        What `read_circuit` says of it, with the market's resources. A resource that drives an element of the
        circuit takes its place; the element's own model and controls play no part any more.
    regulators : {"automatic", "held", "neutral"}
        Tap changers act; stay where `set_taps` or the circuit put them; or all start at 0 and stay.
    control_mode : {"static", "off"}
        Whether controls settle within each solution or never act.
    tolerance : float
        Voltage change between iterations at which a power flow counts as solved [pu].

    Raises
    ------
    InputError
        When the network is not sound.
    FeederError
        When OpenDSS refuses the circuit, or it does not hold what the network says.
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
        check_network(network)
        check_option("regulators", regulators, ("automatic", "held", "neutral"))
        check_option("control_mode", control_mode, ("static", "off"))
        if not 0.0 < tolerance < 1e-2:
            raise FeederError(f"tolerance is {tolerance}; expected more than 0 and less than 0.01 pu")
        self.network = network
        self._case, self._tolerance = case, tolerance
        self._regulated = regulators == "automatic"
        self._acts = control_mode != "off"
        self._engine = engine_for(self)
        self._loads = load_terminals(network)
        self._injections = injection_terminals(network)
        self._first_taps = network.initial_taps * (regulators != "neutral")
        self._layout = self._build()

    @property
    def taps(self) -> IntArray:
        """Position of every regulator, shape (n_tap,)."""
        circuit, positions = self._engine.ActiveCircuit, []
        for regulator, start in zip(self.network.regulators, self._start_ratio, strict=True):
            ratio = read_winding(circuit, regulator.element, regulator.winding)[0]
            positions.append(regulator.tap + round((ratio - start) / regulator.step_pu))
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
            When the length is wrong, or a position is out of its regulator's range.
        """
        circuit = self._engine.ActiveCircuit
        positions = check_taps(self.network, taps)
        places = zip(self.network.regulators, positions, self._start_ratio, strict=True)
        for regulator, position, start in places:
            ratio = start + regulator.step_pu * (position - regulator.tap)
            whole = 1.0 + regulator.step_pu * position
            snapped = whole if abs(ratio - whole) < ON_A_STEP else ratio
            write_tap(circuit, regulator.element, regulator.winding, snapped)

    @property
    def capacitors(self) -> IntArray:
        """Closed steps of every switched capacitor, shape (n_capacitor,)."""
        circuit = self._engine.ActiveCircuit
        steps = [read_steps(circuit, _bare(bank.element)) for bank in self.network.capacitor_banks]
        return np.array([sum(states) for states in steps], dtype=np.int64)

    def set_capacitors(self, closed: IntArray) -> None:
        """Close so many steps of every switched capacitor, the first ones, as its control does.

        Parameters
        ----------
        closed : ndarray of int, shape (n_capacitor,)
            How many.

        Raises
        ------
        FeederError
            When the length is wrong, or there are not so many.
        """
        capacitors = self._engine.ActiveCircuit.Capacitors
        counts = check_capacitors(self.network, closed)
        for bank, count in zip(self.network.capacitor_banks, counts, strict=True):
            capacitors.Name = _bare(bank.element)
            capacitors.States = [1] * count + [0] * (bank.steps - count)

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        """Solve the AC power flow.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage, after curtailment [kVA].
        injection : ndarray, shape (n_resource,)
            Power injected by generators and storage, equal on their legs [kVA]; 0 for flexible loads.
        controls : bool
            Whether the circuit's controls may act; held or neutral regulators never do.

        Returns
        -------
        AcState
            The solution. Without convergence every number in it is NaN, taps and capacitors are those from
            before, and the next call starts from a fresh circuit.

        Raises
        ------
        FeederError
            When a set-point has the wrong length or is not finite.
        """
        demand, injection = check_setpoints(self.network, demand, injection)
        before, closed = self.taps, self.capacitors
        self._write(demand, injection)
        solution = self._engine.ActiveCircuit.Solution
        solution.ControlMode = STATIC if controls and self._acts else OFF
        solved = self._converges(solution)
        iterations = int(solution.Totaliterations)
        state = self._read(demand, injection, iterations) if solved else None
        if state is None or not np.isfinite(state.voltage).all():
            self._layout = self._build()
            self.set_taps(before)
            self.set_capacitors(closed)
            failed = failed_state(self.network, demand, injection, before, iterations)
            return replace(failed, capacitor=closed)
        return state

    def _converges(self, solution: Any) -> bool:
        """Solve; False when the power flow does not converge or controls keep moving."""
        try:
            return settle(solution, self._tolerance)
        except DSSException as error:
            if error.args[0] == CONTROLS_UNSETTLED:
                return False
            raise FeederError(f"OpenDSS could not solve {self.network.name}: {error}") from error

    def _build(self) -> Layout:
        """Compile the circuit afresh, solve it with what is added to it and find everything in it."""
        circuit = compile_case(self._engine, self._case, tolerance=self._tolerance)
        network = self.network
        try:
            self._start_ratio = [
                read_winding(circuit, item.element, item.winding)[0] for item in network.regulators
            ]
            self._hold()
            add_stand_ins(self._engine, network)
            self.set_taps(self._first_taps)
            settle(circuit.Solution, self._tolerance)
        except DSSException as error:
            raise FeederError(
                f"the circuit {self._case.name} does not hold what its network says: {error}"
            ) from error
        layout = lay_out(circuit, network, stand_in_names(network))
        self._factor = np.array([listed_factor(circuit, name) for name in network.load_ids])
        self._written = np.full(len(layout.load) + len(layout.added), complex(np.nan))
        return layout

    def _hold(self) -> None:
        """Switch the controls of tap changers off where they are not to act."""
        for regulator in () if self._regulated else self.network.regulators:
            self._engine.Text.Command = f'edit "regcontrol.{regulator.name}" enabled=no'

    def _write(self, demand: ComplexArray, injection: ComplexArray) -> None:
        """Set the power of every load that changed, and of those added to inject."""
        power = np.concatenate([demand / self._factor, -self._injections.power(injection)])
        changed = np.flatnonzero(power != self._written)
        numbers = np.concatenate([self._layout.load, self._layout.added])[changed].tolist()
        loads = self._engine.ActiveCircuit.Loads
        for number, value in zip(numbers, power[changed].tolist(), strict=True):
            loads.idx = number
            loads.kW = value.real
            loads.kvar = value.imag
        self._written = power

    def _read(self, demand: ComplexArray, injection: ComplexArray, iterations: int) -> AcState:
        """Read the solution in the order of the network."""
        at, circuit, network = self._layout, self._engine.ActiveCircuit, self.network
        volts = np.asarray(circuit.AllBusVolts).view(np.complex128)
        amps = self._element_amps(circuit)
        volt, amp = volts[at.node], at.gather @ amps
        voltage = volt / network.base_v
        return AcState(
            voltage=voltage,
            power=volt[network.conductor_node] * amp.conj() / 1e3,
            current=np.abs(amp),
            load=self._loads.served(demand, voltage),
            demand=demand,
            injection=injection,
            machine=self._machine_power(),
            tap=self.taps,
            capacitor=self.capacitors,
            admittance=self._admittance(),
            head=volt[network.head_node] * self._source_amps().conj() / 1e3,
            losses=complex(engine_powers(at, volts, amps).sum()),
            iterations=iterations,
        )

    def _element_amps(self, circuit: Any) -> ComplexArray:
        """Read the currents into all passive elements, shape (n_engine_conductor,) [A]."""
        # Without an element the engine lists a number that means nothing.
        there = circuit.PDElements.Count > 0
        listed = np.asarray(circuit.PDElements.AllCurrents if there else []).view(np.complex128)
        others = [self._active(name).Currents for name in self._layout.others]
        return np.concatenate([listed, *(np.asarray(amps).view(np.complex128) for amps in others)])

    def _active(self, name: str) -> Any:
        circuit = self._engine.ActiveCircuit
        circuit.SetActiveElement(name)
        return circuit.ActiveCktElement

    def _machine_power(self) -> ComplexArray:
        """Power that every machine injects, shape (n_machine,) [kVA]."""
        names = [name for name, _ in groupby(machine.element for machine in self.network.machines)]
        found = [leg_power(name, self._active(name)) for name in names]
        return np.concatenate([np.zeros(0, dtype=np.complex128), *found])

    def _admittance(self) -> ComplexArray:
        """Blocks of the controlled elements as they stand, shape (n_admittance,) [S]."""
        pairs = zip(self.network.controlled, self._layout.blocks, strict=True)
        found = [gathered(rows, admittance_block(self._active(item.name))) for item, rows in pairs]
        return np.concatenate([np.zeros(0, dtype=np.complex128), *(block.ravel() for block in found)])

    def _source_amps(self) -> ComplexArray:
        """Read the current that the sources give at every conductor, shape (n_head,) [A]."""
        found = []
        for source in self.network.sources:
            active = self._active(source.name)
            amps = np.asarray(active.Currents).view(np.complex128)
            found.append(read_conductors(active).gathering @ -amps)
        return np.concatenate(found)


def _bare(element: str) -> str:
    """Name of an element without its class."""
    return element.split(".", 1)[1]
