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

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Terminal

PASSIVE_CLASSES = ("line", "transformer", "autotrans", "capacitor", "reactor", "fault", "gictransformer")
"""Classes whose elements are nothing but an admittance block."""


@dataclass(frozen=True)
class Conductors:
    """Where the conductors of one element go; the tuples run over them, terminal by terminal.

    Attributes
    ----------
    name : str
        ``class.name`` in lower case.
    buses : tuple of str
        Bus of each terminal.
    end : tuple of int
        Terminal whose bus the conductor is at, 0 is the first.
    node : tuple of int
        Node number; 0 is ground.
    opened : tuple of bool
        Whether it is open.
    """

    name: str
    buses: tuple[str, ...]
    end: tuple[int, ...]
    node: tuple[int, ...]
    opened: tuple[bool, ...]

    @cached_property
    def is_open(self) -> bool:
        """Whether a terminal of it is open in all conductors."""
        closed = {end for end, opened in zip(self.end, self.opened, strict=True) if not opened}
        return closed != set(self.end)

    @cached_property
    def reached(self) -> tuple[tuple[int, ...], ...]:
        """Nodes that each terminal reaches, each once."""
        every = list(zip(self.end, self.node, self.opened, strict=True))
        return tuple(
            tuple(dict.fromkeys(node for end, node, opened in every if end == k and node and not opened))
            for k in range(len(self.buses))
        )

    @cached_property
    def terminals(self) -> tuple[Terminal, ...]:
        """Terminals that reach a node."""
        ends = zip(self.buses, self.reached, strict=True)
        return tuple(Terminal(bus, phases) for bus, phases in ends if phases)

    @cached_property
    def gathering(self) -> FloatArray:
        """Sums the engine's conductors to those of `terminals`, shape (n_conductor, n_engine_conductor)."""
        kept = [(k, phase) for k, phases in enumerate(self.reached) for phase in phases]
        at = {place: row for row, place in enumerate(kept)}
        rows = np.zeros((len(kept), len(self.node)))
        for column, (end, node, opened) in enumerate(zip(self.end, self.node, self.opened, strict=True)):
            if node and not opened:
                rows[at[end, node], column] = 1.0
        return rows

    def gathered(self, block: ComplexArray) -> ComplexArray:
        """Admittance block between the conductors of `terminals`, given the engine's [S]."""
        return gathered(self.gathering, block)


def gathered(rows: FloatArray, block: ComplexArray) -> ComplexArray:
    """Sum an admittance block to fewer conductors [S].

    Parameters
    ----------
    rows : ndarray, shape (n_conductor, n_engine_conductor)
        What sums the engine's conductors.
    block : ndarray, shape (n_engine_conductor, n_engine_conductor)
        Block between those [S].
    """
    return block if rows.shape[0] == rows.shape[1] else np.asarray(rows @ block @ rows.T)


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
    numbers = [(k, j) for k in range(count) for j in range(per_terminal)]
    any_open = not keep_open and any(element.IsOpen(k, 0) for k in range(1, count + 1))
    name = element.Name.lower()
    return Conductors(
        name=name,
        buses=tuple(place.split(".", 1)[0].lower() for place in element.BusNames),
        end=_series_ends(element) if name.startswith("autotrans.") else tuple(k for k, _ in numbers),
        node=tuple(int(node) for node in element.NodeOrder),
        opened=tuple(any_open and bool(element.IsOpen(k + 1, j + 1)) for k, j in numbers),
    )


def _series_ends(element: Any) -> tuple[int, ...]:
    """Terminal of each conductor of an autotransformer: a series winding ends at the bus of the common one.

    OpenDSS lists those ends under the series winding's own bus, but connects them to the second terminal.
    """
    half = int(element.NumConductors) // 2
    connections = element.Properties("Conns").Val.strip("[] ,").replace(",", " ").lower().split()
    return tuple(
        1 if connection.startswith("s") and j >= half else k
        for k, connection in enumerate(connections)
        for j in range(2 * half)
    )


def admittance_block(element: Any) -> ComplexArray:
    """Admittance block of the active element between all of its conductors [S]."""
    # The engine hands it out column by column.
    values = np.asarray(element.Yprim, dtype=np.float64).view(np.complex128)
    size = round(len(values) ** 0.5)
    return values.reshape(size, size).T


def elements_of(circuit: Any, classes: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield each enabled element of some classes as the active one, with its ``class.name``.

    Parameters
    ----------
    circuit : dss.ICircuit
        The compiled circuit; its active element changes with every step.
    classes : tuple of str
        Classes of the engine, lower case.
    """
    for full in circuit.AllElementNames:
        name = full.lower()
        if name.split(".", 1)[0] in classes:
            circuit.SetActiveElement(full)
            element = circuit.ActiveCktElement
            if element.Enabled:
                yield name, element
