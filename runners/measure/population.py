"""Resources for a circuit that has none: every load gives a fifth of its demand, a tenth of them generate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlmp_cosim.feeders.network import Network, Resource, wye
from dlmp_cosim.market.offers import Offer

SEED = 0
GENERATORS = 0.1
"""Generators over loads."""
COVERED = 0.7
"""Share of the listed demand that all generators together could cover."""
FLEXIBLE = 0.2
"""Share of its demand that every load offers not to consume."""


def populate(network: Network) -> tuple[Network, tuple[Offer, ...]]:
    """Add generators at unity power factor and flexible loads, with offers that differ from each other.

    Parameters
    ----------
    network : Network
        A circuit; resources that it has are left out.

    Returns
    -------
    Network, tuple of Offer
        The circuit with its resources, and one offer of each.
    """
    rng, total = np.random.default_rng(SEED), network.listed_demand.real.sum()
    asked = [load for load in network.loads if load.kw > 0]
    count = max(1, round(GENERATORS * len(asked)))
    phases = {bus.name: tuple(phase for phase in bus.phases if phase < 4) for bus in network.buses}
    resources, offers = list[Resource](), list[Offer]()
    for k in rng.choice(len(asked), count, replace=False).tolist():
        load, kw, cost = asked[k], COVERED * total / count, rng.uniform(30, 50)
        legs = wye(phases[load.bus])
        resources.append(Resource(f"generator-{load.name}", "generator", load.bus, legs, kw, kw))
        curve = 9.0 / kw if rng.random() < 0.5 else 0.0
        offers.append(Offer(resources[-1].name, 0.0, kw, cost, curve, s_max_kva=kw))
    for load in asked:
        kw, cost = FLEXIBLE * load.kw, rng.uniform(60, 120)
        name = f"flexible-{load.name}"
        resources.append(Resource(name, "flexible_load", load.bus, load.legs, kw, 2 * kw, load.name))
        curve = rng.uniform(0, 30) / kw
        offers.append(Offer(name, 0.0, kw, cost, curve, reactive_ratio=load.kvar / load.kw))
    return replace(network, resources=tuple(resources)), tuple(offers)
