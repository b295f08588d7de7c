"""Read a circuit that OpenDSS compiled: what the market needs to know of it, and what it cannot use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from feeders.admittance import nodal_admittance
from feeders.errors import FeederError, InputError
from feeders.network import Bus, ComplexArray, FloatArray, Network, VoltagePoint
from feeders.opendss.case import Case, Circuit, Finding
from feeders.opendss.devices import (
    ACTING,
    IDLE,
    read_capacitor_banks,
    read_loads,
    read_plants,
    read_regulators,
    read_shapes,
    read_sources,
    switched_elements,
)
from feeders.opendss.elements import read_elements
from feeders.opendss.library import DSSException, engine_for

PHASES: Final = (1, 2, 3)
"""Nodes that customers are connected to; higher ones are neutrals."""
LEAST_VOLTAGE: Final = 0.1
"""A node below this share of its base is no phase [pu]."""
FLOATING: Final = 1e-5
"""Admittance to ground over the largest one between conductors below which a zone has no ground."""
PLAUSIBLE: Final = (0.5, 1.6)
"""Voltages over their bases that a sound circuit can have [pu]."""
MAX_CONTROL_ITERATIONS: Final = 200
MAX_ITERATIONS: Final = 100
CONTROLS_UNSETTLED: Final = 485
"""OpenDSS error number for more control iterations than allowed."""


class _Owner:
    """Holds an engine while a circuit is read."""


def read_circuit(case: Case) -> Circuit:
    """Compile a circuit and read everything in it.

    Parameters
    ----------
    case : Case
        The circuit.

    Raises
    ------
    InputError
        When it holds something that cannot be used: an island, a bus without base voltage, a source between
        two buses.
    FeederError
        When OpenDSS refuses it, or it has no solution as it stands.
    """
    owner = _Owner()
    engine = engine_for(owner)
    compile_case(engine, case)
    return read_compiled(engine.ActiveCircuit, case)


def compile_case(engine: Any, case: Case, *, tolerance: float = 1e-8) -> None:
    """Compile a circuit and solve it once, its controls acting.

    Parameters
    ----------
    engine : dss.IDSS
        An engine of the caller's own.
    case : Case
        The circuit.
    tolerance : float
        Voltage change at which a power flow counts as solved [pu].

    Raises
    ------
    FeederError
        When OpenDSS refuses the circuit or finds no solution.
    """
    text = engine.Text
    try:
        text.Command = "clear"
        for command in case.commands or (f'compile "{case.path}"',):
            text.Command = command
        circuit = engine.ActiveCircuit
        solution = circuit.Solution
        text.Command = "set mode=snap controlmode=static"
        text.Command = f"set tolerance={tolerance!r}"
        solution.MaxIterations = max(int(solution.MaxIterations), MAX_ITERATIONS)
        solution.MaxControlIterations = max(int(solution.MaxControlIterations), MAX_CONTROL_ITERATIONS)
        solution.Solve()
    except DSSException as error:
        if error.args[0] != CONTROLS_UNSETTLED:
            raise FeederError(f"OpenDSS refused the circuit {case.name}: {_words(error)}") from error
    if not engine.ActiveCircuit.Solution.Converged:
        raise FeederError(f"the power flow of {case.name} does not converge as the circuit stands")


def _words(error: Exception) -> str:
    """The message of an OpenDSS error without its number, on one line."""
    return " ".join(str(error.args[-1]).split())


def read_compiled(circuit: Any, case: Case) -> Circuit:
    """Read a circuit that is compiled and solved; see `read_circuit`."""
    names = {name.lower(): k for k, name in enumerate(circuit.AllNodeNames)}
    voltage = np.asarray(circuit.AllBusVolts).view(np.complex128)
    findings = list(_left_out(circuit))
    regulators, banks = tuple(read_regulators(circuit)), tuple(read_capacitor_banks(circuit))
    controlled = frozenset(
        (
            *(item.element for item in regulators),
            *(item.element for item in banks),
            *switched_elements(circuit),
        )
    )
    sources = tuple(read_sources(circuit, voltage, names))
    plants = list(read_plants(circuit))
    network = Network(
        name=str(circuit.Name).lower(),
        buses=_buses(circuit, case, sources[0].terminal.bus if sources else ""),
        elements=tuple(read_elements(circuit, controlled)),
        sources=sources,
        loads=tuple(read_loads(circuit, findings)),
        machines=tuple(machine for machine, _ in plants),
        regulators=regulators,
        capacitor_banks=banks,
    )
    if not sources:
        raise InputError("there is no voltage source", where=case.name, expected="a Vsource that is enabled")
    volts = voltage[[names[name.lower()] for name in network.node_ids]]
    _check_connected(network, case)
    network = replace(network, voltage_points=_voltage_points(network, volts))
    _check_bases(network, volts, case)
    shapes, follows = read_shapes(circuit)
    findings += [
        Finding(machine.name, "frozen", "injects what the last power flow has, unless a resource drives it")
        for machine, _ in plants
    ]
    return Circuit(network, tuple(findings), shapes, follows, tuple(plant for _, plant in plants if plant))


def _buses(circuit: Any, case: Case, first: str) -> tuple[Bus, ...]:
    """Buses in the circuit's order, that of the source first."""
    buses, without = [], []
    for name in circuit.AllBusNames:
        circuit.SetActiveBus(name)
        active = circuit.ActiveBus
        kv = float(active.kVBase)
        if kv <= 0.0:
            without.append(name)
        known = bool(active.Coorddefined)
        place = (float(active.x), float(active.y)) if known else (None, None)
        buses.append(Bus(name.lower(), tuple(sorted(int(node) for node in active.Nodes)), kv, *place))
    if without:
        raise InputError(
            f"{len(without)} buses have no base voltage, such as {without[0]}",
            where=case.name,
            expected="`set voltagebases=[...]` with every voltage level, then `calcvoltagebases`, in the file",
        )
    return tuple(sorted(buses, key=lambda bus: bus.name != first))


def _left_out(circuit: Any) -> Iterable[Finding]:
    """Name what is disabled, only looks, or controls."""
    for name in circuit.AllElementNames:
        circuit.SetActiveElement(name)
        kind = name.split(".", 1)[0].lower()
        if not circuit.ActiveCktElement.Enabled:
            yield Finding(name.lower(), "ignored", "is disabled in the file")
        elif kind in IDLE:
            yield Finding(name.lower(), "ignored", "only measures")
        elif kind in ACTING and kind not in ("regcontrol", "capcontrol"):
            yield Finding(
                name.lower(), "frozen", "stands still while the market clears, acts on what is final"
            )


def _check_connected(network: Network, case: Case) -> None:
    """Raise when nodes have no path to a source."""
    pattern = abs(nodal_admittance(network, network.initial_admittance)) > 0.0
    count, label = connected_components(pattern, directed=False)
    fed = {int(label[node]) for node in network.head_node}
    if len(fed) == count:
        return
    alone = [name for name, k in zip(network.node_ids, label, strict=True) if int(k) not in fed]
    raise InputError(
        f"{len(alone)} nodes have no path to a source: {', '.join(alone[:5])}{', ...' if alone[5:] else ''}",
        where=case.name,
        expected="a circuit without islands: close the switch, or disable what hangs behind it",
    )


def _check_bases(network: Network, volts: ComplexArray, case: Case) -> None:
    """Raise when voltages and bases do not fit together."""
    at = {(point.bus, point.phase): point for point in network.voltage_points if not point.other}
    for name, volt, base in zip(network.node_ids, np.abs(volts), network.base_v, strict=True):
        bus, _, phase = name.rpartition(".")
        if (bus, int(phase)) in at and not PLAUSIBLE[0] < volt / base < PLAUSIBLE[1]:
            raise InputError(
                f"node {name} has {volt:,.0f} V on a base of {base:,.0f} V",
                where=case.name,
                expected="voltage bases that fit the circuit: see `set voltagebases`",
            )


def _voltage_points(network: Network, volts: ComplexArray) -> tuple[VoltagePoint, ...]:
    """Voltages that customers see: to ground where their zone has one, else between conductors."""
    floating = _floating_buses(network)
    alive = dict(zip(network.node_ids, np.abs(volts) > LEAST_VOLTAGE * network.base_v, strict=True))
    points: list[VoltagePoint] = []
    for bus in network.buses:
        phases = [phase for phase in bus.phases if phase in PHASES]
        if bus.name in floating:
            ring = list(zip(phases, phases[1:] + phases[:1], strict=True))[: 1 if len(phases) == 2 else None]
            kv = bus.kv_base * np.sqrt(3.0)
            points += [VoltagePoint(bus.name, a, b, float(kv)) for a, b in ring if a != b]
        else:
            points += [
                VoltagePoint(bus.name, phase, 0, bus.kv_base)
                for phase in phases
                if alive[f"{bus.name}.{phase}"]
            ]
    return tuple(points)


def _floating_buses(network: Network) -> frozenset[str]:
    """Buses of zones that are joined by conductors and nowhere to ground, such as a delta winding's."""
    zone = _zones(network)
    to_ground, largest = _ground_admittance(network)
    floating = set()
    for bus in network.buses:
        nodes = [network.node_index[f"{bus.name}.{phase}"] for phase in bus.phases]
        members = np.flatnonzero(np.isin(zone, zone[nodes]))
        if to_ground[members].sum() < FLOATING * largest[members].max():
            floating.add(bus.name)
    return frozenset(floating)


def _zones(network: Network) -> FloatArray:
    """Group of nodes that conductors (not transformers) join, shape (n_node,)."""
    index, pairs = network.node_index, []
    for branch in network.branches:
        if branch.kind != "transformer":
            first, *others = [[index[f"{end.bus}.{p}"] for p in end.phases] for end in branch.terminals]
            pairs += [(a, b) for nodes in others for a, b in zip(first, nodes, strict=False)]
    # Phases of a bus are one zone: a ground on one of them is a ground for all.
    for bus in network.buses:
        nodes = [index[f"{bus.name}.{phase}"] for phase in bus.phases]
        pairs += list(zip(nodes, nodes[1:], strict=False))
    n = len(network.node_ids)
    a, b = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return np.asarray(
        connected_components(sp.csr_matrix((np.ones(len(a)), (a, b)), (n, n)), directed=False)[1]
    )


def _ground_admittance(network: Network) -> tuple[FloatArray, FloatArray]:
    """Admittance from every node to ground through elements, sources and loads; and its largest entry [S]."""
    index, n = network.node_index, len(network.node_ids)
    ground, largest = np.zeros(n), np.zeros(n)
    for nodes, matrix in _blocks_by_winding(network):
        at = [index[name] for name in nodes]
        ground[at] += np.abs(matrix.sum(axis=1))
        largest[at] = np.maximum(largest[at], np.abs(matrix).max(axis=1))
    for load in network.loads:
        for a, b in load.legs:
            if b == 0:
                ground[index[f"{load.bus}.{a}"]] += abs(load.kw) * 1e3 / (1e3 * load.kv_base) ** 2
    return ground, largest


def _blocks_by_winding(network: Network) -> Iterable[tuple[tuple[str, ...], ComplexArray]]:
    """Blocks of elements; of a transformer each winding's own, for windings do not conduct to each other."""
    for source in network.sources:
        yield tuple(f"{source.terminal.bus}.{p}" for p in source.terminal.phases), source.admittance_s
    for element in network.elements:
        matrix = element.admittance_s
        if element.kind != "transformer":
            yield element.node_ids, matrix
            continue
        start = 0
        for end in element.terminals:
            rows = slice(start, start + len(end.phases))
            yield tuple(f"{end.bus}.{p}" for p in end.phases), matrix[rows, rows]
            start += len(end.phases)
