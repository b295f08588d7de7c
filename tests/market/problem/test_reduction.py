"""Buses that nothing but a switch parts are one agent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.problem.reduction import ReducedTree, reduce_tree


def reduced(parent: list[int], near_zero: list[bool]) -> ReducedTree:
    """Merge a tree of buses; links are numbered by the bus that they feed, less one."""
    feeder: Any = SimpleNamespace(
        buses=tuple(map(str, range(len(parent)))), parent=parent, near_zero=near_zero,
        links=tuple((k,) for k in range(len(near_zero))),
    )  # fmt: skip
    return reduce_tree(feeder)


@pytest.mark.parametrize(
    ("near_zero", "atoms", "parents", "entries"),
    [
        ([False, False, False], [0, 1, 2, 3], [-1, 0, 1, 1], [-1, 0, 1, 2]),
        ([True, False, False], [0, 0, 1, 2], [-1, 0, 0], [-1, 1, 2]),
        ([False, True, False], [0, 1, 1, 2], [-1, 0, 1], [-1, 0, 2]),
        ([True, True, True], [0, 0, 0, 0], [-1], [-1]),
    ],
)
def test_a_fork_with_switches(
    near_zero: list[bool], atoms: list[int], parents: list[int], entries: list[int]
) -> None:
    """Bus 1 behind the source, and buses 2 and 3 behind it."""
    tree = reduced([-1, 0, 1, 1], near_zero)
    assert tree.atom_of_bus.tolist() == atoms
    assert tree.parent.tolist() == parents
    assert tree.entry_link.tolist() == entries
    assert tree.links == ((0,), (1,), (2,))


@settings(max_examples=40)
@given(
    st.integers(1, 20).flatmap(
        lambda n: st.tuples(
            st.tuples(*(st.integers(0, k) for k in range(n))), st.lists(st.booleans(), min_size=n, max_size=n)
        )
    )
)
def test_only_links_of_some_impedance_part_agents(drawn: tuple[tuple[int, ...], list[bool]]) -> None:
    ups, near_zero = drawn
    tree = reduced([-1, *ups], near_zero)
    assert tree.n_atom == 1 + near_zero.count(False)
    for k, (up, merged) in enumerate(zip(ups, near_zero, strict=True)):
        here, above = tree.atom_of_bus[k + 1], tree.atom_of_bus[up]
        if merged:
            assert here == above
        else:
            assert (tree.parent[here], tree.entry_link[here]) == (above, k)
    assert all(parent < atom for atom, parent in enumerate(tree.parent.tolist()))
