"""What holds for an AC engine on every circuit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from dlmp_cosim.feeders.admittance import conductor_admittance
from dlmp_cosim.feeders.engine import AcEngine
from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import FloatArray, Network, Resource, delta, wye
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from tests import circuits
from tests.circuits import idle, imbalance, kcl_residual, rounding_kw

Build = Callable[[str, Network], AcEngine]

EVERY = (*circuits.SMALL, *circuits.PUBLISHED, *circuits.LARGE)
QUICK = (*circuits.SMALL, "ieee13", "ieee34_mod1")


def opendss(name: str, network: Network) -> AcEngine:
    return OpenDssFeeder(circuits.case(name), network, regulators="held", tolerance=1e-11)


each_engine = pytest.mark.parametrize("build", [opendss], ids=["opendss"])
each_circuit = pytest.mark.parametrize("name", EVERY)
quick_circuits = pytest.mark.parametrize("name", QUICK)


def generating(name: str) -> Network:
    """The circuit with a generator on all phases of a bus, and a battery between two of them."""
    network = circuits.circuit(name).network
    bus = [bus.name for bus in network.buses if {1, 2, 3} <= set(bus.phases)][-1]
    grounded = any(point.bus == bus and not point.other for point in network.voltage_points)
    resources = (
        Resource("sun", "generator", bus, (wye if grounded else delta)((1, 2, 3)), 30.0, 40.0),
        Resource("battery", "storage", bus, ((1, 2),), 10.0, 10.0),
        Resource(
            "flex",
            "flexible_load",
            network.loads[0].bus,
            network.loads[0].legs,
            1.0,
            1.0,
            network.load_ids[0],
        ),
    )
    return replace(network, resources=resources)


GIVEN = np.array([24.0 + 6.0j, -8.0 + 1.0j, 0.0])
SITUATIONS = ((1.0, 0.0), (0.6, 1.0), (0.3, 1.0), (0.8, 1.0))
"""Shares of the listed demand and of what is given, in the order in which an engine solves them."""


@cache
def solved(build: Build, name: str) -> tuple[Network, Mapping[tuple[float, float], AcState]]:
    """The states of a circuit in all situations; a large one takes a second to be compiled."""
    network = generating(name)
    engine = build(name, network)
    return network, {
        (demand, share): engine.solve(demand * network.listed_demand, share * GIVEN, controls=False)
        for demand, share in SITUATIONS
    }


def all_numbers(state: AcState) -> FloatArray:
    """Everything measured in a state as one vector, for bit-by-bit comparison."""
    names = ("voltage", "power", "current", "load", "machine", "head", "losses", "admittance")
    return np.concatenate([np.atleast_1d(getattr(state, name)).view(np.float64) for name in names])


@each_engine
@each_circuit
@pytest.mark.parametrize(("demand", "share"), SITUATIONS[:3])
def test_head_is_loads_and_losses_less_what_is_given(
    name: str, build: Build, demand: float, share: float
) -> None:
    network, states = solved(build, name)
    state = states[demand, share]
    assert state.converged
    limit = max(1e-6, rounding_kw(network))
    assert abs(imbalance(state).real) < limit
    assert abs(imbalance(state).imag) < limit


@each_engine
@each_circuit
def test_the_network_says_what_the_engine_solves(name: str, build: Build) -> None:
    network, states = solved(build, name)
    state = states[0.8, 1.0]
    stiffest = max(np.abs(element.admittance_s).max() for element in network.elements)
    left = kcl_residual(network, state)
    rounding = 4.0 * stiffest * np.finfo(np.float64).eps * network.base_v
    assert (left < np.maximum(1e-6, rounding)).all()


@each_engine
@each_circuit
def test_currents_and_powers_are_those_of_the_admittances(name: str, build: Build) -> None:
    network, states = solved(build, name)
    state = states[0.8, 1.0]
    volt = state.voltage * network.base_v
    block = conductor_admittance(network, state.admittance)
    amps = block @ volt
    rounding = 4.0 * np.finfo(np.float64).eps * (abs(block) @ np.abs(volt)) + 1e-9
    assert (np.abs(state.current - np.abs(amps)) <= rounding).all()
    entering = volt[network.conductor_node] * amps.conj() / 1e3
    limit = rounding * np.abs(volt[network.conductor_node]) / 1e3 + 1e-9
    assert (np.abs(state.power - entering) <= limit).all()


@each_engine
@quick_circuits
def test_a_state_has_the_shapes_of_its_network(name: str, build: Build) -> None:
    network = generating(name)
    state = build(name, network).solve(network.listed_demand, idle(network), controls=False)
    sizes = {field.name: np.size(getattr(state, field.name)) for field in fields(state)}
    expected = {
        "voltage": network.node_ids,
        "power": network.conductor_ids,
        "current": network.conductor_ids,
        "load": network.loads,
        "demand": network.loads,
        "injection": network.resources,
        "machine": network.machines,
        "tap": network.tap_ids,
        "capacitor": network.capacitor_ids,
        "admittance": network.admittance_ids,
        "head": network.head_ids,
    }
    assert {key: sizes[key] for key in expected} == {key: len(names) for key, names in expected.items()}
    assert state.admittance.tobytes() == network.initial_admittance.tobytes()
    assert state.iterations > 0


@each_engine
@quick_circuits
def test_the_same_sequence_gives_the_same_bytes(name: str, build: Build) -> None:
    network = generating(name)
    scale = np.random.default_rng(7).uniform(0.2, 1.1, (5, len(network.loads)))
    first, second = build(name, network), build(name, network)
    for row in scale:
        a, b = (e.solve(row * network.listed_demand, GIVEN, controls=False) for e in (first, second))
        assert (all_numbers(a) == all_numbers(b)).all()


@each_engine
@pytest.mark.parametrize("name", ["mixed", "ieee13", "ieee34_mod1"])
def test_taps_can_be_set_and_change_the_voltage(name: str, build: Build) -> None:
    network = generating(name)
    engine = build(name, network)
    assert engine.taps.tolist() == network.initial_taps.tolist()
    taps = np.arange(len(network.tap_ids)) - 4
    low = engine.solve(0.3 * network.listed_demand, idle(network), controls=False)
    engine.set_taps(taps)
    state = engine.solve(0.3 * network.listed_demand, idle(network), controls=False)
    assert engine.taps.tolist() == state.tap.tolist() == taps.tolist()
    assert np.abs(state.voltage - low.voltage).max() > 0.01
    assert np.abs(state.admittance - low.admittance).max() > 0.0
    assert kcl_residual(network, state).max() < 1e-4


@each_engine
@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ([0, 0], r"taps have shape \(2,\); expected 3 positions"),
        ([0, 0, 17], "tap of vrc is 17; expected a whole number from -16 to 16"),
        ([0.5, 0, 0], "tap of vra is 0.5"),
        ([0, np.nan, 0], "tap of vrb is nan"),
    ],
)
def test_wrong_taps_are_refused(build: Build, taps: list[float], message: str) -> None:
    network = generating("mixed")
    engine = build("mixed", network)
    with pytest.raises(FeederError, match=message):
        engine.set_taps(np.array(taps))
    assert engine.taps.tolist() == network.initial_taps.tolist()


@each_engine
def test_wrong_set_points_are_refused_by_name(build: Build) -> None:
    network = generating("mixed")
    engine = build("mixed", network)
    good = network.listed_demand
    before = engine.solve(good, GIVEN, controls=False)
    for value in (np.nan, np.inf, complex(0, np.nan)):
        demand, injection = good.copy(), GIVEN.copy()
        demand[network.load_ids.index("zip")] = value
        injection[1] = value
        with pytest.raises(FeederError, match=r"demand of load zip is .*expected a finite number of kVA"):
            engine.solve(demand, GIVEN, controls=False)
        with pytest.raises(FeederError, match="injection of resource battery is"):
            engine.solve(good, injection, controls=False)
    with pytest.raises(
        FeederError, match=r"demand has shape \(13,\); expected one value for each of 14 loads"
    ):
        engine.solve(good[:-1], GIVEN, controls=False)
    with pytest.raises(FeederError, match=r"injection has shape \(1,\)"):
        engine.solve(good, GIVEN[:1], controls=False)
    with pytest.raises(FeederError, match=r"injection of flexible load flex is .*a smaller demand"):
        engine.solve(good, np.ones(3, dtype=np.complex128), controls=False)
    after = engine.solve(good, GIVEN, controls=False)
    assert np.abs(after.voltage - before.voltage).max() < 1e-9


@each_engine
@pytest.mark.parametrize("name", ["mixed", "delta", "ieee13"])
def test_without_a_solution_every_number_is_nan_and_the_next_solve_is_good(name: str, build: Build) -> None:
    network = generating(name)
    # Without the ranges of the loads, which turn into impedances, nothing could serve this.
    demand = network.listed_demand
    engine, fresh = build(name, network), build(name, network)
    taps = np.full(len(network.tap_ids), 4)
    for one in (engine, fresh):
        one.set_taps(taps)
    engine.solve(demand, GIVEN, controls=False)
    failed = engine.solve(demand, -1e9 * GIVEN, controls=False)
    assert not failed.converged
    assert np.isnan(all_numbers(failed)).all()
    assert failed.tap.tolist() == taps.tolist()
    assert failed.demand == pytest.approx(demand)
    recovered = engine.solve(0.8 * demand, GIVEN, controls=False)
    expected = fresh.solve(0.8 * demand, GIVEN, controls=False)
    assert recovered.converged
    assert (all_numbers(recovered) == all_numbers(expected)).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 2.0])
def test_served_power_is_that_of_the_engine(mixed: Network, scale: float) -> None:
    engine = OpenDssFeeder(circuits.case("mixed"), mixed, regulators="held", tolerance=1e-10)
    state = engine.solve(scale * mixed.listed_demand, idle(mixed), controls=False)
    circuit = engine._engine.ActiveCircuit
    for name, served in zip(mixed.load_ids, state.load, strict=True):
        assert circuit.SetActiveElement(f"load.{name}") >= 0, f"the engine has no load {name}"
        drawn = np.asarray(circuit.ActiveCktElement.Powers).view(np.complex128).sum()
        assert drawn == pytest.approx(served, rel=1e-7, abs=1e-7), name
    assert np.abs(state.load).max() > 1.0
