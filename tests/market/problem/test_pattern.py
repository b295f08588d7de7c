"""A matrix of a fixed pattern, against one that is filled entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.problem.pattern import pattern


def indices(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


BLOCKS = {
    "diagonal": (indices(0, 1, 2), indices(0, 1, 2)),
    "corner": (indices(0, 2), indices(3, 0)),
    "again": (indices(1, 0), indices(1, 3)),
}


def test_entries_at_one_place_add_up() -> None:
    matrix = pattern(BLOCKS, (3, 4)).matrix(
        {"diagonal": np.array([1.0, 2.0, 3.0]), "corner": 5.0, "again": 7.0}
    )
    expected = [[1, 0, 0, 12], [0, 9, 0, 0], [5, 0, 3, 0]]
    assert matrix.toarray().tolist() == expected
    assert matrix.nnz == 5


def test_values_change_and_the_pattern_stays() -> None:
    fixed = pattern(BLOCKS, (3, 4))
    one = fixed.matrix({"diagonal": 1.0, "corner": 2.0, "again": 3.0})
    other = fixed.matrix({"diagonal": 0.0, "corner": 0.0, "again": 0.0})
    assert one.indices.tolist() == other.indices.tolist()
    assert one.indptr.tolist() == other.indptr.tolist()
    assert other.nnz == one.nnz == 5
    assert not other.toarray().any()


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (-1, -1)])
def test_entries_outside_are_dropped(place: tuple[int, int]) -> None:
    fixed = pattern({"a": (indices(0, place[0]), indices(1, place[1]))}, (1, 2))
    assert fixed.matrix({"a": np.array([4.0, 9.0])}).toarray().tolist() == [[0.0, 4.0]]


def test_rows_without_entries_are_empty() -> None:
    matrix = pattern({"a": (indices(2), indices(0))}, (4, 1)).matrix({"a": 1.0})
    assert matrix.indptr.tolist() == [0, 0, 0, 1, 1]


entry = st.tuples(st.integers(-1, 4), st.integers(-1, 3), st.integers(-9, 9))


@settings(max_examples=40)
@given(st.lists(st.lists(entry, max_size=6), min_size=1, max_size=3))
def test_any_blocks_are_the_sum_of_their_entries(blocks: list[list[tuple[int, int, int]]]) -> None:
    named = {
        f"b{k}": (indices(*(row for row, _, _ in block)), indices(*(column for _, column, _ in block)))
        for k, block in enumerate(blocks)
    }
    values = {
        f"b{k}": np.array([value for *_, value in block], dtype=float) for k, block in enumerate(blocks)
    }
    expected = np.zeros((5, 4))
    for block in blocks:
        for row, column, value in block:
            if row >= 0 and column >= 0:
                expected[row, column] += value
    matrix = pattern(named, (5, 4)).matrix(values)
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.has_canonical_format
