"""Where agents add up what all of them have: leaves first, by neighbours, in the middle at last."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from dlmp_cosim.market.problem.graph import distances, gathering_of, neighbours_of, ways_of
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees


def test_a_chain_adds_up_in_its_middle() -> None:
    found = gathering_of(neighbours_of(network(chain(5))))
    assert found.towards.tolist() == [1, 2, -1, 2, 3]
    assert found.order.tolist()[-1] == 2
    assert found.heard == ((), (0,), (3, 1), (4,), ())


def test_parts_without_a_connection_tell_the_first() -> None:
    found = gathering_of(((1,), (0,), (3,), (2,), ()))
    first = int(found.order[-1])
    assert found.towards[first] == -1
    assert sorted(found.heard[first]) == sorted(
        at for at in range(5) if at != first and found.towards[at] == first
    )
    assert sorted(found.order.tolist()) == [0, 1, 2, 3, 4]
    assert (found.towards >= 0).sum() == 4


@given(trees())
def test_everybody_passes_on_to_a_neighbour_after_those_it_hears(parent: list[int]) -> None:
    """And nobody is farther from the middle than a sweep is counted."""
    problem = network(parent)
    neighbours, ways = neighbours_of(problem), ways_of(problem)
    order, towards = ways.gathering
    place = np.argsort(order)
    middle = int(order[-1])
    far = distances(neighbours, middle)
    assert 2 * max(far.values()) == ways.sweep.hops
    for at in order[:-1].tolist():
        assert towards[at] in neighbours[at]
        assert place[towards[at]] > place[at]
        assert far[int(towards[at])] == far[at] - 1
