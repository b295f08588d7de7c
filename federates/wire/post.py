"""A federate's endpoint: messages that take a time of their own, and steps from one grain of it to the next.

A second of the network is a thousandth of a simulated one, so that a negotiation fits into a slot of the
market interval whatever its delays. Market and agents step together while they meet, and are never woken by
messages in between: with messages at times of their own HELICS blocks now and then (measured: of four
negotiations on a network with random delays, four). It has to be told who waits for whom, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import helics as h

from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.meeting.rules import TICK_S

NETWORK_SECOND = 1e-3
"""Simulated time that a second of the network is [s]."""
HELICS_TICK = TICK_S * NETWORK_SECOND
"""Simulated time of a tick [s]."""


@dataclass(frozen=True)
class Letter:
    """A message as it arrived: the federate that sent it, and its bytes."""

    sender: str
    raw: bytes


def endpoint_name(federate: str) -> str:
    """Name of a federate's endpoint."""
    return f"{federate}/post"


class Post:
    """The endpoint of a federate that has joined.

    Parameters
    ----------
    federate : HelicsFederate
        The federate, executing.
    name : str
        Its name.
    beat : Heartbeat
        Where it says what it is doing.
    """

    def __init__(self, federate: Any, name: str, beat: Heartbeat) -> None:
        self._federate, self.name, self._beat = federate, name, beat
        self._endpoint = h.helicsFederateGetEndpoint(federate, endpoint_name(name))

    @property
    def tick(self) -> int:
        """Number of the present tick."""
        return tick_of(h.helicsFederateGetCurrentTime(self._federate))

    def send(self, federate: str, raw: bytes, ticks: int) -> None:
        """Send bytes to another federate, to arrive after so many ticks.

        Parameters
        ----------
        federate : str
            Name of the federate that it is for.
        raw : bytes
            The message.
        ticks : int
            Ticks on the way.

        Raises
        ------
        FederationStopped
            When the federation ended because of somebody else.
        """
        # Half a tick early, so that rounding cannot make it late for the step that it is meant for.
        at = (self.tick + ticks - 0.5) * HELICS_TICK
        try:
            h.helicsEndpointSendBytesToAt(self._endpoint, raw, endpoint_name(federate), at)
        except h.HelicsException as error:
            raise stopped(error) from None

    def wait(self, tick: int) -> None:
        """Wait for a tick.

        Raises
        ------
        FederationStopped
            When the federation ended because of somebody else.
        """
        until = tick * HELICS_TICK
        self._beat.tell("waiting", wanted=until)
        try:
            granted = float(h.helicsFederateRequestTime(self._federate, until))
        except h.HelicsException as error:
            raise stopped(error) from None
        if tick_of(granted) != tick:
            raise stopped(f"the federation ended at {granted:g} s, before {until:g} s")
        self._beat.tell("working", time=granted)

    def take(self) -> list[Letter]:
        """Take every message that has arrived."""
        letters = []
        while h.helicsEndpointHasMessage(self._endpoint):
            message = h.helicsEndpointGetMessage(self._endpoint)
            sender = str(h.helicsMessageGetOriginalSource(message)).partition("/")[0]
            letters.append(Letter(sender, h.helicsMessageGetBytes(message)))
        return letters


def stopped(why: Exception | str) -> FederationError:
    """Build the error of a federate whose federation ended because of somebody else."""
    # The link knows of posts, so that a post learns only here what the link's errors are.
    from dlmp_cosim.federates.runtime.link import FederationStopped, plain_message

    return FederationStopped(why if isinstance(why, str) else plain_message(why))


def tick_of(simulated: float) -> int:
    """Return the tick that a simulated time [s] is."""
    return round(simulated / HELICS_TICK)
