"""Fronts of the network's rows alone, out of those of the optimality conditions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.parts import parents
from dlmp_cosim.market.interior_point.square import square_fronts
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.factors import SquareFronts
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees

loops = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2)


def looped(parent: list[int], ties: list[tuple[int, int]]) -> AtomicProblem:
    within = [(a % len(parent), b % len(parent)) for a, b in ties]
    return network(parent, per_bus=2, loops=[(a, b) for a, b in within if a != b])


def square(problem: AtomicProblem) -> SquareFronts:
    found = make_plan(problem).network
    assert found is not None
    return found


def pieces(pointer: IntArray, values: IntArray) -> list[list[int]]:
    return [values[first:last].tolist() for first, last in pairwise(pointer.tolist())]


@settings(max_examples=12)
@given(trees(10), loops)
def test_every_row_and_column_of_the_network_is_eliminated_once(
    parent: list[int], ties: list[tuple[int, int]]
) -> None:
    problem = looped(parent, ties)
    fronts = square(problem)
    assert sorted(fronts.row.tolist()) == list(range(problem.n_state))
    assert sorted(fronts.column.tolist()) == list(range(problem.n_state))
    atoms = make_plan(problem).atoms
    for atom, own, columns in zip(
        atoms.tolist(), pieces(fronts.own_ptr, fronts.row), pieces(fronts.own_ptr, fronts.column), strict=True
    ):
        assert set(problem.row_atom[own].tolist()) == set(problem.variable_atom[columns].tolist()) == {atom}


@settings(max_examples=12)
@given(trees(10), loops)
def test_entries_stand_where_their_row_and_column_are(parent: list[int], ties: list[tuple[int, int]]) -> None:
    problem = looped(parent, ties)
    fronts, entries = square(problem), problem.rows.tocoo()
    inner = np.flatnonzero(entries.col < problem.n_state)
    assert sorted(fronts.entry.tolist()) == inner.tolist()
    rows = [
        a + b
        for a, b in zip(
            pieces(fronts.own_ptr, fronts.row), pieces(fronts.row_edge_ptr, fronts.row_edge), strict=True
        )
    ]
    columns = [
        a + b
        for a, b in zip(
            pieces(fronts.own_ptr, fronts.column),
            pieces(fronts.column_edge_ptr, fronts.column_edge),
            strict=True,
        )
    ]
    for k, (first, last) in enumerate(pairwise(fronts.entry_ptr.tolist())):
        assert [rows[k][at] for at in fronts.entry_row[first:last]] == entries.row[
            fronts.entry[first:last]
        ].tolist()
        assert [columns[k][at] for at in fronts.entry_column[first:last]] == entries.col[
            fronts.entry[first:last]
        ].tolist()


@settings(max_examples=12)
@given(trees(10), loops)
def test_a_parent_has_a_place_for_what_its_children_leave(
    parent: list[int], ties: list[tuple[int, int]]
) -> None:
    problem = looped(parent, ties)
    fronts, up = square(problem), parents(make_plan(problem).fronts)
    for own, edge_ptr, edge, at in (
        (fronts.row, fronts.row_edge_ptr, fronts.row_edge, fronts.row_at),
        (fronts.column, fronts.column_edge_ptr, fronts.column_edge, fronts.column_at),
    ):
        whole = [a + b for a, b in zip(pieces(fronts.own_ptr, own), pieces(edge_ptr, edge), strict=True)]
        for k, (told, places) in enumerate(zip(pieces(edge_ptr, edge), pieces(edge_ptr, at), strict=True)):
            assert [whole[up[k]][place] for place in places] == told


def test_room_is_that_of_whole_fronts() -> None:
    fronts = square(network(chain(4)))
    own = np.diff(fronts.own_ptr)
    sizes = (own + np.diff(fronts.row_edge_ptr)) * (own + np.diff(fronts.column_edge_ptr))
    np.testing.assert_array_equal(np.diff(fronts.room_ptr), sizes)


def test_a_bus_with_more_rows_than_variables_is_not_square() -> None:
    problem = network(chain(3))
    moved = problem.row_atom.copy()
    moved[0] = 1
    assert make_plan(replace(problem, row_atom=moved)).network is None


def test_a_network_without_linear_rows_has_empty_fronts() -> None:
    problem = network(chain(3))
    plan = make_plan(problem)
    empty = square_fronts(plan.fronts, parents(plan.fronts), len(problem.linear), 0)
    assert empty is not None
    assert (len(empty.row), len(empty.entry), empty.room_ptr[-1]) == (0, 0, 0)
