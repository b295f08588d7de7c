"""The power flow differentiated at one state: scales, currents, what resources run at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.nodal.anchor import (
    LEAST_VOLTAGE,
    VA_PER_UNIT,
    Anchor,
    anchor_at,
    leg_entries,
    leg_rows,
    table_entries,
)
from dlmp_cosim.market.nodal.layout import VOLTAGE_UNIT, lay_out
from dlmp_cosim.market.nodal.legs import Legs
from dlmp_cosim.market.nodal.table import CurrentTable
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.settings import MarketSettings
from tests.handmade import KV
from tests.market.nodal.test_legs import FLAT, network, shaken, state


def told(here: Network, voltage: ComplexArray) -> AcState:
    """A state with powers at heads and conductors, whatever they are."""
    return replace(
        state(here, voltage),
        head=np.array([10 + 5j, 20.0, -3j]),
        power=np.array([1 - 2j, 4.0, -3j, 2j, -5.0, 1 + 1j]),
        admittance=here.initial_admittance,
    )


def anchored(
    here: Network, voltage: ComplexArray, *offers: Offer, demand: ComplexArray | None = None
) -> Anchor:
    by_name = {offer.resource: offer for offer in offers}
    asked = here.listed_demand if demand is None else demand
    return anchor_at(here, Legs(here), told(here, voltage), asked, by_name)


def test_voltages_are_counted_in_themselves() -> None:
    anchor = anchored(network(), FLAT * (1.03 + 0j))
    np.testing.assert_allclose(anchor.volts, 1.03 * FLAT * 1e3 * KV)
    np.testing.assert_array_equal(anchor.scale, anchor.volts)
    assert anchor.live.all()


@pytest.mark.parametrize(
    ("pu", "live"), [(0.0, False), (0.5 * LEAST_VOLTAGE, False), (LEAST_VOLTAGE, True), (0.9, True)]
)
def test_a_node_without_a_voltage_is_counted_in_its_base(pu: float, live: bool) -> None:
    voltage = FLAT.copy()
    voltage[4] = pu
    anchor = anchored(network(), voltage)
    assert bool(anchor.live[4]) is live
    assert anchor.scale[4] == pytest.approx(1e3 * KV * (pu if live else 1.0))


@settings(max_examples=20)
@given(shaken)
def test_currents_are_those_of_the_powers(voltage: ComplexArray) -> None:
    here = network()
    anchor = anchored(here, voltage)
    at = anchor.volts[here.conductor_node]
    np.testing.assert_allclose(at * anchor.current.conj() / 1e3, anchor.state.power)
    heads = anchor.volts[here.head_node]
    np.testing.assert_allclose(heads * anchor.head_current.conj() / 1e3, anchor.state.head)


def test_a_conductor_without_voltage_has_no_current() -> None:
    voltage = FLAT.copy()
    voltage[5] = 0.0
    here = network()
    anchor = anchored(here, voltage)
    dead = here.conductor_node == 5
    assert not anchor.current[dead].any()
    assert np.isfinite(anchor.current).all()
    assert np.isfinite(anchor.legs.linear).all()


def test_a_resource_runs_at_what_it_injects_or_does_not_consume() -> None:
    """The ring was asked for 60 - 9j and consumes as much: nothing is shed of its listed demand."""
    here = network()
    anchor = anchored(here, FLAT)
    assert anchor.power.tolist() == [0j, 20 + 5j]
    more = anchored(here, FLAT, demand=here.listed_demand + np.array([0, 8 + 2j]))
    assert more.power.tolist() == [8 + 2j, 20 + 5j]


def test_reactive_power_that_goes_with_real_power_is_not_free() -> None:
    here = network()
    offers = (Offer("shed", 0, 9, 1.0, reactive_ratio=0.25), Offer("g", 0, 60, 1.0, 0.0, -9, 9))
    anchor = anchored(here, FLAT, *offers, demand=here.listed_demand + np.array([0, 8 + 2j]))
    assert anchor.ratio.tolist() == [0.25, 0.0]
    assert anchor.power.tolist() == pytest.approx([8 + 0j, 20 + 5j])


def complex_parts(entries: FloatArray) -> tuple[ComplexArray, ComplexArray]:
    """What four real entries mean: ``row += linear * x + conjugate * conj(x)``."""
    real_in_real, real_in_imaginary, imaginary_in_real, imaginary_in_imaginary = entries
    linear = real_in_real + imaginary_in_imaginary + 1j * (imaginary_in_real - real_in_imaginary)
    conjugate = real_in_real - imaginary_in_imaginary + 1j * (imaginary_in_real + real_in_imaginary)
    return linear / 2, conjugate / 2


def test_entries_of_a_flow_are_one_at_most_and_those_of_a_node_are_not_scaled() -> None:
    here = network()
    layout = lay_out(here, MarketSettings())
    table, anchor = CurrentTable(here, layout.spanning), anchored(here, FLAT)
    linear, conjugate = complex_parts(table_entries(table, layout, anchor))
    row, column, mine = table.balance
    size = np.abs(linear + conjugate)
    for flow in range(table.n_node, table.n_node + table.n_flow):
        assert size[row == flow].max() == pytest.approx(1.0)
    of_voltage = (row < table.n_node) & (column < table.n_node)
    admittance = table.values(here.initial_admittance)[mine][of_voltage]
    at, into = anchor.scale[row[of_voltage]], anchor.scale[column[of_voltage]]
    expected = (admittance * into * at.conj()).conj() * VOLTAGE_UNIT / VA_PER_UNIT
    np.testing.assert_allclose(conjugate[of_voltage], expected)


def test_entries_of_legs_are_their_slopes_in_relative_voltages() -> None:
    """A change of one node's voltage moves the power of both ends of every leg that touches it."""
    here = network(2)
    legs, anchor = Legs(here), anchored(here, FLAT)
    linear, conjugate = complex_parts(leg_entries(legs, anchor))
    n, moved = len(legs.node), 1e-3 * (1 + 0.5j)
    for part, (row_end, column_end) in enumerate(
        [(a, b) for a in (legs.node, legs.other) for b in (legs.node, legs.other)]
    ):
        span = slice(part * n, (part + 1) * n)
        scale = np.append(anchor.scale, 0.0)
        sign = (1 if row_end is legs.node else -1) * (1 if column_end is legs.node else -1)
        change = moved * scale[column_end]
        amps = sign * (anchor.legs.linear * change + anchor.legs.conjugate * change.conj())
        found = linear[span] * moved + conjugate[span] * np.conj(moved)
        np.testing.assert_allclose(found, scale[row_end] * amps * VOLTAGE_UNIT / VA_PER_UNIT, atol=1e-12)


@settings(max_examples=20)
@given(shaken, st.floats(-2, 2), st.floats(-2, 2))
def test_a_leg_draws_its_power_from_its_two_nodes(voltage: ComplexArray, p: float, q: float) -> None:
    """Power at constant voltage: what both rows get is the power of the leg, whatever it lies between."""
    here = network()
    legs, anchor = Legs(here), anchored(here, voltage)
    which = np.arange(len(legs.node))
    both = leg_rows(legs, anchor, np.full(len(which), p + 1j * q), which)
    np.testing.assert_allclose(both.sum(axis=0), p + 1j * q, atol=1e-12)
    grounded = legs.other == len(here.node_ids)
    assert not both[1, grounded].any()


def test_a_leg_without_voltage_draws_nothing() -> None:
    voltage = FLAT.copy()
    voltage[3] = voltage[4]
    here = network()
    legs, anchor = Legs(here), anchored(here, voltage)
    short = np.flatnonzero((legs.node == 3) & (legs.other == 4))
    assert len(short) == 1
    assert not leg_rows(legs, anchor, np.ones(1, dtype=complex), short).any()
