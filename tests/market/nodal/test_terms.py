"""Limits and costs of the nodal problem, term by term, on states that are told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT, Layout, lay_out
from dlmp_cosim.market.nodal.terms import (
    Bounds,
    damp,
    discs,
    limit_ratings,
    limit_voltages,
    loss_price,
    offer_resources,
)
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from tests.handmade import KV, chain, generator, load

NETWORK = chain(
    "a", "b", loads=[load("x", "b", 800.0)], resources=[generator("g", "b"), generator("h", "b", 50.0, 50.0)]
)
SETTINGS = MarketSettings()
UNIT = 4.0
"""Unit of cost [$/h]: 100 kW at 40 $/MWh."""


def layout() -> Layout:
    return lay_out(NETWORK, SETTINGS)


def bounds(lay: Layout) -> Bounds:
    return Bounds.free(lay.n)


def at(pu: list[float]) -> Any:
    """An anchor of which only voltages count."""
    return SimpleNamespace(volts=1e3 * KV * np.array(pu, dtype=complex), live=np.array(pu) > 0)


def test_limits_are_relative_to_the_voltage_that_is_there() -> None:
    lay, found = layout(), bounds(layout())
    limit_voltages(lay, at([1.0, 1.0, 1.0, 0.98, 0.94, 1.06]), SETTINGS, found, UNIT)
    v = lay.voltage[0]
    expected = [(0.95 / pu - 1) / VOLTAGE_UNIT for pu in (1.0, 0.98, 0.94, 1.06)]
    assert found.soft_lower[v[[0, 3, 4, 5]]].tolist() == pytest.approx(expected)
    assert found.soft_upper[v[3]] == pytest.approx((1.05 / 0.98 - 1) / VOLTAGE_UNIT)
    assert found.penalty[v[3]] == pytest.approx(1e4 * 0.98 * VOLTAGE_UNIT / UNIT)
    assert not found.penalty[lay.voltage[1]].any()


@settings(max_examples=30)
@given(st.floats(0.8, 1.2), st.floats(-0.1, 0.1))
def test_the_penalty_is_that_of_the_excess_in_pu(pu: float, beyond: float) -> None:
    """What a unit of the variable beyond its limit costs is what the same pu cost [$/h]."""
    lay, found = layout(), bounds(layout())
    limit_voltages(lay, at([1.0] * 5 + [pu]), SETTINGS, found, UNIT)
    k = lay.voltage[0][5]
    excess_pu = beyond * VOLTAGE_UNIT * pu
    assert found.penalty[k] * beyond * UNIT == pytest.approx(SETTINGS.voltage_penalty * excess_pu)


def test_a_dead_node_has_no_limit() -> None:
    lay, found = layout(), bounds(layout())
    limit_voltages(lay, at([1.0, 1.0, 1.0, 1.0, 0.0, 1.0]), SETTINGS, found, UNIT)
    dead = lay.voltage[0][4]
    assert (found.soft_lower[dead], found.soft_upper[dead], found.penalty[dead]) == (-np.inf, np.inf, 0.0)


def test_limits_that_cross_cost_the_same_wherever_a_voltage_is() -> None:
    """A band of 1.01 to 0.99 pu: one of both is exceeded, by 0.02 pu together."""
    lay, found = layout(), bounds(layout())
    narrow = MarketSettings(voltage_margin_pu=0.06)
    limit_voltages(lay, at([1.0] * 6), narrow, found, UNIT)
    k = lay.voltage[0]
    assert found.soft_lower[k].tolist() == pytest.approx([-0.01 / VOLTAGE_UNIT] * 6)
    assert found.soft_upper[k].tolist() == pytest.approx([0.01 / VOLTAGE_UNIT] * 6)
    assert found.offset * UNIT == pytest.approx(6 * 1e4 * 0.02)


def test_a_rating_is_a_loading_of_one() -> None:
    lay, found = layout(), bounds(layout())
    assert len(lay.loading) == 6
    limit_ratings(lay, SETTINGS, found, UNIT)
    assert found.soft_upper[lay.loading].tolist() == [1.0] * 6
    assert found.penalty[lay.loading].tolist() == [1e4 / UNIT] * 6
    assert np.isinf(found.soft_lower[lay.loading]).all()


def test_offers_are_limits_and_costs_in_units_of_the_problem() -> None:
    lay, found = layout(), bounds(layout())
    offer = Offer("g", -10.0, 60.0, 20.0, 0.5, -30.0, 40.0)
    offer_resources(lay, [offer, None], found, UNIT)
    (p, q) = lay.resource
    assert (found.lower[p[0]], found.upper[p[0]]) == pytest.approx((-0.1, 0.6))
    assert (found.lower[q[0]], found.upper[q[0]]) == pytest.approx((-0.3, 0.4))
    for kw in (-10.0, 25.0, 60.0):
        x = kw / POWER_UNIT
        cost = (found.linear[p[0]] * x + found.quadratic[p[0]] * x**2 / 2) * UNIT
        assert cost == pytest.approx((20.0 * kw + 0.5 * kw**2 / 2) / 1e3)
    assert [found.lower[p[1]], found.upper[p[1]], found.lower[q[1]], found.upper[q[1]]] == [0.0] * 4


@settings(max_examples=30)
@given(st.floats(-1.0, 1.0), st.floats(0.0, 60.0))
def test_damping_is_nothing_at_the_anchor_and_a_parabola_around_it(x: float, kw: float) -> None:
    lay, found = layout(), bounds(layout())
    anchor: Any = SimpleNamespace(power=np.array([kw + 5j, 0.0]))
    curvature: tuple[FloatArray, FloatArray] = (np.array([2e-4, 3e-4]), np.array([1e-4, 0.0]))
    damp(lay, curvature, anchor, 40.0, found, UNIT)
    p = lay.resource[0]

    def cost(at_kw: float) -> float:
        """Of the first resource's real power, all else at its anchor [$/h]."""
        values = np.zeros(lay.n)
        values[p[0]], values[lay.resource[1][0]] = at_kw / POWER_UNIT, 5.0 / POWER_UNIT
        return float(found.linear @ values + found.quadratic @ values**2 / 2 + found.offset) * UNIT

    assert cost(kw) == pytest.approx(0.0, abs=1e-9)
    assert cost(kw + 10 * x) == pytest.approx(40.0 / 1e3 * 2e-4 * (10 * x) ** 2 / 2, abs=1e-9)


def test_a_resource_whose_cost_rises_needs_no_damping() -> None:
    lay, found = layout(), bounds(layout())
    found.quadratic[lay.resource[0][0]] = 0.3
    anchor: Any = SimpleNamespace(power=np.array([10.0 + 0j, 10.0]))
    damp(lay, (np.array([2e-4, 3e-4]), np.zeros(2)), anchor, 40.0, found, UNIT)
    assert found.quadratic[lay.resource[0][0]] == 0.3
    assert found.linear[lay.resource[0][0]] == 0.0
    assert found.quadratic[lay.resource[0][1]] > 0.0


@pytest.mark.parametrize(("weight", "lmp", "price"), [(0.0, 40.0, 40.0), (0.5, 40.0, 60.0), (1.0, -9.0, 0.2)])
def test_losses_cost_their_weight_more(weight: float, lmp: float, price: float) -> None:
    assert loss_price(MarketSettings(loss_weight=weight), WholesalePrice(lmp)) == pytest.approx(price)


def test_only_a_rating_that_a_box_does_not_imply_is_a_disc() -> None:
    lay = layout()
    round_ = Offer("g", 0.0, 60.0, 1.0, q_min_kvar=-60.0, q_max_kvar=60.0, s_max_kva=75.0)
    square = Offer("h", 0.0, 30.0, 1.0, q_min_kvar=-40.0, q_max_kvar=40.0, s_max_kva=50.0)
    pairs, radius = discs(lay, [round_, square])
    assert pairs.tolist() == [lay.resource[:, 0].tolist()]
    assert radius.tolist() == [0.75]
    pairs, radius = discs(lay, [None, square])
    assert (pairs.shape, radius.shape) == ((0, 2), (0,))
