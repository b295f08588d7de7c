"""What the tables of the IEEE 123-node test feeder hold, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.feeders.readers.csv_table import Row

Kind = Literal["line", "switch", "regulator", "transformer"]


@dataclass(frozen=True)
class Segment:
    """What a row of a table joins, before the tree gives it a direction; `row` is where it stands."""

    ends: tuple[str, str]
    kind: Kind
    phases: tuple[int, ...]
    resistance: FloatArray
    reactance: FloatArray
    susceptance: FloatArray
    rating_a: float
    row: Row


@dataclass(frozen=True)
class Section:
    """A line or closed switch, directed away from the source.

    Attributes
    ----------
    from_bus, to_bus : str
        Its ends.
    kind : {"line", "switch"}
        What it is.
    phases : tuple of int
        Conductors present, the rows and columns of the matrices.
    resistance_ohm, reactance_ohm : ndarray, shape (n_phase, n_phase)
        Series impedance [ohm].
    susceptance_us : ndarray, shape (n_phase, n_phase)
        Shunt susceptance [uS].
    rating_a : float
        Continuous current rating of a phase [A].
    """

    from_bus: str
    to_bus: str
    kind: Kind
    phases: tuple[int, ...]
    resistance_ohm: FloatArray
    reactance_ohm: FloatArray
    susceptance_us: FloatArray
    rating_a: float


@dataclass(frozen=True)
class SpotLoad:
    """A load on one phase, or between two; `model` is OpenDSS' number [kW, kvar at nominal voltage]."""

    name: str
    bus: str
    phases: tuple[int, ...]
    model: int
    kw: float
    kvar: float


@dataclass(frozen=True)
class ShuntCapacitor:
    """A fixed capacitor from one phase to neutral [kvar at nominal voltage]."""

    name: str
    bus: str
    phase: int
    kvar: float


@dataclass(frozen=True)
class TapChanger:
    """A voltage regulator with line-drop compensation.

    Attributes
    ----------
    name : str
        Unique name.
    from_bus, to_bus : str
        Its ends.
    phases : tuple of int
        Phases whose taps move together.
    monitored_phase : int
        Phase whose voltage and current it measures.
    voltage_level_v, band_v : float
        Set point and total band width on the 120 V base [V].
    pt_ratio, ct_primary_a : float
        Instrument transformer ratio, and current transformer primary rating [A], which rates the regulator.
    ldc_r_v, ldc_x_v : float
        Line-drop compensator settings [V].
    tap : int
        Published position, -16 to 16.
    """

    name: str
    from_bus: str
    to_bus: str
    phases: tuple[int, ...]
    monitored_phase: int
    voltage_level_v: float
    band_v: float
    pt_ratio: float
    ct_primary_a: float
    ldc_r_v: float
    ldc_x_v: float
    tap: int


@dataclass(frozen=True)
class StepDown:
    """A three-phase, two-winding transformer.

    Attributes
    ----------
    name : str
        Unique name.
    from_bus, to_bus : str
        Its ends.
    kva : float
        Rating [kVA].
    kv : (float, float)
        Line-to-line voltage of both windings [kV].
    connections : (str, str)
        "delta" or "wye" of both windings.
    r_pct, x_pct : float
        Series impedance of both windings together, on its own rating [%].
    """

    name: str
    from_bus: str
    to_bus: str
    kva: float
    kv: tuple[float, float]
    connections: tuple[str, str]
    r_pct: float
    x_pct: float


@dataclass(frozen=True)
class Tables:
    """What the tables say, directed away from the source.

    Attributes
    ----------
    sections, tap_changers, step_downs, loads, capacitors : tuple
        What the feeder consists of.
    phases : dict of str to tuple of int
        Phases of every bus, the source first.
    places : dict of str to (float, float)
        Drawing coordinates of buses.
    """

    sections: tuple[Section, ...]
    tap_changers: tuple[TapChanger, ...]
    step_downs: tuple[StepDown, ...]
    loads: tuple[SpotLoad, ...]
    capacitors: tuple[ShuntCapacitor, ...]
    phases: dict[str, tuple[int, ...]]
    places: dict[str, tuple[float, float]]
