"""Agents apart: which network they are on, whom they join, and what is recorded of their talk."""

from __future__ import annotations

import json
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from toys import toy_network

from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.wire.apart import AgentsApart
from dlmp_cosim.federates.wire.carrier import WireCarrier
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.market.baselines.uniform import UniformMarket
from dlmp_cosim.market.meeting.form import Talked
from dlmp_cosim.market.meeting.network import Simulated
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.settings import MarketSettings


@pytest.fixture
def agents(study: Study) -> AgentsApart:
    return AgentsApart(study.scenario, None)


def carrier_of(agents: AgentsApart) -> Any:
    return agents._form._carrier


def test_without_a_post_the_network_is_simulated(agents: AgentsApart, study: Study) -> None:
    assert isinstance(carrier_of(agents), Simulated)
    post: Any = SimpleNamespace()
    assert isinstance(carrier_of(AgentsApart(study.scenario, post)), WireCarrier)


def test_a_market_that_negotiates_between_agents_is_joined(agents: AgentsApart) -> None:
    market = NodalMarket.__new__(NodalMarket)
    agents.join(market)
    assert market.form is agents._form


def test_a_market_without_agents_is_left_alone(agents: AgentsApart) -> None:
    market = UniformMarket(toy_network(), MarketSettings())
    before = dict(vars(market))
    agents.join(market)
    assert vars(market) == before


def test_the_record_says_what_they_needed(agents: AgentsApart) -> None:
    agents.open(4)
    table = json.loads(agents.recorded('{"interval":4,"status":"final"}'))
    assert (table["interval"], table["status"]) == (4, "final")
    assert set(table["agents"]) == {field.name for field in fields(Talked)}


def test_a_record_that_is_none_is_refused(agents: AgentsApart) -> None:
    with pytest.raises(DlmpError):
        agents.recorded("[]")
