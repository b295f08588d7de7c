"""A circuit differentiated in rectangular coordinates, against differences of Kirchhoff's law itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.admittance import nodal_admittance
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network, VoltagePoint
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.circuit import POWER_UNIT, Sensitivity, differentiate, point_incidence
from dlmp_cosim.market.nodal.legs import Legs
from tests.handmade import KV, chain
from tests.market.nodal.test_anchor import told
from tests.market.nodal.test_legs import FLAT, currents, network, shaken

STILL = np.zeros(2)


def at(here: Network, voltage: ComplexArray, ratio: FloatArray = STILL, more: complex = 0.0) -> Sensitivity:
    demand = here.listed_demand + np.array([0.0, more])
    return differentiate(here, told(here, voltage), demand, ratio)


def leaving(here: Network, state: AcState) -> ComplexArray:
    """Current out of every node: through elements and sources, and what legs draw [A]."""
    legs = Legs(here)
    out = nodal_admittance(here, state.admittance) @ (state.voltage * here.base_v)
    amps = np.append(out, 0.0)
    drawn = currents(legs, here, state).conj()
    np.add.at(amps, legs.node, drawn)
    np.add.at(amps, legs.other, -drawn)
    return amps[:-1]


def stacked(values: ComplexArray) -> FloatArray:
    return np.concatenate([values.real, values.imag])


@settings(max_examples=10)
@given(st.sampled_from([1, 2, 3, 5]), shaken, st.integers(0, 5), st.sampled_from([1.0, 1j]))
def test_the_jacobian_is_the_slope_of_kirchhoffs_law(
    model: int, voltage: ComplexArray, node: int, way: complex
) -> None:
    here = network(model)  # type: ignore[arg-type]
    step, size = np.zeros(6, dtype=np.complex128), 1e-5
    step[node] = way * size
    ends = [leaving(here, told(here, voltage + sign * step)) for sign in (1, -1)]
    slope = stacked(ends[0] - ends[1]) / (2 * size)
    volts = stacked(step * here.base_v) / size
    np.testing.assert_allclose(at(here, voltage).factors.solve(slope), volts, rtol=1e-5, atol=1e-3)


@settings(max_examples=10)
@given(shaken, st.sampled_from([0, 1]), st.sampled_from([1.0, 1j]))
def test_a_unit_given_is_a_current_into_the_nodes(voltage: ComplexArray, resource: int, way: complex) -> None:
    """A hundred kW or kvar of the load that is shed, and of the generator."""
    here = network(5)
    state = told(here, voltage)
    more = np.zeros(2, dtype=np.complex128)
    more[resource] = way * POWER_UNIT
    demand, injection = state.demand.copy(), state.injection.copy()
    if resource == 0:
        demand[1] -= more[0]
    else:
        injection[1] += more[1]
    changed = replace(state, demand=demand, injection=injection)
    into = -stacked(leaving(here, changed) - leaving(here, state))
    column = resource + (0 if way == 1.0 else 2)
    np.testing.assert_allclose(at(here, voltage).given.toarray()[:, column], into, rtol=1e-9, atol=1e-9)


def test_a_fixed_ratio_gives_reactive_power_with_the_real_one() -> None:
    here = network()
    plain, tied = at(here, FLAT).given.toarray(), at(here, FLAT, np.array([0.4, 0.0])).given.toarray()
    np.testing.assert_allclose(tied[:, 0], plain[:, 0] + 0.4 * plain[:, 2])
    np.testing.assert_allclose(tied[:, 1:], plain[:, 1:])


def test_what_was_dispatched_is_taken_back_first() -> None:
    """Of the generator's 20 + 5j nothing is left, and the ring's 8 + 2j more are asked for."""
    here = network()
    state = told(here, FLAT)
    idle = replace(state, injection=np.zeros(2, dtype=complex), demand=state.demand + np.array([0.0, 8 + 2j]))
    change = -stacked(leaving(here, idle) - leaving(here, state))
    np.testing.assert_allclose(at(here, FLAT, more=8 + 2j).asked, change, atol=1e-9)


def test_resources_run_at_what_the_state_has() -> None:
    here = network()
    found = at(here, FLAT, np.array([0.25, 0.0]), more=8 + 2j)
    np.testing.assert_allclose(found.running, [0.08, 0.2, 0.0, 0.05], atol=1e-12)


@settings(max_examples=10)
@given(shaken, st.integers(0, 2), st.sampled_from([1.0, 1j]))
def test_gradients_of_the_head_are_those_of_its_power(voltage: ComplexArray, node: int, way: complex) -> None:
    here = network()
    source = here.sources[0]

    def head(volts: ComplexArray) -> complex:
        terminal = volts[here.head_node]
        amps = source.admittance_s @ (source.voltage_v - terminal)
        return complex((terminal * amps.conj()).sum())

    volts, step = voltage * here.base_v, np.zeros(6, dtype=np.complex128)
    step[node] = way * 1e-3
    change = (head(volts + step) - head(volts - step)) / 2e-3
    gradient = at(here, voltage).head[node]
    assert np.real(gradient * way) == pytest.approx([change.real, change.imag], rel=1e-6, abs=1e-3)


def test_an_adjoint_says_what_a_dispatch_does() -> None:
    """lambda . (B r + c) is the gradient along dV = J^-1 (B r + c)."""
    here, rng = network(2), np.random.default_rng(0)
    found = at(here, FLAT, more=3 + 1j)
    gradients = rng.standard_normal((6, 3)) + 1j * rng.standard_normal((6, 3))
    _, slope, constant = found.along(gradients)
    r = rng.standard_normal(4)
    change = found.factors.solve(found.given @ r + found.asked)
    volts = change[:6] + 1j * change[6:]
    np.testing.assert_allclose(slope @ r + constant, (gradients.T @ volts).real, rtol=1e-9)


def test_losses_by_power_are_what_is_not_lost_of_it() -> None:
    """At nominal voltage a unit given is 100 kW less that anything else has to give."""
    here = network()
    found = at(here, FLAT)
    np.testing.assert_allclose(found.losses_by_power, [POWER_UNIT, POWER_UNIT, 0.0, 0.0], atol=1e-9)


def test_points_are_nodes_or_differences_of_them() -> None:
    made = chain("a", "b")
    points = (VoltagePoint("b", 2, 0, KV), VoltagePoint("b", 3, 1, KV * 3**0.5))
    expected = np.zeros((2, 6))
    expected[0, 4] = expected[1, 5] = 1.0
    expected[1, 3] = -1.0
    np.testing.assert_array_equal(point_incidence(replace(made, voltage_points=points)).toarray(), expected)
    assert point_incidence(replace(made, voltage_points=())).shape == (0, 6)
