"""Slopes of what draws and injects, against differences of the currents themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ComplexArray, Load, LoadModel, Machine, Network, delta, wye
from dlmp_cosim.feeders.setpoints import failed_state
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.nodal.legs import Legs
from tests.handmade import ABC, KV, chain, generator

TURN = np.exp(-2j * np.pi / 3)
FLAT = np.array([1.0, TURN, TURN**2] * 2)
WIDE = {"vmin_pu": 0.6, "vlow_pu": 0.4, "vmax_pu": 1.4}


def network(model: LoadModel = 1) -> Network:
    """Loads to ground and in a ring, a generator, a load that can be shed, and a machine."""
    star = Load("star", "b", wye(ABC), 30.0, 12.0, KV, model, **WIDE)  # type: ignore[arg-type]
    ring = Load("ring", "b", delta(ABC), 60.0, -9.0, KV * 3**0.5, model, **WIDE)  # type: ignore[arg-type]
    shed = replace(generator("shed", "b"), kind="flexible_load", load="ring")
    made = chain("a", "b", loads=[star, ring], resources=[shed, generator("g", "b")])
    return replace(made, machines=(Machine("generator.own", "b", wye((2,))),))


def state(here: Network, voltage: ComplexArray) -> AcState:
    """A state of which only voltages and set-points count."""
    none = np.zeros(0, dtype=np.int64)
    whole = failed_state(here, here.listed_demand, np.array([0, 20 + 5j]), none, 0)
    return replace(whole, voltage=voltage, machine=np.array([7 - 2j]), converged=True)


def currents(legs: Legs, here: Network, at: AcState) -> ComplexArray:
    """Conjugate current of every leg, written out [A]."""
    volts = np.append(at.voltage * here.base_v, 0.0)
    across = volts[legs.node] - volts[legs.other]
    real, reactive = legs.loads.factors(np.abs(across[: legs.n_load]) / legs.loads.nominal_v)
    nominal = legs.loads.power(at.demand)
    drawn = nominal.real * real + 1j * nominal.imag * reactive
    given_ = [legs.injections.power(at.injection), legs.machines.power(at.machine)]
    return 1e3 * np.concatenate([drawn, *(-power for power in given_)]) / across


shaken = st.lists(st.tuples(st.floats(0.85, 1.1), st.floats(-0.1, 0.1)), min_size=6, max_size=6).map(
    lambda parts: FLAT * np.array([size * np.exp(1j * angle) for size, angle in parts])
)


@settings(max_examples=40)
@given(st.sampled_from([1, 2, 3, 5]), shaken, st.integers(0, 5), st.sampled_from([1.0, 1j]))
def test_currents_follow_voltage_by_their_slopes(
    model: LoadModel, voltage: ComplexArray, node: int, way: complex
) -> None:
    here = network(model)
    legs = Legs(here)
    slopes = legs.slopes(state(here, voltage))
    step = np.zeros(6, dtype=complex)
    step[node] = 1e-6 * way
    above, below = (currents(legs, here, state(here, voltage + sign * step)) for sign in (1, -1))
    volts = np.append(step * here.base_v, 0.0)
    change = volts[legs.node] - volts[legs.other]
    said = slopes.linear * change + slopes.conjugate * np.conj(change)
    np.testing.assert_allclose(said, (above - below) / 2, rtol=1e-5, atol=1e-9)


def test_a_constant_impedance_is_linear_in_its_voltage() -> None:
    """conj(I) = conj(Y) conj(U): nothing goes with U itself."""
    here = network(2)
    slopes = Legs(here).slopes(state(here, FLAT))
    star, ring = slopes.linear[:3], slopes.linear[3:6]
    np.testing.assert_allclose(np.concatenate([star, ring]), 0.0, atol=1e-12)
    siemens = 1e3 * (10.0 + 4.0j) / (1e3 * KV) ** 2
    np.testing.assert_allclose(slopes.conjugate[:3], siemens)


def test_constant_power_does_not_follow_its_voltage() -> None:
    here = network(1)
    slopes = Legs(here).slopes(state(here, FLAT))
    assert not slopes.follow.any()
    assert not slopes.conjugate.any()
    assert (slopes.real[:3] == 1 / 3).all()


def test_resources_act_through_their_own_legs_or_those_of_their_load() -> None:
    here = network()
    legs = Legs(here)
    assert legs.resource.tolist() == [0, 0, 0, 1, 1, 1]
    assert legs.resource_leg.tolist() == [3, 4, 5, 6, 7, 8]
    real, reactive = legs.resource_slopes(legs.slopes(state(here, FLAT)))
    np.testing.assert_allclose(real, -1 / 3)
    np.testing.assert_allclose(reactive, -1j / 3)


def test_less_demand_is_drawn_where_voltage_is_low() -> None:
    """Of a constant impedance at 0.9 pu, a kW less of demand is 0.81 kW less of power."""
    here = network(2)
    legs = Legs(here)
    slopes = legs.slopes(state(here, 0.9 * FLAT))
    power = legs.set_point(slopes, np.array([3.0 + 1.5j, 0.0]))
    np.testing.assert_allclose(power, [0.81 * (1.0 + 0.5j)] * 3 + [0.0] * 3)


def test_without_voltage_nothing_flows() -> None:
    here = network()
    slopes = Legs(here).slopes(state(here, np.zeros(6, dtype=complex)))
    assert np.isfinite(slopes.linear).all()
    assert not slopes.linear.any()


@pytest.mark.parametrize("model", [1, 2, 5])
def test_equal_states_have_equal_slopes(model: LoadModel) -> None:
    here = network(model)
    one, other = (Legs(here).slopes(state(here, FLAT)) for _ in range(2))
    assert one.linear.tobytes() == other.linear.tobytes()
