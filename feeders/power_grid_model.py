"""power-grid-model as the AC engine of a `Network`: a second opinion that shares no code with OpenDSS.

Regulators are exact although the program has no per-phase tap: with ``t`` the product of the ratios between
the source and a node, the substitution ``V = t * V'`` leaves powers alone and turns every regulator into a
plain connection, if line impedances are divided, and shunts multiplied, by the ``t`` of both phases involved.
Loads between phases, and loads below their lowest voltage, are constant power inside an outer fixed point:
the program has loads to neutral only. Phases that a lateral does not have are carried along without load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from power_grid_model import (
    CalculationMethod,
    ComponentType,
    DatasetType,
    LoadGenType,
    PowerGridModel,
    initialize_array,
)
from power_grid_model.errors import IterationDiverge, SparseMatrixError

from feeders.network import TAP_STEP, Branch, ComplexArray, FloatArray, IntArray, Network, node_id
from feeders.setpoints import check_option, check_setpoints, check_taps, failed_state
from feeders.state import AcState
from feeders.terminals import injection_terminals, load_terminals
from feeders.validate import check_network

FREQUENCY_HZ: Final = 60.0
SOURCE_VA: Final = 1e15
"""Short-circuit power behind the source voltage [VA]: ideal."""

PHANTOM_OHM: Final = 1.0
"""Series resistance of a phase that a lateral does not have; no current flows through it."""

MAX_ROUNDS: Final = 60
"""Rounds of the fixed point for loads between phases."""

MAX_ITERATIONS: Final = 100
LOAD_TYPES: Final = (LoadGenType.const_power, LoadGenType.const_current, LoadGenType.const_impedance)
"""Load type of each voltage exponent."""


class PowerGridFeeder:
    """One feeder in power-grid-model; regulators stay where they are put.

    Parameters
    ----------
    network : Network
        The feeder.
    regulators : {"held", "neutral"}
        Start at the positions of the network, or at 0.
    tolerance : float
        Voltage change at which a power flow counts as solved [pu].

    Raises
    ------
    InputError
        When the network is not a sound radial feeder.
    FeederError
        When an option is not valid.
    """

    def __init__(
        self,
        network: Network,
        *,
        regulators: Literal["held", "neutral"] = "held",
        tolerance: float = 1e-9,
    ) -> None:
        check_network(network)
        check_option("regulators", regulators, ("held", "neutral"))
        self.network = network
        self._tolerance = tolerance
        self._loads = load_terminals(network)
        self._injections = injection_terminals(network)
        self._layout = _layout(network)
        self.set_taps(network.initial_taps * (regulators != "neutral"))

    @property
    def taps(self) -> IntArray:
        """Position of every regulated conductor, shape (n_tap,)."""
        return self._taps.copy()

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
        self._taps: IntArray = np.array(check_taps(self.network, taps), dtype=np.int64)
        self._ratio = _ratios(self.network, self._taps)
        self._model = PowerGridModel(
            _input(self.network, self._ratio, self._layout), system_frequency=FREQUENCY_HZ
        )

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:  # noqa: ARG002
        """Solve the AC power flow.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage, after curtailment [kVA].
        injection : ndarray, shape (n_resource,)
            Power injected by generators and storage, equal on their phases [kVA]; 0 for flexible loads.
        controls : bool
            No effect: regulators do not move.

        Returns
        -------
        AcState
            The solution; without convergence every number in it is NaN.

        Raises
        ------
        FeederError
            When a set-point has the wrong length or is not finite.
        """
        demand, injection = check_setpoints(self.network, demand, injection)
        voltage = self._flat()
        for rounds in range(1, MAX_ROUNDS + 1):
            output = self._attempt(demand, injection, voltage)
            if output is None:
                return failed_state(self.network, demand, injection, self.taps, rounds)
            last, voltage = voltage, self._voltage(output)
            if np.abs(voltage - last).max() < self._tolerance:
                return self._state(output, demand, injection, rounds)
        return failed_state(self.network, demand, injection, self.taps, MAX_ROUNDS)

    def _flat(self) -> ComplexArray:
        """Return the voltages without any load, shape (n_node,) [pu]."""
        turn = np.exp(-2j * np.pi / 3.0 * (self._layout.slot % 3))
        return np.asarray(self.network.source_voltage_pu * turn * self._ratio[self._layout.slot])

    def _attempt(
        self, demand: ComplexArray, injection: ComplexArray, voltage: ComplexArray
    ) -> dict[ComponentType, Any] | None:
        """Solve with the loads between phases as constant power at `voltage`; None without convergence."""
        power = self._specified(demand, injection, voltage)
        update = initialize_array(DatasetType.update, ComponentType.asym_load, len(self._layout.pairs))
        update["id"] = _first_load(self.network) + np.arange(len(update))
        chosen = np.array([power[exponent, bus] for exponent, bus in self._layout.pairs]) * 1e3
        update["p_specified"], update["q_specified"] = chosen.real, chosen.imag
        try:
            self._model.update(update_data={ComponentType.asym_load: update})
            return dict(
                self._model.calculate_power_flow(
                    symmetric=False,
                    error_tolerance=self._tolerance / 10.0,
                    max_iterations=MAX_ITERATIONS,
                    # Newton's method stalls at 2e-9 pu beside the nearly ideal source and switches.
                    calculation_method=CalculationMethod.iterative_current,
                )
            )
        except (IterationDiverge, SparseMatrixError):
            return None

    def _specified(
        self, demand: ComplexArray, injection: ComplexArray, voltage: ComplexArray
    ) -> ComplexArray:
        """Return power by exponent, bus and phase in the substituted network, shape (3, n_bus, 3) [kVA]."""
        at, ends = self._layout, self._loads
        ratio, magnitude = self._ratio[at.slot], np.abs(ends.across(voltage))
        power = np.zeros((3, len(voltage) + 1), dtype=np.complex128)
        native = (ends.other == len(voltage)) & ((magnitude >= ends.vmin_pu) | (ends.exponent == 2.0))
        exponent = ends.exponent[native]
        substituted = demand[native] * ratio[ends.node[native]] ** exponent
        np.add.at(power, (exponent.astype(np.int64), ends.node[native]), substituted)
        grounded = np.append(voltage, 0.0)
        first, other = ends.node[~native], ends.other[~native]
        current = ends.served(demand, voltage)[~native] / (grounded[first] - grounded[other])
        np.add.at(power[0], first, current * grounded[first])
        np.add.at(power[0], other, -current * grounded[other])
        np.add.at(power[0], self._injections.node, -self._injections.power(injection))
        np.add.at(power[2], at.capacitor_node, -1j * at.capacitor_kvar * ratio[at.capacitor_node] ** 2)
        padded = np.zeros((3, 3 * len(self.network.buses)), dtype=np.complex128)
        padded[:, at.slot] = power[:, :-1]
        return padded.reshape(3, -1, 3)

    def _voltage(self, output: dict[ComponentType, Any]) -> ComplexArray:
        """Return the voltage of every node, shape (n_node,) [pu]."""
        node = output[ComponentType.node]
        substituted = (node["u_pu"] * np.exp(1j * node["u_angle"])).reshape(-1)
        return np.asarray((substituted * self._ratio)[self._layout.slot])

    def _state(
        self, output: dict[ComponentType, Any], demand: ComplexArray, injection: ComplexArray, rounds: int
    ) -> AcState:
        """Read the solution in the order of the network."""
        voltage = self._voltage(output)
        power_from, power_to = (
            self._conductors(output, "p_from", "q_from"),
            -self._conductors(output, "p_to", "q_to"),
        )
        at = self._layout
        # The substitution divides currents by the ratio of the side on which they are measured.
        amp_from = self._conductors(output, "i_from").real * 1e3 / self._ratio[at.slot][at.node_from]
        amp_to = self._conductors(output, "i_to").real * 1e3 / self._ratio[at.slot][at.node_to]
        source = output[ComponentType.source]
        return AcState(
            voltage=voltage,
            power_from=power_from,
            power_to=power_to,
            current=np.maximum(amp_from, amp_to),
            load=self._loads.served(demand, voltage),
            demand=demand,
            injection=injection,
            tap=self.taps,
            head=(source["p"] + 1j * source["q"])[0] / 1e3,
            losses=complex(power_from.sum() - power_to.sum()),
            iterations=rounds,
        )

    def _conductors(self, output: dict[ComponentType, Any], real: str, imag: str = "") -> ComplexArray:
        """Return one branch quantity by conductor, in thousands of its unit."""
        table = np.zeros((len(self.network.branches), 3), dtype=np.complex128)
        for component, rows in self._layout.rows.items():
            table[rows] = output[component][real] + (1j * output[component][imag] if imag else 0.0)
        return np.asarray(table.reshape(-1)[self._layout.conductor] / 1e3)


@dataclass(frozen=True)
class _Layout:
    """Where the program keeps what, in the order of the `Network`.

    Attributes
    ----------
    slot : ndarray of int, shape (n_node,)
        Position of each node among three phases of every bus.
    conductor : ndarray of int, shape (n_branch_phase,)
        Position of each conductor among three phases of every branch.
    node_from, node_to : ndarray of int, shape (n_branch_phase,)
        Nodes at both ends of each conductor.
    rows : dict
        Branches, by the kind of component that stands for them.
    pairs : ndarray of int, shape (n_pair, 2)
        Exponent and bus of every load component.
    capacitor_node : ndarray of int
        Node of each capacitor.
    capacitor_kvar : ndarray
        Its size at nominal voltage [kvar].
    """

    slot: IntArray
    conductor: IntArray
    node_from: IntArray
    node_to: IntArray
    rows: dict[ComponentType, list[int]]
    pairs: IntArray
    capacitor_node: IntArray
    capacitor_kvar: FloatArray


def _layout(network: Network) -> _Layout:
    """Find where everything goes."""
    node, bus = network.node_index, network.bus_index
    conductors = [(k, branch, phase) for k, branch in enumerate(network.branches) for phase in branch.phases]
    pairs: set[tuple[int, int]] = {(load.exponent, bus[load.bus]) for load in network.loads}
    pairs |= {
        (0, bus[name]) for name in (*(x.bus for x in network.loads), *(x.bus for x in network.resources))
    }
    pairs |= {(2, bus[capacitor.bus]) for capacitor in network.capacitors}
    regulated = [k for k, branch in enumerate(network.branches) if branch.kind == "regulator"]
    others = [k for k in range(len(network.branches)) if k not in regulated]
    rows = {ComponentType.asym_line: others, ComponentType.link: regulated}
    return _Layout(
        slot=np.array([3 * k + phase - 1 for k, item in enumerate(network.buses) for phase in item.phases]),
        conductor=np.array([3 * k + phase - 1 for k, _, phase in conductors]),
        node_from=np.array([node[node_id(branch.from_bus, phase)] for _, branch, phase in conductors]),
        node_to=np.array([node[node_id(branch.to_bus, phase)] for _, branch, phase in conductors]),
        rows={component: found for component, found in rows.items() if found},
        pairs=np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2),
        capacitor_node=np.array([node[node_id(x.bus, x.phase)] for x in network.capacitors], dtype=np.int64),
        capacitor_kvar=np.array([x.kvar for x in network.capacitors], dtype=np.float64),
    )


def _ratios(network: Network, taps: IntArray) -> FloatArray:
    """Return the product of the ratios from the source to every phase of every bus, shape (3 n_bus,)."""
    step = dict(zip(network.tap_ids, (1.0 + TAP_STEP * taps).tolist(), strict=True))
    ratio = np.ones((len(network.buses), 3))
    for k, branch in enumerate(network.branches):
        for phase in branch.phases:
            upstream = ratio[network.bus_index[branch.from_bus], phase - 1]
            ratio[k + 1, phase - 1] = upstream * step.get(node_id(branch.name, phase), 1.0)
    return ratio.reshape(-1)


def _input(network: Network, ratio: FloatArray, at: _Layout) -> dict[ComponentType, Any]:
    """Write the substituted network as the program's tables."""
    n_bus, n_branch = len(network.buses), len(network.branches)
    node = initialize_array(DatasetType.input, ComponentType.node, n_bus)
    node["id"] = np.arange(n_bus)
    node["u_rated"] = [math.sqrt(3.0) * 1e3 * bus.kv_base for bus in network.buses]
    source = initialize_array(DatasetType.input, ComponentType.source, 1)
    source["id"], source["node"], source["status"] = n_bus + n_branch, 0, 1
    source["u_ref"], source["sk"] = network.source_voltage_pu, SOURCE_VA
    load = initialize_array(DatasetType.input, ComponentType.asym_load, len(at.pairs))
    load["id"] = _first_load(network) + np.arange(len(at.pairs))
    load["node"], load["status"] = at.pairs[:, 1], 1
    load["type"] = [LOAD_TYPES[exponent] for exponent in at.pairs[:, 0]]
    load["p_specified"] = load["q_specified"] = 0.0
    tables = {ComponentType.node: node, ComponentType.source: source, ComponentType.asym_load: load}
    for component, rows in at.rows.items():
        table = initialize_array(DatasetType.input, component, len(rows))
        table["id"] = n_bus + np.array(rows, dtype=np.int64)
        table["from_node"] = [network.bus_index[network.branches[k].from_bus] for k in rows]
        table["to_node"] = [k + 1 for k in rows]
        table["from_status"] = table["to_status"] = 1
        tables[component] = table
    for k, row in enumerate(at.rows.get(ComponentType.asym_line, [])):
        bus = network.bus_index[network.branches[row].from_bus]
        _fill_line(tables[ComponentType.asym_line], k, network.branches[row], ratio[3 * bus : 3 * bus + 3])
    return tables


def _first_load(network: Network) -> int:
    """Return the id of the first load component: after nodes, branches and the source."""
    return len(network.buses) + len(network.branches) + 1


def _fill_line(table: Any, k: int, branch: Branch, ratio: FloatArray) -> None:
    """Write a line's matrices in the substituted network, with phantoms for the phases that it lacks."""
    pick = np.ix_(np.array(branch.phases) - 1, np.array(branch.phases) - 1)
    pair = np.outer(ratio, ratio)[pick]
    resistance, reactance, capacitance = PHANTOM_OHM * np.eye(3), np.zeros((3, 3)), np.zeros((3, 3))
    resistance[pick] = np.array(branch.resistance_ohm) / pair
    reactance[pick] = np.array(branch.reactance_ohm) / pair
    capacitance[pick] = np.array(branch.susceptance_us) * pair * 1e-6 / (2.0 * math.pi * FREQUENCY_HZ)
    for letter, matrix in (("r", resistance), ("x", reactance), ("c", capacitance)):
        for i, row in enumerate("abc"):
            for j, column in enumerate("abc"[: i + 1]):
                table[f"{letter}_{row}{column}"][k] = matrix[i, j]
