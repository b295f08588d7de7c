"""An asset table proposed for a circuit: its plants at their ratings, and loads that give up a part."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feeders.network import Load, Resource
from feeders.opendss.case import Circuit, Plant
from feeders.readers.assets import COLUMNS, AssetTerms

CURTAILABLE: Final = 0.2
"""Share of its demand that a load offers."""
FLEXIBLE_COST: Final = 60.0
"""Marginal cost of the first kW not consumed [$/MWh]: more than most hours of a wholesale price."""
FLEXIBLE_RISE: Final = 100.0
"""By how much it has risen at the end of what a load offers [$/MWh]."""
PLANT_COST: Final = {"generator": 40.0, "pvsystem": 0.0, "storage": 30.0}
"""Marginal cost of a plant by its class [$/MWh]."""
PLANT_RISE: Final = 10.0
"""By how much it has risen at rated power [$/MWh]."""


@dataclass(frozen=True)
class Proposal:
    """Resources, and the terms on which they are offered, in the same order."""

    resources: tuple[Resource, ...]
    terms: tuple[AssetTerms, ...]


def propose_assets(circuit: Circuit) -> Proposal:
    """Propose resources for a circuit; the same circuit gives the same proposal.

    Every generator, PV system and storage of the circuit becomes a resource at its rating, and every load
    that draws real power one that can give up a fifth of it. Costs are placeholders, to be edited.
    """
    taken: set[str] = set()
    pairs = [_plant(plant, taken) for plant in circuit.plants]
    pairs += [_flexible(load, taken) for load in circuit.network.loads if load.kw > 0.0]
    resources, terms = zip(*pairs, strict=True) if pairs else ((), ())
    return Proposal(tuple(resources), tuple(terms))


def _plant(plant: Plant, taken: set[str]) -> tuple[Resource, AssetTerms]:
    kind, _, name = plant.name.partition(".")
    called = _free(_word(name), taken)
    resource = Resource(
        name=called,
        kind="storage" if kind == "storage" else "generator",
        bus=plant.bus,
        legs=plant.legs,
        kw_max=plant.kw,
        kva_max=max(plant.kva, plant.kw),
        element=plant.name,
    )
    rise = PLANT_RISE / plant.kw if plant.kw > 0.0 else 0.0
    room = math.sqrt(max(resource.kva_max**2 - plant.kw**2, 0.0))
    return resource, AssetTerms(called, PLANT_COST[kind], _short(rise), q_max_kvar=room)


def _flexible(load: Load, taken: set[str]) -> tuple[Resource, AssetTerms]:
    called = _free(f"flex_{_word(load.name)}", taken)
    kw = CURTAILABLE * load.kw
    resource = Resource(
        name=called,
        kind="flexible_load",
        bus=load.bus,
        legs=load.legs,
        kw_max=kw,
        kva_max=CURTAILABLE * math.hypot(load.kw, load.kvar),
        load=load.name,
    )
    terms = AssetTerms(
        called, FLEXIBLE_COST, _short(FLEXIBLE_RISE / kw), CURTAILABLE, reactive_ratio=load.kvar / load.kw
    )
    return resource, terms


def _word(name: str) -> str:
    """Turn a name into one that a resource may have."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name) or "resource"


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, and take it."""
    k, found = 2, name
    while found in taken:
        k, found = k + 1, f"{name}_{k}"
    taken.add(found)
    return found


def _short(value: float) -> float:
    """Round to four digits, so that the table stays readable."""
    return float(f"{value:.4g}")


def write_assets(proposal: Proposal, path: Path) -> None:
    """Write a proposal as the table that `read_assets` reads.

    Parameters
    ----------
    proposal : Proposal
        What is offered.
    path : Path
        The file.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, "connection", "element"])
    for resource, terms in zip(proposal.resources, proposal.terms, strict=True):
        table.writerow(_row(resource, terms))
    path.write_text(text.getvalue(), encoding="utf-8")


def _row(resource: Resource, terms: AssetTerms) -> Sequence[object]:
    costs = (terms.cost_linear, terms.cost_quadratic)
    if resource.load:
        return [
            resource.name,
            resource.kind,
            "",
            "",
            resource.load,
            "",
            "",
            terms.curtailable_share,
            *costs,
            "",
            "",
        ]
    between = all(b and b in resource.phases for _, b in resource.legs)
    phases = ".".join(map(str, resource.phases if between else (a for a, _ in resource.legs)))
    place = (resource.bus, phases, "", resource.kw_max, resource.kva_max, "")
    return [resource.name, resource.kind, *place, *costs, "delta" if between else "wye", resource.element]
