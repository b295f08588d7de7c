"""What a scenario says of agents on the wire: who hosts them, what their network is like, who is broken."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from dlmp_cosim.federates.study.section import Section
from dlmp_cosim.market.meeting.rules import (
    IDEAL,
    TICK_S,
    Conditions,
    FaultKind,
    Patience,
    agent_name,
)

ANY = "*"
AgentName = Annotated[str, Field(pattern=r"^(agent_[1-9][0-9]*|\*)$")]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=60.0)]
SHARE = 5
"""Grains of the shortest delay."""
GRAINS: tuple[int, ...] = tuple(sorted(m * 10**k for m in (1, 2, 5) for k in range(5)))
LONGEST_MEETING_S = 300.0
"""What leaves room for agents to be asked three times in a slot [s of the network]."""


class LinkSection(Section):
    """A class of links between agents, and what it does to messages."""

    ends: Annotated[list[AgentName], Field(min_length=2, max_length=2)] = Field(
        default=[ANY, ANY], description='the two agents, as in ["agent_1", "*"]; "*" is any'
    )
    delay_s: Seconds = Field(default=0.0, description="time that every message takes [s]")
    random_s: Seconds = Field(default=0.0, description="mean of an exponential time on top [s]")
    loss: Share = Field(default=0.0, description="share of the messages that are lost")
    duplication: Share = Field(default=0.0, description="share of the messages that arrive twice")
    reordering: Share = Field(default=0.0, description="share of the messages that are held back")
    held_s: Seconds = Field(default=0.1, description="by how much [s]")

    @property
    def conditions(self) -> Conditions:
        """What it does, for the market."""
        return Conditions(**self.model_dump(exclude={"ends"}))

    def is_between(self, one: str, other: str) -> bool:
        """Whether a link belongs to this class.

        Parameters
        ----------
        one, other : str
            Names of the two agents; their order does not matter.
        """
        first, second = self.ends
        ways = ((one, other), (other, one))
        return any(first in (a, ANY) and second in (b, ANY) for a, b in ways)


class FaultSection(Section):
    """An agent that breaks or lies."""

    agent: Annotated[int, Field(ge=1)] = Field(description="which: 2 for agent_2")
    kind: FaultKind = Field(description="silent, nan, huge, replayed, inconsistent or wrong")
    first: Annotated[int, Field(ge=0)] = Field(default=0, description="first interval, from 0")
    last: Annotated[int, Field(ge=0)] = Field(default=10**6, description="last interval")


class AgentsSection(Section):
    """Agents of the market that talk to each other, each with its own part of the feeder."""

    wire: bool = Field(
        default=False, description="agents are federates that talk through HELICS, and not one process"
    )
    federates: Annotated[int, Field(ge=0)] = Field(
        default=0, description="federates that host them; 0: one for each of market.agents"
    )
    grain_s: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0,
        description="what all times of the network are rounded to [s]; 0: a fifth of the shortest delay",
    )
    word_s: Annotated[float, Field(gt=0.0, le=LONGEST_MEETING_S)] = Field(
        default=60.0, description="how long an agent waits for one word of a neighbour [s of the network]"
    )
    deadline_s: Annotated[float, Field(gt=0.0, le=LONGEST_MEETING_S)] = Field(
        default=LONGEST_MEETING_S, description="how long a negotiation may take [s of the network]"
    )
    first_repeat_s: Annotated[float, Field(gt=0.0, le=60.0)] = Field(
        default=1.0, description="when a lost message is first repeated, before answer times are known [s]"
    )
    held_intervals: Annotated[int, Field(ge=0)] = Field(
        default=2, description="intervals in which a lost agent is held and asked again before it is islanded"
    )
    link: list[LinkSection] = Field(default_factory=list, description="classes of links; the first counts")
    fault: list[FaultSection] = Field(default_factory=list, description="agents that break or lie")

    @model_validator(mode="after")
    def _in_order(self) -> AgentsSection:
        for fault in self.fault:
            if fault.last < fault.first:
                raise ValueError(f"agents.fault ends before it begins; expected last >= {fault.first}")
        return self

    @property
    def patience(self) -> Patience:
        """How agents bear their network: what may be lost is repeated."""
        loses = any(link.loss for link in self.link)
        return Patience(loses, self.first_repeat_s, self.word_s, self.deadline_s)

    @property
    def grain(self) -> int:
        """Ticks that all times of the network are rounded to: 1, 2 or 5 times a power of ten."""
        delays = [link.delay_s + link.random_s for link in self.link]
        wanted = self.grain_s or min((delay for delay in delays if delay), default=0.0) / SHARE
        fitting = [n for n in GRAINS if n * TICK_S <= wanted * (1 + 1e-9)]
        return max(fitting, default=1)

    def classes(self, sender: int, receiver: int) -> Conditions:
        """Conditions of the link between two agents.

        Parameters
        ----------
        sender, receiver : int
            Numbers of the two agents, from 0.

        Returns
        -------
        Conditions
            Those of the first class that the link belongs to; ideal ones where there is none.
        """
        names = agent_name(sender), agent_name(receiver)
        return next((link.conditions for link in self.link if link.is_between(*names)), IDEAL)
