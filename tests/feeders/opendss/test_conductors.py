"""Conductors of the engine's elements: what is grounded, open or doubled, and what is left of a block."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Terminal
from dlmp_cosim.feeders.opendss.conductors import (
    Conductors,
    admittance_block,
    elements_of,
    gathered,
    read_conductors,
)


def element(nodes: tuple[int, ...], opened: tuple[bool, ...] = (), ends: int = 2) -> Conductors:
    """An element between buses a, b, ... with equally many conductors at each."""
    each = len(nodes) // ends
    buses = tuple("abc"[:ends])
    place = tuple(k for k in range(ends) for _ in range(each))
    return Conductors("line.x", buses, place, nodes, opened or (False,) * len(nodes))


@pytest.mark.parametrize(
    ("conductors", "terminals"),
    [
        pytest.param(
            element((1, 2, 3, 1, 2, 3)), (Terminal("a", (1, 2, 3)), Terminal("b", (1, 2, 3))), id="line"
        ),
        pytest.param(
            element((1, 2, 0, 1, 2, 0)), (Terminal("a", (1, 2)), Terminal("b", (1, 2))), id="a grounded one"
        ),
        pytest.param(element((1, 2, 3, 0, 0, 0)), (Terminal("a", (1, 2, 3)),), id="a grounded end"),
        pytest.param(
            element((1, 1, 2, 3, 1, 2)), (Terminal("a", (1, 2)), Terminal("b", (3, 1, 2))), id="one node"
        ),
        pytest.param(
            element((1, 2, 1, 2), (False, True, False, False)),
            (Terminal("a", (1,)), Terminal("b", (1, 2))),
            id="one that is open",
        ),
    ],
)  # fmt: skip
def test_terminals_reach_nodes_once(conductors: Conductors, terminals: tuple[Terminal, ...]) -> None:
    assert conductors.terminals == terminals


@pytest.mark.parametrize(
    ("opened", "is_open"),
    [
        ((False, False, False, False), False),
        ((True, False, False, False), False),
        ((True, True, False, False), True),
        ((False, False, True, True), True),
        ((True, False, True, False), False),
    ],
)
def test_an_element_is_open_when_a_terminal_is_in_all_conductors(
    opened: tuple[bool, ...], is_open: bool
) -> None:
    assert element((1, 2, 1, 2), opened).is_open is is_open


def test_conductors_on_one_node_add_up() -> None:
    """Two conductors of a terminal at node 1: their rows and columns are one."""
    conductors = element((1, 1, 2, 0))
    block = np.arange(16.0).reshape(4, 4) + 0j
    found = conductors.gathered(block)
    assert conductors.gathering.tolist() == [[1, 1, 0, 0], [0, 0, 1, 0]]
    assert found.tolist() == [[0 + 1 + 4 + 5, 2 + 6], [8 + 9, 10]]


def test_a_block_without_anything_to_sum_stays_as_it_is() -> None:
    block = np.eye(4) + 1j
    assert element((1, 2, 1, 2)).gathered(block) is block


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.lists(st.floats(-1, 1), min_size=6, max_size=6),
)
def test_gathering_keeps_power(nodes: list[int], opened: list[bool], parts: list[float]) -> None:
    """Currents of what is left at voltages of nodes are sums of the engine's at the same voltages."""
    conductors = element(tuple(nodes), tuple(opened))
    half = np.array(parts).reshape(2, 3)
    block = np.kron(half.T @ half, np.array([[1, -1], [-1, 1]])) + 0j
    rows = conductors.gathering
    at_nodes = np.arange(1.0, len(rows) + 1)
    engine = rows.T @ at_nodes
    np.testing.assert_allclose(gathered(rows, block) @ at_nodes, rows @ (block @ engine), atol=1e-12)
    assert set(rows.sum(axis=0).tolist()) <= {0.0, 1.0}


def engine_element(**changes: Any) -> Any:
    whole: dict[str, Any] = {
        "Name": "Line.L1", "NumConductors": 2, "NumTerminals": 2, "BusNames": ["A.1.2", "b.2.1"],
        "NodeOrder": [1, 2, 2, 1], "IsOpen": lambda *_: False,
    }  # fmt: skip
    return SimpleNamespace(**(whole | changes))


def test_names_are_read_in_lower_case_and_buses_without_their_nodes() -> None:
    found = read_conductors(engine_element())
    assert found == Conductors("line.l1", ("a", "b"), (0, 0, 1, 1), (1, 2, 2, 1), (False,) * 4)


def test_opened_conductors_count_where_no_control_may_close_them() -> None:
    """The engine asks for conductor 0 whether any of a terminal is open."""
    opened = engine_element(IsOpen=lambda terminal, conductor: terminal == 2 and conductor in (0, 2))
    assert read_conductors(opened).opened == (False, False, False, True)
    assert read_conductors(opened, keep_open=True).opened == (False,) * 4


def test_the_series_winding_of_an_autotransformer_ends_at_the_common_one() -> None:
    conns = SimpleNamespace(Val="[series, wye]")
    auto = engine_element(
        Name="AutoTrans.T", NumConductors=4, NodeOrder=[1, 2, 1, 2, 1, 2, 0, 0], Properties=lambda _: conns
    )
    assert read_conductors(auto).end == (0, 0, 1, 1, 1, 1, 1, 1)


def test_a_block_comes_column_by_column() -> None:
    told = SimpleNamespace(Yprim=[1.0, 0.5, 2.0, 0.0, 3.0, 0.0, 4.0, -1.0])
    assert admittance_block(told).tolist() == [[1 + 0.5j, 3], [2, 4 - 1j]]


def test_only_enabled_elements_of_the_classes_wanted_come_up() -> None:
    enabled = {"Line.a": True, "Load.b": True, "Line.c": False, "Capacitor.d": True}
    circuit: Any = SimpleNamespace(AllElementNames=list(enabled), ActiveCktElement=None)

    def activate(name: str) -> None:
        circuit.ActiveCktElement = SimpleNamespace(Enabled=enabled[name])

    circuit.SetActiveElement = activate
    assert [name for name, _ in elements_of(circuit, ("line", "capacitor"))] == ["line.a", "capacitor.d"]
