"""Meetings over a post that is told: what is sent to whom, and when the market stops waiting."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.study.wiring import AGENTS
from dlmp_cosim.federates.wire.carrier import (
    CLOSE,
    FACTS,
    LATE_S,
    REPORT,
    SLOT_TICKS,
    SPARE_TICKS,
    TASK,
    WireCarrier,
    faults_of,
    host_name,
    host_of,
)
from dlmp_cosim.federates.wire.packing import pack, unpack
from dlmp_cosim.federates.wire.post import Letter
from dlmp_cosim.feeders.errors import ClearingError, FederationError
from dlmp_cosim.market.meeting.agent import Report
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.rules import TICK_S, Patience
from dlmp_cosim.market.pac.iterations import RestartRule

GRAIN = 100
PATIENCE = Patience(word_s=2.0, meeting_s=30.0)
TASKS: Mapping[int, Any] = {agent: RestartRule() for agent in range(3)}
"""Anything that can be packed stands for a task."""


class Post:
    """A post whose letters a test lays out by the tick at which they arrive."""

    def __init__(self, letters: Mapping[int, list[bytes]] | None = None, tick: int = 0) -> None:
        self.letters, self.tick = dict(letters or {}), tick
        self.sent: list[tuple[str, bytes, int]] = []

    def send(self, federate: str, raw: bytes, ticks: int) -> None:
        self.sent.append((federate, raw, ticks))

    def wait(self, tick: int) -> None:
        assert tick == self.tick + GRAIN, "a step at a time"
        self.tick = tick

    def take(self) -> list[Letter]:
        return [Letter("agents_1", raw) for raw in self.letters.pop(self.tick, [])]


def report(agent: int, ending: Any = "agreed", meeting: int = 5) -> bytes:
    return REPORT + pack(Report(agent, meeting, ending))


def hold(post: Post, hosts: int = 2, tasks: Mapping[int, Any] = TASKS) -> list[Report]:
    carrier = WireCarrier(post, hosts, PATIENCE, GRAIN)  # type: ignore[arg-type]
    return list(carrier.hold(5, tasks))


ALL = [report(agent) for agent in TASKS]


def test_every_agent_is_sent_its_task_at_its_host() -> None:
    post = Post({GRAIN: ALL})
    hold(post)
    assert [(to, ticks) for to, _, ticks in post.sent] == [
        (host_name(0), GRAIN),
        (host_name(0), GRAIN),
        (host_name(1), GRAIN),
    ]
    for agent, (_, raw, _) in enumerate(post.sent):
        assert raw[:1] == TASK
        assert FACTS.unpack(raw[1 : 1 + FACTS.size]) == (5, agent, 3)
        assert unpack(raw[1 + FACTS.size :]) == RestartRule()


def test_when_all_have_reported_nobody_waits() -> None:
    post = Post({GRAIN: ALL[:1], 3 * GRAIN: ALL[1:]})
    assert [item.agent for item in hold(post)] == [0, 1, 2]
    assert post.tick == 3 * GRAIN


@pytest.mark.parametrize(
    "stray",
    [
        report(0, meeting=4),
        report(7),
        b"P" + pack(Report(1, 5, "agreed")),
        REPORT + pack(RestartRule()),
        b"",
    ],
    ids=["another meeting", "a stranger", "a packet", "no report", "nothing"],
)
def test_what_is_no_report_of_this_meeting_is_passed_over(stray: bytes) -> None:
    assert [item.agent for item in hold(Post({GRAIN: [stray, *ALL]}))] == [0, 1, 2]


def test_a_report_that_is_nonsense_is_refused() -> None:
    with pytest.raises(FederationError, match="a message between market and agents cannot be read"):
        hold(Post({GRAIN: [REPORT + b"nonsense"]}))


def test_the_last_word_of_an_agent_counts() -> None:
    (found,) = hold(Post({GRAIN: [report(0, "stuck"), report(0)]}), tasks={0: TASKS[0]})
    assert found.ending == "agreed"


def ticks(seconds: float) -> int:
    """Ticks of a time, up to the next step."""
    return -(-round(seconds / TICK_S) // GRAIN) * GRAIN


def test_who_says_nothing_is_waited_for_as_long_as_a_meeting_may_take() -> None:
    post = Post({GRAIN: ALL[:2]})
    assert len(hold(post)) == 2
    assert post.tick == ticks(PATIENCE.meeting_s + LATE_S)


def test_where_one_did_not_agree_the_others_have_a_word_of_time() -> None:
    post = Post({GRAIN: [report(0, "waits")]})
    assert [item.ending for item in hold(post)] == ["waits"]
    assert post.tick == GRAIN + ticks(PATIENCE.word_s + LATE_S)


def test_a_slot_that_ends_first_is_an_error() -> None:
    post = Post(tick=2 * SLOT_TICKS - SPARE_TICKS - 5 * GRAIN)
    with pytest.raises(
        ClearingError, match=r"^agents take longer to agree than there is room for in a slot$"
    ):
        hold(post)
    assert post.tick < 2 * SLOT_TICKS - SPARE_TICKS


def test_agents_keep_their_host_when_others_are_out() -> None:
    post = Post({GRAIN: ALL, 2 * GRAIN: [report(2)]})
    carrier = WireCarrier(post, 2, PATIENCE, GRAIN)  # type: ignore[arg-type]
    carrier.hold(5, TASKS)
    carrier.hold(5, {2: TASKS[2]})
    assert post.sent[-1][0] == post.sent[2][0] == host_name(1)


def test_hosts_are_let_go_once() -> None:
    post = Post({GRAIN: ALL})
    carrier = WireCarrier(post, 2, PATIENCE, GRAIN)  # type: ignore[arg-type]
    carrier.close()
    assert post.sent == [], "nobody was held"
    carrier.hold(5, TASKS)
    post.sent.clear()
    carrier.close()
    carrier.close()
    assert post.sent == [(host_name(0), CLOSE, GRAIN), (host_name(1), CLOSE, GRAIN)]


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 12))
def test_neighbours_in_number_share_a_host(agents: int, hosts: int) -> None:
    names = [host_of(agent, agents, hosts) for agent in range(agents)]
    numbers = [int(name.removeprefix(AGENTS)) for name in names]
    assert numbers == sorted(numbers)
    assert {1} <= set(numbers) <= set(range(1, hosts + 1))
    if agents % hosts == 0:
        assert {numbers.count(number) for number in range(1, hosts + 1)} == {agents // hosts}


def test_faults_count_agents_from_nought() -> None:
    item = SimpleNamespace(agent=3, kind="silent", first=2, last=4)
    section: Any = SimpleNamespace(fault=[item])
    (found,) = faults_of(section)
    assert found == Fault.in_intervals(2, "silent", 2, 4)
    assert faults_of(SimpleNamespace(fault=[])) == []  # type: ignore[arg-type]
