"""The conductors of the engine's elements, and how they become conductors of a `Network`.

OpenDSS numbers the conductors of an element terminal by terminal. Grounded and opened ones carry nothing that
a node sees and are left out; two on one node of one terminal count as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from feeders.network import GROUND, ComplexArray, FloatArray, Terminal

PASSIVE_CLASSES = ("line", "transformer", "autotrans", "capacitor", "reactor", "fault", "gictransformer")
"""Classes whose elements are nothing but an admittance block."""


@dataclass(frozen=True)
class Conductors:
    """Where the conductors of one element go.

    Attributes
    ----------
    name : str
        ``class.name`` in lower case.
    buses : tuple of str
        Bus of each terminal.
    nodes : tuple of tuple of int
        Node number of each conductor, terminal by terminal; 0 is ground.
    opened : tuple of tuple of bool
        Whether it is open.
    """

    name: str
    buses: tuple[str, ...]
    nodes: tuple[tuple[int, ...], ...]
    opened: tuple[tuple[bool, ...], ...]

    @cached_property
    def is_open(self) -> bool:
        """Whether a terminal of it is open in all conductors."""
        return any(all(flags) for flags in self.opened)

    @cached_property
    def terminals(self) -> tuple[Terminal, ...]:
        """Terminals with the nodes that they reach, each once; those that reach none are left out."""
        ends = zip(self.buses, self.nodes, self.opened, strict=True)
        reached = [(bus, _reached(nodes, opened)) for bus, nodes, opened in ends]
        return tuple(Terminal(bus, phases) for bus, phases in reached if phases)

    @cached_property
    def gathering(self) -> FloatArray:
        """Sums the engine's conductors to those of `terminals`, shape (n_conductor, n_engine_conductor)."""
        rows, column = [], 0
        width = sum(len(nodes) for nodes in self.nodes)
        for nodes, opened in zip(self.nodes, self.opened, strict=True):
            at = {phase: np.zeros(width) for phase in _reached(nodes, opened)}
            for phase, is_open in zip(nodes, opened, strict=True):
                if phase in at and not is_open:
                    at[phase][column] = 1.0
                column += 1
            rows += list(at.values())
        return np.array(rows).reshape(len(rows), width)

    def gathered(self, block: ComplexArray) -> ComplexArray:
        """Admittance block between the conductors of `terminals`, given the engine's [S]."""
        if self.gathering.shape[0] == self.gathering.shape[1]:
            return block
        return np.asarray(self.gathering @ block @ self.gathering.T)


def _reached(nodes: tuple[int, ...], opened: tuple[bool, ...]) -> tuple[int, ...]:
    pairs = zip(nodes, opened, strict=True)
    return tuple(dict.fromkeys(phase for phase, is_open in pairs if phase != GROUND and not is_open))


def read_conductors(element: Any, *, keep_open: bool = False) -> Conductors:
    """Read where the active element of the engine is connected.

    Parameters
    ----------
    element : dss.ICktElement
        The active element.
    keep_open : bool
        Whether opened conductors count as closed: a control may close them again.
    """
    per_terminal, count = int(element.NumConductors), int(element.NumTerminals)
    order = [int(node) for node in element.NodeOrder]
    starts = range(0, per_terminal * count, per_terminal)
    nodes = tuple(tuple(order[start : start + per_terminal]) for start in starts)
    any_open = not keep_open and any(element.IsOpen(k, 0) for k in range(1, count + 1))
    opened = tuple(
        tuple(any_open and bool(element.IsOpen(k, j)) for j in range(1, per_terminal + 1))
        for k in range(1, count + 1)
    )
    buses = tuple(name.split(".", 1)[0].lower() for name in element.BusNames)
    return Conductors(element.Name.lower(), buses, nodes, opened)


def admittance_block(element: Any) -> ComplexArray:
    """Admittance block of the active element between all of its conductors [S]."""
    # The engine hands it out column by column.
    values = np.asarray(element.Yprim, dtype=np.float64).view(np.complex128)
    size = round(len(values) ** 0.5)
    return values.reshape(size, size).T


def elements_of(circuit: Any, classes: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield each enabled element of some classes as the active one, with its ``class.name``."""
    for full in circuit.AllElementNames:
        name = full.lower()
        if name.split(".", 1)[0] in classes:
            circuit.SetActiveElement(full)
            element = circuit.ActiveCktElement
            if element.Enabled:
                yield name, element
