"""The feeder as data: nodes, the admittance blocks between them, and what is connected to them.

A node is one conductor of one bus, written ``bus.node`` ("1.1" is phase A of bus 1); ground is node 0 and is
left out. Nothing says that a circuit is a tree. Units are in the field names. Signs: loads are positive away
from the substation, resources are positive towards the grid (generation, or demand not consumed), the power
at a terminal is positive into the element.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlmp_cosim.feeders.equipment import (
    GROUND,
    Bus,
    CapacitorBank,
    ComplexArray,
    Element,
    ElementKind,
    FloatArray,
    IntArray,
    Legs,
    Load,
    LoadModel,
    Machine,
    Profile,
    RealRows,
    Regulator,
    Resource,
    ResourceKind,
    Source,
    Terminal,
    VoltagePoint,
    delta,
    node_id,
    touched,
    wye,
)

__all__ = [
    "GROUND",
    "Bus",
    "CapacitorBank",
    "ComplexArray",
    "Element",
    "ElementKind",
    "FloatArray",
    "IntArray",
    "Legs",
    "Load",
    "LoadModel",
    "Machine",
    "Network",
    "Profile",
    "RealRows",
    "Regulator",
    "Resource",
    "ResourceKind",
    "Source",
    "Terminal",
    "VoltagePoint",
    "delta",
    "node_id",
    "touched",
    "wye",
]


@dataclass(frozen=True)
class Network:
    """A circuit at one moment: every admittance between its nodes, and what draws or injects power.

    Attributes
    ----------
    name : str
        Name of the circuit.
    buses : tuple of Bus
        Those of the first source come first.
    elements : tuple of Element
        Passive elements; closed ones only.
    sources : tuple of Source
        Voltage sources; the first is the substation.
    loads, machines, regulators, capacitor_banks, voltage_points, resources, profiles : tuple
        What is connected, controlled, limited and dispatched, and how demand runs.
    """

    name: str
    buses: tuple[Bus, ...]
    elements: tuple[Element, ...]
    sources: tuple[Source, ...]
    loads: tuple[Load, ...]
    machines: tuple[Machine, ...] = ()
    regulators: tuple[Regulator, ...] = ()
    capacitor_banks: tuple[CapacitorBank, ...] = ()
    voltage_points: tuple[VoltagePoint, ...] = ()
    resources: tuple[Resource, ...] = ()
    profiles: tuple[Profile, ...] = ()

    @cached_property
    def bus_index(self) -> dict[str, int]:
        """Position of each bus in `buses`."""
        return {bus.name: k for k, bus in enumerate(self.buses)}

    @cached_property
    def node_ids(self) -> tuple[str, ...]:
        """``bus.node`` of every node, in bus order."""
        return tuple(node_id(bus.name, phase) for bus in self.buses for phase in bus.phases)

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Position of each ``bus.node`` in `node_ids`."""
        return {name: k for k, name in enumerate(self.node_ids)}

    @cached_property
    def node_bus(self) -> IntArray:
        """Bus of every node, shape (n_node,)."""
        return np.repeat(np.arange(len(self.buses)), [len(bus.phases) for bus in self.buses])

    @cached_property
    def base_v(self) -> FloatArray:
        """Base voltage of every node, shape (n_node,) [V]."""
        return np.array([1e3 * bus.kv_base for bus in self.buses for _ in bus.phases])

    @cached_property
    def branches(self) -> tuple[Element, ...]:
        """Elements that join terminals."""
        return tuple(element for element in self.elements if element.is_branch)

    @cached_property
    def conductor_ids(self) -> tuple[str, ...]:
        """``element:terminal.node`` of every conductor at every terminal of every branch."""
        return tuple(
            f"{branch.name}:{k}.{phase}"
            for branch in self.branches
            for k, end in enumerate(branch.terminals, 1)
            for phase in end.phases
        )

    @cached_property
    def conductor_node(self) -> IntArray:
        """Node of every conductor in `conductor_ids`, shape (n_conductor,)."""
        names = [name for branch in self.branches for name in branch.node_ids]
        return np.array([self.node_index[name] for name in names], dtype=np.int64)

    @cached_property
    def conductor_branch(self) -> IntArray:
        """Position in `branches` of every conductor's element, shape (n_conductor,)."""
        return np.repeat(np.arange(len(self.branches)), [len(branch.node_ids) for branch in self.branches])

    @cached_property
    def conductor_rating(self) -> FloatArray:
        """Rating of every conductor, shape (n_conductor,) [A]."""
        return np.array(
            [
                rating
                for branch in self.branches
                for end, rating in zip(branch.terminals, branch.rating_a, strict=True)
                for _ in end.phases
            ]
        )

    @cached_property
    def controlled(self) -> tuple[Element, ...]:
        """Elements whose admittance a control may change."""
        return tuple(element for element in self.elements if element.controlled)

    @cached_property
    def admittance_ids(self) -> tuple[str, ...]:
        """``element[row,column]`` of every admittance that a control may change."""
        return tuple(
            f"{element.name}[{i},{j}]"
            for element in self.controlled
            for i in range(len(element.node_ids))
            for j in range(len(element.node_ids))
        )

    @cached_property
    def initial_admittance(self) -> ComplexArray:
        """Admittance blocks of the controlled elements at the start, shape (n_admittance,) [S]."""
        blocks = [element.admittance_s.ravel() for element in self.controlled]
        return np.concatenate([np.zeros(0, dtype=np.complex128), *blocks])

    @cached_property
    def load_ids(self) -> tuple[str, ...]:
        """Name of every load."""
        return tuple(load.name for load in self.loads)

    @cached_property
    def machine_ids(self) -> tuple[str, ...]:
        """Name of every machine."""
        return tuple(machine.name for machine in self.machines)

    @cached_property
    def resource_ids(self) -> tuple[str, ...]:
        """Name of every resource."""
        return tuple(resource.name for resource in self.resources)

    @cached_property
    def tap_ids(self) -> tuple[str, ...]:
        """Name of every regulator."""
        return tuple(regulator.name for regulator in self.regulators)

    @cached_property
    def capacitor_ids(self) -> tuple[str, ...]:
        """Name of the control of every switched capacitor."""
        return tuple(bank.name for bank in self.capacitor_banks)

    @cached_property
    def head_ids(self) -> tuple[str, ...]:
        """``bus.node`` of every conductor of the sources."""
        return tuple(node_id(s.terminal.bus, phase) for s in self.sources for phase in s.terminal.phases)

    @cached_property
    def head_node(self) -> IntArray:
        """Node of every conductor in `head_ids`, shape (n_head,)."""
        return np.array([self.node_index[name] for name in self.head_ids], dtype=np.int64)

    @cached_property
    def point_ids(self) -> tuple[str, ...]:
        """Name of every voltage that limits hold for."""
        return tuple(point.name for point in self.voltage_points)

    @cached_property
    def listed_demand(self) -> ComplexArray:
        """Listed demand of every load at nominal voltage, shape (n_load,) [kVA]."""
        return np.array([complex(load.kw, load.kvar) for load in self.loads], dtype=np.complex128)

    @cached_property
    def initial_taps(self) -> IntArray:
        """Start position of every regulator, shape (n_tap,)."""
        return np.array([regulator.tap for regulator in self.regulators], dtype=np.int64)

    @cached_property
    def initial_capacitors(self) -> IntArray:
        """Steps of every switched capacitor that are closed at the start, shape (n_capacitor,)."""
        return np.array([bank.closed for bank in self.capacitor_banks], dtype=np.int64)
