"""Names of agents, and networks that lose nothing."""

from __future__ import annotations

import pytest

from dlmp_cosim.market.meeting.rules import IDEAL, Conditions, agent_name


@pytest.mark.parametrize(
    ("conditions", "ideal"),
    [
        (IDEAL, True),
        (Conditions(delay_s=0.2), True),
        (Conditions(held_s=1.0), True),
        (Conditions(random_s=0.1), False),
        (Conditions(loss=0.01), False),
        (Conditions(duplication=0.01), False),
        (Conditions(reordering=0.01, held_s=1.0), False),
    ],
)
def test_a_network_is_ideal_while_packets_arrive_once_and_in_order(
    conditions: Conditions, ideal: bool
) -> None:
    """A delay that is the same for all keeps their order."""
    assert conditions.ideal is ideal


def test_people_count_agents_from_one() -> None:
    assert [agent_name(k) for k in (0, 9)] == ["agent_1", "agent_10"]
