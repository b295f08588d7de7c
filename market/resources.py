"""What each kind of resource may do; every question about a kind is asked here."""

from __future__ import annotations

from dlmp_cosim.feeders.network import Resource
from dlmp_cosim.feeders.terminals import INJECTED_KINDS


def injects(resource: Resource) -> bool:
    """Whether it puts power into the network at legs of its own."""
    return resource.kind in INJECTED_KINDS


def curtails(resource: Resource) -> bool:
    """Whether it acts by consuming less of a load's demand."""
    return resource.kind == "flexible_load"


def gives_reactive(resource: Resource) -> bool:
    """Whether its reactive power is free within a rating, rather than tied to its real power."""
    return injects(resource) and resource.kva_max > resource.kw_max
