"""The order of elimination: a root in the middle, leaves first, distances along neighbours."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.tree import elimination_order
from tests.market.interior_point.chains import chain, network


def trees(most: int = 25) -> st.SearchStrategy[list[int]]:
    """Parents of random trees."""
    return st.integers(1, most).flatmap(
        lambda n: st.tuples(*(st.integers(0, max(k - 1, 0)) for k in range(1, n))).map(lambda ups: [-1, *ups])
    )


def test_a_chain_is_rooted_in_its_middle() -> None:
    order = elimination_order(network(chain(7)))
    assert order.atoms[-1] == 3
    assert set(order.atoms[:2].tolist()) == {0, 6}


def test_half_the_longest_way_is_the_height() -> None:
    assert [make_plan(network(chain(n))).height for n in (1, 2, 3, 10, 11)] == [0, 1, 1, 5, 5]


@given(trees())
def test_every_agent_but_the_root_has_one_neighbour_that_comes_later(parent: list[int]) -> None:
    order = elimination_order(network(parent))
    later = [
        sum(order.place[o] > order.place[k] for o in others) for k, others in enumerate(order.neighbours)
    ]
    assert sorted(later) == [0] + [1] * (len(parent) - 1)


@given(trees(12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=3))
def test_messages_go_to_neighbours_where_loops_close(parent: list[int], loops: list[tuple[int, int]]) -> None:
    """One hop a message: no sum of hops is longer than the number of messages."""
    within = [(a % len(parent), b % len(parent)) for a, b in loops]
    plan = make_plan(network(parent, loops=[(a, b) for a, b in within if a != b]))
    assert plan.messages == 2 * (len(parent) - 1)
    assert plan.height < len(parent)


def test_hops_are_counted_along_neighbours() -> None:
    order = elimination_order(network(chain(6), loops=[(5, 0)]))
    assert order.hops(0, 5) == 1
    assert order.hops(0, 3) == 3


def test_every_unknown_has_one_place() -> None:
    problem = network([-1, 0, 0, 1, 1, 2])
    fronts = make_plan(problem).fronts
    n = len(problem.linear)
    found = np.sort(np.concatenate([fronts.own, fronts.local]))
    assert found.tolist() == list(range(n + len(problem.row_lower)))
