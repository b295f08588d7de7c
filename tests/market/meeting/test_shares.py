"""Who takes over the buses of agents that are out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.agents.neighbours import Halo, Ties
from dlmp_cosim.market.meeting.shares import merge, renamed_ties

CHAIN = np.array([-1, 0, 1, 2, 3, 4])
"""Six buses in a row, the first at the root."""
PAIRS = np.array([0, 0, 1, 1, 2, 2])
"""Three agents with two of them each."""


@pytest.mark.parametrize(
    ("out", "areas", "agents"),
    [
        pytest.param([], [0, 0, 1, 1, 2, 2], [0, 1, 2], id="all are there"),
        pytest.param([7], [0, 0, 1, 1, 2, 2], [0, 1, 2], id="who is out never was there"),
        pytest.param([1], [0, 0, 0, 0, 1, 1], [0, 2], id="the one above steps in first"),
        pytest.param([0], [0, 0, 0, 0, 1, 1], [1, 2], id="at the root the one below does"),
        pytest.param([2], [0, 0, 1, 1, 1, 1], [0, 1], id="at the end the one above does"),
        pytest.param([1, 2], [0, 0, 0, 0, 0, 0], [0], id="two in a row, one after the other"),
        pytest.param([0, 1], [0, 0, 0, 0, 0, 0], [2], id="from the other end as well"),
    ],
)
def test_neighbours_step_in(out: list[int], areas: list[int], agents: list[int]) -> None:
    merged, numbers = merge(PAIRS, CHAIN, out)
    assert (merged.tolist(), numbers.tolist()) == (areas, agents)
    assert PAIRS.tolist() == [0, 0, 1, 1, 2, 2]


def test_nobody_is_left() -> None:
    with pytest.raises(ClearingError) as caught:
        merge(PAIRS, CHAIN, [0, 1, 2])
    assert str(caught.value) == "no agent is left that could look after the wires of those that are out"


@settings(max_examples=40)
@given(
    st.integers(2, 10).flatmap(
        lambda n: st.tuples(
            st.tuples(*(st.integers(0, max(k - 1, 0)) for k in range(1, n))),
            st.sets(st.integers(0, n - 1), max_size=n - 1),
        )
    )
)
def test_every_bus_has_an_agent_that_is_there_and_whose_area_is_connected(
    drawn: tuple[tuple[int, ...], set[int]],
) -> None:
    """One agent a bus to begin with."""
    ups, out = drawn
    up = np.array([-1, *ups])
    merged, numbers = merge(np.arange(len(up)), up, out)
    assert set(numbers.tolist()) == set(range(len(up))) - out
    here = numbers[merged]
    assert all(here[k] == k for k in range(len(up)) if k not in out)
    for area in set(merged.tolist()):
        tops = [k for k in np.flatnonzero(merged == area) if up[k] < 0 or merged[up[k]] != area]
        assert len(tops) == 1


def test_ties_are_told_by_agents_and_not_by_areas() -> None:
    none = np.zeros(0, dtype=np.int64)
    halo = Halo(1, np.array([3]), none, none, none)
    ties = renamed_ties(Ties(0, (1, 2), (halo,)), np.array([4, 7, 9]))
    assert (ties.up, ties.down) == (4, (7, 9))
    assert [item.area for item in ties.halos] == [7]
    assert ties.halos[0].tell_values is halo.tell_values


def test_a_root_stays_a_root() -> None:
    assert renamed_ties(replace(Ties(), down=(0,)), np.array([5])) == Ties(-1, (5,))
