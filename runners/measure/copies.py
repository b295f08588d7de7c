"""A circuit many times behind one substation: as large as a benchmark wants it, at an AC state that is known.

All copies share the head's bus and a source that is stiffer by their number, so that each has the voltages of
the circuit on its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np

from dlmp_cosim.feeders.network import Element, Network, RealRows, Source, Terminal
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.offers import Offer

T = TypeVar("T")


def copy_network(network: Network, count: int) -> Network:
    """Put `count` copies of a circuit behind one substation.

    Parameters
    ----------
    network : Network
        A circuit with one source.
    count : int
        How many; names of the copies begin with their number.
    """
    if count == 1:
        return network
    (source,) = network.sources
    head = source.terminal.bus
    copies = [_renamed(network, f"{k}:", head) for k in range(1, count + 1)]
    shared = next(bus for bus in network.buses if bus.name == head)
    return replace(
        network,
        name=f"{count} x {network.name}",
        buses=(shared, *(bus for copy in copies for bus in copy.buses if bus.name != head)),
        elements=_all(copy.elements for copy in copies),
        sources=(_stiffer(source, count),),
        loads=_all(copy.loads for copy in copies),
        machines=_all(copy.machines for copy in copies),
        regulators=_all(copy.regulators for copy in copies),
        capacitor_banks=_all(copy.capacitor_banks for copy in copies),
        voltage_points=_all(
            copy.voltage_points if k == 0 else [p for p in copy.voltage_points if p.bus != head]
            for k, copy in enumerate(copies)
        ),
        resources=_all(copy.resources for copy in copies),
    )


def _all(parts: Iterable[Iterable[T]]) -> tuple[T, ...]:
    return tuple(item for part in parts for item in part)


def _renamed(network: Network, prefix: str, head: str) -> Network:
    """Give every name but that of the head's bus a prefix."""

    def at(bus: str) -> str:
        return bus if bus == head else prefix + bus

    def moved(element: Element) -> Element:
        terminals = tuple(Terminal(at(end.bus), end.phases) for end in element.terminals)
        return replace(element, name=prefix + element.name, terminals=terminals)

    return replace(
        network,
        buses=tuple(replace(bus, name=at(bus.name)) for bus in network.buses),
        elements=tuple(moved(element) for element in network.elements),
        loads=tuple(replace(load, name=prefix + load.name, bus=at(load.bus)) for load in network.loads),
        machines=tuple(replace(m, name=prefix + m.name, bus=at(m.bus)) for m in network.machines),
        regulators=tuple(
            replace(r, name=prefix + r.name, element=prefix + r.element) for r in network.regulators
        ),
        capacitor_banks=tuple(
            replace(b, name=prefix + b.name, element=prefix + b.element) for b in network.capacitor_banks
        ),
        voltage_points=tuple(replace(point, bus=at(point.bus)) for point in network.voltage_points),
        resources=tuple(
            replace(r, name=prefix + r.name, bus=at(r.bus), load=prefix + r.load if r.load else "")
            for r in network.resources
        ),
    )


def _stiffer(source: Source, count: int) -> Source:
    def times(rows: RealRows) -> RealRows:
        return tuple(tuple(count * value for value in row) for row in rows)

    return replace(
        source, conductance_s=times(source.conductance_s), susceptance_s=times(source.susceptance_s)
    )


def copy_offers(offers: Iterable[Offer], count: int) -> tuple[Offer, ...]:
    """Offers of all copies' resources."""
    if count == 1:
        return tuple(offers)
    told = tuple(offers)
    return tuple(replace(o, resource=f"{k}:{o.resource}") for k in range(1, count + 1) for o in told)


def copy_state(network: Network, state: AcState, count: int) -> AcState:
    """State of all copies: that of each on its own.

    Parameters
    ----------
    network : Network
        The circuit on its own; the head's bus comes first.
    state : AcState
        Its state.
    count : int
        How many copies.
    """
    if count == 1:
        return state
    shared = len(network.buses[0].phases)
    tiled = partial(np.tile, reps=count)
    return replace(
        state,
        voltage=np.concatenate([state.voltage[:shared], tiled(state.voltage[shared:])]),
        power=tiled(state.power),
        current=tiled(state.current),
        load=tiled(state.load),
        demand=tiled(state.demand),
        injection=tiled(state.injection),
        machine=tiled(state.machine),
        tap=tiled(state.tap),
        capacitor=tiled(state.capacitor),
        admittance=tiled(state.admittance),
        head=count * state.head,
        losses=count * state.losses,
    )
