"""Agents of the market: each holds its own part of the feeder's problem and talks to its neighbours alone.

A federate hosts one agent, an area of buses, or several. What an agent knows is what the market handed it for
this clearing, the prices that it kept of the last one, and what its neighbours say.
"""

from __future__ import annotations

from collections.abc import Mapping

from dlmp_cosim.federates.runtime.base import main
from dlmp_cosim.federates.runtime.clock import Clock, market_slot
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.wire.carrier import CLOSE, FACTS, PACKET, REPORT, TASK, faults_of, host_of
from dlmp_cosim.federates.wire.packing import pack, unpack
from dlmp_cosim.federates.wire.post import Post, tick_of
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.market.meeting.agent import Agent
from dlmp_cosim.market.meeting.line import read_packet
from dlmp_cosim.market.meeting.network import Fate
from dlmp_cosim.market.meeting.rules import TICK_S

NAME = "agents_1"
MARKET = "market"


class AgentHost:
    """Hosts the agents that the market hands tasks to through this federate.

    Parameters
    ----------
    study : Study
        Says how agents bear their network, and what that is like.
    """

    def __init__(self, study: Study) -> None:
        section = study.scenario.agents
        self._section, self._hosts = section, study.scenario.agent_hosts
        self._fate = Fate(study.scenario.study.seed, section.classes, section.grain)
        self._moments, self._meets = self._when(study.clock), False
        self._agents: dict[int, Agent] = {}
        self._count, self._reported = 0, dict[int, int]()

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising."""
        return {}

    def run(self, link: Link) -> None:
        """Serve every meeting until the run ends."""
        post = link.post
        if post is None:
            raise FederationError("agents need an endpoint, and this federate has none")
        for moment in self._moments:
            if post.tick < moment:
                post.wait(moment)
                self._act(post)
            while self._meets:
                post.wait(post.tick + self._fate.grain)
                self._act(post)

    def close(self) -> None:
        """Nothing to release."""

    def _when(self, clock: Clock) -> tuple[int, ...]:
        """List the ticks at which the market's first tasks of a slot arrive."""
        slots = [market_slot(trials) for trials in range(clock.rounds_max + 1)]
        return tuple(
            tick_of(clock.at(interval, slot)) + self._fate.grain
            for interval in range(clock.intervals)
            for slot in slots
        )

    def _act(self, post: Post) -> None:
        """Take what has arrived, let agents act on it, and send what they say."""
        now, packets = post.tick * TICK_S, dict[int, list[bytes]]()
        for letter in post.take():
            kind, raw = letter.raw[:1], letter.raw[1:]
            if kind == CLOSE and letter.sender == MARKET:
                self._meets = False
            elif kind == TASK and letter.sender == MARKET:
                self._meets = True
                meeting, number, self._count = FACTS.unpack_from(raw)
                self._agent(number).begin(meeting, unpack(raw[FACTS.size :]), now)
            elif kind == PACKET and (packet := read_packet(raw)) is not None:
                packets.setdefault(packet.receiver, []).append(raw)
        for number, raws in packets.items():
            self._agent(number).hear(raws, now)
        for agent in self._agents.values():
            if agent.next_wake <= now + TICK_S / 2:
                agent.wake(now)
            self._send(post, agent)

    def _agent(self, number: int) -> Agent:
        if number not in self._agents:
            faults = [fault for fault in faults_of(self._section) if fault.agent == number]
            self._agents[number] = Agent(number, self._section.patience, faults)
        return self._agents[number]

    def _send(self, post: Post, agent: Agent) -> None:
        """Send what an agent says, and its report when it has one."""
        for receiver, raw in agent.outbox:
            host = host_of(receiver, self._count, self._hosts)
            for takes in self._fate.arrivals(agent.number, receiver, agent.meeting):
                post.send(host, PACKET + raw, takes)
        agent.outbox.clear()
        report = agent.report
        if report is not None and self._reported.get(agent.number) != report.meeting:
            self._reported[agent.number] = report.meeting
            post.send(MARKET, REPORT + pack(report), self._fate.grain)


if __name__ == "__main__":
    raise SystemExit(main(NAME, AgentHost))
