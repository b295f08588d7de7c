"""Where agents add up what all of them have: leaves first, by neighbours, in the middle at last."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.problem.graph import distances, gathering_of, middle_of, neighbours_of, ways_of
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


graphs = st.integers(1, 12).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2), max_size=20))
)


def joined(drawn: tuple[int, list[tuple[int, int]]]) -> tuple[tuple[int, ...], ...]:
    """Neighbours of every agent, ascending."""
    n, pairs = drawn
    found: list[set[int]] = [set() for _ in range(n)]
    for a, b in pairs:
        if a != b:
            found[a].add(b)
            found[b].add(a)
    return tuple(tuple(sorted(others)) for others in found)


@settings(max_examples=60)
@given(graphs)
def test_hops_are_those_of_floyd_and_warshall(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    neighbours = joined(drawn)
    n = len(neighbours)
    far = np.full((n, n), np.inf)
    for a, others in enumerate(neighbours):
        far[a, [a, *others]] = [0, *[1] * len(others)]
    for k in range(n):
        far = np.minimum(far, far[:, k : k + 1] + far[k])
    for start in range(n):
        expected = {end: int(hops) for end, hops in enumerate(far[start]) if np.isfinite(hops)}
        found = distances(neighbours, start)
        assert found == expected
        assert list(found.values()) == sorted(found.values())


@settings(max_examples=60)
@given(trees())
def test_nobody_in_a_tree_is_nearer_to_the_farthest_than_its_middle(parent: list[int]) -> None:
    neighbours = joined((len(parent), [(k, up) for k, up in enumerate(parent) if up >= 0]))
    reach = [max(distances(neighbours, k).values()) for k in range(len(parent))]
    for start in range(len(parent)):
        assert reach[middle_of(neighbours, start)] == min(reach)


@settings(max_examples=60)
@given(graphs)
def test_everybody_passes_on_once_and_after_those_it_hears(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    neighbours = joined(drawn)
    found = gathering_of(neighbours)
    place = {agent: k for k, agent in enumerate(found.order.tolist())}
    assert sorted(place) == list(range(len(neighbours)))
    for agent, others in enumerate(found.heard):
        assert all(place[other] < place[agent] for other in others)
    last = int(found.order[-1])
    assert found.towards[last] == -1
    assert (found.towards >= 0).sum() == len(neighbours) - 1
    for agent, to in enumerate(found.towards.tolist()):
        apart = to >= 0 and to not in neighbours[agent]
        assert not apart or to == last, "only a part without a connection passes on from afar"
