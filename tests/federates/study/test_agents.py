"""What a scenario says of agents: classes of links, grain, faults, and what cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dlmp_cosim.federates.study.agents import AgentsSection
from dlmp_cosim.federates.study.scenario import Scenario, load_scenario
from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.federates.wire.carrier import faults_of, host_of
from dlmp_cosim.market.meeting.rules import IDEAL, WINDOWS

STUDY = Path(__file__).parents[3] / "configs" / "ieee123_agents"


def section(**keys: Any) -> AgentsSection:
    return AgentsSection.model_validate(keys)


def test_the_first_class_that_fits_a_link_counts() -> None:
    found = section(
        link=[
            {"ends": ["agent_1", "agent_2"], "delay_s": 1.0},
            {"ends": ["agent_2", "*"], "loss": 0.1},
        ]
    )
    assert found.classes(0, 1).delay_s == found.classes(1, 0).delay_s == 1.0
    assert found.classes(1, 2).loss == found.classes(5, 1).loss == 0.1
    assert found.classes(0, 2) == IDEAL


def test_what_can_be_lost_is_repeated() -> None:
    assert not section(link=[{"delay_s": 1.0}]).patience.repeats
    assert section(link=[{"loss": 0.01}]).patience.repeats


@pytest.mark.parametrize(
    ("keys", "ticks"),
    [
        ({}, 1),
        ({"link": [{"loss": 0.1}]}, 1),
        ({"link": [{"delay_s": 0.02}]}, 20),
        ({"link": [{"delay_s": 0.02, "random_s": 0.01}]}, 50),
        ({"link": [{"delay_s": 1.0}, {"delay_s": 0.001}]}, 2),
        ({"grain_s": 0.05}, 500),
    ],
)
def test_the_grain_is_a_fifth_of_the_shortest_delay(keys: dict[str, Any], ticks: int) -> None:
    assert section(**keys).grain == ticks


def test_a_fault_lasts_from_one_interval_to_another() -> None:
    (found,) = faults_of(section(fault=[{"agent": 3, "kind": "silent", "first": 2, "last": 4}]))
    assert found.agent == 2
    meetings = (2 * WINDOWS - 1, 2 * WINDOWS, 5 * WINDOWS - 1, 5 * WINDOWS)
    assert [found.is_silent(meeting) for meeting in meetings] == [False, True, True, False]


def test_neighbours_in_number_share_a_host() -> None:
    assert [host_of(k, 5, 2) for k in range(5)] == ["agents_1"] * 3 + ["agents_2"] * 2
    assert [host_of(k, 3, 4) for k in range(3)] == ["agents_1", "agents_2", "agents_3"]


@pytest.mark.parametrize(
    ("market", "agents", "says"),
    [
        ({"method": "pac"}, {"wire": True}, "expected market.model"),
        ({"model": "branch_flow"}, {"wire": True}, "expected market.model"),
        ({"agents": 0}, {"wire": True}, "expected how many federates host"),
        ({}, {"wire": True, "link": [{"ends": ["agent_0", "*"]}]}, "agent_"),
        (
            {},
            {"wire": True, "fault": [{"agent": 1, "kind": "nan", "first": 3, "last": 1}]},
            "expected last >= 3",
        ),
        ({}, {"wire": True, "deadline_s": 1e4}, "less than or equal"),
    ],
)
def test_what_cannot_be_meant_is_refused(market: dict[str, Any], agents: dict[str, Any], says: str) -> None:
    told = load_scenario(STUDY / "scenario.toml").model_dump()
    told["market"] |= market
    told["agents"] |= agents
    with pytest.raises(ValidationError, match=says):
        Scenario.model_validate(told)


def test_market_and_agents_wait_for_each_other_and_nobody_else_has_an_endpoint() -> None:
    study = load_study(STUDY)
    hosts = [f"agents_{k}" for k in (1, 2, 3, 4)]
    market, agent, feeder = (study.config(name) for name in ("market", "agents_2", "feeder"))
    assert market.endpoints == ("market/post",)
    assert market.peers == tuple(hosts)
    assert agent.endpoints == ("agents_2/post",)
    assert set(agent.peers) == {"market", *hosts} - {"agents_2"}
    assert not agent.subscriptions
    assert not agent.publications
    assert not feeder.endpoints
    assert not load_study(STUDY.parent / "ieee123_day").config("market").endpoints
