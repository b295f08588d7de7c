"""Whether a clearing can be tried on the physics: lengths, numbers, and what it asks of each resource."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.federates.anchoring.demand import apply_dispatch
from dlmp_cosim.feeders.errors import ClearingError, FederationError
from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.market.clearing import Clearing


def check_clearing(network: Network, demand: ComplexArray, clearing: Clearing) -> Clearing:
    """Return the clearing when it can be tried; a market model of somebody else may return anything.

    Parameters
    ----------
    network : Network
        The feeder.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage before curtailment [kVA].
    clearing : Clearing
        What a market model returned.

    Raises
    ------
    ClearingError
        When a length is wrong, a number is not finite, or a resource is asked for more than it has.
    """
    nodes = network.node_ids
    for name, value, ids in (
        ("dispatch", clearing.dispatch, network.resource_ids),
        ("voltage", clearing.voltage, nodes),
        ("power", clearing.power, network.conductor_ids),
        ("head", clearing.head, network.head_ids),
        ("prices.real", clearing.prices.real, nodes),
        ("prices.reactive", clearing.prices.reactive, nodes),
    ):
        _check_vector(name, np.asarray(value), ids)
    try:
        apply_dispatch(network, demand, clearing.dispatch, held=False)
    except FederationError as error:
        raise ClearingError(f"the clearing is refused: {error}") from None
    return clearing


def _check_vector(name: str, value: ComplexArray, ids: tuple[str, ...]) -> None:
    if value.shape != (len(ids),):
        raise ClearingError(
            f"the clearing is refused: {name} has shape {value.shape}; expected ({len(ids)},)"
        )
    wrong = np.flatnonzero(~np.isfinite(value))
    if len(wrong):
        raise ClearingError(
            f"the clearing is refused: {name} of {ids[wrong[0]]} is not finite"
            + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        )
