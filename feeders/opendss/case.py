"""Which circuit, and what was read from it: plain data, to speak of a circuit without OpenDSS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dlmp_cosim.feeders.network import Legs, Network

VerdictOnElement = Literal["frozen", "ignored", "refused"]


@dataclass(frozen=True)
class Case:
    """A circuit that OpenDSS can compile: a user's file, or commands of our own.

    Attributes
    ----------
    name : str
        What it is called in messages.
    path : Path or None
        Master file; compiled as it is.
    commands : tuple of str
        Commands that build the circuit, where there is no file.
    """

    name: str
    path: Path | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something in a circuit that the market does not take as it is.

    Attributes
    ----------
    element : str
        ``class.name`` of the element.
    verdict : {"frozen", "ignored", "refused"}
        Stands still within an interval; plays no part; or keeps the circuit from being used.
    reason : str
        Why, in one line.
    """

    element: str
    verdict: VerdictOnElement
    reason: str


@dataclass(frozen=True)
class LoadShape:
    """A load shape of the circuit.

    Attributes
    ----------
    step_h : float
        Time from one value to the next [h].
    real, reactive : tuple of float
        Factors on real and on reactive demand.
    """

    step_h: float
    real: tuple[float, ...]
    reactive: tuple[float, ...]


@dataclass(frozen=True)
class Plant:
    """A generator, PV system or storage of the circuit, with its ratings.

    Attributes
    ----------
    name : str
        ``class.name``.
    bus : str
        Where it is.
    legs : tuple of (int, int)
        Node numbers that each leg lies between; 0 is ground.
    kw, kva : float
        Rated real and apparent power [kW, kVA].
    """

    name: str
    bus: str
    legs: Legs
    kw: float
    kva: float


@dataclass(frozen=True)
class Circuit:
    """What a circuit holds.

    Attributes
    ----------
    network : Network
        The circuit, without resources of the market.
    findings : tuple of Finding
        What the market does not take as it is.
    shapes : mapping of str to LoadShape
        Load shapes that loads follow, by name.
    load_shape : mapping of str to str
        Load shape of each load that has one.
    plants : tuple of Plant
        Elements that a resource may drive.
    """

    network: Network
    findings: tuple[Finding, ...] = ()
    shapes: Mapping[str, LoadShape] = field(default_factory=dict)
    load_shape: Mapping[str, str] = field(default_factory=dict)
    plants: tuple[Plant, ...] = ()
