from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeders.network import Network
from feeders.terminals import LOW_SHARE, injection_terminals, load_terminals, voltage_factor

VMIN = 0.7


def factor(voltage: float, exponent: int, vmin: float = VMIN) -> float:
    return float(voltage_factor(np.array([voltage]), np.array([float(exponent)]), vmin)[0])


@given(st.floats(VMIN, 2.0), st.sampled_from([0, 1, 2]))
def test_the_exponent_holds_above_the_lowest_voltage(voltage: float, exponent: int) -> None:
    assert factor(voltage, exponent) == pytest.approx(voltage**exponent)


@given(st.floats(0.0, LOW_SHARE * VMIN), st.sampled_from([0, 1, 2]))
def test_every_load_is_an_impedance_far_below(voltage: float, exponent: int) -> None:
    assert factor(voltage, exponent) == pytest.approx(voltage**2)


@given(st.floats(0.3, 0.9), st.sampled_from([0, 1, 2]))
def test_the_factor_has_no_jump(voltage: float, exponent: int) -> None:
    assert factor(voltage + 1e-9, exponent) == pytest.approx(factor(voltage, exponent), abs=1e-7)


@given(st.floats(0.0, 1.2), st.floats(0.0, 1.2), st.sampled_from([0, 1, 2]))
def test_a_load_never_draws_more_at_a_lower_voltage(a: float, b: float, exponent: int) -> None:
    low, high = sorted((a, b))
    assert factor(low, exponent) <= factor(high, exponent) + 1e-12


def test_voltage_across_wye_and_delta_loads(small_network: Network) -> None:
    turn = np.exp(-2j * np.pi / 3)
    voltage = np.array([turn ** (int(name[-1]) - 1) for name in small_network.node_ids])
    terminals = load_terminals(small_network)
    assert np.abs(terminals.across(voltage)) == pytest.approx(np.ones(4))
    assert np.angle(terminals.across(voltage)[3], deg=True) == pytest.approx(150.0)
    demand = np.arange(1.0, 5.0).astype(complex)
    assert terminals.served(demand, voltage) == pytest.approx(demand)
    assert terminals.served(demand, 1.1 * voltage) == pytest.approx(demand * 1.1 ** np.array([0, 1, 2, 0]))


def test_injections_are_shared_equally_by_phases(small_network: Network) -> None:
    terminals = injection_terminals(small_network)
    nodes = [small_network.node_ids[k] for k in terminals.node]
    assert nodes == ["sw.1", "sw.2", "sw.3", "lat.2"]
    power = terminals.power(np.array([90.0 + 30.0j, 0.0, -6.0]))
    assert power == pytest.approx([30 + 10j, 30 + 10j, 30 + 10j, -6.0])


def test_a_network_without_resources_or_loads_has_empty_terminals(small_network: Network) -> None:
    bare = replace(small_network, resources=(), loads=())
    assert injection_terminals(bare).node.size == 0
    assert load_terminals(bare).served(np.zeros(0, complex), np.ones(11, complex)).size == 0
