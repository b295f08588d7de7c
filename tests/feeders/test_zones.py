"""Which nodes are joined, against SciPy's own search."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from dlmp_cosim.feeders.zones import joined, zones


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
def test_components_and_their_numbers_are_those_of_scipy(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    n, edges = drawn
    one, other = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = sp.coo_array((np.ones(len(one)), (one, other)), shape=(n, n))
    expected = connected_components(graph, directed=False)[1]
    np.testing.assert_array_equal(joined(n, one, other), expected)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_line_in_any_order_is_one(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(20_000)
    assert not joined(len(order), order[:-1], order[1:]).any()


def test_a_zero_in_a_block_joins_nothing() -> None:
    index = {"a.1": 0, "a.2": 1, "b.1": 2, "b.2": 3}
    block = np.kron(np.array([[1, -1], [-1, 1]]), np.eye(2)).astype(complex)
    assert zones(index, [(("a.1", "a.2", "b.1", "b.2"), block)]).tolist() == [0, 1, 0, 1]
    assert zones(index, []).tolist() == [0, 1, 2, 3]
