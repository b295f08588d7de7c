"""What each kind of resource may do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlmp_cosim.feeders.network import ResourceKind
from dlmp_cosim.market.resources import curtails, gives_reactive, injects
from tests.handmade import generator


@pytest.mark.parametrize(
    ("kind", "kva", "puts_in", "sheds", "reactive"),
    [
        ("generator", 75.0, True, False, True),
        ("generator", 60.0, True, False, False),
        ("storage", 75.0, True, False, True),
        ("storage", 60.0, True, False, False),
        ("flexible_load", 75.0, False, True, False),
        ("flexible_load", 60.0, False, True, False),
    ],
)
def test_kinds(kind: ResourceKind, kva: float, puts_in: bool, sheds: bool, reactive: bool) -> None:
    """A rating beyond 60 kW leaves room for reactive power, but a load's is tied to its real power."""
    resource = replace(generator("g", "b", kw=60.0, kva=kva), kind=kind)
    assert (injects(resource), curtails(resource), gives_reactive(resource)) == (puts_in, sheds, reactive)
