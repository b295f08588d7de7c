"""What every AC engine of a feeder offers, whichever program solves it."""

from __future__ import annotations

from typing import Literal, Protocol

from feeders.network import ComplexArray, IntArray, Network
from feeders.state import AcState

Regulators = Literal["automatic", "held", "neutral"]
"""Tap changers act; stay where they are put; or start at 0 and stay."""


class AcEngine(Protocol):
    """A feeder that can be solved again and again with new set-points."""

    @property
    def network(self) -> Network:
        """The feeder."""

    @property
    def taps(self) -> IntArray:
        """Position of every regulator, shape (n_tap,)."""

    def set_taps(self, taps: IntArray) -> None:
        """Move every regulator to a position within its range; 0 is the nominal ratio."""

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        """Solve the AC power flow for demands at nominal voltage and injections [kVA]."""
