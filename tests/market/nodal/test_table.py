"""Currents over voltages and flows: the table says what the admittances say, for any voltages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.admittance import nodal_admittance
from dlmp_cosim.feeders.network import Bus, ComplexArray, Element, Network, Terminal
from dlmp_cosim.market.nodal.spanning import element_nodes, span
from dlmp_cosim.market.nodal.table import CurrentTable, current_table
from tests import circuits
from tests.handmade import ABC, KV, chain, line, rows

RING = np.array([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]])


def element(name: str, buses: tuple[str, ...], block: np.ndarray, *, controlled: bool = False) -> Element:
    ends = tuple(Terminal(bus, ABC) for bus in buses)
    return Element(
        name, "transformer", ends, *rows(block.astype(np.complex128)), (99.0,) * len(ends), controlled
    )


def behind(*more: Element, buses: tuple[str, ...] = ("c",)) -> Network:
    """Two buses behind the source, and others behind them."""
    network = chain("a", "b")
    return replace(
        network,
        buses=network.buses + tuple(Bus(name, ABC, KV) for name in buses),
        elements=network.elements + more,
    )


def coupled(own: np.ndarray, across: np.ndarray) -> np.ndarray:
    return np.block([[own, across], [across.T, own]])


CHARGED = coupled((3 - 4j + 0.02j) * np.eye(3) + 0.3, -(3 - 4j) * np.eye(3) - 0.3)
DELTA_WYE = coupled((1 - 3j) * RING, -(1 - 3j) * np.roll(np.eye(3), 1, axis=1) + (1 - 3j) * np.eye(3))
STIFF = coupled(1e6 * np.eye(3), -1e6 * np.eye(3))

CIRCUITS = {
    "a chain": chain("a", "b", "c"),
    "a loop": chain("a", "b", "c", elements=[line("line.tie", ("a", "c"))]),
    "a lateral": chain("a", "b", "c", elements=[line("line.more", ("b", "c"), (2,))]),
    "a shunt": behind(line("line.b_c", ("b", "c")), element("capacitor.c", ("c",), 0.02j * np.eye(3))),
    "charging and coupled phases": behind(element("line.b_c", ("b", "c"), CHARGED)),
    "windings without a zero sequence": behind(element("transformer.t", ("b", "c"), DELTA_WYE)),
    "a switch": behind(element("line.switch", ("b", "c"), STIFF), line("line.beside", ("b", "c"))),
    "a controlled one": behind(element("transformer.t", ("b", "c"), CHARGED, controlled=True)),
}

volts = st.lists(st.floats(-1, 1), min_size=18, max_size=18).map(np.array)


@pytest.fixture(params=CIRCUITS, scope="module")
def network(request: pytest.FixtureRequest) -> Network:
    return CIRCUITS[request.param]


def flows_of(network: Network, blocks: list[ComplexArray], volt: ComplexArray) -> ComplexArray:
    """Current into every bundle at its parent's nodes, then what the sources give [A]."""
    spanning, nodes = span(network), element_nodes(network)
    found = np.zeros(spanning.n_flow, dtype=np.complex128)
    for bundle in spanning.bundles:
        for k in bundle.elements:
            amps = blocks[k] @ volt[nodes[k]]
            for flow, node in zip(bundle.flows, bundle.parent_nodes, strict=True):
                found[flow] += amps[nodes[k] == node].sum()
    source = network.sources[0]
    found[-spanning.n_head :] = -source.admittance_s @ volt[network.head_node]
    return found


def amps_by_table(
    network: Network, admittance: ComplexArray, table: CurrentTable, volt: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    """What all rows of the table give at voltages and their flows, and what they should."""
    blocks = [item.admittance_s for item in network.elements]
    start = 0
    for k, item in enumerate(network.elements):
        if item.controlled:
            size = len(blocks[k])
            blocks[k] = admittance[start : start + size**2].reshape(size, size)
            start += size**2
    flows = flows_of(network, blocks, volt)
    shape = (table.n_node + table.n_flow + table.n_conductor, table.n_node + table.n_flow)
    whole = sp.csr_matrix((table.values(admittance), (table.row, table.column)), shape=shape)
    nodes = element_nodes(network)
    out = nodal_admittance(network, admittance) @ volt
    out[network.head_node] -= flows[-len(network.head_node) :]
    out[network.head_node] -= network.sources[0].admittance_s @ volt[network.head_node]
    conductors = [blocks[k] @ volt[nodes[k]] for k, item in enumerate(network.elements) if item.is_branch]
    expected = np.concatenate([out, np.zeros(table.n_flow), *conductors])
    return whole @ np.concatenate([volt, flows]), expected


@settings(max_examples=10)
@given(volts)
def test_every_row_says_what_the_admittances_say(network: Network, parts: np.ndarray) -> None:
    volt = (parts[:9] + 1j * parts[9:])[: len(network.node_ids)]
    table = CurrentTable(network, span(network))
    found, expected = amps_by_table(network, network.initial_admittance, table, volt)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, atol=1e-8 * scale)


def test_conductors_are_the_last_rows_of_the_table(network: Network) -> None:
    table = CurrentTable(network, span(network))
    volt = np.exp(1j * np.arange(len(network.node_ids)))
    _, expected = amps_by_table(network, network.initial_admittance, table, volt)
    flows = flows_of(network, [item.admittance_s for item in network.elements], volt)
    amps = table.conductors(network.initial_admittance) @ np.concatenate([volt, flows])
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(amps, expected[-table.n_conductor :], atol=1e-8 * scale)


def test_the_balance_is_of_nodes_and_flows_alone(network: Network) -> None:
    table = CurrentTable(network, span(network))
    row, column, mine = table.balance
    assert row.max() < table.n_node + table.n_flow
    np.testing.assert_array_equal(table.row[mine], row)
    np.testing.assert_array_equal(table.column[mine], column)


@settings(max_examples=10)
@given(volts, st.floats(0.9, 1.1))
def test_taps_that_move_are_followed(parts: np.ndarray, ratio: float) -> None:
    here = CIRCUITS["a controlled one"]
    table = CurrentTable(here, span(here))
    moved = here.initial_admittance * ratio
    found, expected = amps_by_table(here, moved, table, parts[:9] + 1j * parts[9:])
    np.testing.assert_allclose(found, expected, atol=1e-8 * max(1.0, np.abs(expected).max()))


def test_taps_that_come_back_give_the_same_numbers() -> None:
    here = CIRCUITS["a controlled one"]
    table = CurrentTable(here, span(here))
    first = table.values(here.initial_admittance)
    kept, conductors = first.copy(), table.conductors(here.initial_admittance)
    moved = table.values(here.initial_admittance * 1.05)
    assert not np.array_equal(moved, kept)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(table.values(here.initial_admittance), kept)
    assert (table.conductors(here.initial_admittance) != conductors).nnz == 0


def test_no_admittance_of_a_switch_stands_beside_one_of_a_shunt() -> None:
    """A switch's 1e6 S appear in the row of its flow alone; balances hold what hangs at the nodes."""
    here = CIRCUITS["a switch"]
    table = CurrentTable(here, span(here))
    values = table.values(here.initial_admittance)
    nodes = values[table.row < table.n_node]
    assert np.abs(nodes).max() < 10.0


def moved(network: Network) -> np.ndarray:
    """Admittances that are not those of the start."""
    return 1.1 * network.initial_admittance


def test_who_moves_its_table_moves_nobody_elses() -> None:
    network = circuits.circuit("mixed").network
    assert network.initial_admittance.any()
    mine, others = current_table(network), current_table(network)
    start = others.values(network.initial_admittance).copy()
    assert np.abs(mine.values(moved(network)) - start).max() > 0.0
    for table in (others, current_table(network)):
        assert table.values(network.initial_admittance).tobytes() == start.tobytes()


def test_it_is_the_table_that_would_be_laid_out_anew() -> None:
    network = circuits.circuit("mixed").network
    alone, shared = CurrentTable(network, span(network)), current_table(network)
    assert shared.row.tobytes() == alone.row.tobytes()
    assert shared.column.tobytes() == alone.column.tobytes()
    for admittance in (network.initial_admittance, moved(network), network.initial_admittance):
        assert shared.values(admittance).tobytes() == alone.values(admittance).tobytes()
