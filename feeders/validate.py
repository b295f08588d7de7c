"""Checks of a `Network`, whoever made it: sound tree, phases that exist, finite numbers, unique names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from feeders.errors import InputError, unknown_name
from feeders.network import Branch, Bus, Network, Regulator, Resource

NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
SYMMETRY: Final = 1e-9
"""Largest relative difference between the two halves of a symmetric matrix."""


def check_network(network: Network) -> None:
    """Raise when a network is not a sound radial feeder.

    Parameters
    ----------
    network : Network
        Any network.

    Raises
    ------
    InputError
        The first fault found, with the network, the element and the field as its place.
    """
    at = network.name
    _check_names(network)
    for bus in network.buses:
        _check_bus(at, bus)
    _check_tree(network)
    phases = {bus.name: bus.phases for bus in network.buses}
    volts = {bus.name: bus.kv_base for bus in network.buses}
    for branch in network.branches:
        _check_branch(at, branch, phases)
        if volts[branch.from_bus] != volts[branch.to_bus]:
            raise InputError(
                f"joins {volts[branch.from_bus]} and {volts[branch.to_bus]} kV",
                where=f"{at} branch {branch.name}",
                expected="one voltage level: power transformers are not modelled",
            )
    _check_connected(network, phases)
    for regulator in network.regulators:
        _check_regulator(at, regulator)
    _check_regulated(network)
    for resource in network.resources:
        _check_resource(network, resource)
    _positive(at, "source_voltage_pu", network.source_voltage_pu)
    if not 0.0 < network.load_vmin_pu < 1.0:
        raise InputError(
            f"is {network.load_vmin_pu}",
            where=f"{at} load_vmin_pu",
            expected="more than 0 and less than 1 pu",
        )


def _check_names(network: Network) -> None:
    """Check that names are words, and unique whatever their case, within each kind."""
    kinds: dict[str, Iterable[str]] = {
        "network": (network.name,),
        "bus": (bus.name for bus in network.buses),
        "branch": (branch.name for branch in network.branches),
        "load": network.load_ids,
        "capacitor": (capacitor.name for capacitor in network.capacitors),
        "regulator": (regulator.name for regulator in network.regulators),
        "resource": network.resource_ids,
    }
    for kind, names in kinds.items():
        seen: set[str] = set()
        for name in names:
            where = f"{network.name} {kind} {name!r}"
            if not NAME.fullmatch(name):
                raise InputError("is not a name", where=where, expected="letters, digits, '_' and '-'")
            if name.lower() in seen:
                raise InputError(
                    "appears twice", where=where, expected="a name of its own, whatever the case"
                )
            seen.add(name.lower())


def _check_bus(at: str, bus: Bus) -> None:
    """Check a bus's phases and base voltage."""
    where = f"{at} bus {bus.name} phases"
    if not bus.phases or list(bus.phases) != sorted(set(bus.phases) & {1, 2, 3}):
        raise InputError(f"are {bus.phases}", where=where, expected="ascending, out of 1, 2, 3")
    _positive(f"{at} bus {bus.name}", "kv_base", bus.kv_base)


def _check_tree(network: Network) -> None:
    """Check that branch k feeds bus k + 1 from a bus before it: then the feeder is radial and connected."""
    if not network.buses:
        raise InputError("has no bus", where=network.name, expected="at least the source")
    if network.buses[0].phases != (1, 2, 3):
        raise InputError(
            f"are {network.buses[0].phases}",
            where=f"{network.name} bus {network.buses[0].name} phases",
            expected="all three at the source",
        )
    if len(network.branches) != len(network.buses) - 1:
        raise InputError(
            f"has {len(network.branches)} branches and {len(network.buses)} buses",
            where=network.name,
            expected="one branch for every bus but the source",
        )
    known = [network.buses[0].name]
    for branch, bus in zip(network.branches, network.buses[1:], strict=True):
        where = f"{network.name} branch {branch.name}"
        if branch.to_bus != bus.name:
            raise InputError(
                f"feeds {branch.to_bus}", where=f"{where} to_bus", expected=f"{bus.name}, in bus order"
            )
        if branch.from_bus not in known:
            raise unknown_name("upstream bus", branch.from_bus, known, where=f"{where} from_bus")
        known.append(bus.name)


def _check_branch(at: str, branch: Branch, phases: dict[str, tuple[int, ...]]) -> None:
    """Check a branch's phases at both ends, its matrices and its rating."""
    where = f"{at} branch {branch.name}"
    if branch.phases != phases[branch.to_bus]:
        raise InputError(
            f"are {branch.phases}",
            where=f"{where} phases",
            expected=f"those of {branch.to_bus}, {phases[branch.to_bus]}",
        )
    _phases_exist(where, branch.phases, branch.from_bus, phases)
    for field in ("resistance_ohm", "reactance_ohm", "susceptance_us"):
        _check_matrix(f"{where} {field}", getattr(branch, field), len(branch.phases))
    _positive(where, "rating_a", branch.rating_a)
    impedance = branch.impedance_ohm
    if branch.kind == "regulator" and impedance.any():
        raise InputError("has impedance", where=where, expected="none: a regulator is an ideal ratio")
    if branch.kind != "regulator" and abs(np.linalg.det(impedance)) == 0.0:
        raise InputError("is singular", where=f"{where} impedance", expected="an impedance in every phase")


def _check_matrix(where: str, rows: Sequence[Sequence[float]], size: int) -> None:
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


def _check_connected(network: Network, phases: dict[str, tuple[int, ...]]) -> None:
    """Check that loads and capacitors sit on phases that exist, with finite powers."""
    for load in network.loads:
        where = f"{network.name} load {load.name}"
        if len(load.phases) not in (1, 2) or len(set(load.phases)) != len(load.phases):
            raise InputError(
                f"are {load.phases}", where=f"{where} phases", expected="one phase, or two that differ"
            )
        _phases_exist(where, load.phases, load.bus, phases)
        if load.exponent not in (0, 1, 2):
            raise InputError(f"is {load.exponent}", where=f"{where} exponent", expected="0, 1 or 2")
        _finite(where, "kw", load.kw)
        _finite(where, "kvar", load.kvar)
    for capacitor in network.capacitors:
        where = f"{network.name} capacitor {capacitor.name}"
        _phases_exist(where, (capacitor.phase,), capacitor.bus, phases)
        _positive(where, "kvar", capacitor.kvar)


def _phases_exist(where: str, needed: Iterable[int], bus: str, phases: dict[str, tuple[int, ...]]) -> None:
    """Check that a bus exists and has the phases needed."""
    if bus not in phases:
        raise unknown_name("bus", bus, phases, where=f"{where} bus")
    for phase in needed:
        if phase not in phases[bus]:
            raise InputError(
                f"bus {bus} has no phase {phase}", where=f"{where} phases", expected=f"out of {phases[bus]}"
            )


def _check_regulator(at: str, regulator: Regulator) -> None:
    """Check a regulator's settings."""
    where = f"{at} regulator {regulator.name}"
    for field in ("voltage_level_v", "band_v", "pt_ratio", "ct_primary_a"):
        _positive(where, field, getattr(regulator, field))
    _finite(where, "ldc_r_v", regulator.ldc_r_v)
    _finite(where, "ldc_x_v", regulator.ldc_x_v)
    if regulator.tap not in range(-16, 17):
        raise InputError(
            f"is {regulator.tap}", where=f"{where} tap", expected="a whole number from -16 to 16"
        )
    if regulator.monitored_phase not in regulator.phases:
        raise InputError(
            f"is {regulator.monitored_phase}",
            where=f"{where} monitored_phase",
            expected=f"one of {regulator.phases}",
        )


def _check_regulated(network: Network) -> None:
    """Check that regulators cover every phase of every regulator branch, once."""
    wanted = {branch.name: branch.phases for branch in network.branches if branch.kind == "regulator"}
    found: dict[str, list[int]] = {name: [] for name in wanted}
    for regulator in network.regulators:
        if regulator.branch not in wanted:
            where = f"{network.name} regulator {regulator.name} branch"
            raise unknown_name("branch of kind regulator", regulator.branch, wanted, where=where)
        found[regulator.branch] += regulator.phases
    for name, phases in found.items():
        if tuple(sorted(phases)) != wanted[name]:
            raise InputError(
                f"regulates phases {phases}",
                where=f"{network.name} branch {name}",
                expected=f"{wanted[name]}, each once",
            )


def _check_resource(network: Network, resource: Resource) -> None:
    """Check where a resource sits and what it can give."""
    where = f"{network.name} resource {resource.name}"
    _phases_exist(where, resource.phases, resource.bus, {bus.name: bus.phases for bus in network.buses})
    if not resource.phases or len(set(resource.phases)) != len(resource.phases):
        raise InputError(
            f"are {resource.phases}", where=f"{where} phases", expected="at least one, each once"
        )
    _positive(where, "kw_max", resource.kw_max)
    if not (math.isfinite(resource.kva_max) and resource.kva_max >= resource.kw_max):
        raise InputError(
            f"is {resource.kva_max}", where=f"{where} kva_max", expected=f"at least {resource.kw_max} kVA"
        )
    loads = {load.name: load for load in network.loads}
    if resource.kind == "flexible_load":
        if resource.load not in loads:
            raise unknown_name("load", resource.load, loads, where=f"{where} load")
        load = loads[resource.load]
        if (load.bus, load.phases) != (resource.bus, resource.phases):
            raise InputError(
                f"is at {resource.bus} {resource.phases}",
                where=where,
                expected=f"with its load, {load.bus} {load.phases}",
            )
    elif resource.load:
        raise InputError(
            f"is {resource.load!r}", where=f"{where} load", expected="none for a generator or storage"
        )


def _finite(where: str, field: str, value: float) -> None:
    """Raise when a number is not finite."""
    if not math.isfinite(value):
        raise InputError(f"is {value}", where=f"{where} {field}", expected="a finite number")


def _positive(where: str, field: str, value: float) -> None:
    """Raise when a number is not finite and positive."""
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"is {value}", where=f"{where} {field}", expected="a positive number")
