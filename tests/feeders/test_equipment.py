"""What a circuit is made of: blocks, nodes and names that follow from the fields."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.equipment import (
    Load,
    Machine,
    Resource,
    Terminal,
    VoltagePoint,
    delta,
    node_id,
    touched,
    wye,
)
from tests.handmade import ABC, KV, line, source

legs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6).map(tuple)


def test_a_block_is_conductance_and_susceptance() -> None:
    made = replace(
        line("line.x", ("a", "b"), (2,)),
        conductance_s=((1.0, -2.0), (-2.0, 4.0)),
        susceptance_s=((0.0, 3.0), (3.0, 5.0)),
    )
    np.testing.assert_array_equal(made.admittance_s, [[1, -2 + 3j], [-2 + 3j, 4 + 5j]])


def test_nodes_run_terminal_by_terminal_in_the_elements_order() -> None:
    made = replace(
        line("line.x", ("a", "b"), (3, 1)), terminals=(Terminal("a", (3, 1)), Terminal("b.x", (1, 3)))
    )
    assert made.node_ids == ("a.3", "a.1", "b.x.1", "b.x.3")


@pytest.mark.parametrize(
    ("ends", "is_branch"), [(("a",), False), (("a", "b"), True), (("a", "b", "b"), True)]
)
def test_a_branch_has_two_ends_or_more(ends: tuple[str, ...], is_branch: bool) -> None:
    made = replace(line("line.x", ("a", "b")), terminals=tuple(Terminal(end, ABC) for end in ends))
    assert made.is_branch is is_branch


def test_a_source_is_a_voltage_behind_an_admittance() -> None:
    made = source(siemens=2 - 5j)
    assert np.abs(made.voltage_v) == pytest.approx(np.full(3, 1e3 * KV))
    np.testing.assert_array_equal(made.admittance_s, (2 - 5j) * np.eye(3))


@pytest.mark.parametrize(("other", "name"), [(0, "b.2"), (1, "b.2-1"), (4, "b.2-4")])
def test_a_point_between_nodes_names_both(other: int, name: str) -> None:
    assert VoltagePoint("b", 2, other, KV).name == name


@pytest.mark.parametrize(
    ("of", "phases"),
    [
        (wye((3, 1)), (1, 3)),
        (delta((3, 1)), (1, 3)),
        (delta(ABC), ABC),
        (((1, 4), (2, 4)), (1, 2, 4)),
        ((), ()),
    ],
)
def test_loads_and_resources_touch_the_nodes_of_their_legs(
    of: tuple[tuple[int, int], ...], phases: tuple[int, ...]
) -> None:
    assert Load("x", "b", of, 1.0, 0.0, KV).phases == phases
    assert Resource("x", "generator", "b", of, 1.0, 1.0).phases == phases


@settings(max_examples=30)
@given(legs)
def test_touched_nodes_are_ascending_once_each_and_never_ground(of: tuple[tuple[int, int], ...]) -> None:
    found = touched(of)
    assert list(found) == sorted(set(found))
    assert set(found) == {node for leg in of for node in leg if node > 0}


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=3, max_size=6, unique=True).map(tuple))
def test_a_ring_comes_back_to_where_it_began(phases: tuple[int, ...]) -> None:
    ring = delta(phases)
    assert [leg[0] for leg in ring] == list(phases)
    assert [leg[1] for leg in ring] == [*phases[1:], phases[0]]


def test_a_node_of_a_bus_with_a_dot_keeps_its_number_last() -> None:
    assert node_id("feeder.7", 3).rpartition(".") == ("feeder.7", ".", "3")


@pytest.mark.parametrize(
    "made",
    [line("line.x", ("a", "b")), source(), Load("x", "b", (), 1.0, 0.0, KV), Machine("m", "b", ())],
)
def test_equal_fields_are_equal_things_that_do_not_change(made: object) -> None:
    assert made == replace(made)  # type: ignore[type-var]
    assert hash(made) == hash(replace(made))  # type: ignore[type-var]
    with pytest.raises(FrozenInstanceError):
        made.name = "other"  # type: ignore[attr-defined]
