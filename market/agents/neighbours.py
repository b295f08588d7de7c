"""The seam between an agent's mathematics and the way its words travel.

An agent's program is a coroutine: it says something to neighbours and waits for what they say. Whoever runs
it (`market.agents.conversation`) passes the words on. An agent that holds the whole problem has no
neighbours and never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray, IntArray

T = TypeVar("T")

LARGEST = 1e15
"""No sound number that agents exchange is larger [units of the problem]."""


class Kind(IntEnum):
    """What a word is about."""

    VALUES = 1
    PRICES = 2
    SUMMARY = 3
    ANSWER = 4
    REDUCED = 5
    RESULT = 6


@dataclass(frozen=True)
class Word:
    """One message of an agent: its kind and its numbers."""

    kind: Kind
    values: FloatArray


class Heard:
    """What an agent waits for: the next word of one neighbour."""

    def __init__(self, neighbour: int) -> None:
        self.neighbour = neighbour

    def __await__(self) -> Generator[Heard, Word, Word]:
        """Hand over to whoever runs the agent until the word is there."""
        return (yield self)


Program = Coroutine[Heard, Word, T]
"""An agent's program; what it returns is its part of the outcome."""


class BrokenWordError(ClearingError):
    """A neighbour said what cannot be true.

    Parameters
    ----------
    neighbour : int
        Who said it.
    reason : str
        What is wrong with it.
    """

    def __init__(self, neighbour: int, reason: str) -> None:
        super().__init__(f"agent {neighbour + 1} {reason}")
        self.neighbour, self.reason = neighbour, reason


@dataclass(frozen=True)
class Halo:
    """What an agent and one neighbour read of each other, as positions in the agent's own arrays.

    Attributes
    ----------
    area : int
        The neighbour.
    tell_values, hear_values : ndarray of int
        Own variables that it reads, and where the agent keeps those that it reads itself.
    tell_prices, hear_prices : ndarray of int
        The same of multipliers of rows.
    """

    area: int
    tell_values: IntArray
    hear_values: IntArray
    tell_prices: IntArray
    hear_prices: IntArray


@dataclass(frozen=True)
class Ties:
    """Whom an agent talks to.

    Attributes
    ----------
    up : int
        Its neighbour towards the root; -1 at the root.
    down : tuple of int
        Its neighbours away from the root, in the order in which it takes in what they say.
    halos : tuple of Halo
        What it shares with every neighbour, in ascending order.
    """

    up: int = -1
    down: tuple[int, ...] = ()
    halos: tuple[Halo, ...] = ()


Send = Callable[[int, Word], None]


def _nobody(neighbour: int, word: Word) -> None:
    raise ClearingError(f"there is no agent {neighbour + 1} to hear {word.kind.name}")


class Neighbours:
    """What an agent can do together with its neighbours.

    Parameters
    ----------
    ties : Ties
        Whom it talks to.
    send : callable
        Takes a word on its way.
    """

    def __init__(self, ties: Ties, send: Send = _nobody) -> None:
        self.ties, self._send = ties, send

    def say(self, neighbour: int, kind: Kind, values: FloatArray) -> None:
        """Tell a neighbour some numbers.

        Parameters
        ----------
        neighbour : int
            Number of the agent that is told.
        kind : Kind
            What the numbers are.
        values : ndarray
            The numbers, copied; in units of the negotiated problem.

        Raises
        ------
        ClearingError
            When there is nobody to carry it.
        """
        self._send(neighbour, Word(kind, np.array(values, dtype=np.float64)))

    async def hear(self, neighbour: int, kind: Kind, size: int) -> FloatArray:
        """Wait for a neighbour's next word.

        Raises
        ------
        BrokenWordError
            When it is about something else, of another length, not finite or absurd.
        """
        word = await Heard(neighbour)
        if word.kind != kind or len(word.values) != size:
            reason = f"sent {len(word.values)} numbers of {word.kind.name}; expected {size} of {kind.name}"
            raise BrokenWordError(neighbour, reason)
        if size and not np.abs(word.values).max() <= LARGEST:
            wrong = word.values[~(np.abs(word.values) <= LARGEST)][0]
            raise BrokenWordError(neighbour, f"sent {wrong:g} as one of {kind.name}")
        return word.values

    async def share_values(self, x: FloatArray) -> None:
        """Tell neighbours the variables that they read, and fill in theirs."""
        for halo in self.ties.halos:
            if len(halo.tell_values):
                self.say(halo.area, Kind.VALUES, x[halo.tell_values])
        for halo in self.ties.halos:
            if len(halo.hear_values):
                x[halo.hear_values] = await self.hear(halo.area, Kind.VALUES, len(halo.hear_values))

    async def share_prices(self, multipliers: FloatArray) -> None:
        """Tell neighbours the multipliers of rows that read them, and fill in theirs."""
        for halo in self.ties.halos:
            if len(halo.tell_prices):
                self.say(halo.area, Kind.PRICES, multipliers[halo.tell_prices])
        for halo in self.ties.halos:
            if len(halo.hear_prices):
                multipliers[halo.hear_prices] = await self.hear(halo.area, Kind.PRICES, len(halo.hear_prices))

    async def largest(self, *values: float) -> tuple[float, ...]:
        """Largest of every agent's values, hop by hop to the root and back; one that is no number wins."""
        return await self._reduce(np.array(values), 0)

    async def gather(self, sums: Sequence[float], largest: Sequence[float] = ()) -> tuple[float, ...]:
        """Add up some of every agent's values and find the largest of others, in one sweep.

        Parameters
        ----------
        sums : sequence of float
            What is added up: the agent's own first, then what it hears from those below, in their order.
        largest : sequence of float
            What the largest is wanted of.

        Returns
        -------
        tuple of float
            The sums, then the largest; beyond `LARGEST` they are infinite.
        """
        return await self._reduce(np.array([*sums, *largest]), len(sums))

    async def _reduce(self, values: FloatArray, n_sum: int) -> tuple[float, ...]:
        for child in self.ties.down:
            # A residual beyond all bounds is news and no lie.
            heard = _opened(await self.hear(child, Kind.REDUCED, len(values)))
            added, most = values[:n_sum] + heard[:n_sum], np.maximum(values[n_sum:], heard[n_sum:])
            values = np.concatenate([added, most])
        if self.ties.up >= 0:
            self.say(self.ties.up, Kind.REDUCED, _closed(values))
            values = _opened(await self.hear(self.ties.up, Kind.REDUCED, len(values)))
        elif self.ties.down:
            values = _opened(_closed(values))
        for child in self.ties.down:
            self.say(child, Kind.REDUCED, _closed(values))
        return tuple(values.tolist())


def _closed(values: FloatArray) -> FloatArray:
    """Write what is infinite or no number as the largest number that may be sent."""
    return np.where(np.abs(values) < LARGEST, values, LARGEST)


def _opened(values: FloatArray) -> FloatArray:
    return np.where(values < LARGEST, values, np.inf)


def alone(program: Program[T]) -> T:
    """Run an agent that has no neighbours to its end.

    Raises
    ------
    ClearingError
        When it waits for somebody after all.
    """
    try:
        heard: Any = program.send(None)  # type: ignore[arg-type]
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    program.close()
    raise ClearingError(f"an agent that is alone waits for agent {heard.neighbour + 1}")


ALONE = Neighbours(Ties())
"""The neighbours of an agent that holds the whole problem: none."""
