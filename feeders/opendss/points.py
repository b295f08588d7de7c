"""Which nodes of a circuit are alive, and which of its voltages have limits because customers see them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from dlmp_cosim.feeders.network import (
    GROUND,
    Bus,
    ComplexArray,
    Element,
    IntArray,
    Legs,
    Network,
    VoltagePoint,
    node_id,
)
from dlmp_cosim.feeders.zones import zones

PHASES: Final = (1, 2, 3)

NEAR_ZERO_PU: Final = 0.1
"""Voltage to ground below which a node is a neutral, whatever its number [pu]."""

PHASE_PU: Final = 0.5
"""Voltage to ground above which a node is a phase, whatever its number [pu]."""

GROUNDING_SHARE: Final = 1e-4
"""Share of an admittance that reaches ground where a zone is held; OpenDSS adds a millionth to deltas."""


def floating(network: Network) -> frozenset[str]:
    """Nodes, as ``bus.node``, whose zone between transformers nothing ties to ground."""
    index = network.node_index
    parts = [(element.kind, *part) for element in network.elements for part in _conducting(element)]
    zone = zones(index, ((names, block) for _, names, block in parts))
    grounded = {int(zone[k]) for k in network.head_node}
    for kind, names, block in parts:
        # The charging of a line holds nothing in place.
        if kind not in ("line", "switch"):
            grounded |= set(_grounds(block, zone[[index[name] for name in names]]))
    connected = [(owner.bus, owner.legs) for owner in network.loads]
    connected += [(owner.bus, owner.legs) for owner in network.machines]
    for bus, legs in connected:
        grounded |= {int(zone[index[node_id(bus, a)]]) for a, b in legs if b == GROUND}
    return frozenset(name for name, k in index.items() if int(zone[k]) not in grounded)


def _conducting(element: Element) -> Iterator[tuple[tuple[str, ...], ComplexArray]]:
    """Nodes that an element joins by conductors, and the block between them: windings are apart."""
    block = element.admittance_s
    if element.kind != "transformer":
        yield element.node_ids, block
        return
    start = 0
    for end in element.terminals:
        here = slice(start, start + len(end.phases))
        yield tuple(node_id(end.bus, phase) for phase in end.phases), block[here, here]
        start += len(end.phases)


def _grounds(block: ComplexArray, zone: IntArray) -> Iterator[int]:
    """Zones among those of a block's conductors that it ties to ground."""
    for number in np.unique(zone):
        here = zone == number
        inner = block[np.ix_(here, here)]
        if np.abs(inner.sum(axis=1)).max() > GROUNDING_SHARE * np.abs(inner).max():
            yield int(number)


def voltage_points(network: Network, voltage_pu: Mapping[str, float]) -> tuple[VoltagePoint, ...]:
    """Choose the voltages that limits hold for.

    A phase is limited to ground, to the neutral that a load of its bus uses, or, where nothing ties the
    circuit to ground, to the next phase. Neutrals have no limit.

    Parameters
    ----------
    network : Network
        The circuit.
    voltage_pu : mapping of str to float
        Voltage magnitude of every ``bus.node`` to ground, as read [pu].
    """
    loose = floating(network)
    legs: dict[str, Legs] = {}
    for load in network.loads:
        legs[load.bus] = legs.get(load.bus, ()) + load.legs
    points: list[VoltagePoint] = []
    for bus in network.buses:
        unbound = [phase for phase in bus.phases if node_id(bus.name, phase) in loose and phase in PHASES]
        points += _between(bus, unbound)
        bound = [
            phase
            for phase in bus.phases
            if node_id(bus.name, phase) not in loose
            and _is_phase(phase, voltage_pu[node_id(bus.name, phase)])
        ]
        neutral = {a: b for a, b in legs.get(bus.name, ()) if b not in bound}
        neutral |= {b: a for a, b in legs.get(bus.name, ()) if a not in bound}
        points += [VoltagePoint(bus.name, phase, neutral.get(phase, GROUND), bus.kv_base) for phase in bound]
    return tuple(points)


def _is_phase(number: int, voltage_pu: float) -> bool:
    return voltage_pu > (NEAR_ZERO_PU if number in PHASES else PHASE_PU)


def _between(bus: Bus, phases: list[int]) -> list[VoltagePoint]:
    """Points between the phases of a floating bus."""
    pairs = list(zip(phases, phases[1:] + phases[:1], strict=True))[: 1 if len(phases) == 2 else None]
    kv = bus.kv_base * math.sqrt(3.0)
    return [VoltagePoint(bus.name, a, b, kv) for a, b in pairs if a != b]
