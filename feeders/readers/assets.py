"""The table of resources: where they sit, what they can give, and the terms on which they are offered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feeders.network import Load, Network, Resource, wye
from feeders.readers.csv_table import Row, once, read_table

COLUMNS: Final = (
    "resource",
    "kind",
    "bus",
    "phases",
    "load",
    "kw_max",
    "kva_max",
    "curtailable_share",
    "cost_linear",
    "cost_quadratic",
)
OPTIONAL: Final = ("owner",)
KINDS: Final = ("generator", "flexible_load")
NOT_USED: Final = {
    "generator": ("load", "curtailable_share"),
    "flexible_load": ("bus", "phases", "kw_max", "kva_max"),
}
"""Columns that must stay empty: they follow from others or mean nothing."""


@dataclass(frozen=True)
class AssetTerms:
    """Terms on which one resource is offered, before the interval's demand is known.

    The marginal cost at p kW is ``cost_linear + cost_quadratic * p`` $/MWh.

    Attributes
    ----------
    resource : str
        Name of the resource.
    cost_linear : float
        Marginal cost at 0 kW [$/MWh].
    cost_quadratic : float
        Rise of the marginal cost [$/MWh per kW].
    curtailable_share : float
        Share of its load's demand of the interval that a flexible load offers; 0 for a generator.
    q_max_kvar : float
        Reactive power, either sign, that a generator can give beside its full real power [kvar].
    reactive_ratio : float or None
        Reactive power that goes with each kW not consumed, for a flexible load [kvar/kW].
    """

    resource: str
    cost_linear: float
    cost_quadratic: float
    curtailable_share: float = 0.0
    q_max_kvar: float = 0.0
    reactive_ratio: float | None = None


def read_assets(path: Path, network: Network) -> tuple[tuple[Resource, ...], tuple[AssetTerms, ...]]:
    """Read the resources of a feeder and their terms.

    Parameters
    ----------
    path : Path
        Table with the columns `COLUMNS`, and `OPTIONAL` ones; one line per resource.
    network : Network
        The feeder; resources that it already has are not looked at.

    Returns
    -------
    resources : tuple of Resource
        In file order.
    terms : tuple of AssetTerms
        In the same order.

    Raises
    ------
    InputError
        When a cell cannot be used, with file, line, column and, for names, the nearest valid one.
    """
    buses = {bus.name: bus.phases for bus in network.buses}
    loads = {load.name: load for load in network.loads}
    names: dict[str, int] = {}
    curtailed: dict[str, int] = {}
    found: list[tuple[Resource, AssetTerms]] = []
    for row in read_table(path, COLUMNS, OPTIONAL):
        kind = row.choice("kind", KINDS, kind="resource kind")
        for column in NOT_USED[kind]:
            if row.cells[column]:
                raise row.error(column, f"{row.cells[column]!r} has no meaning for a {kind}", "an empty cell")
        found.append(_generator(row, buses) if kind == "generator" else _flexible_load(row, loads))
        once(row, "resource", row.text("resource"), names)
        if kind == "flexible_load":
            once(row, "load", row.text("load"), curtailed)
    return tuple(resource for resource, _ in found), tuple(terms for _, terms in found)


def _costs(row: Row) -> tuple[float, float]:
    """Read the linear and the quadratic cost."""
    return row.number("cost_linear"), row.number("cost_quadratic", minimum=0.0)


def _generator(row: Row, buses: dict[str, tuple[int, ...]]) -> tuple[Resource, AssetTerms]:
    """Read a generator."""
    bus = row.choice("bus", buses, kind="bus")
    phases = row.phases("phases")
    for phase in phases:
        if phase not in buses[bus]:
            there = "".join("abc"[p - 1] for p in buses[bus])
            raise row.error("phases", f"bus {bus} has no phase {'abc'[phase - 1]}", f"out of {there}")
    kw = row.number("kw_max", above=0.0)
    kva = row.number("kva_max", minimum=kw)
    linear, quadratic = _costs(row)
    name = row.text("resource")
    resource = Resource(name, "generator", bus, wye(phases), kw, kva, owner=row.cells["owner"] or "assets")
    return resource, AssetTerms(name, linear, quadratic, q_max_kvar=math.sqrt(kva**2 - kw**2))


def _flexible_load(row: Row, loads: dict[str, Load]) -> tuple[Resource, AssetTerms]:
    """Read a flexible load: its place and size follow from the load that it curtails."""
    load = loads[row.choice("load", loads, kind="load")]
    share = row.number("curtailable_share", above=0.0)
    if share > 1.0:
        raise row.error("curtailable_share", f"{share:g} is too large", "at most 1")
    if load.kw <= 0.0:
        raise row.error("load", f"load {load.name} has no real power to curtail", "a load with kw > 0")
    linear, quadratic = _costs(row)
    name = row.text("resource")
    resource = Resource(
        name=name,
        kind="flexible_load",
        bus=load.bus,
        legs=load.legs,
        kw_max=share * load.kw,
        kva_max=share * math.hypot(load.kw, load.kvar),
        load=load.name,
        owner=row.cells["owner"] or "assets",
    )
    return resource, AssetTerms(name, linear, quadratic, share, reactive_ratio=load.kvar / load.kw)
