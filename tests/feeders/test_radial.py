from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import Bus, Element, Network, Source, Terminal
from dlmp_cosim.feeders.radial import Link, bus_tree, radial_tree, walk


def test_links_point_away_from_the_root_and_laterals_stay_together() -> None:
    tree = walk("a", [("a", "b"), ("c", "b"), ("a", "d"), ("c", "e")])
    assert tree.links == (Link(0, "a", "b"), Link(1, "b", "c"), Link(3, "c", "e"), Link(2, "a", "d"))
    assert tree.loops == ()
    assert tree.unreached == ()


def test_loops_and_islands_are_reported() -> None:
    tree = walk("a", [("a", "b"), ("b", "c"), ("c", "a"), ("x", "y"), ("b", "b")])
    assert len(tree.links) == 2
    assert len(tree.loops) == 2
    assert tree.unreached == (3,)


def test_two_lines_between_the_same_buses_are_a_loop() -> None:
    assert walk("a", [("a", "b"), ("b", "a")]).loops == (1,)


def test_a_root_without_segments_is_alone() -> None:
    assert walk("a", []).links == ()
    assert walk("a", [("b", "c")]).unreached == (0,)


@given(st.data())
def test_any_tree_is_spanned_whatever_the_order_and_direction(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 25))
    parents = [data.draw(st.integers(0, k)) for k in range(n)]
    ends = [(str(parent), str(k + 1)) for k, parent in enumerate(parents)]
    mixed = data.draw(st.permutations([data.draw(st.sampled_from([end, end[::-1]])) for end in ends]))
    tree = walk("0", mixed)
    assert {(link.from_bus, link.to_bus) for link in tree.links} == set(ends)
    seen = {"0"}
    for link in tree.links:
        assert link.from_bus in seen
        seen.add(link.to_bus)
    assert tree.loops == tree.unreached == ()


def joined(*ends: tuple[str, ...], sources: tuple[str, ...] = ("a",)) -> Network:
    """A network of one-phase elements between buses; only its shape counts."""
    names = sorted({bus for end in ends for bus in end} | set(sources))
    block = ((0.0,),)
    return Network(
        name="shape",
        buses=tuple(Bus(name, (1,), 1.0) for name in names),
        elements=tuple(
            Element(f"line.{k}", "line", tuple(Terminal(bus, (1,)) for bus in end), block, block, (1.0,))
            for k, end in enumerate(ends)
        ),
        sources=tuple(
            Source(f"vsource.{bus}", Terminal(bus, (1,)), (1.0,), (0.0,), block, block) for bus in sources
        ),
        loads=(),
    )


def parents(network: Network) -> dict[str, str]:
    tree = bus_tree(network)
    names = [bus.name for bus in network.buses]
    return {names[k]: names[p] if p >= 0 else "" for k, p in enumerate(tree.parent.tolist())}


def test_buses_hang_on_the_nearest_way_to_the_source() -> None:
    network = joined(("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"))
    assert parents(network) == {"a": "", "b": "a", "c": "b", "d": "a"}
    assert bus_tree(network).loops == (2,)


def test_the_source_comes_first_wherever_it_is_listed() -> None:
    network = joined(("a", "b"), ("b", "c"), sources=("c",))
    assert [network.buses[k].name for k in bus_tree(network).order] == ["c", "b", "a"]
    assert parents(network) == {"a": "b", "b": "c", "c": ""}


def test_an_element_of_three_ends_feeds_both_others() -> None:
    network = joined(("a", "b", "c"), ("c", "d"))
    assert parents(network) == {"a": "", "b": "a", "c": "a", "d": "c"}
    assert bus_tree(network).loops == ()


def test_islands_have_roots_of_their_own() -> None:
    network = joined(("a", "b"), ("x", "y"))
    tree = bus_tree(network)
    assert [network.buses[k].name for k in tree.roots] == ["a", "x"]


def test_elements_side_by_side_are_one_link_of_a_radial_tree() -> None:
    network = joined(("a", "b"), ("c", "b"), ("b", "a"), ("b", "d"), ("c", "e"))
    tree = radial_tree(network)
    assert [network.buses[k].name for k in tree.order] == ["a", "b", "c", "e", "d"]
    assert tree.parent.tolist() == [-1, 0, 1, 2, 1]
    assert tree.links == ((0, 2), (1,), (4,), (3,))


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (joined(("a", "b"), ("b", "c"), ("c", "a")), ["line.1 (b to c) closes a loop", "a radial circuit"]),
        (joined(("a", "b"), ("x", "y")), ["the source does not reach bus x", "one island"]),
        (joined(("a", "b"), sources=("a", "b")), ["vsource.b is a second source beside vsource.a"]),
        (joined(("a", "b"), ("b", "b")), ["line.1 (b to b) joins 1 buses rather than two"]),
        (joined(("a", "b", "c")), ["line.0 (a to b to c) joins 3 buses rather than two"]),
    ],
)
def test_what_is_not_radial_is_named(network: Network, says: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        radial_tree(network)
    for part in says:
        assert part in str(caught.value)


@given(st.data())
def test_any_tree_has_every_parent_before_its_children(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 25))
    ends = [(f"{data.draw(st.integers(0, k)):02d}", f"{k + 1:02d}") for k in range(n)]
    network = joined(*data.draw(st.permutations(ends)), sources=("00",))
    tree = radial_tree(network)
    assert sorted(tree.order.tolist()) == list(range(n + 1))
    assert np.all(tree.parent < np.arange(n + 1))
    names = [network.buses[k].name for k in tree.order]
    assert {(names[p], names[k + 1]) for k, p in enumerate(tree.parent[1:].tolist())} == set(ends)
