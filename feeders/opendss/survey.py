"""What a compiled circuit is made of, passively: elements, sources and buses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Bus, ComplexArray, Element, ElementKind, RealRows, Source
from dlmp_cosim.feeders.opendss.case import Finding
from dlmp_cosim.feeders.opendss.conductors import (
    PASSIVE_CLASSES,
    Conductors,
    admittance_block,
    elements_of,
    read_conductors,
)

KINDS: Final[dict[str, ElementKind]] = {
    "line": "line",
    "transformer": "transformer",
    "autotrans": "transformer",
    "gictransformer": "transformer",
    "capacitor": "capacitor",
    "reactor": "reactor",
    "fault": "reactor",
}

WOUND: Final = ("transformer", "autotrans")
"""Classes that are rated in kVA at every winding."""

NO_ADMITTANCE_S: Final = 1e-10
"""Below this an element is no more than what OpenDSS puts into the diagonal of an open conductor [S]."""

UNKNOWN_KV: Final = 1.0
"""Base of a bus that OpenDSS finds no voltage at, such as a neutral point [kV]."""


def read_elements(circuit: Any, controlled: frozenset[str]) -> Iterator[Element | Finding]:
    """Yield every passive element that is closed, and a finding for every open one.

    Parameters
    ----------
    circuit : dss.ICircuit
        A solved circuit.
    controlled : frozenset of str
        Elements that a control may change, ``class.name``; these are kept when they are open.
    """
    for name, element in elements_of(circuit, PASSIVE_CLASSES):
        conductors = read_conductors(element, keep_open=name in controlled)
        block = conductors.gathered(admittance_block(element))
        kept = name in controlled or bool((np.abs(block) > NO_ADMITTANCE_S).any())
        if conductors.is_open:
            yield Finding(name, "ignored", "open at the start" if kept else "open: it joins nothing")
        if kept:
            yield _element(circuit, element, conductors, block, controlled=name in controlled)


def _element(
    circuit: Any, element: Any, conductors: Conductors, block: ComplexArray, *, controlled: bool
) -> Element:
    name = conductors.name
    group, bare = name.split(".", 1)
    kind = KINDS[group]
    rated = float(element.NormalAmps)
    all_ratings = _winding_amps(element) if group in WOUND else (rated,) * len(conductors.buses)
    if group == "line":
        circuit.Lines.Name = bare
        kind = "switch" if circuit.Lines.IsSwitch else "line"
    ratings = [rating for rating, phases in zip(all_ratings, conductors.reached, strict=True) if phases]
    return Element(
        name=name,
        kind=kind,
        terminals=conductors.terminals,
        conductance_s=rows(block.real),
        susceptance_s=rows(block.imag),
        rating_a=tuple(rating if rating > 0.0 else math.inf for rating in ratings),
        controlled=controlled,
    )


def _winding_amps(element: Any) -> tuple[float, ...]:
    """Rated current of a conductor at every winding [A]; the active element is a transformer."""
    phases = int(element.NumPhases)
    kvas, kvs = (_numbers(element.Properties(key).Val) for key in ("kVAs", "kVs"))
    connections = element.Properties("Conns").Val.strip("[] ,").replace(",", " ").split()
    amps = []
    for kva, kv, connection in zip(kvas, kvs, connections, strict=True):
        if connection.lower().startswith(("d", "l")):
            # Three legs of a closed delta share a conductor two by two.
            amps.append(kva / phases / kv * (math.sqrt(3.0) if phases == 3 else 1.0))
        else:
            amps.append(kva / phases / kv * (1.0 if phases == 1 else math.sqrt(3.0)))
    return tuple(amps)


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.strip("[] ,").replace(",", " ").split()]


def read_sources(circuit: Any) -> Iterator[Source]:
    """Yield every voltage source.

    Raises
    ------
    InputError
        When one lies between two buses.
    """
    for name, element in elements_of(circuit, ("vsource",)):
        conductors = read_conductors(element)
        n = int(element.NumConductors)
        if any(conductors.node[n:]):
            raise InputError(
                f"lies between {element.BusNames[0]} and {element.BusNames[1]}",
                where=f"{circuit.Name} {name}",
                expected="a source to ground (bus2 with nodes 0)",
            )
        block = admittance_block(element)
        impedance = np.linalg.inv(block[:n, :n])
        volts = np.asarray(element.Voltages).view(np.complex128)
        amps = np.asarray(element.Currents).view(np.complex128)
        behind = (volts - np.append(impedance @ amps[:n], np.zeros(n)))[:n]
        kept = conductors.gathering[:, :n] > 0.0
        at = kept.argmax(axis=1)
        yield Source(
            name=name,
            terminal=conductors.terminals[0],
            voltage_real_v=tuple(behind.real[at].tolist()),
            voltage_imag_v=tuple(behind.imag[at].tolist()),
            conductance_s=rows(block[np.ix_(at, at)].real),
            susceptance_s=rows(block[np.ix_(at, at)].imag),
        )


def read_buses(circuit: Any, first: str) -> tuple[Bus, ...]:
    """Read all buses in OpenDSS' order, that of the substation first.

    Parameters
    ----------
    circuit : dss.ICircuit
        A solved circuit.
    first : str
        Bus of the substation.
    """
    buses = []
    for k, name in enumerate(circuit.AllBusNames):
        circuit.SetActiveBusi(k)
        bus = circuit.ActiveBus
        place = (float(bus.x), float(bus.y)) if bus.Coorddefined else (None, None)
        phases = tuple(sorted(int(node) for node in bus.Nodes if node > 0))
        buses.append(Bus(name.lower(), phases, float(bus.kVBase) or UNKNOWN_KV, *place))
    return tuple(sorted((bus for bus in buses if bus.phases), key=lambda bus: bus.name != first))


def rows(matrix: ComplexArray | np.ndarray) -> RealRows:
    """Write a real matrix as nested tuples."""
    return tuple(tuple(row) for row in np.asarray(matrix, dtype=np.float64).tolist())
