"""A market whose agents are apart: where they are, and what they needed to agree."""

from __future__ import annotations

from dataclasses import asdict

from dlmp_cosim.federates.contract.messages import decode, encode
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.wire.carrier import WireCarrier, faults_of
from dlmp_cosim.federates.wire.post import Post
from dlmp_cosim.market.meeting.form import Apart
from dlmp_cosim.market.meeting.network import Fate, Simulated
from dlmp_cosim.market.models import RetailMarket
from dlmp_cosim.market.nodal.market import NodalMarket


class AgentsApart:
    """Agents on wires; simulated ones where there are none, as in a run without HELICS.

    Parameters
    ----------
    scenario : Scenario
        Says who hosts agents, and how long they wait.
    post : Post, optional
        The market's endpoint.
    """

    def __init__(self, scenario: Scenario, post: Post | None) -> None:
        section, hosts = scenario.agents, scenario.agent_hosts
        fate = Fate(scenario.study.seed, section.classes, section.grain)
        simulated = Simulated(section.patience, fate, faults_of(section))
        carrier = simulated if post is None else WireCarrier(post, hosts, section.patience, fate.grain)
        self._form = Apart(carrier, section.held_intervals)

    def open(self, interval: int) -> None:
        """Begin an interval."""
        self._form.open(interval)

    def join(self, market: RetailMarket) -> None:
        """Let a market negotiate between these agents, where it has any."""
        if isinstance(market, NodalMarket):
            market.form = self._form

    def recorded(self, record: str) -> str:
        """Say in the record of an interval what its agents needed to agree, all its clearings together."""
        return encode(decode("market/clearing", record) | {"agents": asdict(self._form.talked)})
