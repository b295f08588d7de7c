"""What every AC engine of a feeder offers, whichever program solves it."""

from __future__ import annotations

from typing import Literal, Protocol

from dlmp_cosim.feeders.network import ComplexArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState

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

    @property
    def capacitors(self) -> IntArray:
        """Closed steps of every switched capacitor, shape (n_capacitor,)."""

    def set_capacitors(self, closed: IntArray) -> None:
        """Close so many steps of every switched capacitor, the first ones, as its control does."""

    def solve(self, demand: ComplexArray, injection: ComplexArray, *, controls: bool) -> AcState:
        """Solve the AC power flow for demands at nominal voltage and injections [kVA].

        Parameters
        ----------
        demand : ndarray, shape (n_load,)
            Demand of every load at nominal voltage, after curtailment [kVA].
        injection : ndarray, shape (n_resource,)
            Power injected by generators and storage [kVA]; 0 for flexible loads.
        controls : bool
            Whether the circuit's own controls may act.

        Returns
        -------
        AcState
            The solution; without convergence every number in it is NaN.

        Raises
        ------
        FeederError
            When a set-point has the wrong length or is not finite.
        """
