"""What a coordinator makes of reports: answers, or who is to blame."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.agents.neighbours import Halo, Ties
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.judge import AgentsLostError, judge

NONE = np.zeros(0, dtype=np.int64)


def ties(*shared: tuple[int, int, int]) -> Ties:
    """Neighbours, each with how many values are told to it and heard from it."""
    return Ties(
        halos=tuple(Halo(area, np.arange(tell), np.arange(hear), NONE, NONE) for area, tell, hear in shared)
    )


TASKS: Any = {
    0: SimpleNamespace(ties=ties((1, 2, 1))),
    1: SimpleNamespace(ties=ties((0, 1, 2), (2, 1, 1))),
    2: SimpleNamespace(ties=ties((1, 1, 1))),
}
"""Three agents in a row."""
TOLD = {0: [1.0, 2.0, 3.0], 1: [3.0, 1.0, 2.0, 4.0, 5.0], 2: [5.0, 4.0]}
"""What each told and heard last, by neighbour: all of them agree."""


def answer(told: list[float]) -> Any:
    return SimpleNamespace(told=np.array(told))


def agreed(agent: int, told: list[float] | None = None) -> Report:
    return Report(agent, 7, "agreed", answer=answer(TOLD[agent] if told is None else told))


def test_answers_of_all_are_taken() -> None:
    reports = [agreed(k) for k in (2, 0, 1)]
    assert judge(TASKS, reports) == {report.agent: report.answer for report in reports}


@pytest.mark.parametrize(
    ("reports", "lost", "message"),
    [
        pytest.param([agreed(0), agreed(2)], {1}, "agent_2 says nothing", id="one is silent"),
        pytest.param(
            [agreed(0)], {1, 2}, "agent_2 says nothing; agent_3 says nothing", id="two are, in order"
        ),
        pytest.param(
            [agreed(0), Report(1, 7, "accuses", 2, "sent nan as one of VALUES"), agreed(2)],
            {2},
            "agent_3 sent nan as one of VALUES (agent_2 says so)",
            id="one accuses another",
        ),
        pytest.param(
            [agreed(0, [1.0, 2.5, 3.0]), agreed(1), agreed(2)],
            {0},
            "agent_1 told agent_2 what differs from its report by 0.5",
            id="one told two things",
        ),
        pytest.param(
            [agreed(0), agreed(1, [3.0, 1.0, 2.0, np.nan, 5.0]), agreed(2)],
            {1},
            "agent_2 told agent_3 what differs from its report by nan",
            id="what is no number differs from all",
        ),
    ],
)
def test_who_is_to_blame(reports: list[Report], lost: set[int], message: str) -> None:
    with pytest.raises(AgentsLostError) as caught:
        judge(TASKS, reports)
    assert set(caught.value.lost) == lost
    assert str(caught.value) == message


def test_rounding_is_no_lie() -> None:
    close = [1.0 + 1e-7, 2.0, 3.0]
    assert len(judge(TASKS, [agreed(0, close), agreed(1), agreed(2)])) == 3


def test_an_accusation_of_who_is_silent_adds_nothing() -> None:
    with pytest.raises(AgentsLostError) as caught:
        judge(TASKS, [agreed(0), Report(1, 7, "accuses", 2, "lies")])
    assert caught.value.lost == {2: "says nothing"}


def test_a_part_without_a_solution_is_named() -> None:
    with pytest.raises(ClearingError) as caught:
        judge(TASKS, [agreed(0), Report(1, 7, "stuck", reason="rows do not determine it"), agreed(2)])
    assert str(caught.value) == "agent_2: rows do not determine it"
    assert not isinstance(caught.value, AgentsLostError)


def test_of_those_who_wait_the_first_is_named() -> None:
    reports = [
        Report(0, 7, "waits", 1, "does not answer", seconds=30.0),
        Report(1, 7, "waits", 2, "does not answer", seconds=20.0),
        agreed(2),
    ]
    with pytest.raises(ClearingError) as caught:
        judge(TASKS, reports)
    assert str(caught.value) == (
        "the agents did not agree in time: agent_3 does not answer (agent_2 waits for it)"
    )
