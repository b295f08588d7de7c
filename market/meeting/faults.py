"""Agents that break or lie, for studies of how the others bear it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dlmp_cosim.market.agents.neighbours import Kind, Word
from dlmp_cosim.market.agents.parts import Part
from dlmp_cosim.market.meeting.rules import WINDOWS, FaultKind
from dlmp_cosim.market.meeting.tasks import SweepTask, Task

HUGE = 1e20
OFF = 1.2
"""Factor on what an inconsistent agent says."""
SPOKEN = (Kind.VALUES, Kind.PRICES, Kind.SUMMARY)
"""Kinds of words that tell something of the agent's own part."""


@dataclass
class Fault:
    """One agent that is broken.

    Attributes
    ----------
    agent : int
        Which.
    kind : str
        How.
    first, last : int
        Meetings in which it is, both included.
    """

    agent: int
    kind: FaultKind
    first: int = 0
    last: int = 2**31
    _first_words: dict[tuple[int, Kind], Word] = field(default_factory=dict)

    @classmethod
    def in_intervals(cls, agent: int, kind: FaultKind, first: int, last: int) -> Fault:
        """Make a fault that lasts from one interval to another.

        Parameters
        ----------
        agent : int
            Number of the agent.
        kind : str
            How it is broken.
        first, last : int
            Intervals, both included; each has room for as many meetings as `WINDOWS` says.
        """
        return cls(agent, kind, first * WINDOWS, (last + 1) * WINDOWS - 1)

    def is_silent(self, meeting: int) -> bool:
        """Whether the agent takes no part in a meeting at all."""
        return self.kind == "silent" and self.first <= meeting <= self.last

    def distort(self, neighbour: int, meeting: int, word: Word) -> Word:
        """Say what becomes of a word for a neighbour.

        Parameters
        ----------
        neighbour : int
            Number of the agent that is to hear it.
        meeting : int
            Number of the meeting.
        word : Word
            What a sound agent would say.
        """
        if not self.first <= meeting <= self.last or word.kind not in SPOKEN:
            return word
        if self.kind == "replayed":
            kept = self._first_words.setdefault((neighbour, word.kind), word)
            return kept if len(kept.values) == len(word.values) else word
        if self.kind in ("nan", "huge") and len(word.values):
            values = word.values.copy()
            values[-1] = np.nan if self.kind == "nan" else HUGE
            return Word(word.kind, values)
        if self.kind == "inconsistent" and word.kind == Kind.VALUES:
            return Word(word.kind, word.values * OFF)
        return word

    def misread(self, meeting: int, task: Task) -> Task:
        """Say what an agent that goes by wrong numbers makes of its task: other costs of its resources.

        Parameters
        ----------
        meeting : int
            Number of the meeting.
        task : Task
            What the agent was handed.
        """
        if self.kind != "wrong" or not self.first <= meeting <= self.last:
            return task
        if isinstance(task, SweepTask):
            part = _dearer(task.sweep.part)
            return replace(task, sweep=replace(task.sweep, part=part))
        return replace(task, talk=replace(task.talk, part=_dearer(task.talk.part)))


def _dearer(part: Part) -> Part:
    """Let the resources of a part cost more than they do."""
    problem = part.problem
    linear = problem.linear.copy()
    linear[problem.n_state :] *= OFF
    return replace(part, problem=replace(problem, linear=linear))
