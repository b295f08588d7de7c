"""What agents, their network and their coordinator go by: numbers that a scenario may set, and names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TICK_S = 1e-4
"""Least time on the way, and grain of all times [s of the network]."""
WINDOWS = 64
"""Meetings that an interval has room for."""
FaultKind = Literal["silent", "nan", "huge", "replayed", "inconsistent", "wrong"]
"""Says nothing; says what is no number; or absurdly large ones; repeats its first word of a kind for ever;
tells neighbours other numbers than it goes by itself; goes by wrong numbers and says so consistently."""


@dataclass(frozen=True)
class Patience:
    """How agents bear a network that is not ideal.

    Attributes
    ----------
    repeats : bool
        Whether words are acknowledged and repeated.
    first_wait_s : float
        Time to the first repetition before anything is known of the network [s].
    word_s : float
        How long an agent waits for one word of a neighbour [s].
    meeting_s : float
        How long a meeting may take [s].
    """

    repeats: bool = False
    first_wait_s: float = 1.0
    word_s: float = 60.0
    meeting_s: float = 300.0


@dataclass(frozen=True)
class Conditions:
    """What a class of links does to packets.

    Attributes
    ----------
    delay_s : float
        Time that every packet takes [s].
    random_s : float
        Mean of an exponential time that comes on top [s].
    loss, duplication : float
        Shares of the packets that are lost, and that arrive twice.
    reordering : float
        Share of the packets that are held back by `held_s` more, behind later ones.
    held_s : float
        By how much [s].
    """

    delay_s: float = 0.0
    random_s: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    held_s: float = 0.0

    @property
    def ideal(self) -> bool:
        """Whether every packet arrives, once and in order."""
        return not (self.loss or self.duplication or self.reordering or self.random_s)


IDEAL = Conditions()


def agent_name(number: int) -> str:
    """Name of an agent."""
    return f"agent_{number + 1}"
