"""An agent on a network: its program, the lines to its neighbours, its patience.

Nothing here knows what carries packets. `market.meeting.network` carries them in one process, HELICS
endpoints between processes; times are seconds of the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.agents.conversation import Conversation
from dlmp_cosim.market.agents.neighbours import BrokenWordError, Word
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.line import Line, Packet, read_packet
from dlmp_cosim.market.meeting.rules import TICK_S, Patience
from dlmp_cosim.market.meeting.tasks import Answer, Memory, Task, take_part

Ending = Literal["agreed", "waits", "accuses", "stuck"]
"""How a meeting ended for one agent: agreed; waiting in vain for a neighbour; with a neighbour that says what
cannot be true; or with a part that has no solution."""


@dataclass(frozen=True)
class Report:
    """What an agent reports of a meeting.

    Attributes
    ----------
    agent, meeting : int
        Who reports, of which meeting.
    ending : {"agreed", "waits", "accuses", "stuck"}
        How it ended for this agent.
    whom : int
        The neighbour that it waits for or accuses; -1 for nobody.
    reason : str
        What is wrong, for a person.
    answer : Answer, optional
        Its part of the outcome.
    seconds : float
        How long it took [s of the network].
    packets, bytes, repetitions : int
        Packets that it sent, their size, and how many of them were repetitions.
    """

    agent: int
    meeting: int
    ending: Ending
    whom: int = -1
    reason: str = ""
    answer: Answer | None = None
    seconds: float = 0.0
    packets: int = 0
    bytes: int = 0
    repetitions: int = 0


class Agent:
    """One agent, from meeting to meeting.

    Parameters
    ----------
    number : int
        Which agent.
    patience : Patience
        How it bears its network.
    faults : sequence of Fault
        How and when it is broken.
    """

    def __init__(self, number: int, patience: Patience, faults: Sequence[Fault] = ()) -> None:
        self.number, self._patience, self._faults = number, patience, tuple(faults)
        self._memory = Memory()
        self._meeting, self._began, self._asked, self._now = -1, 0.0, 0.0, 0.0
        self._talk: Conversation[Answer] | None = None
        self._lines: dict[int, Line] = {}
        self._early: list[bytes] = []
        self._sent, self._bytes = 0, 0
        self.outbox: list[tuple[int, bytes]] = []
        self.report: Report | None = None

    @property
    def meeting(self) -> int:
        """Number of the meeting that it is in, or was in last."""
        return self._meeting

    @property
    def busy(self) -> bool:
        """Whether it is in a meeting and has not reported yet."""
        return self._talk is not None and self.report is None

    @property
    def next_wake(self) -> float:
        """When it has to act if nothing arrives [s]."""
        if self._talk is None:
            return math.inf
        due = min((line.next_due for line in self._lines.values()), default=math.inf)
        if self.report is not None:
            return due if due <= self._limit else math.inf
        return min(due, self._limit, self._asked + self._patience.word_s)

    @property
    def _limit(self) -> float:
        return self._began + self._patience.meeting_s

    def begin(self, meeting: int, task: Task, now: float) -> None:
        """Begin a meeting; what is left of the one before is forgotten.

        Parameters
        ----------
        meeting : int
            Number of the meeting.
        task : Task
            The agent's own part of what is to be agreed on.
        now : float
            Time of the network [s].
        """
        if self._talk is not None:
            self._talk.close()
        self._meeting, self._began, self._asked, self._now = meeting, now, now, now
        self._sent, self._bytes, self.report, self._talk, self._lines = 0, 0, None, None, {}
        early, self._early = self._early, []
        if any(fault.is_silent(meeting) for fault in self._faults):
            return
        for fault in self._faults:
            task = fault.misread(meeting, task)
        others = {halo.area for halo in task.ties.halos} | {task.ties.up, *task.ties.down} - {-1}
        self._lines = {other: self._line(other) for other in sorted(others)}
        self._talk = Conversation(task.ties, lambda near: take_part(task, self._memory, near), self._say)
        self._advance()
        self.hear(early, now)

    def hear(self, raws: Sequence[bytes], now: float) -> None:
        """Take packets that arrived at one time; those of another meeting, or for somebody else, are none.

        Parameters
        ----------
        raws : sequence of bytes
            The packets, in any order.
        now : float
            Time of the network at which they arrived [s].
        """
        self._now = now
        packets = [packet for packet in map(read_packet, raws) if packet is not None]
        told = False
        for packet in sorted(packets, key=lambda item: (item.meeting, item.sender, item.place, item.kind)):
            told = self._take(packet) or told
        if told:
            self._asked = now
            self._advance()
        for other, line in self._lines.items():
            if line.owes:
                self._post(other, line.acknowledge())

    def _take(self, packet: Packet) -> bool:
        """Take a packet in: whether it brought a word."""
        if packet.receiver != self.number:
            return False
        if packet.meeting > self._meeting:
            self._early.append(packet.raw)
        line = self._lines.get(packet.sender)
        if packet.meeting != self._meeting or line is None or self._talk is None:
            return False
        words = line.hear(packet, self._now)
        for word in words:
            self._talk.deliver(packet.sender, word)
        return bool(words)

    def wake(self, now: float) -> None:
        """Repeat what is due, and give up what takes too long."""
        self._now = now
        for other, line in self._lines.items():
            for raw in line.due(now):
                self._post(other, raw)
        if self.report is not None or self._talk is None:
            return
        patience = self._patience
        if now + TICK_S / 2 >= min(self._limit, self._asked + patience.word_s):
            late = now + TICK_S / 2 >= self._limit
            span = f"{patience.meeting_s:g} s of the meeting" if late else f"{patience.word_s:g} s"
            self._end("waits", self._talk.waits_for, f"said nothing within {span}")

    def _line(self, other: int) -> Line:
        patience = self._patience
        return Line(self._meeting, self.number, other, repeats=patience.repeats, wait_s=patience.first_wait_s)

    def _advance(self) -> None:
        """Let the program go on with what has arrived."""
        talk = self._talk
        if talk is None or self.report is not None:
            return
        try:
            talk.advance()
        except BrokenWordError as error:
            self._end("accuses", error.neighbour, error.reason)
        except ClearingError as error:
            self._end("stuck", -1, str(error))
        else:
            if talk.done:
                self._end("agreed", -1, "", talk.result)

    def _end(self, ending: Ending, whom: int, reason: str, answer: Answer | None = None) -> None:
        repeated = sum(line.repetitions for line in self._lines.values())
        took = round((self._now - self._began) / TICK_S) * TICK_S
        self.report = Report(
            self.number, self._meeting, ending, whom, reason, answer, took, self._sent, self._bytes, repeated
        )

    def _say(self, neighbour: int, word: Word) -> None:
        for fault in self._faults:
            word = fault.distort(neighbour, self._meeting, word)
        self._post(neighbour, self._lines[neighbour].say(word, self._now))

    def _post(self, neighbour: int, raw: bytes) -> None:
        self._sent, self._bytes = self._sent + 1, self._bytes + len(raw)
        self.outbox.append((neighbour, raw))
