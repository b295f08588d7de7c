"""Who owns what: resources that a scenario adds to the feeder, or hands to another federate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.federates.study.scenario import OwnedResource, OwnerSection, Scenario, Section
from dlmp_cosim.feeders.errors import InputError, nearest_name, unknown_name
from dlmp_cosim.feeders.network import Network, Resource, delta, wye
from dlmp_cosim.feeders.readers.assets import AssetTerms

SettingsT = TypeVar("SettingsT", bound=Section)
PHASES = (1, 2, 3)
"""Nodes that are phases; others are neutrals."""


def with_owners(network: Network, owners: Sequence[OwnerSection], file: Path) -> Network:
    """Add the resources of every owner to a feeder, and hand over those that it takes.

    Parameters
    ----------
    network : Network
        The feeder with the resources of its asset table.
    owners : sequence of OwnerSection
        The ``[[owner]]`` tables of a scenario.
    file : Path
        The scenario, for messages.

    Raises
    ------
    InputError
        When a name, bus, phase or load does not exist, or two resources share a name or a load.
    """
    resources = {resource.name: resource for resource in network.resources}
    seen: set[str] = set()
    for owner in owners:
        where = f"{file} owner.{owner.name}"
        if owner.name in seen:
            raise InputError(f"owner {owner.name!r} is listed twice", where=where, expected="each owner once")
        seen.add(owner.name)
        for name in owner.takes:
            if name not in resources:
                raise unknown_name("resource", name, resources, where=f"{where}.takes")
            resources[name] = replace(resources[name], owner=owner.name)
        for table in owner.resource:
            place = f"{where}.resource.{table.name}"
            if table.name in resources:
                raise InputError(
                    f"there is a resource {table.name!r} already",
                    where=place,
                    expected=f'a name of its own, or takes = ["{table.name}"]',
                )
            resources[table.name] = _resource(table, owner.name, network, place)
        if owner.more_share:
            listed = {load.name: load.kw for load in network.loads}
            for name, resource in resources.items():
                if resource.owner == owner.name and resource.load:
                    resources[name] = replace(resource, kw_more=owner.more_share * listed[resource.load])
    _check_loads(resources.values(), file)
    return replace(network, resources=tuple(resources.values()))


def _resource(table: OwnedResource, owner: str, network: Network, where: str) -> Resource:
    if table.kind == "flexible_load":
        return _flexible_load(table, owner, network, where)
    buses = {bus.name: bus.phases for bus in network.buses}
    if table.bus not in buses:
        raise unknown_name("bus", table.bus, buses, where=f"{where}.bus")
    phases = tuple(" abc".index(letter) for letter in table.phases) or _ordinary(buses[table.bus])
    missing = [phase for phase in phases if phase not in buses[table.bus]]
    if missing:
        there = "".join(" abc"[phase] for phase in buses[table.bus])
        raise InputError(
            f"bus {table.bus} has no phase {' abc'[missing[0]]}",
            where=f"{where}.phases",
            expected=f"out of {there}",
        )
    kva = table.kva_max or table.kw_max
    legs = delta(phases) if table.connection == "delta" else wye(phases)
    return Resource(table.name, table.kind, table.bus, legs, table.kw_max, kva, owner=owner)


def _ordinary(phases: tuple[int, ...]) -> tuple[int, ...]:
    """Phases of a bus without its neutrals."""
    return tuple(phase for phase in phases if phase in PHASES)


def _flexible_load(table: OwnedResource, owner: str, network: Network, where: str) -> Resource:
    """Place a flexible load where the load that it curtails is."""
    loads = {load.name: load for load in network.loads}
    if table.load not in loads:
        raise unknown_name("load", table.load, loads, where=f"{where}.load")
    load = loads[table.load]
    kva = table.kva_max or table.kw_max * abs(complex(load.kw, load.kvar)) / max(load.kw, 1e-9)
    return Resource(
        table.name, "flexible_load", load.bus, load.legs, table.kw_max, kva, load.name, owner=owner
    )


def _check_loads(resources: Iterable[Resource], file: Path) -> None:
    """Raise InputError when two flexible loads curtail the same load."""
    first: dict[str, str] = {}
    for resource in resources:
        if resource.load and first.setdefault(resource.load, resource.name) != resource.name:
            raise InputError(
                f"{first[resource.load]!r} and {resource.name!r} both curtail load {resource.load!r}",
                where=f"{file} owner",
                expected=f'one resource a load; an owner can have takes = ["{first[resource.load]}"]',
            )


def check_sellers(
    network: Network, terms: Sequence[AssetTerms], keepers: Collection[str], file: Path
) -> None:
    """Raise InputError when a storage sells capacity and its owner does not know what energy it has.

    Parameters
    ----------
    network : Network
        The feeder, its owners as the scenario says.
    terms : sequence of AssetTerms
        Lines of the asset table.
    keepers : collection of str
        Owners that offer what the table says and keep no state of charge.
    file : Path
        The scenario, for messages.
    """
    table = {resource.name: resource for resource in network.resources}
    for item in terms:
        resource = table[item.resource]
        if item.capacity and resource.kind == "storage" and resource.owner in keepers:
            raise InputError(
                f"storage {item.resource!r} sells capacity, and {resource.owner!r} does not know its energy",
                where=f"{file} feeder.assets",
                expected=f'an owner that does, such as a battery with takes = ["{item.resource}"]',
            )


def read_settings(scenario: Scenario, file: Path, owner: str, model: type[SettingsT]) -> SettingsT:
    """Read the ``[owner.settings]`` of one owner by its own model.

    Parameters
    ----------
    scenario : Scenario
        The scenario.
    file : Path
        The scenario's file, for messages.
    owner : str
        Name of the owner.
    model : type of Section
        What the owner expects.

    Raises
    ------
    InputError
        When there is no such owner, or a key is missing, unknown or cannot be used.
    """
    tables = {table.name: table for table in scenario.owner}
    if owner not in tables:
        raise InputError(
            f"there is no [[owner]] table for {owner!r}",
            where=str(file),
            expected=f'[[owner]] with name = "{owner}"',
            nearest=nearest_name(owner, tables),
        )
    return validate(model, tables[owner].settings, Path(f"{file} owner.{owner}.settings"))
