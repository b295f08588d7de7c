"""What agents say to each other, and how a tree of them adds up, whoever carries the words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.agents.conversation import Conversation
from dlmp_cosim.market.agents.neighbours import (
    ALONE,
    LARGEST,
    BrokenWordError,
    Halo,
    Kind,
    Neighbours,
    Program,
    Ties,
    Word,
    alone,
)

NOBODY = np.zeros(0, dtype=np.int64)
Part = Callable[[int, Neighbours], Program[object]]


def tree(parent: list[int]) -> list[Ties]:
    """Ties of agents that stand in a tree."""
    return [
        Ties(up, tuple(k for k, above in enumerate(parent) if above == agent))
        for agent, up in enumerate(parent)
    ]


def run(ties: list[Ties], part: Part) -> list[object]:
    """Let all agents work until none can; words arrive in the order in which they are said."""
    talks: list[Conversation[object]] = []

    def carry(sender: int) -> Callable[[int, Word], None]:
        return lambda neighbour, word: talks[neighbour].deliver(sender, word)

    for k, mine in enumerate(ties):
        talks.append(Conversation(mine, lambda here, k=k: part(k, here), carry(k)))  # type: ignore[misc]
    for _ in range(10 * len(ties)):
        for talk in talks:
            talk.advance()
    assert all(talk.done for talk in talks)
    return [talk.result for talk in talks]


trees = st.integers(1, 9).flatmap(
    lambda n: st.tuples(*(st.integers(0, max(k - 1, 0)) for k in range(1, n))).map(lambda ups: [-1, *ups])
)


@settings(max_examples=40)
@given(trees, st.lists(st.integers(-50, 50), min_size=9, max_size=9))
def test_every_agent_of_a_tree_learns_sums_and_largest(parent: list[int], values: list[int]) -> None:
    async def part(k: int, here: Neighbours) -> tuple[float, ...]:
        return await here.gather([float(values[k]), 1.0], [float(values[k])])

    mine = values[: len(parent)]
    expected = (float(sum(mine)), float(len(parent)), float(max(mine)))
    assert run(tree(parent), part) == [expected] * len(parent)


@pytest.mark.parametrize("odd", [np.inf, np.nan, 1e300])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_residual_beyond_all_bounds_is_told_to_everybody(place: int, odd: float) -> None:
    async def part(k: int, here: Neighbours) -> tuple[float, ...]:
        return await here.largest(odd if k == place else 0.5)

    found = run(tree([-1, 0, 0, 1]), part)
    assert found == [(np.inf,)] * 4


def test_who_is_alone_has_the_sum_at_once() -> None:
    async def program() -> tuple[float, ...]:
        return await ALONE.gather([2.0], [3.0])

    assert alone(program()) == (2.0, 3.0)


def test_who_is_alone_waits_for_nobody() -> None:
    async def program() -> FloatArray:
        return await ALONE.hear(4, Kind.VALUES, 1)

    with pytest.raises(ClearingError) as caught:
        alone(program())
    assert str(caught.value) == "an agent that is alone waits for agent 5"


def test_who_is_alone_is_heard_by_nobody() -> None:
    with pytest.raises(ClearingError) as caught:
        ALONE.say(2, Kind.PRICES, np.ones(1))
    assert str(caught.value) == "there is no agent 3 to hear PRICES"


def test_neighbours_exchange_what_the_other_reads() -> None:
    """Agent 0 tells its variables 2 and 0 and keeps what it hears at 3; prices go one way."""
    halos = (
        Halo(1, np.array([2, 0]), np.array([3]), NOBODY, np.array([1])),
        Halo(0, np.array([1]), np.array([0, 2]), np.array([0]), NOBODY),
    )
    ties = [Ties(-1, (1,), halos[:1]), Ties(0, (), halos[1:])]
    values = [np.array([10.0, 11.0, 12.0, np.nan]), np.array([np.nan, 21.0, np.nan])]
    prices = [np.array([5.0, np.nan]), np.array([7.0])]

    async def part(k: int, here: Neighbours) -> None:
        await here.share_values(values[k])
        await here.share_prices(prices[k])

    run(ties, part)
    assert values[0].tolist() == [10.0, 11.0, 12.0, 21.0]
    assert values[1].tolist() == [12.0, 21.0, 10.0]
    assert (prices[0].tolist(), prices[1].tolist()) == ([5.0, 7.0], [7.0])


def test_what_was_said_does_not_change_afterwards() -> None:
    said: list[Word] = []
    values = np.ones(2)
    Neighbours(Ties(), lambda _, word: said.append(word)).say(1, Kind.VALUES, values)
    values[:] = 9.0
    assert said[0].values.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (Word(Kind.PRICES, np.ones(2)), "agent 2 sent 2 numbers of PRICES; expected 2 of VALUES"),
        (Word(Kind.VALUES, np.ones(3)), "agent 2 sent 3 numbers of VALUES; expected 2 of VALUES"),
        (Word(Kind.VALUES, np.array([1.0, np.nan])), "agent 2 sent nan as one of VALUES"),
        (Word(Kind.VALUES, np.array([-np.inf, 1.0])), "agent 2 sent -inf as one of VALUES"),
        (Word(Kind.VALUES, np.array([1.0, -2e15])), "agent 2 sent -2e+15 as one of VALUES"),
    ],
)
def test_what_cannot_be_true_is_blamed_on_who_said_it(word: Word, message: str) -> None:
    async def program(here: Neighbours) -> FloatArray:
        return await here.hear(1, Kind.VALUES, 2)

    talk = Conversation(Ties(), program, lambda *_: None)
    talk.deliver(1, word)
    with pytest.raises(BrokenWordError) as caught:
        talk.advance()
    assert str(caught.value) == message
    assert caught.value.neighbour == 1


def test_the_largest_sound_number_is_heard() -> None:
    async def program(here: Neighbours) -> FloatArray:
        return await here.hear(1, Kind.VALUES, 1)

    talk = Conversation(Ties(), program, lambda *_: None)
    talk.deliver(1, Word(Kind.VALUES, np.array([-LARGEST])))
    talk.advance()
    assert talk.result is not None
    assert talk.result.tolist() == [-LARGEST]
