"""Agents apart clear what agents in one loop clear, on any network; who gets lost is named and left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.meeting.faults import Fault
from dlmp_cosim.market.meeting.rules import WINDOWS, Conditions, FaultKind, Patience
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.settings import Method
from tests.market.conftest import Situation
from tests.market.meeting.situations import PRICE, Sweeping, apart, together

SHARES = (1.0, 0.97, 0.98)
"""Demands of three clearings in a row: cold, then warm."""
ROUGH = Conditions(delay_s=0.02, random_s=0.03, loss=0.1, duplication=0.05, reordering=0.1, held_s=0.2)


def clear(market: NodalMarket, at: Situation, share: float = 1.0):  # type: ignore[no-untyped-def]
    return market.clear(at.state, share * at.demand, at.offers, PRICE)


@pytest.mark.parametrize("agents", [4, 8, 0])
def test_sweeps_between_agents_give_the_same_bits(sagging: Situation, agents: int) -> None:
    """Limits bind; areas of thirty buses, of fifteen, and single buses."""
    one, (other, _) = together(sagging, agents=agents), apart(sagging, agents=agents)
    one.form = Sweeping()
    for share in SHARES:
        first, second = clear(one, sagging, share), clear(other, sagging, share)
        assert second.status == "solved"
        assert any(limit.price > 0 for limit in first.limits)
        assert first.dispatch.tobytes() == second.dispatch.tobytes()
        assert first.prices.real.tobytes() == second.prices.real.tobytes()
        assert (first.rounds, first.messages, first.scalars) == (
            second.rounds,
            second.messages,
            second.scalars,
        )


@pytest.mark.parametrize("name", ["usual", "sagging", "light"])
def test_steps_without_sweeps_lead_where_sweeps_do(name: str, request: pytest.FixtureRequest) -> None:
    """Warm steps hold few limits and are condensed to these: the same steps but for rounding."""
    at: Situation = request.getfixturevalue(name)
    one, other = together(at), together(at)
    other.form = Sweeping()
    for share in SHARES:
        first, second = clear(one, at, share), clear(other, at, share)
        np.testing.assert_allclose(first.dispatch, second.dispatch, rtol=0, atol=1e-8)
        np.testing.assert_allclose(first.prices.real, second.prices.real, rtol=0, atol=1e-5)
        assert first.rounds == second.rounds


@pytest.mark.parametrize(("name", "agents"), [("sagging", 4), ("sagging", 8), ("light", 4)])
def test_talk_between_agents_gives_the_same_bits(
    name: str, agents: int, request: pytest.FixtureRequest
) -> None:
    """Limits bind; areas of thirty buses and of fifteen."""
    at: Situation = request.getfixturevalue(name)
    one, (other, _) = together(at, "pac-accelerated", agents), apart(at, "pac-accelerated", agents)
    for share in SHARES:
        first, second = clear(one, at, share), clear(other, at, share)
        assert second.status == "solved"
        assert any(limit.price > 0 for limit in first.limits)
        assert first.dispatch.tobytes() == second.dispatch.tobytes()
        assert first.prices.real.tobytes() == second.prices.real.tobytes()
        assert first.rounds == second.rounds > 10


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated"])
def test_a_rough_network_changes_nothing_but_the_time(light: Situation, method: Method) -> None:
    """Delay, loss, copies and disorder: the same bits as on an ideal network, later and with repetitions."""
    ideal, calm = apart(light, method)
    rough, tried = apart(light, method, conditions=ROUGH)
    first, second = clear(ideal, light), clear(rough, light)
    assert first.dispatch.tobytes() == second.dispatch.tobytes()
    assert first.prices.real.tobytes() == second.prices.real.tobytes()
    assert tried.talked.seconds > 20 * calm.talked.seconds
    assert calm.talked.repetitions == 0
    assert tried.talked.repetitions > 0.05 * calm.talked.packets


def test_the_seed_decides_what_is_lost(light: Situation) -> None:
    took = []
    for seed in (1, 1, 2):
        market, form = apart(light, conditions=ROUGH, seed=seed)
        clear(market, light)
        took.append((form.talked.seconds, form.talked.packets))
    assert took[0] == took[1] != took[2]


def test_a_deadline_ends_the_negotiation(light: Situation) -> None:
    slow = Conditions(delay_s=1.0)
    market, _ = apart(light, conditions=slow, patience=Patience(meeting_s=20.0))
    with pytest.raises(ClearingError, match=r"did not agree in time: agent_\d said nothing within 20 s"):
        clear(market, light)


def test_lost_messages_that_nobody_repeats_are_named(light: Situation) -> None:
    market, _ = apart(light, conditions=Conditions(loss=0.2), patience=Patience(repeats=False))
    with pytest.raises(ClearingError, match=r"said nothing within 60 s \(agent_\d waits for it\)"):
        clear(market, light)


def held(at: Situation, market: NodalMarket, agent: int) -> list[int]:
    """Resources of an agent's buses."""
    plan = market._plan
    assert plan is not None
    from dlmp_cosim.market.interior_point.parts import sweep_areas

    area, layout = sweep_areas(plan, 4), market.model.layout
    return [
        k
        for k in range(len(at.network.resources))
        if area[layout.variable_atom[layout.resource[0][k]]] == agent
    ]


@pytest.mark.parametrize("kind", ["silent", "nan", "huge"])
def test_a_broken_agent_is_named_and_the_others_clear(light: Situation, kind: FaultKind) -> None:
    """Its resources stay where they are: not dispatched before, so at 0."""
    market, form = apart(light, faults=[Fault(1, kind)])
    form.open(0)
    clearing = clear(market, light)
    assert clearing.status == "solved"
    assert len(clearing.notes) == 1
    assert clearing.notes[0].startswith("agent_2 ")
    assert "held, its resources at their last dispatch" in clearing.notes[0]
    mine = held(light, market, 1)
    others = sorted(set(range(len(light.network.resources))) - set(mine))
    assert mine
    assert np.abs(clearing.dispatch[mine]).max() < 1e-9
    assert np.abs(clearing.dispatch[others]).max() > 10.0


@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated"])
def test_what_the_others_clear_is_their_optimum(light: Situation, method: Method) -> None:
    """The same as when the broken agent's resources are offered at nothing else than what they run at."""
    market, form = apart(light, method, faults=[Fault(1, "silent")])
    form.open(0)
    clearing = clear(market, light)
    still = [k for k in range(len(light.offers)) if abs(clearing.dispatch[k]) < 1e-9]
    offers = [
        replace(offer, p_min_kw=0.0, p_max_kw=0.0, q_min_kvar=0.0, q_max_kvar=0.0) if k in still else offer
        for k, offer in enumerate(light.offers)
    ]
    reference = together(light, method).clear(light.state, light.demand, offers, PRICE)
    np.testing.assert_allclose(clearing.dispatch, reference.dispatch, atol=0.05)
    np.testing.assert_allclose(clearing.prices.real, reference.prices.real, atol=0.01)


def test_an_agent_that_stays_silent_is_islanded_and_one_that_returns_is_back(light: Situation) -> None:
    market, form = apart(
        light, faults=[Fault(0, "silent", last=2 * WINDOWS - 1), Fault(2, "silent")], held_intervals=2
    )
    said = []
    for interval in range(4):
        form.open(interval)
        said.append(clear(market, light).notes)
    assert [len(notes) for notes in said] == [2, 2, 1, 1]
    assert all("held" in note for notes in said[:2] for note in notes)
    assert said[2] == said[3]
    assert said[2][0].startswith("agent_3 says nothing: islanded")


def test_nobody_left_is_an_error(light: Situation) -> None:
    market, form = apart(light, faults=[Fault(k, "silent") for k in range(9)])
    form.open(0)
    with pytest.raises(ClearingError, match="no agent is left"):
        clear(market, light)


@pytest.mark.parametrize("kind", ["inconsistent", "replayed"])
@pytest.mark.parametrize("agent", [0, 1, 2])
@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated"])
def test_an_agent_that_contradicts_itself_is_named(
    light: Situation, method: Method, agent: int, kind: FaultKind
) -> None:
    """By a row that no longer holds, or because it told two things; nobody else is blamed."""
    market, form = apart(light, method, faults=[Fault(agent, kind)])
    form.open(0)
    clearing = clear(market, light)
    assert clearing.status == "solved"
    assert [note.split()[0] for note in clearing.notes] == [f"agent_{agent + 1}"]
    assert any(words in clearing.notes[0] for words in ("it is inconsistent", "differs from its report"))


def test_a_consistent_lie_is_another_offer(light: Situation) -> None:
    """Nobody notices: the clearing is the one of the dearer offers, which is all that neighbours can know."""
    market, form = apart(light, faults=[Fault(1, "wrong")])
    form.open(0)
    clearing = clear(market, light)
    truth = clear(together(light), light)
    assert clearing.notes == ()
    assert clearing.status == "solved"
    assert np.abs(clearing.dispatch - truth.dispatch).max() > 1.0
