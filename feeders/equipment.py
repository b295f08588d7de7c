"""What a circuit is made of: buses, elements, sources, loads, machines, controls and resources.

Units are in the field names. Signs: loads are positive away from the substation, resources are positive
towards the grid (generation, or demand not consumed), the power at a terminal is positive into the element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]
IntArray = npt.NDArray[np.int64]

RealRows = tuple[tuple[float, ...], ...]
Legs = tuple[tuple[int, int], ...]

ElementKind = Literal["line", "switch", "transformer", "capacitor", "reactor"]
ResourceKind = Literal["generator", "flexible_load", "storage"]
LoadModel = Literal[1, 2, 3, 4, 5, 8]

GROUND = 0
"""Node number of ground, at every bus."""


@dataclass(frozen=True)
class Bus:
    """A place where elements, loads and resources meet.

    Attributes
    ----------
    name : str
        Unique name.
    phases : tuple of int
        Numbers of its nodes, ascending: 1 to 3 are phases (or the two legs of a centre-tapped service),
        higher ones neutrals and other conductors.
    kv_base : float
        Base voltage from a node to neutral [kV].
    x, y : float or None
        Drawing coordinates; None when unknown.
    """

    name: str
    phases: tuple[int, ...]
    kv_base: float
    x: float | None = None
    y: float | None = None


@dataclass(frozen=True)
class Terminal:
    """One end of an element.

    Attributes
    ----------
    bus : str
        Bus that it is connected to.
    phases : tuple of int
        Node number of every conductor, in the element's order; grounded conductors are left out.
    """

    bus: str
    phases: tuple[int, ...]


@dataclass(frozen=True)
class Element:
    """A passive element: an admittance block between the conductors of its terminals.

    Attributes
    ----------
    name : str
        Unique name, ``class.name`` in lower case as OpenDSS has it.
    kind : {"line", "switch", "transformer", "capacitor", "reactor"}
        What it is. One with two terminals or more is a branch; one with a single terminal is a shunt.
    terminals : tuple of Terminal
        Its ends; their conductors, one after the other, are the rows and columns of the block.
    conductance_s, susceptance_s : tuple of tuple of float
        Real and imaginary part of the admittance block, at the taps and switch positions of the start [S].
    rating_a : tuple of float
        Continuous current rating of a conductor at each terminal [A]; infinite where there is none.
    controlled : bool
        Whether a control may change the block in mid-run: a tap changer, a switched capacitor, a switch.
    """

    name: str
    kind: ElementKind
    terminals: tuple[Terminal, ...]
    conductance_s: RealRows
    susceptance_s: RealRows
    rating_a: tuple[float, ...]
    controlled: bool = False

    @property
    def admittance_s(self) -> ComplexArray:
        """Admittance block, shape (n_conductor, n_conductor) [S]."""
        return np.array(self.conductance_s) + 1j * np.array(self.susceptance_s)

    @property
    def is_branch(self) -> bool:
        """Whether it joins terminals, rather than hanging at one."""
        return len(self.terminals) > 1

    @property
    def node_ids(self) -> tuple[str, ...]:
        """``bus.node`` of every conductor, terminal by terminal."""
        return tuple(node_id(end.bus, phase) for end in self.terminals for phase in end.phases)


@dataclass(frozen=True)
class Source:
    """A voltage source behind its own impedance; the feeder's head is its terminal.

    Attributes
    ----------
    name : str
        Unique name.
    terminal : Terminal
        Where it feeds the circuit.
    voltage_real_v, voltage_imag_v : tuple of float
        Voltage behind the impedance, conductor by conductor [V].
    conductance_s, susceptance_s : tuple of tuple of float
        Admittance block of its impedance [S].
    """

    name: str
    terminal: Terminal
    voltage_real_v: tuple[float, ...]
    voltage_imag_v: tuple[float, ...]
    conductance_s: RealRows
    susceptance_s: RealRows

    @property
    def voltage_v(self) -> ComplexArray:
        """Voltage behind the impedance, shape (n_conductor,) [V]."""
        return np.array(self.voltage_real_v) + 1j * np.array(self.voltage_imag_v)

    @property
    def admittance_s(self) -> ComplexArray:
        """Admittance block of its impedance, shape (n_conductor, n_conductor) [S]."""
        return np.array(self.conductance_s) + 1j * np.array(self.susceptance_s)


@dataclass(frozen=True)
class Load:
    """A load of any number of legs, each between two nodes of its bus, with equal power.

    Attributes
    ----------
    name : str
        Unique name.
    bus : str
        Bus it is connected to.
    legs : tuple of (int, int)
        Node numbers that each leg lies between; 0 is ground.
    kw, kvar : float
        Listed demand at nominal voltage, all legs [kW, kvar].
    kv_base : float
        Nominal voltage across a leg [kV].
    model : {1, 2, 3, 4, 5, 8}
        Voltage dependence, by OpenDSS' numbers: constant power; constant impedance; constant real and
        quadratic reactive power; exponents `cvr`; constant current; polynomial `zipv`.
    vmin_pu, vlow_pu, vmax_pu : float
        Between `vmin_pu` and `vmax_pu` the model holds; above it is an impedance; below `vlow_pu` it is the
        nominal impedance, and in between its current is interpolated [pu of `kv_base`].
    cvr : (float, float)
        Exponents of real and reactive power of model 4.
    zipv : tuple of float
        The seven coefficients of model 8: three of real power, three of reactive power, cut-off voltage.
    profile : str
        The `Profile` that its demand follows; empty: the demand ratio of the whole feeder.
    """

    name: str
    bus: str
    legs: Legs
    kw: float
    kvar: float
    kv_base: float
    model: LoadModel = 1
    vmin_pu: float = 0.95
    vlow_pu: float = 0.5
    vmax_pu: float = 1.05
    cvr: tuple[float, float] = (1.0, 2.0)
    zipv: tuple[float, ...] = ()
    profile: str = ""

    @property
    def phases(self) -> tuple[int, ...]:
        """Nodes of its bus that it touches, ascending."""
        return touched(self.legs)


@dataclass(frozen=True)
class Profile:
    """How the demand of some loads runs over the intervals of a study.

    Attributes
    ----------
    name : str
        Unique name; loads name it as their `profile`.
    real, reactive : tuple of float
        Factors on listed real and reactive demand, interval by interval.
    """

    name: str
    real: tuple[float, ...]
    reactive: tuple[float, ...]


@dataclass(frozen=True)
class Machine:
    """A generator, PV system, storage or other element of the circuit that no resource drives.

    It runs as its own settings and controls say; within an interval its power is what the last AC state has.

    Attributes
    ----------
    name : str
        Unique name, ``class.name`` in lower case as OpenDSS has it; with the number of the leg behind it
        where the element has several, since their power need not be equal.
    bus : str
        Bus it is connected to.
    legs : tuple of (int, int)
        Node numbers that each leg lies between; 0 is ground.
    element : str
        Element of the circuit that it is, or is a leg of, ``class.name``.
    """

    name: str
    bus: str
    legs: Legs
    element: str = ""


@dataclass(frozen=True)
class Regulator:
    """The control of a tap changer.

    Attributes
    ----------
    name : str
        Unique name of the control.
    element : str
        Transformer whose tap it moves.
    winding : int
        Winding that carries the taps, 1 is the first.
    step_pu : float
        Voltage ratio of one tap [pu].
    tap_min, tap_max : int
        Ends of its range.
    tap : int
        Position at the start; 0 is the nominal ratio.
    """

    name: str
    element: str
    winding: int
    step_pu: float
    tap_min: int
    tap_max: int
    tap: int = 0


@dataclass(frozen=True)
class CapacitorBank:
    """A capacitor that a control switches.

    Attributes
    ----------
    name : str
        Unique name of the control.
    element : str
        Capacitor that it switches.
    steps : int
        Steps that it has.
    closed : int
        Steps closed at the start.
    """

    name: str
    element: str
    steps: int
    closed: int


@dataclass(frozen=True)
class VoltagePoint:
    """A voltage that limits hold for, because customers see it: a node to ground, or between two nodes.

    Attributes
    ----------
    bus : str
        Its bus.
    phase, other : int
        Nodes that it lies between; `other` is 0 for ground.
    kv_base : float
        Nominal voltage [kV].
    """

    bus: str
    phase: int
    other: int
    kv_base: float

    @property
    def name(self) -> str:
        """``bus.node``, or ``bus.node-node`` between two nodes."""
        return node_id(self.bus, self.phase) + (f"-{self.other}" if self.other else "")


@dataclass(frozen=True)
class Resource:
    """Something the market can dispatch; its power is positive towards the grid, equal on its legs.

    Attributes
    ----------
    name : str
        Unique name; the id in `market/dispatch_real`.
    kind : {"generator", "flexible_load", "storage"}
        What it is. A flexible load's power is the demand that it does not consume.
    bus : str
        Bus it is connected to.
    legs : tuple of (int, int)
        Node numbers that each leg lies between; 0 is ground (for a flexible load: those of its load).
    kw_max : float
        Nameplate real power [kW].
    kva_max : float
        Apparent power rating [kVA]; equal to `kw_max` when it gives no reactive power.
    load : str
        The load that a flexible load curtails; empty for the other kinds.
    owner : str
        Federate that offers it.
    element : str
        Element of the circuit that it drives, ``class.name``; empty for one that the market adds.
    kw_more : float
        Most that a flexible load can consume beyond its demand [kW]; 0 for one that is shed, not shifted.
    """

    name: str
    kind: ResourceKind
    bus: str
    legs: Legs
    kw_max: float
    kva_max: float
    load: str = ""
    owner: str = "assets"
    element: str = ""
    kw_more: float = 0.0

    @property
    def phases(self) -> tuple[int, ...]:
        """Nodes of its bus that it touches, ascending."""
        return touched(self.legs)


def node_id(bus: str, phase: int) -> str:
    """Return the id of one node of a bus, ``bus.node``."""
    return f"{bus}.{phase}"


def touched(legs: Legs) -> tuple[int, ...]:
    """Nodes that legs touch, ascending, without ground."""
    return tuple(sorted({phase for leg in legs for phase in leg} - {GROUND}))


def wye(phases: tuple[int, ...]) -> Legs:
    """Legs from each phase to ground."""
    return tuple((phase, GROUND) for phase in phases)


def delta(phases: tuple[int, ...]) -> Legs:
    """Legs between phases: one for two phases, a ring for three."""
    following = phases[1:] + phases[:1]
    return tuple(zip(phases, following, strict=True))[: 1 if len(phases) == 2 else None]
