"""The table of resources: where they sit, what they can give, and the terms on which they are offered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from dlmp_cosim.feeders.network import Legs, Load, Network, Resource, delta, wye
from dlmp_cosim.feeders.opendss.case import Plant
from dlmp_cosim.feeders.readers.csv_table import Row, once, read_table

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
CAPACITY: Final = ("regulation_up", "regulation_down", "reserve", "called", "ramp_kw_per_minute")
"""Columns of what a resource sells to the ancillary market of a substation: prices, and how fast it is."""
OPTIONAL: Final = ("owner", "connection", "element", *CAPACITY)
INJECTING: Final[dict[str, Literal["generator", "storage"]]] = {
    "generator": "generator",
    "storage": "storage",
}
KINDS: Final = (*INJECTING, "flexible_load")
CONNECTIONS: Final = ("wye", "delta")
NOT_USED: Final = {
    "generator": ("load", "curtailable_share"),
    "storage": ("load", "curtailable_share"),
    "flexible_load": ("bus", "phases", "kw_max", "kva_max", "connection", "element"),
}
"""Columns that must stay empty: they follow from others or mean nothing."""

CLASSES: Final = {"generator": ("generator", "pvsystem"), "storage": ("storage",)}
"""Classes of the circuit's elements that a kind of resource can drive."""

PHASES: Final = (1, 2, 3)


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
        Share of its load's demand of the interval that a flexible load offers; 0 for the other kinds.
    q_max_kvar : float
        Reactive power, either sign, that a generator or storage can give beside its full real power [kvar].
    reactive_ratio : float or None
        Reactive power that goes with each kW not consumed, for a flexible load [kvar/kW].
    capacity : mapping of str to float
        Columns of `CAPACITY` that are filled in [$/MW for an hour, $/MWh, kW/min].
    """

    resource: str
    cost_linear: float
    cost_quadratic: float
    curtailable_share: float = 0.0
    q_max_kvar: float = 0.0
    reactive_ratio: float | None = None
    capacity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Place:
    """Where a resource sits, and the ratings of the circuit's element that it drives, if they are known."""

    bus: str
    legs: Legs
    element: str = ""
    rated: Plant | None = None


def read_assets(
    path: Path, network: Network, plants: Sequence[Plant] = ()
) -> tuple[tuple[Resource, ...], tuple[AssetTerms, ...]]:
    """Read the resources of a circuit and their terms.

    Parameters
    ----------
    path : Path
        Table with the columns `COLUMNS`, and `OPTIONAL` ones; one line per resource.
    network : Network
        The circuit; resources that it already has are not looked at.
    plants : sequence of Plant
        Ratings of the circuit's own elements, for lines that drive one and give no rating.

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
    sites = _Sites(network, plants)
    names: dict[str, int] = {}
    curtailed: dict[str, int] = {}
    driven: dict[str, int] = {}
    found: list[tuple[Resource, AssetTerms]] = []
    for row in read_table(path, COLUMNS, OPTIONAL):
        kind = row.choice("kind", KINDS, kind="resource kind")
        for column in NOT_USED[kind]:
            if row.cells[column]:
                raise row.error(column, f"{row.cells[column]!r} has no meaning for a {kind}", "an empty cell")
        resource, terms = _injecting(row, sites) if kind in INJECTING else _flexible_load(row, sites)
        found.append((resource, replace(terms, capacity=_capacity(row))))
        once(row, "resource", row.text("resource"), names)
        if kind == "flexible_load":
            once(row, "load", row.text("load"), curtailed)
        if row.cells["element"]:
            once(row, "element", row.text("element"), driven)
    return tuple(resource for resource, _ in found), tuple(terms for _, terms in found)


class _Sites:
    """What lines of the table may name: buses, loads and the circuit's own elements."""

    def __init__(self, network: Network, plants: Iterable[Plant]) -> None:
        self.buses = {bus.name: bus.phases for bus in network.buses}
        self.loads = {load.name: load for load in network.loads}
        self.plants = {plant.name: plant for plant in plants}
        self.elements: dict[str, _Place] = {}
        for machine in network.machines:
            name = machine.element or machine.name
            legs = self.elements[name].legs if name in self.elements else ()
            self.elements[name] = _Place(machine.bus, legs + machine.legs, name, self.plants.get(name))

    def bus(self, row: Row) -> str:
        """Return the bus that a line names."""
        return _named(row, "bus", self.buses, "bus")

    def load(self, row: Row) -> Load:
        """Return the load that a line names."""
        return self.loads[_named(row, "load", self.loads, "load")]

    def element(self, row: Row) -> _Place:
        """Return the place of the circuit's own element that a line names."""
        name = _named(row, "element", self.elements, "element that a resource can drive")
        kind = row.text("kind")
        if name.partition(".")[0] not in CLASSES[kind]:
            raise row.error("element", f"{name} is no {kind}", f"a {' or a '.join(CLASSES[kind])}")
        return self.elements[name]


def _named(row: Row, column: str, valid: Mapping[str, object], kind: str) -> str:
    """Return the valid name in a cell, whose case does not count: OpenDSS makes no difference."""
    name = row.text(column)
    fitting = [known for known in (name, name.lower()) if known in valid]
    return fitting[0] if fitting else row.choice(column, valid, kind=kind)


def _capacity(row: Row) -> dict[str, float]:
    """Read what a resource sells to the ancillary market; prices alone are no product."""
    given = [column for column in CAPACITY if row.cells[column]]
    found = {
        column: row.number(column, above=0.0)
        if column == "ramp_kw_per_minute"
        else row.number(column, minimum=-math.inf if column == "called" else 0.0)
        for column in given
    }
    if "called" in found and not set(found) & set(CAPACITY[:3]):
        raise row.error("called", "a price of called energy, and no capacity", f"a price of {CAPACITY[0]}")
    return found


def _costs(row: Row) -> tuple[float, float]:
    """Read the linear and the quadratic cost."""
    return row.number("cost_linear"), row.number("cost_quadratic", minimum=0.0)


def _injecting(row: Row, sites: _Sites) -> tuple[Resource, AssetTerms]:
    """Read a generator or storage, which the market adds or which the circuit has."""
    place = sites.element(row) if row.cells["element"] else _added(row, sites)
    kw, kva = _ratings(row, place.rated)
    linear, quadratic = _costs(row)
    name = row.text("resource")
    resource = Resource(
        name=name,
        kind=INJECTING[row.text("kind")],
        bus=place.bus,
        legs=place.legs,
        kw_max=kw,
        kva_max=kva,
        owner=row.cells["owner"] or "assets",
        element=place.element,
    )
    return resource, AssetTerms(name, linear, quadratic, q_max_kvar=math.sqrt(kva**2 - kw**2))


def _added(row: Row, sites: _Sites) -> _Place:
    """Read where the market adds a resource to the circuit."""
    bus = sites.bus(row)
    phases, there = _phases(row, "phases"), sites.buses[bus]
    for phase in phases:
        if phase not in there:
            raise row.error("phases", f"bus {bus} has no phase {_shown((phase,))}", f"out of {_shown(there)}")
    connection = (
        row.choice("connection", CONNECTIONS, kind="connection") if row.cells["connection"] else "wye"
    )
    if connection == "delta" and len(phases) not in (2, 3):
        raise row.error("phases", f"{len(phases)} phases cannot be connected in delta", "two or three phases")
    return _Place(bus, delta(phases) if connection == "delta" else wye(phases))


def _phases(row: Row, column: str) -> tuple[int, ...]:
    """Read phases as letters, such as ``ac``, or as the circuit's node numbers, such as ``1.3``."""
    numbers = row.text(column).split(".")
    if not all(number.isdecimal() for number in numbers):
        return row.phases(column)
    nodes = tuple(sorted(int(number) for number in numbers))
    if 0 in nodes or len(set(nodes)) != len(nodes):
        raise row.error(column, f"{row.text(column)!r} is not a list of nodes", "numbers above 0, each once")
    return nodes


def _shown(phases: Sequence[int]) -> str:
    """Write phases as the table does: letters, or node numbers where there are others."""
    if all(phase in PHASES for phase in phases):
        return "".join("abc"[phase - 1] for phase in phases)
    return ".".join(map(str, phases))


def _ratings(row: Row, rated: Plant | None) -> tuple[float, float]:
    """Read real and apparent power; an empty cell stands for what the circuit says of its element."""
    given = [row.cells[column] for column in ("kw_max", "kva_max")]
    kw = row.number("kw_max", above=0.0) if given[0] or rated is None else rated.kw
    if given[1] or rated is None:
        return kw, row.number("kva_max", minimum=kw)
    if kw <= 0.0:
        raise row.error("element", f"{rated.name} is rated at {kw:g} kW", "a rating above 0")
    return kw, max(kw, rated.kva)


def _flexible_load(row: Row, sites: _Sites) -> tuple[Resource, AssetTerms]:
    """Read a flexible load: its place and size follow from the load that it curtails."""
    load = sites.load(row)
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
