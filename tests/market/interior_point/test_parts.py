"""Areas of the sweeps: connected parts of the elimination tree, and what crosses between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.interior_point.fronts import Plan, make_plan
from dlmp_cosim.market.interior_point.parts import (
    ALL,
    SweepCut,
    cut_sweeps,
    parents,
    sweep_areas,
    sweep_parts,
)
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees


def cuts_of(problem: AtomicProblem, n_area: int) -> tuple[SweepCut, Plan]:
    plan = make_plan(problem)
    return cut_sweeps(problem, plan, sweep_areas(plan, n_area)), plan


def tops(area: IntArray, plan: Plan) -> IntArray:
    """How many fronts of every area report outside of it, or to nobody."""
    up, of_front = parents(plan.fronts), area[plan.atoms]
    leaves = (up < 0) | (of_front[up] != of_front)
    return np.bincount(of_front[leaves], minlength=int(area.max()) + 1)


def test_every_front_but_the_root_reports_to_a_later_one() -> None:
    up = parents(make_plan(network([-1, 0, 0, 1, 1, 2])).fronts)
    assert (up[:-1] > np.arange(5)).all()
    assert up[-1] == -1


@settings(max_examples=10)
@given(trees(14), st.integers(0, 16))
def test_areas_are_as_many_as_wanted_and_each_has_one_way_out(parent: list[int], wanted: int) -> None:
    plan = make_plan(network(parent))
    area = sweep_areas(plan, wanted)
    count = min(wanted or len(parent), len(parent))
    assert sorted(set(area.tolist())) == list(range(count))
    assert tops(area, plan).tolist() == [1] * count


def test_no_number_is_one_area_a_bus() -> None:
    assert len(set(sweep_areas(make_plan(network(chain(5))), 0).tolist())) == 5


@pytest.mark.parametrize(("n", "wanted", "sizes"), [(8, 2, [4, 4]), (16, 4, [4, 4, 4, 4]), (9, 1, [9])])
def test_a_chain_is_cut_into_equal_lengths(n: int, wanted: int, sizes: list[int]) -> None:
    area = sweep_areas(make_plan(network(chain(n))), wanted)
    assert sorted(np.bincount(area).tolist()) == sizes


def test_parts_without_a_connection_are_areas_of_their_own_in_any_case() -> None:
    problem = network([-1, 0, 1, -1, 3])
    area = sweep_areas(make_plan(problem), 1)
    assert len(set(area[:3].tolist())) == len(set(area[3:].tolist())) == 1
    assert area[0] != area[3]


def test_the_last_root_answers_for_parts_without_a_connection() -> None:
    cuts, plan = cuts_of(network([-1, 0, 1, -1, 3]), 2)
    last = int(cuts.area[plan.atoms[-1]])
    other = 1 - last
    assert (cuts.ties[last].up, cuts.ties[other].up) == (-1, last)
    assert cuts.ties[last].down == (other,)
    assert [found.up for found in cuts.crossings] == [-1, -1]


@settings(max_examples=10)
@given(trees(12), st.integers(2, 8))
def test_what_one_sends_up_the_other_has_room_for(parent: list[int], wanted: int) -> None:
    """A ghost of the neighbour behind stands for its top front, and speaks of the same unknowns."""
    problem = network(parent)
    cuts, _ = cuts_of(problem, wanted)
    n = len(problem.linear)
    for k, crossing in enumerate(cuts.crossings):
        piece, fronts = cuts.cuts[k], cuts.fronts[k]
        names = np.concatenate([piece.variables, n + piece.rows])
        for area, ghost in zip(crossing.areas, crossing.ghosts, strict=True):
            below, theirs = cuts.crossings[area], cuts.fronts[area]
            assert below.up == k
            mine = names[fronts.edge[fronts.edge_ptr[ghost] : fronts.edge_ptr[ghost + 1]]]
            other = np.concatenate([cuts.cuts[area].variables, n + cuts.cuts[area].rows])
            told = other[theirs.edge[theirs.edge_ptr[below.top] : theirs.edge_ptr[below.top + 1]]]
            np.testing.assert_array_equal(mine, told)
    assert sum(found.up < 0 for found in cuts.crossings) == 1


@settings(max_examples=10)
@given(trees(12), st.integers(1, 8))
def test_every_unknown_is_eliminated_by_one_agent(parent: list[int], wanted: int) -> None:
    problem = network(parent, per_bus=2)
    cuts, _ = cuts_of(problem, wanted)
    n, told = len(problem.linear), []
    for piece, fronts in zip(cuts.cuts, cuts.fronts, strict=True):
        names = np.concatenate([piece.variables, n + piece.rows])
        told += names[np.append(fronts.own, fronts.local)].tolist()
    assert sorted(told) == list(range(n + len(problem.row_lower)))


def test_numbers_are_handed_out_with_what_the_pattern_fixes() -> None:
    problem = network(chain(6))
    cuts, plan = cuts_of(problem, 3)
    parts = sweep_parts(problem, cuts)
    assert [part.height for part in parts] == [plan.height] * 3
    assert not any(part.curved for part in parts)
    whole = np.concatenate([cuts.cuts[k].variables[: cuts.cuts[k].n] for k in range(3)])
    held = np.concatenate([part.part.problem.linear for part in parts])
    np.testing.assert_array_equal(held, problem.linear[whole])
    np.testing.assert_array_equal(np.concatenate([part.direct for part in parts]), plan.direct[whole])


def test_one_agent_alone_crosses_nothing() -> None:
    cuts, plan = cuts_of(network(chain(5)), 1)
    (crossing,), (fronts,) = cuts.crossings, cuts.fronts
    assert crossing == ALL
    np.testing.assert_array_equal(fronts.own_ptr, plan.fronts.own_ptr)
    np.testing.assert_array_equal(fronts.child, plan.fronts.child)
