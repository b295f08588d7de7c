"""Elements that stand in for the market's resources in a user's circuit: constant power, leg by leg."""

from __future__ import annotations

import math
from typing import Any

from dlmp_cosim.feeders.errors import FeederError, nearest_name
from dlmp_cosim.feeders.network import Network, Resource, node_id
from dlmp_cosim.feeders.opendss.conductors import elements_of
from dlmp_cosim.feeders.opendss.connected import PLANTS
from dlmp_cosim.feeders.terminals import injection_terminals

PREFIX = "dlmp_resource_"
"""Begins the name of every element that is added to a circuit."""


def stand_in_names(network: Network) -> list[str]:
    """Name of the added load on every leg of every resource that injects, in resource order."""
    owners = injection_terminals(network).owner.tolist()
    return [f"{PREFIX}{owner}_{k}" for k, owner in enumerate(owners)]


def add_stand_ins(engine: Any, network: Network) -> None:
    """Add a load of constant power on every leg of what injects, and take out the elements that it drives.

    Loads of constant power give exactly what is asked for at any voltage, which the models of generators, PV
    systems and storage, with their inverters and voltage ranges, do not.

    Parameters
    ----------
    engine : dss.IDSS
        Engine with the compiled circuit.
    network : Network
        The circuit with its resources.

    Raises
    ------
    FeederError
        When the circuit has no such element, or none that a resource can drive.
    """
    text = engine.Text
    plants = {name for name, _ in elements_of(engine.ActiveCircuit, PLANTS)}
    for resource in network.resources:
        if resource.element:
            _check_driven(network, resource, plants)
            text.Command = f'edit "{resource.element}" enabled=no'
    legs = injection_terminals(network)
    names, ids = stand_in_names(network), network.node_ids
    for name, node, other in zip(names, legs.node.tolist(), legs.other.tolist(), strict=True):
        grounded = other == len(ids)
        bus, _, phase = ids[node].rpartition(".")
        place = node_id(bus, int(phase)) + ("" if grounded else f".{ids[other].rpartition('.')[2]}")
        kv = float(network.base_v[node]) / 1e3 * (1.0 if grounded else math.sqrt(3.0))
        text.Command = (
            f'new load.{name} phases=1 bus1="{place}" conn={"wye" if grounded else "delta"} kv={kv!r} '
            "kw=0 kvar=0 model=1 vminpu=0 vlowpu=0 vmaxpu=10"
        )


def _check_driven(network: Network, resource: Resource, plants: set[str]) -> None:
    """Raise when the circuit has not what a resource drives: OpenDSS edits what is not there in silence."""
    element = resource.element.lower()
    if element not in plants:
        near = nearest_name(element, sorted(plants))
        raise FeederError(
            f"the circuit of {network.name} has no generator, PV system or storage {resource.element!r} "
            f"for {resource.name} to drive" + (f"; did you mean {near!r}?" if near else "")
        )
