"""Which ratings could bind: those that all that is listed behind a conductor could reach.

A rating that cannot bind costs a variable and a row for nothing. One takes part from the start when
`RATING_HEADROOM` times all loads, resources and capacitors behind its conductor could exceed it; behind what
closes a loop, or feeds a machine that nothing is listed of, everything could. Where demand outgrows that
factor, as with a load scale above it, its own takes its place; and a conductor that the AC state loads by
more than `WATCHED_LOADING` joins whatever is listed, so that none of them goes unseen.
"""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.network import (
    GROUND,
    ComplexArray,
    FloatArray,
    IntArray,
    Load,
    Machine,
    Network,
    Resource,
    node_id,
)
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.nodal.spanning import Bundle, Spanning, element_nodes
from dlmp_cosim.market.resources import injects

RATING_HEADROOM = 2.0
"""Factor on all that is listed behind a conductor."""
WATCHED_LOADING = 0.5
"""Loading at the AC state from which on a rating takes part."""


def rated_conductors(
    network: Network, spanning: Spanning, scale: float, headroom: float = RATING_HEADROOM
) -> IntArray:
    """Conductors whose rating could bind.

    Parameters
    ----------
    network : Network
        The circuit.
    spanning : Spanning
        Its tree.
    scale : float
        Factor on every rating.
    headroom : float
        Factor on all that is listed.
    """
    nodes, behind = element_nodes(network), _listed(network)
    for k in spanning.others:
        if network.elements[k].is_branch:
            behind[nodes[k]] = np.inf
    carried = np.full(len(network.conductor_ids), np.inf)
    first = _starts(network)
    for bundle in reversed(spanning.bundles):
        total = behind[bundle.child_nodes]
        for k in bundle.elements:
            through = _through(network, k, nodes[k], bundle, behind)
            carried[first[k] : first[k] + len(nodes[k])] = through
        looped = np.inf if not np.isfinite(total).all() else total.sum()
        straight = len(bundle.parent_nodes) == len(bundle.child_nodes) and all(
            network.elements[k].kind in ("line", "switch") for k in bundle.elements
        )
        behind[bundle.parent_nodes] += total if straight else looped
    volts = np.maximum(network.base_v[network.conductor_node], 1.0)
    amps = 1e3 * headroom * carried / volts
    rating = scale * network.conductor_rating
    found: IntArray = np.flatnonzero(np.isfinite(rating) & (amps > rating))
    return found


def overlooked(network: Network, state: AcState, rated: IntArray, scale: float) -> IntArray:
    """Conductors that take no part although the AC state loads them by more than `WATCHED_LOADING`."""
    busy = state.current > WATCHED_LOADING * scale * network.conductor_rating
    busy[rated] = False
    return np.flatnonzero(busy)


def growth(network: Network, demand: ComplexArray) -> float:
    """Largest demand of a load as a multiple of what is listed; 1 without a load."""
    listed = np.abs(network.listed_demand)
    return float(np.max(np.abs(demand)[listed > 0] / listed[listed > 0], initial=1.0))


def _listed(network: Network) -> FloatArray:
    """Apparent power listed at every node, shape (n_node,) [kVA]; infinite where a machine stands."""
    kva = np.zeros(len(network.node_ids))
    listed: list[tuple[Load | Resource | Machine, float]] = []
    listed += [(load, abs(complex(load.kw, load.kvar))) for load in network.loads]
    listed += [(item, item.kva_max) for item in network.resources if injects(item)]
    listed += [(machine, np.inf) for machine in network.machines]
    for item, most in listed:
        for phase in (phase for leg in item.legs for phase in leg if phase != GROUND):
            kva[network.node_index[node_id(item.bus, phase)]] += most / len(item.legs)
    for element, nodes in zip(network.elements, element_nodes(network), strict=True):
        if not element.is_branch:
            own = np.abs(np.diagonal(element.admittance_s))
            np.add.at(kva, nodes, own * network.base_v[nodes] ** 2 / 1e3)
    return kva


def _through(network: Network, k: int, nodes: IntArray, bundle: Bundle, behind: FloatArray) -> FloatArray:
    """Power that each conductor of an element could carry [kVA]: its own node's, or through windings all."""
    child = nodes[np.isin(nodes, bundle.child_nodes)]
    element = network.elements[k]
    if element.kind in ("line", "switch") and 2 * len(child) == len(nodes):
        return np.tile(behind[child], 2)
    return np.full(len(nodes), behind[child].sum())


def _starts(network: Network) -> dict[int, int]:
    """Position of the first conductor of every branch, by position of its element."""
    sizes = [len(e.node_ids) if e.is_branch else 0 for e in network.elements]
    starts = np.cumsum([0, *sizes[:-1]])
    return dict(enumerate(starts.tolist()))
