"""An agent's program that stops for words and goes on with them."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.market.agents.conversation import Conversation
from dlmp_cosim.market.agents.neighbours import Kind, Neighbours, Ties, Word


async def adds(here: Neighbours) -> float:
    """Hear one number of agent 3 and two of agent 1, and say what they come to."""
    total = float((await here.hear(3, Kind.VALUES, 1))[0])
    here.say(3, Kind.ANSWER, np.array([total]))
    for _ in range(2):
        total += float((await here.hear(1, Kind.VALUES, 1))[0])
    return total


def word(value: float) -> Word:
    return Word(Kind.VALUES, np.array([value]))


def test_a_program_waits_for_whom_it_wants_to_hear() -> None:
    said: list[tuple[int, Word]] = []
    talk = Conversation(Ties(), adds, lambda neighbour, what: said.append((neighbour, what)))
    assert (talk.waits_for, talk.done) == (-1, False)
    talk.advance()
    assert (talk.waits_for, talk.done) == (3, False)
    talk.deliver(1, word(10.0))
    talk.advance()
    assert talk.waits_for == 3
    assert said == []
    talk.deliver(3, word(1.0))
    talk.advance()
    assert talk.waits_for == 1
    assert [(neighbour, what.kind, what.values.tolist()) for neighbour, what in said] == [
        (3, Kind.ANSWER, [1.0])
    ]
    talk.deliver(1, word(100.0))
    talk.advance()
    assert (talk.done, talk.result, talk.waits_for) == (True, 111.0, -1)


def test_words_that_came_early_are_taken_in_their_order() -> None:
    async def differs(here: Neighbours) -> float:
        first, second = [(await here.hear(0, Kind.VALUES, 1))[0] for _ in range(2)]
        return float(first - second)

    talk = Conversation(Ties(), differs, lambda *_: None)
    talk.deliver(0, word(5.0))
    talk.deliver(0, word(3.0))
    talk.advance()
    assert talk.result == 2.0


def test_who_is_done_hears_nothing_more() -> None:
    async def nothing(_: Neighbours) -> str:
        return "done"

    talk = Conversation(Ties(), nothing, lambda *_: None)
    talk.advance()
    talk.deliver(0, word(5.0))
    talk.advance()
    assert talk.result == "done"


def test_a_program_that_is_closed_cleans_up() -> None:
    closed: list[bool] = []

    async def waits(here: Neighbours) -> None:
        try:
            await here.hear(0, Kind.VALUES, 1)
        finally:
            closed.append(True)

    talk = Conversation(Ties(), waits, lambda *_: None)
    talk.advance()
    talk.close()
    assert closed == [True]
    assert not talk.done
