"""Simulated time for threads that take turns: whoever asked for the earliest time goes on, alone."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from dlmp_cosim.federates.runtime.link import FederationStopped


class Turns:
    """Lets one member act at a time, in order of the simulated times that they ask for.

    Members that ask for the same time act in the order in which they are listed; what they publish then is
    read by nobody before a later time, so that the order shows nowhere.

    Parameters
    ----------
    members : sequence of str
        Names, in order.
    """

    def __init__(self, members: Sequence[str]) -> None:
        self._wanted = dict.fromkeys(members, 0.0)
        self._order = {name: k for k, name in enumerate(members)}
        self._go = {name: threading.Semaphore(0) for name in members}
        self._reason = ""

    def start(self) -> None:
        """Give the first turn."""
        self._pass_on()

    def begin(self, member: str) -> None:
        """Wait for the first turn of a member.

        Raises
        ------
        FederationStopped
            When another has failed.
        """
        self._go[member].acquire()
        self._check()

    def wait(self, member: str, time: float) -> None:
        """Let others act until it is this member's turn at a simulated time [s].

        Parameters
        ----------
        member : str
            Who asks.
        time : float
            Simulated time at which it wants to act [s].

        Raises
        ------
        FederationStopped
            When another has failed.
        """
        self._wanted[member] = time
        self._pass_on()
        self.begin(member)

    def leave(self, member: str) -> None:
        """Ask for no further turn."""
        self._wanted[member] = math.inf
        self._pass_on()

    def stop(self, reason: str) -> None:
        """End everybody's waiting for good."""
        self._reason = self._reason or reason
        for go in self._go.values():
            go.release()

    def _check(self) -> None:
        if self._reason:
            raise FederationStopped(self._reason)

    def _pass_on(self) -> None:
        """Wake who is next; the one that acts calls this, so that no two do at once."""
        self._check()
        name = min(self._wanted, key=lambda item: (self._wanted[item], self._order[item]))
        if math.isfinite(self._wanted[name]):
            self._go[name].release()
