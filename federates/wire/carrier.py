"""Meetings over HELICS: the market hands every agent its part and gathers what they report."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from dlmp_cosim.federates.runtime.clock import SLOT_S
from dlmp_cosim.federates.study.agents import AgentsSection
from dlmp_cosim.federates.study.wiring import AGENTS
from dlmp_cosim.federates.wire.packing import pack, unpack
from dlmp_cosim.federates.wire.post import Post, tick_of
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.rules import TICK_S, Patience
from dlmp_cosim.market.meeting.tasks import Task

TASK, PACKET, REPORT, CLOSE = b"T", b"P", b"R", b"C"
"""First byte of a message: a task for an agent, a packet between agents, a report to the market, the end of
the meetings of a slot."""
SLOT_TICKS, SPARE_TICKS = tick_of(SLOT_S), tick_of(0.05)
"""Length of a slot, and what of it is left for the market to publish in."""
FACTS = struct.Struct("<III")
"""What stands before a task: meeting, agent, number of agents."""
LATE_S = 1.0
"""Time beyond the end of a meeting after which a report is not waited for [s of the network]."""


def host_name(number: int) -> str:
    """Name of a federate that hosts agents, from 0."""
    return f"{AGENTS}{number + 1}"


def host_of(agent: int, agents: int, hosts: int) -> str:
    """Name of the federate that hosts an agent: neighbours in number share one.

    Parameters
    ----------
    agent : int
        Number of the agent, from 0.
    agents : int
        Agents in all.
    hosts : int
        Federates that host them.
    """
    return host_name(agent * hosts // agents)


def faults_of(section: AgentsSection) -> list[Fault]:
    """Say which agents are broken, and how."""
    return [Fault.in_intervals(item.agent - 1, item.kind, item.first, item.last) for item in section.fault]


class WireCarrier:
    """Carries meetings of agents that are hosted by other federates.

    Parameters
    ----------
    post : Post
        The market's endpoint.
    hosts : int
        Federates that host agents.
    patience : Patience
        How long agents wait.
    grain : int
        Ticks from one step of market and agents to the next.
    """

    def __init__(self, post: Post, hosts: int, patience: Patience, grain: int) -> None:
        self._post, self._hosts, self._patience, self._grain = post, hosts, patience, grain
        self._open, self._count = False, 0

    def hold(self, meeting: int, tasks: Mapping[int, Task]) -> Sequence[Report]:
        """Hold a meeting: the reports that come in time.

        Parameters
        ----------
        meeting : int
            Number of the meeting.
        tasks : mapping of int to Task
            What every agent is handed, by its number.

        Raises
        ------
        ClearingError
            When the slot of the market is over before the agents are.
        """
        # Agents that are out stay where they are: who hosts whom must not change with them.
        self._count = max(self._count, 1 + max(tasks))
        count, post, grain = self._count, self._post, self._grain
        for agent, task in tasks.items():
            raw = TASK + FACTS.pack(meeting, agent, count) + pack(task)
            post.send(host_of(agent, count, self._hosts), raw, grain)
        self._open = True
        limit = post.tick + round((self._patience.meeting_s + LATE_S) / TICK_S)
        end = post.tick - post.tick % SLOT_TICKS + SLOT_TICKS - SPARE_TICKS
        found: dict[int, Report] = {}
        while len(found) < len(tasks) and post.tick < limit:
            if post.tick + grain >= end:
                raise ClearingError("agents take longer to agree than there is room for in a slot")
            post.wait(post.tick + grain)
            for letter in post.take():
                report = unpack(letter.raw[1:]) if letter.raw[:1] == REPORT else None
                if isinstance(report, Report) and report.meeting == meeting and report.agent in tasks:
                    found[report.agent] = report
                    if report.ending != "agreed":
                        limit = min(limit, post.tick + round((self._patience.word_s + LATE_S) / TICK_S))
        return list(found.values())

    def close(self) -> None:
        """Let agents go until the next slot in which the market may need them."""
        if self._open:
            for host in range(self._hosts):
                self._post.send(host_name(host), CLOSE, self._grain)
        self._open = False
