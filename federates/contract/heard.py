"""What an owner hears of an interval in one piece: award and price of each of its resources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.federates.contract.topics import award_topic
from dlmp_cosim.federates.runtime.link import Link, refusal
from dlmp_cosim.feeders.network import FloatArray, Network, Resource, node_id

if TYPE_CHECKING:
    from dlmp_cosim.market.clearing import Clearing

EACH = 4
"""Values of a resource: award [kW, kvar], price of real [$/MWh] and of reactive power [$/(MVAR*h)]."""


def price_at(network: Network, resource: Resource, prices: FloatArray) -> float:
    """Price where a resource is connected: the mean of its phases.

    Parameters
    ----------
    network : Network
        The feeder.
    resource : Resource
        One of its resources.
    prices : ndarray, shape (n_node,)
        Prices of all nodes, of real or of reactive power.
    """
    return float(np.mean(prices[[network.node_index[node_id(resource.bus, k)] for k in resource.phases]]))


def heard_values(network: Network, clearing: Clearing, owners: Sequence[str]) -> dict[str, FloatArray]:
    """Topics on which owners hear in one piece what became of their resources.

    Parameters
    ----------
    network : Network
        Says which resource belongs to whom.
    clearing : Clearing
        What is dispatched.
    owners : sequence of str
        Owners that read theirs.
    """
    rows: dict[str, list[float]] = {owner: [] for owner in owners}
    prices = clearing.prices
    for resource, power in zip(network.resources, clearing.dispatch.tolist(), strict=True):
        if resource.owner in rows:
            at = [price_at(network, resource, each) for each in (prices.real, prices.reactive)]
            rows[resource.owner] += [power.real, power.imag, *at]
    return {award_topic(owner).key: np.array(row) for owner, row in rows.items()}


def read_heard(link: Link, owner: str, resources: int, *, since: float) -> FloatArray:
    """Read what an owner hears in one piece.

    Parameters
    ----------
    link : Link
        Link of the owner.
    owner : str
        Its name.
    resources : int
        Resources that it has.
    since : float
        Simulated time before which a value is an old one [s].

    Returns
    -------
    ndarray, shape (resources, 4)
        Award [kW, kvar] and prices [$/MWh, $/(MVAR*h)] of each, in the order of the network.

    Raises
    ------
    FederationError
        When it is missing, old, of the wrong length or unsound.
    """
    key = award_topic(owner).key
    values = link.vector(key, since=since)
    if len(values) != EACH * resources:
        raise refusal(key, f"has {len(values)} values; expected {EACH * resources}")
    return values.reshape(resources, EACH)
