"""A network that is not ideal: what becomes of packets, and agents on such a network in one process.

What becomes of the n-th packet of a meeting follows from the seed, the meeting, its two ends and n alone. So
a network of HELICS endpoints and the simulated one here treat the same packets alike, whoever runs first.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from dlmp_cosim.market.meeting.agent import Agent, Report
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.line import tick_at
from dlmp_cosim.market.meeting.rules import TICK_S, Conditions, Patience
from dlmp_cosim.market.meeting.tasks import Task

Classes = Callable[[int, int], Conditions]
"""Conditions of the link from one agent to another."""


class Fate:
    """Draws what becomes of packets.

    Parameters
    ----------
    seed : int
        Seed of the run.
    classes : callable
        Conditions of each link.
    grain : int
        Ticks that all times on the way are rounded to.
    """

    def __init__(self, seed: int, classes: Classes, grain: int = 1) -> None:
        self._seed, self._classes, self.grain = seed, classes, grain
        self._count: dict[tuple[int, int], tuple[int, int]] = {}

    def arrivals(self, sender: int, receiver: int, meeting: int = 0) -> Iterator[int]:
        """Yield how many ticks each copy of the next packet of a meeting takes; nothing when it is lost.

        Parameters
        ----------
        sender, receiver : int
            Numbers of the two agents.
        meeting : int
            Number of the meeting; packets of each way are counted anew in every one.
        """
        here = self._classes(sender, receiver)
        if here.ideal:
            yield ticks(here.delay_s, self.grain)
            return
        last, count = self._count.get((sender, receiver), (meeting, 0))
        count = count if last == meeting else 0
        self._count[sender, receiver] = meeting, count + 1
        lost, held, twice, wait, again = _draws(self._seed, meeting, sender, receiver, count)
        if lost < here.loss:
            return
        more = here.held_s if held < here.reordering else 0.0
        yield ticks(here.delay_s - here.random_s * math.log1p(-wait) + more, self.grain)
        if twice < here.duplication:
            yield ticks(here.delay_s - here.random_s * math.log1p(-again), self.grain)


def ticks(seconds: float, grain: int = 1) -> int:
    """Round a time on the way [s] to the grain of the network, which is the least.

    Parameters
    ----------
    seconds : float
        Time on the way [s].
    grain : int
        Ticks that times are rounded to.
    """
    return max(round(seconds / TICK_S / grain), 1) * grain


def _draws(*key: int) -> tuple[float, ...]:
    """Five numbers in [0, 1) that follow from a key alone."""
    text = hashlib.blake2b(repr(key).encode(), digest_size=40).digest()
    return tuple(int.from_bytes(text[k : k + 8], "big") / 2**64 for k in range(0, 40, 8))


class Simulated:
    """Agents on a network in one process: packets in the order of their times.

    Parameters
    ----------
    patience : Patience
        How agents bear it.
    fate : Fate
        What becomes of packets.
    faults : sequence of Fault
        Who is broken, how and when.
    listen : callable, optional
        Told of every packet: sender, receiver, bytes.
    """

    def __init__(
        self,
        patience: Patience,
        fate: Fate,
        faults: Sequence[Fault] = (),
        listen: Callable[[int, int, bytes], None] | None = None,
    ) -> None:
        self._patience, self._fate, self._listen = patience, fate, listen
        self._faults = tuple(faults)
        self._agents: dict[int, Agent] = {}
        self._queue: list[tuple[int, int, int, bytes]] = []
        self._wakes: list[tuple[float, int]] = []
        self._wake_of: dict[int, float] = {}
        self._order, self._now = 0, 0

    def hold(self, meeting: int, tasks: Mapping[int, Task]) -> Sequence[Report]:
        """Hold one meeting: the reports of all agents that say something.

        Parameters
        ----------
        meeting : int
            Number of the meeting.
        tasks : mapping of int to Task
            What every agent is handed, by its number.
        """
        agents = {number: self._agent(number) for number in tasks}
        for number, task in tasks.items():
            agents[number].begin(meeting, task, self._now * TICK_S)
            self._collect(agents[number])
        busy = {number for number, agent in agents.items() if agent.busy}
        while busy:
            wake, who = self._next_wake()
            if self._queue and self._queue[0][0] <= wake:
                who = self._deliver(agents)
            else:
                self._now = max(self._now, int(wake))
                self._agents[who].wake(self._now * TICK_S)
                self._collect(self._agents[who])
            if who in busy and not agents[who].busy:
                busy.discard(who)
        return [agent.report for agent in agents.values() if agent.report is not None]

    def close(self) -> None:
        """Nothing waits here."""

    def _next_wake(self) -> tuple[float, int]:
        """Tick at which somebody has to act if nothing arrives, and who."""
        while True:
            wake, who = self._wakes[0]
            if wake != self._wake_of[who]:
                heapq.heappop(self._wakes)
                continue
            now = tick_at(self._agents[who].next_wake, self._fate.grain)
            if now == wake:
                return wake, who
            self._wake_of[who] = now
            heapq.heapreplace(self._wakes, (now, who))

    def _deliver(self, agents: Mapping[int, Agent]) -> int:
        """Hand an agent all that arrives at the next tick at which something does: who it is."""
        self._now, receiver, _, raw = heapq.heappop(self._queue)
        raws = [raw]
        while self._queue and self._queue[0][:2] == (self._now, receiver):
            raws.append(heapq.heappop(self._queue)[3])
        if receiver in agents:
            agents[receiver].hear(raws, self._now * TICK_S)
            self._collect(agents[receiver])
        return receiver

    def _agent(self, number: int) -> Agent:
        if number not in self._agents:
            mine = [fault for fault in self._faults if fault.agent == number]
            self._agents[number] = Agent(number, self._patience, mine)
            self._wake_of[number] = math.inf
            heapq.heappush(self._wakes, (math.inf, number))
        return self._agents[number]

    def _collect(self, agent: Agent) -> None:
        """Put what an agent sent on its way, and take down when it wants to act."""
        for receiver, raw in agent.outbox:
            if self._listen is not None:
                self._listen(agent.number, receiver, raw)
            for takes in self._fate.arrivals(agent.number, receiver, agent.meeting):
                heapq.heappush(self._queue, (self._now + takes, receiver, self._order, raw))
                self._order += 1
        agent.outbox.clear()
        wake = tick_at(agent.next_wake, self._fate.grain)
        if wake < self._wake_of[agent.number]:
            self._wake_of[agent.number] = wake
            heapq.heappush(self._wakes, (wake, agent.number))
