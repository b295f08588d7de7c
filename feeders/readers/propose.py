"""Propose the resources of a circuit: what is in it already, and loads that can consume less."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlmp_cosim.feeders.network import Load, Network, Resource
from dlmp_cosim.feeders.opendss.case import Circuit, Plant
from dlmp_cosim.feeders.readers.assets import CLASSES, COLUMNS, INJECTING, AssetTerms

CURTAILABLE_SHARE: Final = 0.2
"""Share of its demand that every load offers not to consume."""

LOAD_COSTS: Final = (30.0, 60.0)
"""Marginal cost of the first kW not consumed, cheapest and dearest load [$/MWh]."""

GENERATOR_COSTS: Final = (22.0, 45.0)
"""Marginal cost of a generator's first kW, cheapest and dearest [$/MWh]."""

SUN_COST: Final = 0.0
"""Marginal cost of a PV system [$/MWh]."""

STORAGE_COST: Final = 50.0
"""Marginal cost of what a storage gives [$/MWh]."""

LOAD_RISE, GENERATOR_RISE = 0.5, 0.3
"""Rise of the marginal cost up to full output, over its start."""

STEPS, STRIDE = 19, 7
"""Costs spread over `STEPS` values in an order, `STRIDE` apart, that follows nothing in the circuit."""

HEADER: Final = (*COLUMNS, "element")


@dataclass(frozen=True)
class Proposal:
    """Proposed resources and the terms on which they are offered.

    Attributes
    ----------
    resources : tuple of Resource
        Plants of the circuit first, then flexible loads.
    terms : tuple of AssetTerms
        In the same order.
    """

    resources: tuple[Resource, ...]
    terms: tuple[AssetTerms, ...]


def propose_assets(circuit: Circuit) -> Proposal:
    """Propose a circuit's own plants at their ratings, and a fifth of every load as flexible.

    The same circuit gives the same proposal.

    Parameters
    ----------
    circuit : Circuit
        What was read.

    Returns
    -------
    Proposal
        Resources and terms; plants without a rating and loads without real power are left out.
    """
    plants = [plant for plant in circuit.plants if plant.kw > 0.0]
    flexible = [load for load in circuit.network.loads if load.kw > 0.0]
    taken = _Names(circuit.network)
    pairs = [_plant(plant, k, taken) for k, plant in enumerate(plants, 1)]
    pairs += [_flexible(load, k, taken) for k, load in enumerate(flexible, 1)]
    return Proposal(tuple(resource for resource, _ in pairs), tuple(terms for _, terms in pairs))


def write_assets(proposal: Proposal, path: Path) -> None:
    """Write a proposal as the table that `read_assets` reads.

    Parameters
    ----------
    proposal : Proposal
        Resources and terms.
    path : Path
        File to write; one that exists is replaced.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for resource, terms in zip(proposal.resources, proposal.terms, strict=True):
            writer.writerow(_row(resource, terms))


class _Names:
    """Names of resources, each once: two elements may have the same name in different classes."""

    def __init__(self, network: Network) -> None:
        self._taken: set[str] = {load.name for load in network.loads}

    def free(self, wanted: str) -> str:
        """Take the name that is wanted, or the first of its numbered kin that is free."""
        name, k = wanted, 2
        while name in self._taken:
            name, k = f"{wanted}_{k}", k + 1
        self._taken.add(name)
        return name


def _spread(k: int, ends: tuple[float, float]) -> float:
    """Cost of number k of many, between two ends, to the cent."""
    return round(ends[0] + (ends[1] - ends[0]) * (STRIDE * k % STEPS) / (STEPS - 1), 2)


def _plant(plant: Plant, k: int, taken: _Names) -> tuple[Resource, AssetTerms]:
    """Propose an element of the circuit."""
    of, _, short = plant.name.partition(".")
    kind = next(kind for kind, classes in CLASSES.items() if of in classes)
    cost = {"pvsystem": SUN_COST, "storage": STORAGE_COST}.get(of, _spread(k, GENERATOR_COSTS))
    name = taken.free(short)
    resource = Resource(name, INJECTING[kind], plant.bus, plant.legs, plant.kw, plant.kva, element=plant.name)
    reactive = math.sqrt(max(plant.kva**2 - plant.kw**2, 0.0))
    rise = GENERATOR_RISE * cost / plant.kw
    return resource, AssetTerms(name, cost, float(f"{rise:.5g}"), q_max_kvar=reactive)


def _flexible(load: Load, k: int, taken: _Names) -> tuple[Resource, AssetTerms]:
    """Propose a share of a load."""
    name, kw, cost = taken.free(f"flex_{load.name}"), CURTAILABLE_SHARE * load.kw, _spread(k, LOAD_COSTS)
    resource = Resource(
        name=name,
        kind="flexible_load",
        bus=load.bus,
        legs=load.legs,
        kw_max=kw,
        kva_max=CURTAILABLE_SHARE * math.hypot(load.kw, load.kvar),
        load=load.name,
    )
    terms = AssetTerms(
        name,
        cost_linear=cost,
        cost_quadratic=float(f"{LOAD_RISE * cost / kw:.5g}"),
        curtailable_share=CURTAILABLE_SHARE,
        reactive_ratio=load.kvar / load.kw,
    )
    return resource, terms


def _row(resource: Resource, terms: AssetTerms) -> tuple[str, ...]:
    """Cells of one resource; those that follow from others stay empty."""
    costs = (f"{terms.cost_linear!r}", f"{terms.cost_quadratic!r}")
    if resource.load:
        share = f"{terms.curtailable_share!r}"
        return (resource.name, resource.kind, "", "", resource.load, "", "", share, *costs, "")
    ratings = (f"{resource.kw_max!r}", f"{resource.kva_max!r}")
    return (resource.name, resource.kind, "", "", "", *ratings, "", *costs, resource.element)
