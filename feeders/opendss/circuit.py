"""A user's circuit as data: what the market limits, prices, freezes and leaves out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from dlmp_cosim.feeders.errors import FeederError, InputError
from dlmp_cosim.feeders.network import GROUND, Element, Load, Network
from dlmp_cosim.feeders.opendss.alive import keep_alive
from dlmp_cosim.feeders.opendss.case import Case, Circuit, Finding
from dlmp_cosim.feeders.opendss.compile import compile_case
from dlmp_cosim.feeders.opendss.conductors import PASSIVE_CLASSES
from dlmp_cosim.feeders.opendss.connected import (
    LEGGED,
    OTHER_MACHINES,
    read_loads,
    read_machines,
    read_plants,
)
from dlmp_cosim.feeders.opendss.controls import (
    INVERTING,
    SWITCHING,
    find_controls,
    read_capacitor_banks,
    read_regulators,
    switched_elements,
)
from dlmp_cosim.feeders.opendss.library import engine_for
from dlmp_cosim.feeders.opendss.points import voltage_points
from dlmp_cosim.feeders.opendss.shapes import read_shapes
from dlmp_cosim.feeders.opendss.survey import read_buses, read_elements, read_sources
from dlmp_cosim.feeders.validate import check_network

READ_TOLERANCE: Final = 1e-10
LOOSEST_TOLERANCE: Final = 1e-4
"""Tolerances of the power flow that tells neutrals from phases: the first that OpenDSS reaches [pu]."""

DEAD_V: Final = 1e-6
"""Highest voltage of a circuit that nothing feeds, whose power flow counts as solved [V]."""

PLAUSIBLE_PU: Final = (0.65, 1.5)
"""Voltages that the middle node of a level can have on the right base [pu]."""

WATCHING: Final = ("energymeter", "monitor", "sensor", "fmonitor")
"""Classes that change nothing."""

UNDERSTOOD: Final = frozenset(
    {*PASSIVE_CLASSES, *LEGGED, *OTHER_MACHINES, *SWITCHING, *INVERTING, *WATCHING}
    | {"vsource", "regcontrol", "capcontrol"}
)
"""Classes that are read, or may be passed over."""


ON_ITS_OWN: Final = (
    "runs on its own settings, constant power while the market clears; a resource that drives it takes its "
    "place as constant power on the same legs"
)
"""Why a generator, PV system, storage or the like is frozen."""

Item = TypeVar("Item")


class _Reader:
    """Holds an engine for as long as a circuit is read."""


def read_circuit(case: Case) -> Circuit:
    """Compile a circuit and read it.

    Parameters
    ----------
    case : Case
        The circuit.

    Returns
    -------
    Circuit
        Its network without resources of the market, and everything that the market does not take as it is.

    Raises
    ------
    InputError
        When the file is missing, or the circuit holds something that cannot be stated.
    FeederError
        When OpenDSS refuses or cannot solve it.
    """
    reader = _Reader()
    circuit = compile_case(engine_for(reader), case, tolerance=READ_TOLERANCE, loosest=LOOSEST_TOLERANCE)
    findings = [*_disabled(circuit), *_classes(circuit, case), *find_controls(circuit)]
    network = _all_of(circuit, case, findings)
    if not max(circuit.AllBusVmag, default=0.0) > DEAD_V:
        raise FeederError(
            f"OpenDSS finds no voltage anywhere in {case.name}; expected a source with a voltage"
        )
    network, dead = keep_alive(network)
    volts = _magnitudes(circuit, network)
    network = replace(network, voltage_points=voltage_points(network, volts))
    _check_bases(network, volts, case)
    check_network(network)
    shapes, load_shape, unusable = read_shapes(circuit, network.loads)
    return Circuit(
        network=network,
        findings=(*findings, *dead, *unusable),
        shapes=shapes,
        load_shape=load_shape,
        plants=tuple(read_plants(circuit)),
    )


def _all_of(circuit: Any, case: Case, findings: list[Finding]) -> Network:
    """Read all that the file has, alive or not; adds to the findings."""
    regulators, banks = tuple(read_regulators(circuit)), tuple(read_capacitor_banks(circuit))
    moved = {regulator.element for regulator in regulators} | {bank.element for bank in banks}
    controlled = switched_elements(circuit) | moved
    sources = tuple(read_sources(circuit))
    if not sources:
        raise InputError("has no voltage source", where=case.name, expected="at least one enabled vsource")
    elements, opened = _sorted(read_elements(circuit, controlled), Element)
    loads, unlike = _sorted(read_loads(circuit), Load)
    machines = tuple(read_machines(circuit, frozenset(finding.element for finding in unlike)))
    names = dict.fromkeys(machine.element for machine in machines)
    on_their_own = [name for name in names if not name.startswith("load.")]
    findings += [*opened, *unlike, *(Finding(name, "frozen", ON_ITS_OWN) for name in on_their_own)]
    return Network(
        name=circuit.Name.lower(),
        buses=read_buses(circuit, sources[0].terminal.bus),
        elements=elements,
        sources=sources,
        loads=loads,
        machines=machines,
        regulators=regulators,
        capacitor_banks=banks,
    )


def _sorted(found: Iterator[Item | Finding], kind: type[Item]) -> tuple[tuple[Item, ...], list[Finding]]:
    """Part what was read from what is only to be named."""
    everything = list(found)
    kept = tuple(item for item in everything if isinstance(item, kind))
    return kept, [item for item in everything if isinstance(item, Finding)]


def _disabled(circuit: Any) -> Iterator[Finding]:
    """Name every element that the file disables."""
    for full in circuit.AllElementNames:
        circuit.SetActiveElement(full)
        if not circuit.ActiveCktElement.Enabled:
            yield Finding(full.lower(), "ignored", "disabled in the circuit")


def _classes(circuit: Any, case: Case) -> Iterator[Finding]:
    """Name every enabled element of a class that is neither read nor harmless."""
    for full in circuit.AllElementNames:
        name = full.lower()
        group = name.split(".", 1)[0]
        if group in UNDERSTOOD:
            continue
        circuit.SetActiveElement(full)
        if not circuit.ActiveCktElement.Enabled:
            continue
        if group == "equivalent":
            raise InputError(
                "is a source between several buses",
                where=f"{case.name} {name}",
                expected="voltage sources (vsource) to ground",
            )
        yield Finding(
            name, "frozen", f"class {group} is not known: whatever it does, the market sees it done"
        )


def _check_bases(network: Network, voltage_pu: Mapping[str, float], case: Case) -> None:
    """Raise when the voltages of a level do not fit its base."""
    levels: dict[float, list[tuple[float, str]]] = {}
    for point in network.voltage_points:
        if point.other == GROUND:
            levels.setdefault(point.kv_base, []).append((voltage_pu[point.name], point.bus))
    for kv, found in levels.items():
        middle, bus = sorted(found)[len(found) // 2]
        if not PLAUSIBLE_PU[0] < middle < PLAUSIBLE_PU[1]:
            raise InputError(
                f"has {middle * kv:.4g} kV to ground on a base of {kv:.4g} kV",
                where=f"{case.name} bus {bus}",
                expected="all voltage levels in 'set voltagebases=[...]', then 'calcvoltagebases'",
            )


def _magnitudes(circuit: Any, network: Network) -> Mapping[str, float]:
    """Voltage magnitude of every node [pu]."""
    volts = dict(zip((name.lower() for name in circuit.AllNodeNames), circuit.AllBusVmag, strict=True))
    return {
        name: float(volts[name] / base) for name, base in zip(network.node_ids, network.base_v, strict=True)
    }
