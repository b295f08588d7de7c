"""From a demand ratio and a dispatch to what the loads ask for and the generators inject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.feeders.network import ComplexArray, Network

SLACK = 1e-6
"""Share by which a set-point may exceed what a resource has, for rounding."""


@dataclass(frozen=True)
class SetPoints:
    """What the AC physics is asked to solve.

    Attributes
    ----------
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage after curtailment [kVA].
    injection : ndarray, shape (n_resource,)
        Injection; 0 for flexible loads [kVA].
    clipped : tuple of str
        Flexible loads whose curtailment was cut to their demand.
    """

    demand: ComplexArray
    injection: ComplexArray
    clipped: tuple[str, ...] = ()


def nominal_demand(network: Network, interval: int, ratio: float, load_scale: float) -> ComplexArray:
    """Demand of every load at nominal voltage before curtailment.

    Parameters
    ----------
    network : Network
        The feeder.
    interval : int
        Which interval, for loads with a profile of their own.
    ratio : float
        Demand over listed demand of all other loads.
    load_scale : float
        Factor on every load.

    Returns
    -------
    ndarray, shape (n_load,)
        Demand [kVA].
    """
    listed = network.listed_demand
    profiles = {item.name: complex(item.real[interval], item.reactive[interval]) for item in network.profiles}
    if not profiles:
        return listed * (ratio * load_scale)
    own = np.array([profiles.get(load.profile, complex(ratio, ratio)) for load in network.loads])
    return np.asarray((listed.real * own.real + 1j * listed.imag * own.imag) * load_scale)


def apply_dispatch(
    network: Network, demand: ComplexArray, dispatch: ComplexArray, *, held: bool
) -> SetPoints:
    """Curtail loads and inject generators as a dispatch says; reactive demand follows the real one.

    A flexible load with a negative power consumes more: what it put off before comes back.

    Parameters
    ----------
    network : Network
        The feeder.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage [kVA].
    dispatch : ndarray, shape (n_resource,)
        Award of every resource, positive towards the grid [kVA].
    held : bool
        Whether the dispatch was made for an earlier demand: a curtailment beyond the demand is cut to it.

    Raises
    ------
    FederationError
        When a set-point exceeds what its resource has; names the resource.
    """
    position = {name: k for k, name in enumerate(network.load_ids)}
    left, injection = demand.copy(), np.where([r.load == "" for r in network.resources], dispatch, 0.0 + 0.0j)
    clipped = []
    for resource, power in zip(network.resources, dispatch.tolist(), strict=True):
        if not resource.load:
            _check_within(resource.name, abs(power), max(resource.kva_max, resource.kw_max), "kVA")
            continue
        k = position[resource.load]
        there = float(demand[k].real)
        if resource.kw_more and power.real < 0.0:
            _check_within(resource.name, -power.real, resource.kw_more, "kW more")
            left[k] = demand[k] * (1.0 - power.real / there) if there > 0.0 else demand[k]
            continue
        if held and power.real > there:
            clipped.append(resource.name)
        else:
            _check_within(
                resource.name, abs(power.real - there / 2), there / 2, "kW off the middle of its demand"
            )
        share = min(max(power.real / there, 0.0), 1.0) if there > 0.0 else 0.0
        left[k] = demand[k] * (1.0 - share)
    return SetPoints(left, injection.astype(np.complex128), tuple(clipped))


def _check_within(name: str, value: float, limit: float, unit: str) -> None:
    if value > limit * (1 + SLACK) + SLACK:
        raise FederationError(
            f"market/dispatch, published by 'market', asks {value:g} {unit} of {name}; it has {limit:g}"
        )
