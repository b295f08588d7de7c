"""power-grid-model as the AC engine of a circuit of lines: a second opinion, without OpenDSS.

The program has no tap per phase, so it is given the circuit without its ratios (see `ratio_lines`). Its loads
are to neutral only: what lies between phases, and loads outside the range of their model, are constant power
inside an outer fixed point.
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

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.ratio_lines import BoolArray, LineCircuit, balanced, check_lines, line_circuit, tapped
from dlmp_cosim.feeders.setpoints import check_option, check_setpoints, check_taps, failed_state
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.feeders.terminals import LoadTerminals, injection_terminals, load_terminals
from dlmp_cosim.feeders.validate import check_network

FREQUENCY_HZ: Final = 60.0
"""Frequency at which charging is told as a capacitance; it cancels out [Hz]."""

SOURCE_VA: Final = 1e15
"""Short-circuit power of the source before its own impedance [VA]: ideal."""

MAX_ROUNDS: Final = 60
"""Rounds of the fixed point for what lies between phases."""

MAX_ITERATIONS: Final = 100
LOAD_TYPES: Final = (LoadGenType.const_power, LoadGenType.const_current, LoadGenType.const_impedance)
"""Load type of each voltage exponent."""

EXPONENT: Final = {1: 0, 5: 1, 2: 2}
"""Voltage exponent of the load models that the program has itself."""

NO_EXPONENT: Final = -1

_Output = dict[ComponentType, Any]


class PowerGridFeeder:
    """One circuit of lines in power-grid-model; regulators and capacitors stay where they are put.

    Parameters
    ----------
    network : Network
        The circuit: one source of three balanced phases, lines, switches and transformers that are plain
        ratios between windings connected alike, no neutral conductors, no machines of its own.
    regulators : {"held", "neutral"}
        Start at the positions of the network, or at 0.
    tolerance : float
        Voltage change at which a power flow counts as solved [pu].

    Raises
    ------
    InputError
        When the network is not sound, or no such circuit; names the element.
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
        check_lines(network)
        self.network = network
        self._tolerance = tolerance
        self._loads = load_terminals(network)
        self._injections = injection_terminals(network)
        self._layout = _layout(network, self._loads)
        self.set_taps(network.initial_taps * (regulators != "neutral"))

    @property
    def taps(self) -> IntArray:
        """Position of every regulator, shape (n_tap,)."""
        return self._taps.copy()

    @property
    def capacitors(self) -> IntArray:
        """Closed steps of every switched capacitor: those of the start, because no control acts here."""
        return self.network.initial_capacitors

    def set_capacitors(self, closed: IntArray) -> None:
        """Raise FeederError unless every switched capacitor stands so already."""
        if closed.tolist() != self.capacitors.tolist():
            raise FeederError("power-grid-model leaves switched capacitors where they stand")

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
        InputError
            When the positions close a loop of unequal ratios.
        """
        positions = np.array(check_taps(self.network, taps), dtype=np.int64)
        admittance = tapped(self.network, positions)
        lines = line_circuit(self.network, admittance)
        self._taps: IntArray = positions
        self._admittance, self._lines = admittance, lines
        at = self._layout
        self._ratio = (lines.ratio * at.base_v / at.bus_v[:, None]).reshape(-1)[at.slot]
        self._model = PowerGridModel(_tables(self.network, lines, at), system_frequency=FREQUENCY_HZ)

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:  # noqa: ARG002
        """Solve the AC power flow.

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage, after curtailment [kVA].
        injection : ndarray, shape (n_resource,)
            Power injected by generators and storage, equal on their legs [kVA]; 0 for flexible loads.
        controls : bool
            No effect: nothing moves.

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
        at = self._layout
        turn = np.exp(-2j * np.pi / 3.0 * (np.arange(3 * len(self.network.buses)) % 3))
        inner = self._source_pu() * turn
        for rounds in range(1, MAX_ROUNDS + 1):
            output = self._attempt(demand, injection, inner)
            if output is None:
                return failed_state(self.network, demand, injection, self.taps, rounds)
            last, inner = inner, _phasors(output, len(self.network.buses))
            if np.abs((inner - last)[at.slot] * self._ratio).max() < self._tolerance:
                return self._state(output, inner, demand, injection, rounds)
        return failed_state(self.network, demand, injection, self.taps, MAX_ROUNDS)

    def _source_pu(self) -> complex:
        """Voltage of the source's first phase [pu]."""
        return complex(self.network.sources[0].voltage_v[0]) / self._layout.base_v

    def _attempt(self, demand: ComplexArray, injection: ComplexArray, inner: ComplexArray) -> _Output | None:
        """Solve with what lies between phases as constant power at `inner`; None without convergence."""
        power = self._specified(demand, injection, inner)
        pairs = self._layout.pairs
        update = initialize_array(DatasetType.update, ComponentType.asym_load, len(pairs))
        update["id"] = _first_load(self.network) + np.arange(len(update))
        chosen = power[pairs[:, 0], pairs[:, 1]] * 1e3
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

    def _specified(self, demand: ComplexArray, injection: ComplexArray, inner: ComplexArray) -> ComplexArray:
        """Return power by exponent, bus and phase at the source's voltage, shape (3, n_bus, 3) [kVA]."""
        at, ends = self._layout, self._loads
        voltage = inner[at.slot] * self._ratio
        grounded = np.append(voltage, 0.0)
        power = np.zeros((3, len(grounded)), dtype=np.complex128)
        magnitude = np.abs(ends.across(voltage))
        inside = (magnitude > ends.vmin_pu) & (magnitude <= ends.vmax_pu)
        native = (at.exponent == EXPONENT[2]) | ((at.exponent != NO_EXPONENT) & inside)
        nominal = ends.power(demand)
        exponent, node = at.exponent[native], ends.node[native]
        outer = (self._ratio[node] * ends.scale[native]) ** exponent
        np.add.at(power, (exponent, node), nominal[native] * outer)
        real, reactive = ends.factors(magnitude)
        served = (nominal.real * real + 1j * nominal.imag * reactive)[~native]
        _draw(power[0], grounded, ends.node[~native], ends.other[~native], served)
        given = self._injections
        _draw(power[0], grounded, given.node, given.other, -given.power(injection))
        padded = np.zeros((3, len(inner)), dtype=np.complex128)
        padded[:, at.slot] = power[:, :-1]
        shaped: ComplexArray = padded.reshape(3, -1, 3)
        if at.shunted.size:
            self._draw_shunts(shaped, inner.reshape(-1, 3))
        return shaped

    def _draw_shunts(self, power: ComplexArray, inner: ComplexArray) -> None:
        """Add what shunts draw beyond their balanced part: an impedance, and what lies between phases."""
        at = self._layout
        rest = self._lines.drawn_s[at.shunted] - balanced(self._lines.drawn_s, at.whole)[at.shunted]
        own = np.einsum("bii->bi", rest)
        between = rest - own[:, :, None] * np.eye(3)
        here, kva = inner[at.shunted], at.base_v**2 / 1e3
        power[2, at.shunted] += kva * own.conj()
        power[0, at.shunted] += kva * here * np.einsum("bij,bj->bi", between, here).conj()

    def _state(
        self, output: _Output, inner: ComplexArray, demand: ComplexArray, injection: ComplexArray, rounds: int
    ) -> AcState:
        """Read the solution in the order of the network."""
        at, network, lines = self._layout, self.network, self._lines
        voltage = inner[at.slot] * self._ratio
        here = inner.reshape(-1, 3)
        entering, head = self._line_power(output)
        ends, kva = here[at.ends], at.base_v**2 / 1e3
        entering += kva * ends * np.einsum("keij,kej->kei", lines.rest_s, ends).conj()
        power = entering.reshape(-1)[at.conductor]
        volt = np.abs(voltage * network.base_v)[network.conductor_node]
        shunts = kva * here * np.einsum("bij,bj->bi", lines.shunt_s, here).conj()
        return AcState(
            voltage=voltage,
            power=power,
            current=1e3 * np.abs(power) / volt,
            load=self._loads.served(demand, voltage),
            demand=demand,
            injection=injection,
            machine=np.zeros(0, dtype=np.complex128),
            tap=self.taps,
            capacitor=self.capacitors,
            admittance=self._admittance,
            head=head,
            losses=complex(power.sum() + shunts.sum()),
            iterations=rounds,
        )

    def _line_power(self, output: _Output) -> tuple[ComplexArray, ComplexArray]:
        """Power into the lines of every branch, shape (n_branch, 2, 3), and out of the source's [kVA]."""
        line, n = output[ComponentType.asym_line], len(self.network.branches)
        sides = [line[f"p_{end}"] + 1j * line[f"q_{end}"] for end in ("from", "to")]
        power = np.stack(sides, axis=1).astype(np.complex128) / 1e3
        entering = power[:n].copy()
        entering[list(self._lines.twins)] += power[n + 1 :]
        return entering, -power[n, 1]


@dataclass(frozen=True)
class _Layout:
    """Where the program keeps what, in the order of the `Network`.

    Attributes
    ----------
    base_v : float
        Base voltage of the whole circuit in the program, to neutral [V].
    bus_v : ndarray, shape (n_bus,)
        Base voltage of every bus in the network [V].
    slot : ndarray of int, shape (n_node,)
        Position of each node among three phases of every bus.
    conductor : ndarray of int, shape (n_conductor,)
        Position of each conductor among three phases at two ends of every branch.
    ends : ndarray of int, shape (n_branch, 2)
        Buses at both ends of every branch.
    exponent : ndarray of int, shape (n_leg,)
        Voltage exponent of each leg of a load that the program can have; `NO_EXPONENT` otherwise.
    pairs : ndarray of int, shape (n_pair, 2)
        Exponent and bus of every load component.
    shunted : ndarray of int
        Buses with shunts.
    whole : ndarray of bool, shape (n_bus,)
        Buses with three phases.
    """

    base_v: float
    bus_v: FloatArray
    slot: IntArray
    conductor: IntArray
    ends: IntArray
    exponent: IntArray
    pairs: IntArray
    shunted: IntArray
    whole: BoolArray


def _layout(network: Network, loads: LoadTerminals) -> _Layout:
    """Find where everything goes."""
    bus = network.bus_index
    exponent = np.array([EXPONENT.get(network.loads[k].model, NO_EXPONENT) for k in loads.owner])
    exponent = np.where(loads.other == len(network.node_ids), exponent, NO_EXPONENT).astype(np.int64)
    shunted = {bus[end.bus] for element in network.elements for end in element.terminals}
    pairs = {(int(e), int(network.node_bus[k])) for e, k in zip(exponent, loads.node, strict=True) if e > 0}
    pairs |= {(0, bus[load.bus]) for load in network.loads}
    pairs |= {(0, bus[resource.bus]) for resource in network.resources}
    pairs |= {(e, k) for k in shunted for e in (0, 2)}
    return _Layout(
        base_v=1e3 * network.buses[bus[network.sources[0].terminal.bus]].kv_base,
        bus_v=np.array([1e3 * item.kv_base for item in network.buses]),
        slot=np.array([3 * k + phase - 1 for k, item in enumerate(network.buses) for phase in item.phases]),
        conductor=np.array(
            [
                6 * k + 3 * end + phase - 1
                for k, branch in enumerate(network.branches)
                for end, terminal in enumerate(branch.terminals)
                for phase in terminal.phases
            ],
            dtype=np.int64,
        ),
        ends=np.array(
            [[bus[end.bus] for end in branch.terminals] for branch in network.branches], dtype=np.int64
        ).reshape(-1, 2),
        exponent=exponent,
        pairs=np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2),
        shunted=np.array(sorted(shunted), dtype=np.int64),
        whole=np.array([len(item.phases) == 3 for item in network.buses]),
    )


def _draw(
    power: ComplexArray, voltage: ComplexArray, node: IntArray, other: IntArray, drawn: ComplexArray
) -> None:
    """Add the power that legs draw to that of the nodes they lie between; the last entry is ground."""
    current = drawn / (voltage[node] - voltage[other])
    np.add.at(power, node, current * voltage[node])
    np.add.at(power, other, -current * voltage[other])


def _phasors(output: _Output, n_bus: int) -> ComplexArray:
    """Voltage of three phases of every bus in the program, shape (3 n_bus,) [pu]."""
    node = output[ComponentType.node][:n_bus]
    return np.asarray((node["u_pu"] * np.exp(1j * node["u_angle"])).reshape(-1))


def _first_load(network: Network) -> int:
    """Return the id of the first load: after the buses, that of the source, the source and the shunts."""
    return 2 * len(network.buses) + 2


def _tables(network: Network, lines: LineCircuit, at: _Layout) -> _Output:
    """Write the circuit as the program's tables; the source stands behind its impedance, a line."""
    n_bus, n_branch = len(network.buses), len(network.branches)
    volts = network.sources[0].voltage_v[0]
    node = initialize_array(DatasetType.input, ComponentType.node, n_bus + 1)
    node["id"], node["u_rated"] = np.arange(n_bus + 1), math.sqrt(3.0) * at.base_v
    source = initialize_array(DatasetType.input, ComponentType.source, 1)
    source["id"], source["node"], source["status"] = n_bus + 1, n_bus, 1
    source["u_ref"], source["u_ref_angle"], source["sk"] = abs(volts) / at.base_v, np.angle(volts), SOURCE_VA
    load = initialize_array(DatasetType.input, ComponentType.asym_load, len(at.pairs))
    load["id"] = _first_load(network) + np.arange(len(at.pairs))
    load["node"], load["status"] = at.pairs[:, 1], 1
    load["type"] = [LOAD_TYPES[exponent] for exponent in at.pairs[:, 0]]
    load["p_specified"] = load["q_specified"] = 0.0
    n_line = n_branch + 1 + len(lines.twins)
    line = initialize_array(DatasetType.input, ComponentType.asym_line, n_line)
    line["id"] = _first_load(network) + len(load) + np.arange(n_line)
    head = network.bus_index[network.sources[0].terminal.bus]
    line["from_node"], line["to_node"] = np.vstack([at.ends, [n_bus, head], at.ends[list(lines.twins)]]).T
    line["from_status"] = line["to_status"] = 1
    series = np.concatenate([lines.series_ohm, lines.twin_ohm])
    farad = np.zeros((n_line, 3, 3))
    farad[: n_branch + 1] = lines.charging_s / (2.0 * math.pi * FREQUENCY_HZ)
    for letter, matrix in (("r", series.real), ("x", series.imag), ("c", farad)):
        for i, row in enumerate("abc"):
            for j, column in enumerate("abc"[: i + 1]):
                line[f"{letter}_{row}{column}"] = matrix[:, i, j]
    tables = {ComponentType.node: node, ComponentType.source: source, ComponentType.asym_line: line}
    tables |= {ComponentType.asym_load: load, ComponentType.shunt: _shunts(lines, at)}
    return {component: table for component, table in tables.items() if len(table)}


def _shunts(lines: LineCircuit, at: _Layout) -> Any:
    """Write the balanced part of shunts."""
    alike = balanced(lines.drawn_s, at.whole)
    buses = np.flatnonzero(np.abs(alike).max(axis=(1, 2)) > 0.0)
    shunt = initialize_array(DatasetType.input, ComponentType.shunt, len(buses))
    shunt["id"] = len(lines.ratio) + 2 + buses
    shunt["node"], shunt["status"] = buses, 1
    own, mutual = alike[buses, 0, 0], alike[buses, 0, 1]
    positive, zero = own - mutual, own + 2.0 * mutual
    shunt["g1"], shunt["b1"] = positive.real, positive.imag
    shunt["g0"], shunt["b0"] = zero.real, zero.imag
    return shunt
