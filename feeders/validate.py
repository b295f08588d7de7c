"""Checks of a `Network`, whoever made it: places that exist, finite numbers, unique names, no islands."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import (
    GROUND,
    Element,
    Legs,
    Load,
    Network,
    RealRows,
    Regulator,
    Resource,
    Source,
    Terminal,
    VoltagePoint,
)
from dlmp_cosim.feeders.zones import zones

SYMMETRY: Final = 1e-6
"""Largest relative difference between the two halves of a symmetric matrix."""

LOAD_MODELS: Final = (1, 2, 3, 4, 5, 8)
ZIPV_LENGTH: Final = 7

Places = dict[str, tuple[int, ...]]
"""Nodes of every bus."""


def check_network(network: Network) -> None:
    """Raise when a network is not sound.

    Parameters
    ----------
    network : Network
        Any network.

    Raises
    ------
    InputError
        The first fault found, with the network, the element and the field as its place.
    """
    _check_names(network)
    places = _check_buses(network)
    if not network.sources:
        raise InputError("has no source", where=network.name, expected="at least one")
    for source in network.sources:
        _check_source(network, source, places)
    for element in network.elements:
        _check_element(network, element, places)
    for load in network.loads:
        _check_load(network, load, places)
    for machine in network.machines:
        _check_legs(f"{network.name} machine {machine.name}", machine.bus, machine.legs, places)
    _check_controls(network)
    for point in network.voltage_points:
        _check_point(network, point, places)
    _check_resources(network, places)
    _check_fed(network)


def _check_names(network: Network) -> None:
    """Check that there are names, and that they are unique whatever their case within each kind."""
    kinds: dict[str, Iterable[str]] = {
        "network": (network.name,),
        "bus": (bus.name for bus in network.buses),
        "element": (element.name for element in network.elements),
        "source": (source.name for source in network.sources),
        "load": network.load_ids,
        "machine": network.machine_ids,
        "regulator": network.tap_ids,
        "capacitor bank": network.capacitor_ids,
        "voltage point": network.point_ids,
        "resource": network.resource_ids,
        "profile": (profile.name for profile in network.profiles),
    }
    for kind, names in kinds.items():
        seen: set[str] = set()
        for name in names:
            where = f"{network.name} {kind} {name!r}"
            if not name.strip() or not name.isprintable():
                raise InputError("is not a name", where=where, expected="letters, digits and signs")
            if name.lower() in seen:
                raise InputError(
                    "appears twice", where=where, expected="a name of its own, whatever the case"
                )
            seen.add(name.lower())


def _check_buses(network: Network) -> Places:
    """Check every bus's nodes and base voltage."""
    if not network.buses:
        raise InputError("has no bus", where=network.name, expected="at least the source's")
    for bus in network.buses:
        where = f"{network.name} bus {bus.name}"
        if not bus.phases or list(bus.phases) != sorted(set(bus.phases)) or bus.phases[0] <= GROUND:
            raise InputError(
                f"are {bus.phases}", where=f"{where} phases", expected="ascending numbers from 1, each once"
            )
        _positive(where, "kv_base", bus.kv_base)
    return {bus.name: bus.phases for bus in network.buses}


def _check_source(network: Network, source: Source, places: Places) -> None:
    """Check a source's place, voltages and impedance."""
    where = f"{network.name} source {source.name}"
    _check_terminal(where, source.terminal, places)
    size = len(source.terminal.phases)
    for field in ("conductance_s", "susceptance_s"):
        _check_matrix(f"{where} {field}", getattr(source, field), size)
    for field in ("voltage_real_v", "voltage_imag_v"):
        values = getattr(source, field)
        if len(values) != size:
            raise InputError(f"has {len(values)} values", where=f"{where} {field}", expected=f"{size}")
        for value in values:
            _finite(where, field, value)


def _check_element(network: Network, element: Element, places: Places) -> None:
    """Check an element's terminals, block and ratings."""
    where = f"{network.name} element {element.name}"
    if not element.terminals:
        raise InputError("has no terminal", where=where, expected="at least one")
    for terminal in element.terminals:
        _check_terminal(where, terminal, places)
    for field in ("conductance_s", "susceptance_s"):
        _check_matrix(f"{where} {field}", getattr(element, field), len(element.node_ids))
    if len(element.rating_a) != len(element.terminals):
        raise InputError(
            f"has {len(element.rating_a)} values",
            where=f"{where} rating_a",
            expected=f"one for each of {len(element.terminals)} terminals",
        )
    for rating in element.rating_a:
        if not rating > 0.0:
            raise InputError(f"is {rating}", where=f"{where} rating_a", expected="a positive number of A")


def _check_terminal(where: str, terminal: Terminal, places: Places) -> None:
    """Check that a terminal reaches nodes that exist, each once."""
    _nodes_exist(where, terminal.phases, terminal.bus, places)
    if not terminal.phases or len(set(terminal.phases)) != len(terminal.phases):
        raise InputError(
            f"are {terminal.phases}", where=f"{where} {terminal.bus} phases", expected="some, each once"
        )


def _check_matrix(where: str, rows: RealRows, size: int) -> None:
    """Check that a matrix is square, finite and symmetric."""
    if len(rows) != size or any(len(row) != size for row in rows):
        raise InputError("has the wrong shape", where=where, expected=f"{size} rows of {size}")
    matrix = np.array(rows, dtype=np.float64)
    if not np.isfinite(matrix).all():
        raise InputError("is not finite", where=where, expected="finite numbers")
    if np.abs(matrix - matrix.T).max() > SYMMETRY * max(np.abs(matrix).max(), 1e-30):
        raise InputError(
            "is not symmetric", where=where, expected="equal values on both sides of the diagonal"
        )


def _check_load(network: Network, load: Load, places: Places) -> None:
    """Check where a load sits and how it follows voltage."""
    where = f"{network.name} load {load.name}"
    _check_legs(where, load.bus, load.legs, places)
    for field in ("kw", "kvar", "vmin_pu", "vlow_pu", "vmax_pu"):
        _finite(where, field, getattr(load, field))
    _positive(where, "kv_base", load.kv_base)
    if load.model not in LOAD_MODELS:
        known = ", ".join(map(str, LOAD_MODELS))
        raise InputError(f"is {load.model}", where=f"{where} model", expected=f"one of {known}")
    for field, values in (("cvr", load.cvr), ("zipv", load.zipv)):
        for value in values:
            _finite(where, field, value)
    if load.model == 8 and len(load.zipv) != ZIPV_LENGTH:
        raise InputError(
            f"has {len(load.zipv)} values", where=f"{where} zipv", expected=f"{ZIPV_LENGTH} for model 8"
        )
    profiles = [profile.name for profile in network.profiles]
    if load.profile and load.profile not in profiles:
        raise unknown_name("profile", load.profile, profiles, where=f"{where} profile")


def _check_legs(where: str, bus: str, legs: Legs, places: Places) -> None:
    """Check that legs lie between two different nodes of a bus that exists."""
    if not legs:
        raise InputError("are none", where=f"{where} legs", expected="at least one")
    for leg in legs:
        _nodes_exist(where, [node for node in leg if node != GROUND], bus, places)
        if leg[0] == leg[1]:
            raise InputError(f"hold {leg}", where=f"{where} legs", expected="two different nodes")


def _nodes_exist(where: str, needed: Sequence[int], bus: str, places: Places) -> None:
    """Check that a bus exists and has the nodes needed."""
    if bus not in places:
        raise unknown_name("bus", bus, places, where=f"{where} bus")
    for node in needed:
        if node not in places[bus]:
            raise InputError(
                f"bus {bus} has no phase {node}", where=f"{where} phases", expected=f"out of {places[bus]}"
            )


def _check_controls(network: Network) -> None:
    """Check that regulators and capacitor banks name elements that they can move, and where those stand."""
    wound = {e.name: e for e in network.elements if e.kind == "transformer"}
    capacitors = {e.name: e for e in network.elements if e.kind == "capacitor"}
    for regulator in network.regulators:
        where = f"{network.name} regulator {regulator.name}"
        if regulator.element not in wound:
            raise unknown_name("transformer", regulator.element, wound, where=f"{where} element")
        _is_controlled(where, wound[regulator.element])
        _check_regulator(where, regulator, len(wound[regulator.element].terminals))
    for bank in network.capacitor_banks:
        where = f"{network.name} capacitor bank {bank.name}"
        if bank.element not in capacitors:
            raise unknown_name("capacitor", bank.element, capacitors, where=f"{where} element")
        _is_controlled(where, capacitors[bank.element])
        if not 0 <= bank.closed <= bank.steps:
            raise InputError(
                f"is {bank.closed}", where=f"{where} closed", expected=f"a number from 0 to {bank.steps}"
            )


def _is_controlled(where: str, element: Element) -> None:
    """Check that an element says that a control may change it."""
    if not element.controlled:
        raise InputError(f"moves {element.name}", where=where, expected="an element marked as controlled")


def _check_regulator(where: str, regulator: Regulator, windings: int) -> None:
    """Check a regulator's steps and position."""
    _positive(where, "step_pu", regulator.step_pu)
    if not 1 <= regulator.winding <= windings:
        raise InputError(f"is {regulator.winding}", where=f"{where} winding", expected=f"1 to {windings}")
    if not regulator.tap_min <= regulator.tap <= regulator.tap_max:
        raise InputError(
            f"is {regulator.tap}",
            where=f"{where} tap",
            expected=f"a whole number from {regulator.tap_min} to {regulator.tap_max}",
        )


def _check_point(network: Network, point: VoltagePoint, places: Places) -> None:
    """Check where a limited voltage lies."""
    where = f"{network.name} voltage point {point.name}"
    _check_legs(where, point.bus, ((point.phase, point.other),), places)
    _positive(where, "kv_base", point.kv_base)


def _check_resources(network: Network, places: Places) -> None:
    """Check where every resource sits, what it can give, and what it curtails or drives."""
    loads = {load.name: load for load in network.loads}
    running = {machine.element or machine.name for machine in network.machines}
    for resource in network.resources:
        _check_resource(network, resource, places, loads)
        if resource.element and resource.element in running:
            raise InputError(
                f"drives {resource.element}, which runs on its own as well",
                where=f"{network.name} resource {resource.name} element",
                expected="a network without that machine",
            )


def _check_resource(network: Network, resource: Resource, places: Places, loads: Mapping[str, Load]) -> None:
    """Check where a resource sits and what it can give."""
    where = f"{network.name} resource {resource.name}"
    _check_legs(where, resource.bus, resource.legs, places)
    _positive(where, "kw_max", resource.kw_max)
    if not (math.isfinite(resource.kva_max) and resource.kva_max >= resource.kw_max):
        raise InputError(
            f"is {resource.kva_max}", where=f"{where} kva_max", expected=f"at least {resource.kw_max} kVA"
        )
    if not (math.isfinite(resource.kw_more) and resource.kw_more >= 0.0):
        raise InputError(f"is {resource.kw_more}", where=f"{where} kw_more", expected="0 or more")
    if resource.kind == "flexible_load":
        _check_curtailed(loads, resource, where)
    elif resource.load:
        raise InputError(
            f"is {resource.load!r}", where=f"{where} load", expected="none for a generator or storage"
        )


def _check_curtailed(loads: Mapping[str, Load], resource: Resource, where: str) -> None:
    """Check that a flexible load sits where its load does."""
    if resource.load not in loads:
        raise unknown_name("load", resource.load, loads, where=f"{where} load")
    load = loads[resource.load]
    if (load.bus, load.legs) != (resource.bus, resource.legs):
        raise InputError(
            f"is at {resource.bus} {resource.legs}",
            where=where,
            expected=f"with its load, {load.bus} {load.legs}",
        )


def _check_fed(network: Network) -> None:
    """Check that elements connect every node to a source."""
    zone = zones(network.node_index, ((e.node_ids, e.admittance_s) for e in network.elements))
    fed = set(zone[network.head_node].tolist())
    alone = [name for name, k in network.node_index.items() if int(zone[k]) not in fed]
    if alone:
        raise InputError(
            f"has no path to a source from {_some(alone)}",
            where=network.name,
            expected="elements that connect every node to a source",
        )


def _some(names: Collection[str], shown: int = 5) -> str:
    return ", ".join(list(names)[:shown]) + (", ..." if len(names) > shown else "")


def _finite(where: str, field: str, value: float) -> None:
    """Raise when a number is not finite."""
    if not math.isfinite(value):
        raise InputError(f"is {value}", where=f"{where} {field}", expected="a finite number")


def _positive(where: str, field: str, value: float) -> None:
    """Raise when a number is not finite and positive."""
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"is {value}", where=f"{where} {field}", expected="a positive number")
