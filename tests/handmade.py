"""Small networks made by hand, whose every number a test can work out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dlmp_cosim.feeders.network import (
    Bus,
    CapacitorBank,
    ComplexArray,
    Element,
    Load,
    Network,
    RealRows,
    Regulator,
    Resource,
    Source,
    Terminal,
    VoltagePoint,
    wye,
)

ABC = (1, 2, 3)
KV = 2.4


def rows(values: ComplexArray) -> tuple[RealRows, RealRows]:
    """Real and imaginary part of a block as rows."""
    real, imaginary = values.real.tolist(), values.imag.tolist()
    return tuple(map(tuple, real)), tuple(map(tuple, imaginary))


def line(
    name: str,
    ends: tuple[str, str],
    phases: Sequence[int] = ABC,
    *,
    ohm: complex = 0.5 + 1.0j,
    rating: float = 100.0,
    controlled: bool = False,
) -> Element:
    """Uncoupled conductors of one impedance each [ohm]."""
    y = np.eye(len(phases)) / ohm
    block = np.block([[y, -y], [-y, y]])
    terminals = tuple(Terminal(bus, tuple(phases)) for bus in ends)
    return Element(name, "line", terminals, *rows(block), (rating, rating), controlled)


def source(bus: str = "src", siemens: complex = -1e4j, phases: Sequence[int] = ABC) -> Source:
    """A stiff source of 1 pu."""
    turns = 1e3 * KV * np.exp(-2j * np.pi / 3 * (np.array(phases) - 1))
    block = rows(siemens * np.eye(len(phases), dtype=complex))
    return Source("source", Terminal(bus, tuple(phases)), tuple(turns.real), tuple(turns.imag), *block)


def chain(
    *names: str,
    loads: Sequence[Load] = (),
    resources: Sequence[Resource] = (),
    elements: Sequence[Element] = (),
    regulators: Sequence[Regulator] = (),
    banks: Sequence[CapacitorBank] = (),
) -> Network:
    """Three-phase buses in a row behind a source at the first, with lines of 0.5 + 1j ohm between them."""
    lines = [line(f"line.{one}_{other}", (one, other)) for one, other in pairwise(names)]
    return Network(
        "hand",
        tuple(Bus(name, ABC, KV) for name in names),
        (*lines, *elements),
        (source(names[0]),),
        tuple(loads),
        regulators=tuple(regulators),
        capacitor_banks=tuple(banks),
        voltage_points=tuple(VoltagePoint(name, phase, 0, KV) for name in names for phase in ABC),
        resources=tuple(resources),
    )


def load(name: str, bus: str, kw: float = 30.0, kvar: float = 12.0) -> Load:
    """Constant power on three phases to ground."""
    return Load(name, bus, wye(ABC), kw, kvar, KV)


def generator(name: str, bus: str, kw: float = 60.0, kva: float = 75.0, owner: str = "assets") -> Resource:
    """Power on three phases to ground."""
    return Resource(name, "generator", bus, wye(ABC), kw, kva, owner=owner)
