"""An agent from meeting to meeting: two of them, whose packets a test carries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.meeting.agent import Agent, Report
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.line import HEADER, read_packet
from dlmp_cosim.market.meeting.rules import TICK_S, FaultKind, Patience
from dlmp_cosim.market.meeting.tasks import SweepTask
from tests.market.meeting.test_tasks import PROBLEM, sweep_tasks

USUAL = Patience()
REPEATING = Patience(repeats=True, first_wait_s=1.0, word_s=20.0, meeting_s=50.0)


def pair(patience: Patience = USUAL, faults: Sequence[Fault] = ()) -> tuple[Agent, Agent]:
    first, second = (Agent(k, patience, [fault for fault in faults if fault.agent == k]) for k in (0, 1))
    return first, second


def begin(
    agents: Sequence[Agent], meeting: int = 0, now: float = 0.0, tasks: Sequence[SweepTask] = ()
) -> None:
    for agent, task in zip(agents, tasks or sweep_tasks(2), strict=True):
        agent.begin(meeting, task, now)


def carry(agents: Sequence[Agent], now: float = 0.1, times: int = 1) -> int:
    """Bring everybody's packets, each so many times, until nobody says anything: how many there were."""
    count = 0
    for _ in range(10_000):
        letters = [(to, raw) for agent in agents for to, raw in agent.outbox]
        for agent in agents:
            agent.outbox.clear()
        if not letters:
            return count
        count += len(letters)
        for agent in agents:
            mine = [raw for to, raw in letters for _ in range(times) if to == agent.number]
            if mine:
                agent.hear(mine, now)
    raise AssertionError("agents never stop talking")


def reports(agents: Sequence[Agent]) -> list[Report]:
    found = [agent.report for agent in agents if agent.report is not None]
    assert len(found) == len(agents)
    return found


def test_two_agents_agree_and_say_what_it_took() -> None:
    agents = pair()
    begin(agents)
    assert all(agent.busy for agent in agents)
    count = carry(agents, now=2.5)
    found = reports(agents)
    assert [report.ending for report in found] == ["agreed", "agreed"]
    assert [report.whom for report in found] == [-1, -1]
    assert [report.seconds for report in found] == [2.5, 2.5]
    assert sum(report.packets for report in found) == count
    assert all(report.bytes > HEADER.size * report.packets for report in found)
    assert not any(agent.busy for agent in agents)
    first, second = (report.answer for report in found)
    assert first is not None
    assert second is not None
    assert first.figures == second.figures
    assert len(first.values) + len(second.values) == PROBLEM.n_atom


@pytest.mark.parametrize("times", [1, 3])
def test_copies_of_packets_change_nothing(times: int) -> None:
    agents, plain = pair(), pair()
    for pairs, copies in ((agents, times), (plain, 1)):
        begin(pairs)
        carry(pairs, times=copies)
    for mine, theirs in zip(reports(agents), reports(plain), strict=True):
        assert mine.answer is not None
        assert theirs.answer is not None
        assert mine.answer.values.tobytes() == theirs.answer.values.tobytes()


def test_what_is_lost_is_repeated_until_it_is_heard() -> None:
    agents = pair(REPEATING)
    begin(agents)
    for agent in agents:
        agent.outbox.clear()
    due = min(agent.next_wake for agent in agents)
    assert due == 1.0
    for agent in agents:
        agent.wake(due)
    carry(agents, now=1.1)
    found = reports(agents)
    assert [report.ending for report in found] == ["agreed", "agreed"]
    assert sum(report.repetitions for report in found) >= 1


def test_an_agent_that_hears_nothing_gives_up_and_says_on_whom_it_waited() -> None:
    agents = pair(REPEATING)
    begin(agents)
    agents[0].wake(20.0)
    report = agents[0].report
    assert report is not None
    assert (report.ending, report.whom) == ("waits", 1)
    assert report.reason == "said nothing within 20 s"
    assert report.answer is None


def test_a_meeting_that_takes_too_long_ends_though_words_arrive() -> None:
    agent = pair(replace(REPEATING, word_s=1e3))[0]
    agent.begin(0, sweep_tasks(2)[0], 5.0)
    agent.wake(54.9)
    assert agent.busy
    agent.wake(55.0 - TICK_S / 4)
    assert agent.report is not None
    assert agent.report.reason == "said nothing within 50 s of the meeting"
    assert agent.report.seconds == pytest.approx(50.0, abs=TICK_S)


def test_next_wake_is_the_first_of_repetition_patience_and_end() -> None:
    agent = Agent(0, REPEATING)
    assert agent.next_wake == math.inf
    agent.begin(0, sweep_tasks(2)[0], 3.0)
    said = bool(agent.outbox)
    assert agent.next_wake == (4.0 if said else 23.0)
    quiet = Agent(0, replace(REPEATING, repeats=False, word_s=7.0))
    quiet.begin(0, sweep_tasks(2)[0], 3.0)
    assert quiet.next_wake == 10.0


def test_words_of_the_next_meeting_wait_for_it() -> None:
    """The second agent begins late: what it was told meanwhile is not lost."""
    first, second = pair()
    tasks = sweep_tasks(2)
    first.begin(4, tasks[0], 0.0)
    early = [raw for to, raw in first.outbox if to == 1]
    first.outbox.clear()
    second.hear(early, 0.0)
    assert not second.busy
    second.begin(4, tasks[1], 0.1)
    carry((first, second))
    assert [report.ending for report in reports((first, second))] == ["agreed", "agreed"]


def test_words_of_a_meeting_that_is_over_are_none() -> None:
    agents = pair()
    begin(agents)
    old = [raw for agent in agents for _, raw in agent.outbox]
    carry(agents)
    begin(agents, meeting=1)
    for agent in agents:
        agent.hear(old, 0.2)
    carry(agents)
    found = reports(agents)
    assert [(report.meeting, report.ending) for report in found] == [(1, "agreed")] * 2


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0" * 7, b"\xff" * HEADER.size, HEADER.pack(0, 5, 0, 0, 0, 1), HEADER.pack(0, 1, 9, 0, 0, 1)],
)
def test_what_is_no_packet_or_for_nobody_is_none(raw: bytes) -> None:
    """Too short; nonsense; of a stranger; for another."""
    agents = pair()
    begin(agents)
    agents[0].hear([raw], 0.05)
    carry(agents)
    assert [report.ending for report in reports(agents)] == ["agreed", "agreed"]


@pytest.mark.parametrize(
    ("kind", "reason"), [("nan", "sent nan as one of"), ("huge", "sent 1e+20 as one of")]
)
def test_a_neighbour_that_lies_is_accused(kind: FaultKind, reason: str) -> None:
    agents = pair(faults=[Fault(0, kind)])
    begin(agents)
    carry(agents)
    report = agents[1].report
    assert report is not None
    assert (report.ending, report.whom) == ("accuses", 0)
    assert reason in report.reason


@pytest.mark.parametrize(("liar", "factor"), [(-1, 1.0), (0, 1.2), (1, 1.2)])
def test_what_one_heard_is_what_the_other_told_unless_it_lies(liar: int, factor: float) -> None:
    """Answers say both, the own first: who told another number than it goes by is found out."""
    agents = pair(faults=[Fault(liar, "inconsistent")])
    begin(agents)
    carry(agents)
    told = [report.answer.told for report in reports(agents) if report.answer is not None]
    assert [len(values) for values in told] == [2, 2]
    of_first, of_second = told[1][1] / told[0][0], told[0][1] / told[1][0]
    expected = [factor if liar == k else 1.0 for k in (0, 1)]
    assert [of_first, of_second] == pytest.approx(expected, rel=1e-12)


def test_a_word_of_the_wrong_length_is_accused() -> None:
    agents = pair()
    begin(agents)
    teller = next(agent for agent in agents if agent.outbox)
    to, raw = teller.outbox[0]
    agents[to].hear([raw + b"\0" * 8], 0.1)
    report = agents[to].report
    assert report is not None
    packet = read_packet(raw)
    assert packet is not None
    size = len(packet.payload) // 8
    assert report.ending == "accuses"
    assert f"sent {size + 1} numbers" in report.reason
    assert f"expected {size} of" in report.reason


def test_a_silent_agent_takes_no_part() -> None:
    agent = Agent(0, USUAL, [Fault(0, "silent", 2, 3)])
    task = sweep_tasks(2)[0]
    for meeting, talks in ((1, True), (2, False), (3, False), (4, True)):
        agent.outbox.clear()
        agent.begin(meeting, task, 0.0)
        assert agent.busy is talks
        assert (agent.meeting, agent.report) == (meeting, None)


def test_a_part_without_a_solution_is_stuck() -> None:
    """Rows of nothing: neither agent can solve its part."""
    rows = PROBLEM.rows.copy()
    rows.data[:] = 0.0
    empty = replace(PROBLEM, rows=rows, penalty=0 * PROBLEM.penalty)
    agents = pair()
    begin(agents, tasks=sweep_tasks(2, empty))
    carry(agents)
    for report in reports(agents):
        assert report.ending == "stuck"
        assert "do not determine" in report.reason


def test_a_meeting_that_is_broken_off_leaves_nothing_to_the_next() -> None:
    agents = pair(REPEATING)
    begin(agents)
    for agent in agents:
        agent.outbox.clear()
    begin(agents, meeting=1, now=10.0)
    carry(agents, now=10.2)
    found = reports(agents)
    assert [report.ending for report in found] == ["agreed", "agreed"]
    assert np.isfinite([report.seconds for report in found]).all()
    assert [report.repetitions for report in found] == [0, 0]
