"""Demand that follows the circuit's own load shapes or tables of the study, interval by interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.series_sections import ProfileSection
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import FloatArray, Network, Profile
from dlmp_cosim.feeders.opendss.case import Circuit, LoadShape

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


def with_tables(
    network: Network,
    sections: Sequence[ProfileSection],
    read: Callable[[ProfileSection], FloatArray],
    where: str = "",
) -> Network:
    """Let loads follow the tables that a scenario names for them, real and reactive power alike.

    Parameters
    ----------
    network : Network
        The feeder.
    sections : sequence of ProfileSection
        Which loads follow which table; all others stay with what they followed.
    read : callable
        Reads a table: demand over listed demand in every interval, shape (n_interval,).
    where : str
        The scenario's file, for messages.

    Raises
    ------
    InputError
        When a table cannot be read or falls below 0, when no load fits a name, or one fits two tables.
    """
    followed: dict[str, str] = {}
    profiles: list[Profile] = []
    for section in sections:
        key = f"{where} profile.{section.name}"
        values = read(section)
        if values.min() < 0:
            raise InputError(f"{section.file} falls to {values.min():g}", where=key, expected="0 or more")
        name = f"table {section.name}"
        if name in (profile.name for profile in profiles):
            raise InputError(f"{section.name!r} is listed twice", where=key, expected="each profile once")
        share = tuple(values.tolist())
        profiles.append(Profile(name, share, share))
        for load in _fitting(section, network, key):
            if followed.setdefault(load, name) != name:
                raise InputError(
                    f"load {load!r} follows another table already", where=f"{key}.loads", expected="one table"
                )
    loads = tuple(replace(load, profile=followed.get(load.name, load.profile)) for load in network.loads)
    return replace(network, loads=loads, profiles=(*network.profiles, *profiles))


def _fitting(section: ProfileSection, network: Network, key: str) -> list[str]:
    """Find the loads that a table is for, each once."""
    found: list[str] = []
    for pattern in section.loads:
        fits = [load for load in network.load_ids if fnmatchcase(load, pattern)]
        if not fits:
            raise unknown_name("load", pattern, network.load_ids, where=f"{key}.loads")
        found += fits
    return list(dict.fromkeys(found))


def _profile(name: str, shape: LoadShape, hours: np.ndarray) -> Profile:
    """Take a shape's value at the start of every interval; it begins at midnight and repeats."""
    # The small part keeps a boundary such as 3 * (1/3) h from falling into the step before.
    steps = np.floor(hours / shape.step_h + 1e-9).astype(np.int64) % len(shape.real)
    real, reactive = np.array(shape.real)[steps], np.array(shape.reactive)[steps]
    return Profile(name, tuple(real.tolist()), tuple(reactive.tolist()))
