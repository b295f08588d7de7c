"""Atoms of circuits: which branches lead to a parent, and which couple voltages directly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Bus, Network, Terminal
from dlmp_cosim.market.nodal.spanning import element_nodes, span
from tests.handmade import ABC, KV, chain, line


def test_a_chain_is_told_bus_by_bus() -> None:
    tree = span(chain("a", "b", "c"))
    assert tree.parent.tolist() == [-1, 0, 1]
    assert tree.atom_of_bus.tolist() == [0, 1, 2]
    assert [bundle.elements for bundle in tree.bundles] == [(0,), (1,)]
    assert tree.bundles[1].parent_nodes.tolist() == [3, 4, 5]
    assert tree.bundles[1].child_nodes.tolist() == [6, 7, 8]
    assert tree.others == ()


def test_flows_leave_the_parent_and_belong_to_the_child() -> None:
    tree = span(chain("a", "b", "c"))
    assert tree.flow_node.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert tree.flow_atom.tolist() == [1, 1, 1, 2, 2, 2, 0, 0, 0]
    assert (tree.n_flow, tree.n_head) == (9, 3)
    assert [bundle.flows.tolist() for bundle in tree.bundles] == [[0, 1, 2], [3, 4, 5]]


def test_lines_side_by_side_are_one_bundle() -> None:
    tree = span(chain("a", "b", elements=[line("line.second", ("b", "a"), (2,))]))
    assert [bundle.elements for bundle in tree.bundles] == [(0, 1)]
    assert tree.bundles[0].parent_nodes.tolist() == [0, 1, 2]
    assert tree.element_atom.tolist() == [1, 1]


def test_what_closes_a_loop_is_in_no_bundle() -> None:
    tree = span(chain("a", "b", "c", "d", elements=[line("line.tie", ("b", "d"))]))
    assert tree.parent.tolist() == [-1, 0, 1, 1]
    assert len(tree.others) == 1
    assert tree.element_atom[list(tree.others)].tolist() == [-1]


def test_a_shunt_is_in_no_bundle() -> None:
    network = chain("a", "b")
    shunt = replace(
        network.elements[0], name="capacitor.c", kind="capacitor", terminals=(Terminal("b", ABC),)
    )
    tree = span(replace(network, elements=(*network.elements, shunt)))
    assert tree.others == (1,)


def test_a_lateral_of_one_phase_has_one_flow() -> None:
    network = chain("a", "b")
    lateral = line("line.lateral", ("b", "c"), (2,))
    network = replace(
        network, buses=(*network.buses, Bus("c", (2,), KV)), elements=(*network.elements, lateral)
    )
    tree = span(network)
    assert tree.bundles[1].parent_nodes.tolist() == [network.node_index["b.2"]]
    assert tree.flow_node.tolist() == [0, 1, 2, 4, 0, 1, 2]


def test_an_island_has_a_root_of_its_own() -> None:
    network = chain("a", "b")
    apart = replace(network, buses=(*network.buses, Bus("x", ABC, KV)))
    assert span(apart).parent.tolist() == [-1, 0, -1]


def drawn(ups: tuple[int, ...], order: list[int], ties: list[tuple[int, int]]) -> Network:
    """A tree of buses whose lines are listed in any order, with lines that close loops."""
    names = [f"b{k}" for k in range(len(ups) + 1)]
    lines = [line(f"line.{k}", (names[up], names[k + 1])) for k, up in enumerate(ups)]
    lines = [lines[k] for k in order]
    lines += [line(f"line.t{k}", (names[a], names[b])) for k, (a, b) in enumerate(ties) if a != b]
    network = chain(names[0])
    return replace(network, buses=tuple(Bus(name, ABC, KV) for name in names), elements=tuple(lines))


@settings(max_examples=30)
@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.tuples(*(st.integers(0, k) for k in range(n))),
            st.permutations(range(n)),
            st.lists(st.tuples(st.integers(0, n), st.integers(0, n)), max_size=3),
        )
    )
)
def test_every_element_is_told_once(
    given_: tuple[tuple[int, ...], list[int], list[tuple[int, int]]],
) -> None:
    network = drawn(*given_)
    tree, nodes = span(network), element_nodes(network)
    listed = [k for bundle in tree.bundles for k in bundle.elements] + list(tree.others)
    assert sorted(listed) == list(range(len(network.elements)))
    assert sorted(tree.atom_of_bus.tolist()) == list(range(len(network.buses)))
    assert all(up < atom for atom, up in enumerate(tree.parent.tolist()))
    for bundle in tree.bundles:
        touched = np.unique(np.concatenate([nodes[k] for k in bundle.elements]))
        both = np.sort(np.concatenate([bundle.parent_nodes, bundle.child_nodes]))
        assert both.tolist() == touched.tolist()
        child = tree.atom_of_bus[network.node_bus[bundle.child_nodes]]
        parent = tree.atom_of_bus[network.node_bus[bundle.parent_nodes]]
        assert set(parent.tolist()) == {int(tree.parent[child[0]])}
        assert set(tree.flow_atom[bundle.flows].tolist()) == set(child.tolist())
