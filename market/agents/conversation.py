"""An agent's program while it runs: whoever has a word for it hands it over, and lets it go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from dlmp_cosim.market.agents.neighbours import Neighbours, Program, Ties, Word

T = TypeVar("T")


class Conversation(Generic[T]):
    """One agent's program while it runs, and the words that it has not heard yet.

    Parameters
    ----------
    ties : Ties
        Whom the agent talks to.
    program : callable
        Makes its program from its neighbours.
    send : callable
        Takes a word on its way to a neighbour.
    """

    def __init__(
        self, ties: Ties, program: Callable[[Neighbours], Program[T]], send: Callable[[int, Word], None]
    ) -> None:
        self._program = program(Neighbours(ties, send))
        self._heard: dict[int, deque[Word]] = {}
        self._begun = False
        self.waits_for = -1
        self.done = False
        self.result: T | None = None

    def deliver(self, neighbour: int, word: Word) -> None:
        """Take what a neighbour said, in the order in which it was said.

        Parameters
        ----------
        neighbour : int
            Number of the agent that said it.
        word : Word
            What it said; kept until the program asks for a word of this neighbour.
        """
        self._heard.setdefault(neighbour, deque()).append(word)

    def advance(self) -> None:
        """Let the agent work until it waits for a word that is not there, or is done.

        Raises
        ------
        ClearingError
            When a word cannot be true, or its part has no solution.
        """
        while not self.done:
            word = None
            if self._begun:
                queue = self._heard.get(self.waits_for)
                if not queue:
                    return
                word = queue.popleft()
            self._begun = True
            try:
                self.waits_for = self._program.send(word).neighbour  # type: ignore[arg-type]
            except StopIteration as end:
                self.result, self.done, self.waits_for = end.value, True, -1

    def close(self) -> None:
        """End the program where it stands."""
        self._program.close()
