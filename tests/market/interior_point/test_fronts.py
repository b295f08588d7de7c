"""The pattern of the elimination, against a dense elimination of the same order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.interior_point.fronts import Plan, answers_directly, make_plan, plan_for
from dlmp_cosim.market.interior_point.tree import elimination_order
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees

loops = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=3)


def looped(parent: list[int], ties: list[tuple[int, int]]) -> AtomicProblem:
    within = [(a % len(parent), b % len(parent)) for a, b in ties]
    return network(parent, loops=[(a, b) for a, b in within if a != b])


def part(pointer: np.ndarray, values: np.ndarray, k: int) -> list[int]:
    return values[pointer[k] : pointer[k + 1]].tolist()  # type: ignore[no-any-return]


def dense_edges(problem: AtomicProblem, plan: Plan) -> list[set[int]]:
    """Eliminate front by front in a dense pattern: what each touches of what comes later."""
    n, m = len(problem.linear), len(problem.row_lower)
    size = n + m
    joined = np.zeros((size, size), dtype=bool)
    entries = problem.rows.tocoo()
    joined[entries.row + n, entries.col] = joined[entries.col, entries.row + n] = True
    left, found = np.ones(size, dtype=bool), []
    left[:n][plan.direct] = False
    joined[:n][plan.direct] = False
    joined[:, :n][:, plan.direct] = False
    for k in range(len(plan.atoms)):
        own = part(plan.fronts.own_ptr, plan.fronts.own, k)
        left[own] = False
        touched = joined[own].any(axis=0) & left
        found.append(set(np.flatnonzero(touched).tolist()))
        joined[np.ix_(touched, touched)] = True
    return found


@settings(max_examples=20)
@given(trees(12), loops)
def test_messages_are_about_what_a_dense_elimination_touches(
    parent: list[int], ties: list[tuple[int, int]]
) -> None:
    problem = looped(parent, ties)
    plan = make_plan(problem)
    edges = [set(part(plan.fronts.edge_ptr, plan.fronts.edge, k)) for k in range(len(parent))]
    assert edges == dense_edges(problem, plan)


@settings(max_examples=20)
@given(trees(12), loops)
def test_a_parent_has_a_place_for_all_that_a_child_says(
    parent: list[int], ties: list[tuple[int, int]]
) -> None:
    plan = make_plan(looped(parent, ties))
    fronts = plan.fronts
    whole = [
        part(fronts.own_ptr, fronts.own, k) + part(fronts.edge_ptr, fronts.edge, k)
        for k in range(len(parent))
    ]
    seen = []
    for up in range(len(parent)):
        for child in part(fronts.child_ptr, fronts.child, up):
            seen.append(child)
            assert child < up
            at = part(fronts.edge_ptr, fronts.edge_at, child)
            assert [whole[up][place] for place in at] == part(fronts.edge_ptr, fronts.edge, child)
    assert (
        len(seen)
        == len(set(seen))
        == sum(bool(part(fronts.edge_ptr, fronts.edge, k)) for k in range(len(parent)))
    )


@settings(max_examples=20)
@given(trees(12), loops)
def test_an_atom_eliminates_what_is_its_own_and_nothing_else(
    parent: list[int], ties: list[tuple[int, int]]
) -> None:
    problem = looped(parent, ties)
    plan = make_plan(problem)
    n = len(problem.linear)
    atom = np.concatenate([problem.variable_atom, problem.row_atom])
    direct = np.concatenate([plan.direct, np.zeros(len(problem.row_lower), dtype=bool)])
    for k, one in enumerate(plan.atoms.tolist()):
        mine = atom == one
        own = part(plan.fronts.own_ptr, plan.fronts.own, k)
        assert sorted(own) == np.flatnonzero(mine & ~direct).tolist()
        local = part(plan.fronts.local_ptr, plan.fronts.local, k)
        assert sorted(local) == np.flatnonzero((mine & direct)[:n]).tolist()


@settings(max_examples=20)
@given(trees(12), loops)
def test_every_entry_of_the_rows_is_in_one_front(parent: list[int], ties: list[tuple[int, int]]) -> None:
    problem = looped(parent, ties)
    plan = make_plan(problem)
    fronts, entries, n = plan.fronts, problem.rows.tocoo(), len(problem.linear)
    told = []
    for k in range(len(parent)):
        whole = part(fronts.own_ptr, fronts.own, k) + part(fronts.edge_ptr, fronts.edge, k)
        span = slice(fronts.entry_ptr[k], fronts.entry_ptr[k + 1])
        for entry, row, column in zip(
            fronts.entry[span].tolist(),
            fronts.entry_row[span].tolist(),
            fronts.entry_column[span].tolist(),
            strict=True,
        ):
            assert whole[row] == entries.row[entry] + n
            assert whole[column] == entries.col[entry]
            told.append(entry)
    told += fronts.column_entry.tolist()
    assert sorted(told) == list(range(problem.rows.nnz))


def test_a_resource_of_one_bus_answers_directly() -> None:
    """Flows and voltages have no box; a power that another bus reads is not its bus's own affair."""
    problem = network(chain(3), per_bus=2)
    direct = answers_directly(problem)
    assert direct.tolist() == [False] * 6 + [True] * 6
    rows = problem.rows.tolil()
    rows[1, 6] = 0.5
    shared = replace(problem, rows=rows.tocsr())
    assert answers_directly(shared).tolist() == [False] * 7 + [True] * 5


def test_a_plan_serves_other_numbers_in_the_same_pattern() -> None:
    problem = network(chain(4))
    plan = make_plan(problem)
    dearer = replace(problem, linear=2 * problem.linear, row_lower=problem.row_lower + 1)
    assert plan_for(dearer, plan) is plan
    assert plan_for(problem, None).height == plan.height


@pytest.mark.parametrize("change", ["pattern", "box", "owner"])
def test_another_pattern_needs_another_plan(change: str) -> None:
    problem = network(chain(4))
    plan = make_plan(problem)
    if change == "pattern":
        other = network(chain(4), loops=[(3, 0)])
    elif change == "box":
        upper = problem.upper.copy()
        upper[-1] = np.inf
        other = replace(problem, upper=upper)
    else:
        other = replace(problem, variable_atom=problem.variable_atom[::-1].copy())
    assert not plan.fits(other)
    if change != "owner":
        assert plan_for(other, plan) is not plan


def test_numbers_of_a_message_are_a_triangle_and_two_columns() -> None:
    """A chain of two: the edge is one unknown, told with its curvature, two sides and two residuals."""
    plan = make_plan(network(chain(2)))
    (size,) = np.diff(plan.fronts.edge_ptr)[:1].tolist()
    assert plan.most == size * (size + 1) // 2 + 2 * size + 2
    assert plan.scalars == plan.most + size + 2
    assert (plan.messages, plan.height) == (2, 1)


def test_an_order_may_be_given() -> None:
    problem = network([-1, 0, 0, 1, 1, 2])
    order = elimination_order(problem)
    assert make_plan(problem, order).atoms.tolist() == order.atoms.tolist()
