from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeders.radial import Link, walk


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
