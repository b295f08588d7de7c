"""Resources made up for a circuit that has none."""

from __future__ import annotations

import numpy as np
import pytest

from dlmp_cosim.feeders.validate import check_network
from dlmp_cosim.market.offers import accept_offers
from dlmp_cosim.runners.measure.population import COVERED, FLEXIBLE, populate
from tests.handmade import chain, generator, load

LOADS = [load(f"x{k}", "bc"[k % 2], 10.0 + k, 4.0) for k in range(20)]
NETWORK = chain("a", "b", "c", loads=[*LOADS, load("off", "b", 0.0, 0.0)], resources=[generator("old", "b")])


def test_every_load_that_draws_may_give_a_fifth() -> None:
    network, offers = populate(NETWORK)
    flexible = {r.load: r for r in network.resources if r.kind == "flexible_load"}
    assert set(flexible) == {item.name for item in LOADS}
    for item in LOADS:
        assert flexible[item.name].kw_max == pytest.approx(FLEXIBLE * item.kw)
    ratios = {o.resource: o.reactive_ratio for o in offers if o.reactive_ratio is not None}
    assert ratios["flexible-x3"] == pytest.approx(4.0 / 13.0)


def test_a_tenth_generate_and_cover_a_share_of_the_demand() -> None:
    network, _ = populate(NETWORK)
    made = [r for r in network.resources if r.kind == "generator"]
    assert len(made) == 2
    assert "old" not in network.resource_ids
    demand = sum(item.kw for item in LOADS)
    assert sum(r.kw_max for r in made) == pytest.approx(COVERED * demand)


def test_what_is_made_up_is_sound_and_can_be_cleared() -> None:
    network, offers = populate(NETWORK)
    check_network(network)
    accepted, refused = accept_offers(network, offers)
    assert refused == ()
    assert {offer.resource for offer in accepted} == set(network.resource_ids)


def test_the_same_circuit_gets_the_same_resources() -> None:
    one, other = populate(NETWORK), populate(NETWORK)
    assert one[1] == other[1]
    assert len({offer.cost_linear for offer in one[1]}) == len(one[1])
    assert np.isfinite([offer.cost_quadratic for offer in one[1]]).all()
