"""Matrices of a circuit, against sums that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.admittance import blocks, conductor_admittance, nodal_admittance
from dlmp_cosim.feeders.network import ComplexArray, Network
from tests.handmade import chain, line

Y = 1 / (0.5 + 1.0j)
SOURCE = -1e4j


def looped() -> Network:
    """A triangle of buses; the side that closes it may change."""
    return chain("a", "b", "c", elements=[line("line.tie", ("a", "c"), (2,), ohm=4.0, controlled=True)])


def test_a_line_between_two_buses_is_its_admittance() -> None:
    network = chain("a", "b")
    expected = np.kron([[Y + SOURCE, -Y], [-Y, Y]], np.eye(3))
    found = nodal_admittance(network, network.initial_admittance)
    np.testing.assert_allclose(found.toarray(), expected)


def test_what_a_control_changed_counts() -> None:
    network = looped()
    change = np.array([7.0, -7.0, -7.0, 7.0], dtype=complex)
    moved = nodal_admittance(network, change) - nodal_admittance(network, network.initial_admittance)
    at = [network.node_index[name] for name in ("a.2", "c.2")]
    expected = np.zeros((9, 9), dtype=complex)
    expected[np.ix_(at, at)] = (7.0 - 0.25) * np.array([[1, -1], [-1, 1]])
    np.testing.assert_allclose(moved.toarray(), expected, atol=1e-12)


def test_blocks_of_elements_without_control_are_their_own() -> None:
    network = looped()
    found = blocks(network, np.arange(4, dtype=complex))
    np.testing.assert_array_equal(found["line.tie"], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(found["line.a_b"], network.elements[0].admittance_s)
    assert set(found) == {"line.a_b", "line.b_c", "line.tie"}


@settings(max_examples=40)
@given(st.lists(st.floats(-1, 1), min_size=18, max_size=18))
def test_currents_into_branches_add_up_to_those_of_their_nodes(parts: list[float]) -> None:
    """Kirchhoff's current law, without what the source's own impedance takes."""
    network = looped()
    volts: ComplexArray = np.array(parts[:9]) + 1j * np.array(parts[9:])
    into = conductor_admittance(network, network.initial_admittance) @ volts
    at_nodes = np.zeros(9, dtype=complex)
    np.add.at(at_nodes, network.conductor_node, into)
    whole = nodal_admittance(network, network.initial_admittance) @ volts
    whole[:3] -= SOURCE * volts[:3]
    np.testing.assert_allclose(at_nodes, whole, atol=1e-9)


def test_equal_voltages_drive_no_current() -> None:
    network = looped()
    into = conductor_admittance(network, network.initial_admittance) @ np.ones(9)
    np.testing.assert_allclose(into, 0.0, atol=1e-12)


def test_one_bus_has_no_branch() -> None:
    network = chain("a")
    assert conductor_admittance(network, network.initial_admittance).shape == (0, 3)
    np.testing.assert_allclose(nodal_admittance(network, np.zeros(0)).toarray(), SOURCE * np.eye(3))


@pytest.mark.parametrize("ratio", [2.0, 0.25])
def test_the_matrix_scales_with_its_blocks(ratio: float) -> None:
    network = looped()
    one = nodal_admittance(network, network.initial_admittance).toarray()
    more = nodal_admittance(network, ratio * network.initial_admittance).toarray()
    at = network.node_index["c.2"]
    assert more[at, at] - one[at, at] == pytest.approx((ratio - 1) * 0.25)
