"""How much of somebody else's text is looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlmp_cosim.federates.contract.limits import largest_offer, owned, too_long
from tests.handmade import chain, generator


@pytest.mark.parametrize(("resources", "most"), [(0, 4096), (1, 12_288), (100, 823_296)])
def test_room_grows_with_what_an_owner_has(resources: int, most: int) -> None:
    assert largest_offer(resources) == most


def test_owners_are_counted() -> None:
    network = chain("a", "b", resources=[generator(name, "b") for name in "xyz"])
    one, *others = network.resources
    network = replace(network, resources=(replace(one, owner="battery"), *others))
    found = owned(network)
    assert found == {"battery": 1, "assets": 2}
    assert found["stranger"] == 0


def test_a_text_that_is_too_long_is_told_in_bytes() -> None:
    assert too_long(5000, 4096) == "has 5000 bytes; expected at most 4096"
