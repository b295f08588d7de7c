"""Indices of voltage quality, on voltages that are told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ComplexArray, VoltagePoint
from dlmp_cosim.market.audit import Limits
from dlmp_cosim.runners.judge.voltage_quality import outside, point_voltages, unbalance, voltage_quality
from tests.handmade import KV, chain
from tests.runners.told import ToldResults

NETWORK = chain("a", "b")
TURN = np.exp(-2j * np.pi / 3)
FLAT = np.array([1.0, TURN, TURN**2] * 2)
BAND = Limits(0.95, 1.05)


def run(*rows: list[float], taps: Any = ((0, 0), (0, 0)), steps: Any = ((0,), (0,))) -> Any:
    """Magnitudes of six nodes in every interval, with the angles of a balanced system."""
    return ToldResults(
        NETWORK,
        {
            "feeder/voltage_magnitude": rows,
            "feeder/voltage_angle": [np.angle(FLAT)] * len(rows),
            "feeder/regulator_tap": taps,
            "feeder/capacitor_steps": steps,
        },
        scenario={"market": {"voltage_min_pu": 0.95, "voltage_max_pu": 1.05}},
    )


def test_indices_by_hand() -> None:
    """Twelve voltages, one 0.02 pu too low and one 0.03 pu too high; three nodes change by 0.04 pu in all."""
    found = voltage_quality(run([1.0, 1.0, 1.0, 1.0, 1.0, 0.93], [1.0, 1.0, 1.0, 1.01, 1.0, 1.08]))
    assert (found.low_pu, found.high_pu) == pytest.approx((0.93, 1.08))
    assert found.outside_share == pytest.approx(2 / 12)
    assert found.violation_pu == pytest.approx(0.05 / 12)
    assert found.fluctuation_pu == pytest.approx((0.01 + 0.15) / 6)


def test_within_the_tolerance_nothing_is_outside() -> None:
    found = voltage_quality(run([1.0] * 5 + [0.95 - 5e-5]))
    assert found.outside_share == 0.0
    assert found.violation_pu == pytest.approx(5e-5 / 6)


def test_steps_are_counted_whichever_way() -> None:
    found = voltage_quality(
        run([1.0] * 6, [1.0] * 6, [1.0] * 6, taps=[[0, 2], [3, 2], [1, 1]], steps=[[0], [2], [1]])
    )
    assert (found.tap_steps, found.capacitor_steps) == (3 + 2 + 1, 2 + 1)


def test_a_head_that_is_open_leaves_no_voltage_to_judge() -> None:
    found = voltage_quality(run([0.0] * 6, [1.0] * 5 + [0.9]))
    assert (found.low_pu, found.high_pu) == pytest.approx((0.9, 1.0))
    assert found.outside_share == pytest.approx(1 / 6)
    assert found.unbalance_at == "b"


def test_with_the_head_open_all_along_nothing_is_known() -> None:
    found = voltage_quality(run([0.0] * 6))
    assert all(map(math.isnan, (found.low_pu, found.high_pu, found.outside_share, found.unbalance)))
    assert found.unbalance_at == ""


def test_points_between_nodes_are_of_their_own_nominal_voltage() -> None:
    network = chain("a", "b")
    points = (*network.voltage_points[:1], VoltagePoint("b", 1, 2, KV * 3**0.5))
    found = point_voltages(replace(network, voltage_points=points), np.stack([FLAT, 0.9 * FLAT]))
    np.testing.assert_allclose(found, [[1.0, 1.0], [0.9, 0.9]])


@pytest.mark.parametrize(
    ("pu", "beyond"), [(0.9, 0.05), (0.95, 0.0), (1.0, 0.0), (1.07, 0.02), (math.nan, math.nan)]
)
def test_how_far_a_voltage_is_outside(pu: float, beyond: float) -> None:
    assert outside(np.array([[pu]]), BAND)[0, 0] == pytest.approx(beyond, nan_ok=True)


def sequences(positive: complex, negative: complex, zero: complex) -> ComplexArray:
    """Phases of one bus by their symmetrical components."""
    turn = np.exp(2j * np.pi / 3)
    whole: ComplexArray = (
        np.array([1, turn**2, turn]) * positive + np.array([1, turn, turn**2]) * negative + zero
    )
    return whole


parts = st.tuples(st.floats(0.0, 0.3), st.floats(-3.0, 3.0)).map(lambda p: p[0] * np.exp(1j * p[1]))


@settings(max_examples=40)
@given(parts, parts, st.floats(0.8, 1.1))
def test_unbalance_is_what_it_is_made_of(negative: complex, zero: complex, positive: float) -> None:
    """Whatever the zero sequence, and at every bus on its own."""
    bus = sequences(positive, negative, zero)
    if (np.abs(bus) == 0).any():
        return
    found, names = unbalance(NETWORK, np.concatenate([FLAT[:3], bus])[None])
    assert names == ("a", "b")
    assert found[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert found[0, 1] == pytest.approx(abs(negative) / positive)
