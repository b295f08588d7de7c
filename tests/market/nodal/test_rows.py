"""Rows of the nodal problem: one pattern, filled at every state, and what stands on their right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import ComplexArray, Network, VoltagePoint
from dlmp_cosim.market.nodal.anchor import Anchor, anchor_at
from dlmp_cosim.market.nodal.layout import Layout, lay_out
from dlmp_cosim.market.nodal.legs import Legs
from dlmp_cosim.market.nodal.rows import NetworkRows
from dlmp_cosim.market.nodal.table import CurrentTable
from dlmp_cosim.market.settings import MarketSettings
from tests.handmade import KV, chain, generator, load
from tests.market.nodal.test_anchor import told
from tests.market.nodal.test_legs import FLAT
from tests.market.nodal.test_legs import network as with_legs

EVERY = range(6)
SHAKEN = FLAT * np.array([1.0, 0.99, 1.01, 0.97, 0.95 * np.exp(0.02j), 1.02])


def network() -> Network:
    """Loads, a generator, a load that can be shed, and a limit between two nodes."""
    made = with_legs(5)
    return replace(made, voltage_points=(*made.voltage_points, VoltagePoint("b", 1, 2, KV * 3**0.5)))


def anchored(here: Network, voltage: ComplexArray, power: ComplexArray | None = None) -> Anchor:
    state = told(here, voltage)
    state = state if power is None else replace(state, power=power)
    return anchor_at(here, Legs(here), state, here.listed_demand, {})


def filler(here: Network, scale: float = 1.0) -> tuple[NetworkRows, Layout]:
    layout = lay_out(here, MarketSettings(rating_scale=scale), EVERY)
    table = CurrentTable(here, layout.spanning)
    return NetworkRows(here, layout, table, Legs(here), scale), layout


def test_the_pattern_is_the_same_at_every_state() -> None:
    here = network()
    rows, layout = filler(here)
    flat, shaken = rows.matrix(anchored(here, FLAT)), rows.matrix(anchored(here, SHAKEN))
    np.testing.assert_array_equal(flat.indptr, shaken.indptr)
    np.testing.assert_array_equal(flat.indices, shaken.indices)
    assert flat.shape == (layout.n_state, layout.n)
    assert not np.array_equal(flat.data, shaken.data)


def test_the_same_state_gives_the_same_bits() -> None:
    here = network()
    rows, _ = filler(here)
    first = rows.matrix(anchored(here, SHAKEN)).data.copy()
    rows.matrix(anchored(here, FLAT))
    assert rows.matrix(anchored(here, SHAKEN)).data.tobytes() == first.tobytes()


def test_a_loading_and_a_voltage_between_nodes_state_themselves() -> None:
    here = network()
    rows, layout = filler(here)
    matrix = rows.matrix(anchored(here, SHAKEN)).toarray()
    own = np.concatenate([layout.across, layout.loading])
    np.testing.assert_array_equal(matrix[np.ix_(own, own)], np.eye(len(own)))


@pytest.mark.parametrize("way", [1.0, 1j])
@pytest.mark.parametrize("node", [3, 4])
def test_a_voltage_between_nodes_follows_both(node: int, way: complex) -> None:
    """Relative change of |V_1 - V_2| by differences."""
    here = network()
    rows, layout = filler(here)
    matrix, step = rows.matrix(anchored(here, SHAKEN)).toarray(), 1e-6
    moved = [SHAKEN * np.where(np.arange(6) == node, 1 + sign * step * way, 1.0) for sign in (1, -1)]
    sizes = [abs(voltage[3] - voltage[4]) for voltage in moved]
    slope = (sizes[0] - sizes[1]) / (2 * step) / abs(SHAKEN[3] - SHAKEN[4])
    column = layout.voltage[0 if way == 1.0 else 1, node]
    assert -matrix[layout.across[0], column] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_loading_follows_its_flow_as_its_magnitude_does(scale: float) -> None:
    """The current into the line at its first end is the flow itself: d|S| at constant voltage."""
    here = network()
    rows, layout = filler(here, scale)
    anchor = anchored(here, FLAT)
    matrix = rows.matrix(anchor).toarray()
    for k in range(3):
        amps = anchor.current[k]
        unit = 1e5 / (1e3 * KV) / (scale * 100.0)
        power = FLAT[k] * amps.conj() / abs(amps)
        expected = unit * np.array([power.real, power.imag])
        found = -matrix[layout.loading[k], layout.flow[:, k]]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_conductor_without_current_has_no_slope_and_no_number_that_is_none() -> None:
    here = network()
    rows, layout = filler(here)
    idle = anchored(here, FLAT, power=np.zeros(6, dtype=complex))
    matrix = rows.matrix(idle).toarray()
    assert np.isfinite(matrix).all()
    off = matrix[layout.loading]
    off[:, layout.loading] = 0.0
    assert not off.any()
    assert not rows.right_hand_side(idle)[layout.loading].any()


def test_loadings_on_the_right_are_currents_over_scaled_ratings() -> None:
    here = network()
    rows, layout = filler(here, 0.5)
    anchor = anchored(here, FLAT)
    expected = np.abs(anchor.current[:6]) / (0.5 * here.conductor_rating[:6])
    np.testing.assert_allclose(rows.right_hand_side(anchor)[layout.loading], expected)


def test_what_is_served_and_injected_stands_on_the_right() -> None:
    """At flat voltages a third of each: 6 kW more asked for on a star, 20 + 5j given by a generator."""
    here = chain("a", "b", loads=[load("x", "b", 30.0, 12.0)], resources=[generator("g", "b")])
    rows, layout = filler(here)
    state = replace(told(here, FLAT), injection=np.array([20 + 5j]), machine=np.zeros(0, dtype=complex))
    state = replace(state, demand=here.listed_demand - (6 + 3j))
    right = rows.right_hand_side(anchor_at(here, Legs(here), state, here.listed_demand, {}))
    total = -(6 + 3j) / 300 - (20 + 5j) / 300
    np.testing.assert_allclose(right[layout.voltage[0]], [0, 0, 0, *[total.real] * 3], atol=1e-12)
    np.testing.assert_allclose(right[layout.voltage[1]], [0, 0, 0, *[total.imag] * 3], atol=1e-12)


def test_a_unit_of_a_resource_is_taken_off_its_nodes_alone() -> None:
    here = network()
    rows, layout = filler(here)
    matrix = rows.matrix(anchored(here, FLAT)).toarray()
    generator_column = layout.resource[0, 1]
    taken = matrix[layout.voltage[0], generator_column]
    np.testing.assert_allclose(taken, [0, 0, 0, *[-1 / 3] * 3], atol=1e-12)
    assert not matrix[layout.loading][:, generator_column].any()
    np.testing.assert_allclose(matrix[layout.voltage[1], generator_column], 0.0, atol=1e-12)
