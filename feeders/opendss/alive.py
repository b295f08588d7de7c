"""The part of a circuit that its sources feed; what else it has is left out by name, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Bus, Element, Network, Terminal, node_id
from dlmp_cosim.feeders.opendss.case import Finding
from dlmp_cosim.feeders.opendss.survey import rows
from dlmp_cosim.feeders.zones import zones

SHOWN = 8
"""Buses that an error names."""


def keep_alive(network: Network) -> tuple[Network, list[Finding]]:
    """Leave out nodes that no source feeds, and elements that join nothing but those.

    Parameters
    ----------
    network : Network
        All that the file has.

    Returns
    -------
    network : Network
        What is alive.
    findings : list of Finding
        Buses and elements that were left out.

    Raises
    ------
    InputError
        When a load or machine stands where no source feeds.
    """
    zone = zones(network.node_index, ((e.node_ids, e.admittance_s) for e in network.elements))
    fed = set(zone[network.head_node].tolist())
    dead = frozenset(name for name, k in network.node_index.items() if int(zone[k]) not in fed)
    if not dead:
        return network, []
    _check_nothing_stands_there(network, dead)
    buses = tuple(bus for bus in (_living(bus, dead) for bus in network.buses) if bus.phases)
    trimmed = [_trimmed(element, dead) for element in network.elements]
    elements = tuple(element for element in trimmed if element is not None)
    names = {element.name for element in elements}
    living = replace(
        network,
        buses=buses,
        elements=elements,
        regulators=tuple(item for item in network.regulators if item.element in names),
        capacitor_banks=tuple(item for item in network.capacitor_banks if item.element in names),
    )
    return living, list(_left_out(network, living))


def _check_nothing_stands_there(network: Network, dead: frozenset[str]) -> None:
    cut_off: dict[str, str] = {}
    for kind, owners in (("load", network.loads), ("", network.machines)):
        for owner in owners:
            nodes = (node_id(owner.bus, node) for leg in owner.legs for node in leg if node)
            if any(name in dead for name in nodes):
                cut_off.setdefault(owner.bus, f"{kind} {owner.name}".strip())
    if cut_off:
        shown = ", ".join(list(cut_off)[:SHOWN]) + (", ..." if len(cut_off) > SHOWN else "")
        raise InputError(
            f"no source feeds {shown}, where {next(iter(cut_off.values()))} is connected",
            where=f"{network.name} {'bus' if len(cut_off) == 1 else 'buses'}",
            expected="a closed path of elements from a source to every load, on each of its phases",
        )


def _living(bus: Bus, dead: frozenset[str]) -> Bus:
    return replace(bus, phases=tuple(phase for phase in bus.phases if node_id(bus.name, phase) not in dead))


def _trimmed(element: Element, dead: frozenset[str]) -> Element | None:
    """Drop the conductors of an element that lead to dead nodes; None when it joins nothing any more."""
    keep = np.array([name not in dead for name in element.node_ids])
    if keep.all():
        return element
    ends = [
        (Terminal(end.bus, tuple(p for p in end.phases if node_id(end.bus, p) not in dead)), rating)
        for end, rating in zip(element.terminals, element.rating_a, strict=True)
    ]
    reached = [(end, rating) for end, rating in ends if end.phases]
    if not reached or (element.is_branch and len(reached) < 2):
        return None
    block = element.admittance_s[np.ix_(keep, keep)]
    return replace(
        element,
        terminals=tuple(end for end, _ in reached),
        rating_a=tuple(rating for _, rating in reached),
        conductance_s=rows(block.real),
        susceptance_s=rows(block.imag),
    )


def _left_out(network: Network, living: Network) -> Iterator[Finding]:
    alive = set(living.bus_index)
    for bus in network.buses:
        if bus.name not in alive:
            yield Finding(f"bus.{bus.name}", "ignored", "no source feeds it, and nothing stands there")
    names = {element.name for element in living.elements}
    for element in network.elements:
        if element.name not in names:
            yield Finding(element.name, "ignored", "no source feeds it")
