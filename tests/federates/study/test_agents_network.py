"""The network of agents as a scenario says it: classes of links, grain of time, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.study.agents import GRAINS, AgentsSection, LinkSection
from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.meeting.rules import IDEAL, TICK_S


def section(**table: Any) -> AgentsSection:
    return validate(AgentsSection, table, Path("s.toml"))


def refused(**table: Any) -> str:
    with pytest.raises(InputError) as caught:
        section(**table)
    return str(caught.value)


@pytest.mark.parametrize(
    ("ends", "pair", "belongs"),
    [
        (["agent_1", "agent_2"], ("agent_1", "agent_2"), True),
        (["agent_1", "agent_2"], ("agent_2", "agent_1"), True),
        (["agent_1", "agent_2"], ("agent_1", "agent_3"), False),
        (["agent_1", "*"], ("agent_3", "agent_1"), True),
        (["*", "agent_1"], ("agent_3", "agent_1"), True),
        (["*", "agent_1"], ("agent_3", "agent_2"), False),
        (["*", "*"], ("agent_3", "agent_2"), True),
        (["agent_1", "agent_1"], ("agent_1", "agent_2"), False),
    ],
)
def test_a_class_is_of_links_in_either_direction(
    ends: list[str], pair: tuple[str, str], belongs: bool
) -> None:
    assert LinkSection(ends=ends).is_between(*pair) is belongs


def test_the_first_class_that_fits_counts() -> None:
    found = section(link=[{"ends": ["agent_1", "agent_2"], "delay_s": 2.0}, {"delay_s": 1.0}])
    assert [found.classes(*pair).delay_s for pair in ((0, 1), (1, 0), (1, 2))] == [2.0, 2.0, 1.0]


def test_a_link_of_no_class_is_ideal() -> None:
    assert section().classes(0, 1) == IDEAL
    assert section(link=[{"ends": ["agent_1", "*"], "loss": 0.5}]).classes(1, 2) == IDEAL


def test_a_class_says_all_that_happens_to_messages() -> None:
    given_out = {
        "delay_s": 1.0, "random_s": 0.5, "loss": 0.1, "duplication": 0.2, "reordering": 0.3, "held_s": 0.4
    }  # fmt: skip
    found = section(link=[given_out]).classes(0, 1)
    assert {name: getattr(found, name) for name in given_out} == given_out


@pytest.mark.parametrize(
    ("table", "grain_s"),
    [
        ({}, TICK_S),
        ({"grain_s": 0.5}, 0.5),
        ({"grain_s": 0.7}, 0.5),
        ({"link": [{"delay_s": 1.0}]}, 0.2),
        ({"link": [{"delay_s": 1.0}, {"delay_s": 0.1, "random_s": 0.4}]}, 0.1),
        ({"link": [{"delay_s": 1.0}, {"loss": 0.1}]}, 0.2),
        ({"link": [{"delay_s": 1.0}], "grain_s": 0.05}, 0.05),
        ({"grain_s": 1e-12}, TICK_S),
    ],
)
def test_the_grain_is_a_fifth_of_the_shortest_delay_or_what_is_asked_for(
    table: dict[str, Any], grain_s: float
) -> None:
    assert section(**table).grain * TICK_S == pytest.approx(grain_s)


@given(st.floats(1e-6, 1.0))
def test_a_grain_is_never_coarser_than_asked_and_at_most_a_fifth_finer_step(asked: float) -> None:
    found = section(grain_s=asked).grain
    assert found in GRAINS
    assert found * TICK_S <= max(asked, TICK_S) * (1 + 1e-9)


@pytest.mark.parametrize(("loss", "repeats"), [([], False), ([0.0, 0.0], False), ([0.0, 0.1], True)])
def test_words_are_repeated_where_any_link_loses_some(loss: list[float], repeats: bool) -> None:
    found = section(link=[{"loss": share} for share in loss], word_s=20.0, deadline_s=100.0).patience
    assert found.repeats is repeats
    assert (found.word_s, found.meeting_s) == (20.0, 100.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"link": [{"ends": ["agent_1"]}]},
            "s.toml link[0].ends: ['agent_1'] cannot be used; expected list should have at least 2 items",
        ),
        ({"link": [{"ends": ["agent_0", "*"]}]}, "s.toml link[0].ends[0]: 'agent_0' cannot be used"),
        ({"link": [{"ends": ["Agent_1", "*"]}]}, "s.toml link[0].ends[0]: 'Agent_1' cannot be used"),
        (
            {"link": [{"loss": 1.0}]},
            (
                "s.toml link[0].loss: 1.0 cannot be used; expected input should be less "
                "than 1 (share of the messages that are lost)"
            ),
        ),
        ({"link": [{"delay_s": -1.0}]}, "s.toml link[0].delay_s: -1.0 cannot be used"),
        ({"link": [{"delay_s": 61.0}]}, "s.toml link[0].delay_s: 61.0 cannot be used"),
        (
            {"link": [{"lost": 0.1}]},
            (
                "unknown key 'lost'; expected one of ends, delay_s, random_s, loss, "
                "duplication, reordering, held_s; did you mean 'loss'?"
            ),
        ),
        ({"fault": [{"agent": 0, "kind": "nan"}]}, "s.toml fault[0].agent: 0 cannot be used"),
        ({"fault": [{"agent": 1, "kind": "naan"}]}, "did you mean 'nan'?"),
        (
            {"fault": [{"agent": 1, "kind": "nan", "first": 3, "last": 2}]},
            "s.toml: agents.fault ends before it begins; expected last >= 3",
        ),
        ({"deadline_s": 301.0}, "s.toml deadline_s: 301.0 cannot be used"),
        ({"word_s": 0.0}, "s.toml word_s: 0.0 cannot be used"),
        ({"federates": -1}, "s.toml federates: -1 cannot be used"),
    ],
)
def test_what_no_network_does_is_refused(table: dict[str, Any], message: str) -> None:
    assert message in refused(**table)
