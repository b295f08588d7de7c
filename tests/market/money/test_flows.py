"""What meters at nodes read, by hand and by the conservation of power."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import Load, Network, delta, wye
from dlmp_cosim.feeders.terminals import injection_terminals
from dlmp_cosim.market.money.flows import leg_flows, load_flows
from tests.handmade import ABC, KV, chain, generator, load

TURN = np.exp(-2j * np.pi / 3)
FLAT = np.array([[1.0, TURN, TURN**2] * 2])


def network() -> Network:
    """Loads to ground, between all phases, and between two; a generator."""
    ring = replace(load("ring", "b"), legs=delta(ABC), kv_base=KV * 3**0.5)
    pair = replace(load("pair", "b"), legs=((1, 2),), kv_base=KV * 3**0.5)
    return chain("a", "b", loads=[load("star", "b"), ring, pair], resources=[generator("g", "b")])


def test_power_to_ground_is_where_it_is() -> None:
    flows = load_flows(network(), np.array([[30 + 12j, 0, 0]]), FLAT)
    at = flows.at_nodes(flows.power.real, 6)
    assert at[0] == pytest.approx([0, 0, 0, 10, 10, 10])


def test_balanced_power_between_phases_is_the_same_at_each() -> None:
    flows = load_flows(network(), np.array([[0, 30 + 12j, 0]]), FLAT)
    for part, each in ((flows.power.real, 10.0), (flows.power.imag, 4.0)):
        assert flows.at_nodes(part, 6)[0] == pytest.approx([0, 0, 0, each, each, each])


def test_power_between_two_phases_is_not_shared_equally() -> None:
    """One current flows from 1 to 2, 30 degrees ahead of the voltage at 1 and 30 behind that at 2."""
    flows = load_flows(network(), np.array([[0, 0, 30.0 + 0j]]), FLAT)
    real, reactive = (flows.at_nodes(part, 6)[0] for part in (flows.power.real, flows.power.imag))
    across = 15.0 / 3**0.5
    assert real == pytest.approx([0, 0, 0, 15, 15, 0])
    assert reactive == pytest.approx([0, 0, 0, -across, across, 0])


def test_a_load_off_its_phase_voltage_draws_by_its_own_dependence() -> None:
    """Of a constant impedance, a leg at 0.9 pu draws 0.81 of its share."""
    impedance = replace(load("z", "b"), model=2)
    here = chain("a", "b", loads=[impedance])
    volts = FLAT * np.array([1, 1, 1, 0.9, 1.0, 1.0])
    flows = load_flows(here, np.array([[28.1 + 0j]]), volts)
    assert flows.at_nodes(flows.power.real, 6)[0][3:] == pytest.approx([8.1, 10.0, 10.0])


def test_owners_get_what_is_theirs() -> None:
    here = network()
    power = np.array([[30 + 12j, 9 - 3j, 5 + 1j], [1, 2, 3]])
    flows = load_flows(here, power, np.repeat(FLAT, 2, axis=0))
    np.testing.assert_allclose(flows.by_owner(flows.power.real, 3), power.real)
    np.testing.assert_allclose(flows.by_owner(flows.power.imag, 3), power.imag, atol=1e-12)


def test_without_voltage_there_is_no_power() -> None:
    here = network()
    flows = load_flows(here, np.array([[30.0 + 0j, 9, 5]]), np.zeros((1, 6), dtype=complex))
    assert np.isfinite(flows.power).all()
    assert not flows.power.any()


angles, sizes = st.floats(-0.3, 0.3), st.floats(0.8, 1.1)


@settings(max_examples=40)
@given(st.lists(st.tuples(sizes, angles), min_size=6, max_size=6), st.floats(-90, 90), st.floats(-40, 40))
def test_meters_at_nodes_add_up_to_what_is_drawn(
    volts: list[tuple[float, float]], kw: float, kvar: float
) -> None:
    """At any voltage, of loads and of resources: nothing gets lost between phases."""
    voltage = FLAT * np.array([[size * np.exp(1j * angle) for size, angle in volts]])
    here = network()
    drawn = np.array([[complex(kw, kvar), complex(kvar, kw), complex(kw, -kvar)]])
    flows = load_flows(here, drawn, voltage)
    assert flows.power.sum() == pytest.approx(drawn.sum(), abs=1e-9)
    given_ = np.array([[complex(kw, kvar)]])
    legs = leg_flows(here, injection_terminals(here), given_, voltage)
    assert legs.power.sum() == pytest.approx(given_.sum(), abs=1e-9)
    assert legs.power[0] == pytest.approx([given_[0, 0] / 3] * 3)


def test_wye_and_ring_of_the_same_load_have_the_same_sum_at_nominal_voltage() -> None:
    loads: list[Load] = [load("l", "b"), replace(load("l", "b"), legs=delta(ABC), kv_base=KV * 3**0.5)]
    sums = []
    for item in loads:
        flows = load_flows(chain("a", "b", loads=[item]), np.array([[30 + 12j]]), FLAT)
        sums.append(flows.at_nodes(flows.power.real, 6)[0])
    assert wye(ABC) != delta(ABC)
    np.testing.assert_allclose(sums[0], sums[1])
