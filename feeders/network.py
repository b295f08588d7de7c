"""The feeder as data: a radial tree of buses and branches, and what is connected to them.

Units are in the field names. Signs: loads and branch flows are positive away from the substation, resources
are positive towards the grid (generation, or demand not consumed). A node is one phase of one bus, written
``bus.phase`` ("1.1" is phase A of bus 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
IntArray = npt.NDArray[np.int64]

TAP_STEP = 0.00625
"""Voltage ratio of one regulator tap [pu]: 32 steps over +-10 %."""

BranchKind = Literal["line", "switch", "regulator"]
ResourceKind = Literal["generator", "flexible_load", "storage"]


@dataclass(frozen=True)
class Bus:
    """A place where branches, loads and resources meet.

    Attributes
    ----------
    name : str
        Unique name.
    phases : tuple of int
        Phases present, ascending, 1 = A, 2 = B, 3 = C.
    kv_base : float
        Line-to-neutral base voltage [kV].
    x, y : float or None
        Drawing coordinates; None when unknown.
    """

    name: str
    phases: tuple[int, ...]
    kv_base: float
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Branch:
    """The one series element that feeds `to_bus`.

    Attributes
    ----------
    name : str
        Unique name.
    from_bus, to_bus : str
        Sending (substation side) and receiving bus.
    phases : tuple of int
        Conductors present, the rows and columns of the matrices.
    kind : {"line", "switch", "regulator"}
        A switch has next to no impedance; a regulator is an ideal per-phase ratio.
    resistance_ohm, reactance_ohm : tuple of tuple of float
        Series impedance matrix, phase by phase [ohm].
    susceptance_us : tuple of tuple of float
        Shunt susceptance matrix of the whole branch [uS].
    rating_a : float
        Continuous current rating per phase [A].
    """

    name: str
    from_bus: str
    to_bus: str
    phases: tuple[int, ...]
    kind: BranchKind
    resistance_ohm: tuple[tuple[float, ...], ...]
    reactance_ohm: tuple[tuple[float, ...], ...]
    susceptance_us: tuple[tuple[float, ...], ...]
    rating_a: float

    @property
    def impedance_ohm(self) -> ComplexArray:
        """Series impedance, shape (n_phase, n_phase) [ohm]."""
        return np.array(self.resistance_ohm) + 1j * np.array(self.reactance_ohm)


@dataclass(frozen=True)
class Load:
    """One single-phase load: line to neutral (one phase) or line to line (two phases, delta).

    Attributes
    ----------
    name : str
        Unique name.
    bus : str
        Bus it is connected to.
    phases : tuple of int
        One phase: wye. Two phases (a, b): delta between a and b.
    exponent : {0, 1, 2}
        Power goes with voltage to this exponent: constant power, current or impedance.
    kw, kvar : float
        Listed demand at nominal voltage [kW, kvar].
    """

    name: str
    bus: str
    phases: tuple[int, ...]
    exponent: Literal[0, 1, 2]
    kw: float
    kvar: float


@dataclass(frozen=True)
class Capacitor:
    """A fixed single-phase shunt capacitor, line to neutral; `kvar` is rated at nominal voltage."""

    name: str
    bus: str
    phase: int
    kvar: float


@dataclass(frozen=True)
class Regulator:
    """A tap changer with line-drop compensation on a branch of kind "regulator".

    Attributes
    ----------
    name : str
        Unique name.
    branch : str
        Branch whose ratio it sets.
    phases : tuple of int
        Phases whose taps move together.
    monitored_phase : int
        Phase whose voltage and current it measures.
    voltage_level_v, band_v : float
        Set point and total band width on the 120 V base [V].
    pt_ratio, ct_primary_a : float
        Instrument transformer ratio, and current transformer primary rating [A].
    ldc_r_v, ldc_x_v : float
        Line-drop compensator settings [V].
    tap : int
        Tap at the start, -16 to 16.
    """

    name: str
    branch: str
    phases: tuple[int, ...]
    monitored_phase: int
    voltage_level_v: float
    band_v: float
    pt_ratio: float
    ct_primary_a: float
    ldc_r_v: float
    ldc_x_v: float
    tap: int = 0


@dataclass(frozen=True)
class Resource:
    """Something the market can dispatch; its power is positive towards the grid, equal on its phases.

    Attributes
    ----------
    name : str
        Unique name; the id in `market/dispatch_real`.
    kind : {"generator", "flexible_load", "storage"}
        What it is. A flexible load's power is the demand that it does not consume.
    bus : str
        Bus it is connected to.
    phases : tuple of int
        Phases it is connected to (for a flexible load: those of its load).
    kw_max : float
        Nameplate real power [kW].
    kva_max : float
        Apparent power rating [kVA]; equal to `kw_max` when it gives no reactive power.
    load : str
        The load that a flexible load curtails; empty for the other kinds.
    owner : str
        Federate that offers it.
    """

    name: str
    kind: ResourceKind
    bus: str
    phases: tuple[int, ...]
    kw_max: float
    kva_max: float
    load: str = ""
    owner: str = "assets"


def node_id(bus: str, phase: int) -> str:
    """Return the id of one phase of a bus, ``bus.phase``."""
    return f"{bus}.{phase}"


@dataclass(frozen=True)
class Network:
    """A radial feeder, root first: ``buses[0]`` is the source and ``branches[k]`` feeds ``buses[k + 1]``.

    Attributes
    ----------
    name : str
        Name of the feeder.
    buses : tuple of Bus
        Every parent comes before its children.
    branches : tuple of Branch
        One per bus but the source, in bus order.
    loads, capacitors, regulators, resources : tuple
        What is connected.
    source_voltage_pu : float
        Voltage magnitude held at the source [pu], phases at 0, -120 and 120 degrees.
    load_vmin_pu : float
        Voltage below which the physics turns every load into an impedance [pu].
    """

    name: str
    buses: tuple[Bus, ...]
    branches: tuple[Branch, ...]
    loads: tuple[Load, ...]
    capacitors: tuple[Capacitor, ...] = ()
    regulators: tuple[Regulator, ...] = ()
    resources: tuple[Resource, ...] = ()
    source_voltage_pu: float = 1.0
    load_vmin_pu: float = 0.7

    @cached_property
    def bus_index(self) -> dict[str, int]:
        """Position of each bus in `buses`."""
        return {bus.name: k for k, bus in enumerate(self.buses)}

    @cached_property
    def parent(self) -> tuple[int, ...]:
        """Bus position of each bus's parent; -1 for the source."""
        return (-1, *(self.bus_index[branch.from_bus] for branch in self.branches))

    @cached_property
    def node_ids(self) -> tuple[str, ...]:
        """``bus.phase`` of every node, in bus order."""
        return tuple(node_id(bus.name, phase) for bus in self.buses for phase in bus.phases)

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Position of each ``bus.phase`` in `node_ids`."""
        return {name: k for k, name in enumerate(self.node_ids)}

    @cached_property
    def branch_ids(self) -> tuple[str, ...]:
        """``branch.phase`` of every branch conductor, in branch order."""
        return tuple(node_id(branch.name, phase) for branch in self.branches for phase in branch.phases)

    @cached_property
    def branch_index(self) -> dict[str, int]:
        """Position of each ``branch.phase`` in `branch_ids`."""
        return {name: k for k, name in enumerate(self.branch_ids)}

    @cached_property
    def load_ids(self) -> tuple[str, ...]:
        """Name of every load."""
        return tuple(load.name for load in self.loads)

    @cached_property
    def resource_ids(self) -> tuple[str, ...]:
        """Name of every resource."""
        return tuple(resource.name for resource in self.resources)

    @cached_property
    def tap_ids(self) -> tuple[str, ...]:
        """``branch.phase`` of every regulated conductor, in regulator order."""
        return tuple(node_id(reg.branch, phase) for reg in self.regulators for phase in reg.phases)

    @cached_property
    def head_ids(self) -> tuple[str, ...]:
        """``bus.phase`` of the source."""
        return tuple(node_id(self.buses[0].name, phase) for phase in self.buses[0].phases)

    @cached_property
    def listed_demand(self) -> ComplexArray:
        """Listed demand of every load at nominal voltage, shape (n_load,) [kVA]."""
        return np.array([complex(load.kw, load.kvar) for load in self.loads], dtype=np.complex128)

    @cached_property
    def initial_taps(self) -> IntArray:
        """Start position of every regulated conductor, shape (n_tap,)."""
        return np.array([reg.tap for reg in self.regulators for _ in reg.phases], dtype=np.int64)
