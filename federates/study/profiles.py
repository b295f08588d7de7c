"""Demand that follows the circuit's own load shapes, brought to the intervals of a study."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from federates.runtime.clock import Clock
from feeders.network import Network, Profile
from feeders.opendss.case import Circuit, LoadShape

DemandSource = Literal["wholesale", "load_shapes"]
"""What demand follows: the wholesale demand ratio, or the circuit's load shapes."""


def with_profiles(circuit: Circuit, clock: Clock, hour: float, demand: DemandSource) -> Network:
    """Give loads the profiles that they follow.

    Parameters
    ----------
    circuit : Circuit
        What the circuit's file holds.
    clock : Clock
        Intervals of the study.
    hour : float
        Local time at which the first interval starts [h after midnight].
    demand : {"wholesale", "load_shapes"}
        Whether loads follow their own shapes; those without one follow the demand ratio in any case.
    """
    if demand == "wholesale":
        return circuit.network
    hours = hour + np.arange(clock.intervals) * clock.period_s / 3600.0
    profiles = tuple(_profile(name, shape, hours) for name, shape in circuit.shapes.items())
    loads = tuple(
        replace(load, profile=circuit.load_shape.get(load.name, "")) for load in circuit.network.loads
    )
    return replace(circuit.network, loads=loads, profiles=profiles)


def _profile(name: str, shape: LoadShape, hours: np.ndarray) -> Profile:
    """Take a shape's value at the start of every interval; it begins at midnight and repeats."""
    # The small part keeps a boundary such as 3 * (1/3) h from falling into the step before.
    steps = np.floor(hours / shape.step_h + 1e-9).astype(np.int64) % len(shape.real)
    real, reactive = np.array(shape.real)[steps], np.array(shape.reactive)[steps]
    return Profile(name, tuple(real.tolist()), tuple(reactive.tolist()))
