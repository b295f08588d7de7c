"""Passive elements of a compiled circuit as admittance blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from feeders.network import ComplexArray, Element, ElementKind, RealRows, Terminal

KINDS: Final[dict[str, ElementKind]] = {
    "line": "line",
    "transformer": "transformer",
    "autotrans": "transformer",
    "capacitor": "capacitor",
    "reactor": "reactor",
}
"""Kind of an element by its OpenDSS class."""


def rows(matrix: ComplexArray) -> tuple[RealRows, RealRows]:
    """Real and imaginary part of a matrix as nested tuples."""
    return tuple(map(tuple, matrix.real.tolist())), tuple(map(tuple, matrix.imag.tolist()))


def primitive(active: Any) -> ComplexArray:
    """Primitive admittance of the active element, all conductors, ground among them [S]."""
    values = np.asarray(active.Yprim).view(np.complex128)
    n = math.isqrt(values.size)
    # OpenDSS stores matrices column by column.
    return np.array(values.reshape(n, n).T)


def live_conductors(active: Any) -> list[int]:
    """Positions of the conductors of the active element that are not grounded."""
    return [k for k, node in enumerate(active.NodeOrder) if node]


def block(active: Any) -> ComplexArray:
    """Admittance block of the active element over its live conductors [S]."""
    live = live_conductors(active)
    return primitive(active)[np.ix_(live, live)]


def terminals(active: Any) -> tuple[Terminal, ...]:
    """Ends of the active element; one that is grounded altogether is left out."""
    order, n = list(active.NodeOrder), active.NumConductors
    ends = []
    for k, place in enumerate(active.BusNames):
        phases = tuple(int(node) for node in order[k * n : (k + 1) * n] if node)
        if phases:
            ends.append(Terminal(bus_of(place), phases))
    return tuple(ends)


def bus_of(place: str) -> str:
    """Bus of a place such as ``650.1.2.3``, in lower case."""
    return place.split(".", 1)[0].lower()


def read_elements(circuit: Any, controlled: frozenset[str]) -> Iterator[Element]:
    """Yield every passive element that is in service.

    Parameters
    ----------
    circuit : dss.ICircuit
        A solved circuit.
    controlled : frozenset of str
        ``class.name`` of the elements whose admittance a control may change.
    """
    for name in circuit.AllElementNames:
        kind = KINDS.get(name.split(".", 1)[0].lower())
        circuit.SetActiveElement(name)
        active = circuit.ActiveCktElement
        if kind is None or not active.Enabled:
            continue
        ends = terminals(active)
        if not ends:
            continue
        conductance, susceptance = rows(block(active))
        yield Element(
            name=name.lower(),
            kind=_kind(circuit, kind, name),
            terminals=ends,
            conductance_s=conductance,
            susceptance_s=susceptance,
            rating_a=_ratings(circuit, kind, name, ends),
            controlled=name.lower() in controlled,
        )


def _kind(circuit: Any, kind: ElementKind, name: str) -> ElementKind:
    if kind != "line":
        return kind
    circuit.Lines.Name = name.split(".", 1)[1]
    return "switch" if circuit.Lines.IsSwitch else "line"


def _ratings(circuit: Any, kind: ElementKind, name: str, ends: tuple[Terminal, ...]) -> tuple[float, ...]:
    """Continuous rating of a conductor at each terminal [A]; none for shunts."""
    if len(ends) < 2:
        return (math.inf,) * len(ends)
    if kind == "transformer":
        return tuple(_winding_amps(circuit, name, k) for k in range(1, len(ends) + 1))
    circuit.SetActiveElement(name)
    amps = float(circuit.ActiveCktElement.NormalAmps)
    return (amps if amps > 0.0 else math.inf,) * len(ends)


def _winding_amps(circuit: Any, name: str, winding: int) -> float:
    """Current of a conductor at a winding's rated power [A]."""
    kind, short = name.split(".", 1)
    circuit.SetActiveElement(name)
    active = circuit.ActiveCktElement
    phases = int(active.NumPhases)
    if kind.lower() != "transformer":
        amps = float(active.NormalAmps)
        return amps if amps > 0.0 else math.inf
    circuit.Transformers.Name = short
    circuit.Transformers.Wdg = winding
    kva, kv = float(circuit.Transformers.kva), float(circuit.Transformers.kV)
    if not (kva > 0.0 and kv > 0.0):
        return math.inf
    # The rated voltage of a winding of one phase is its own, of several that between phases.
    return kva / kv if phases == 1 else kva / (math.sqrt(3.0) * kv)
