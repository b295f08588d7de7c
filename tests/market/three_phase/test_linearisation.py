"""Derivatives of the AC equations: against numeric ones of the formulas, and against OpenDSS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from feeders.network import Branch, Bus, Capacitor, ComplexArray, FloatArray, Load, Network
from feeders.opendss.feeder import OpenDssFeeder
from feeders.state import AcState
from market.clearing import Clearing
from market.offers import WholesalePrice
from market.problem.prices import network_solver
from market.problem.reduction import reduce_tree
from market.settings import MarketSettings
from market.three_phase.linearisation import (
    Terminals,
    branch_derivatives,
    conductors,
    load_derivatives,
    terminals,
)
from market.three_phase.model import ThreePhaseModel
from market.three_phase.outcome import Solution, read_clearing
from tests.market.support import KV, mixed, regulator, solve

PRICE = WholesalePrice(30.0)
SEEDS = range(5)


def state_at_random(network: Network, seed: int) -> tuple[ComplexArray, ComplexArray]:
    """Voltages near nominal and flows of some hundred kVA, in both directions."""
    rng = np.random.default_rng(seed)
    phase = np.array([p for bus in network.buses for p in bus.phases])
    angle = -2 * np.pi / 3 * (phase - 1) + rng.uniform(-0.05, 0.05, len(phase))
    voltage = rng.uniform(0.93, 1.07, len(phase)) * np.exp(1j * angle)
    n = len(network.branch_ids)
    return voltage, rng.uniform(-300, 300, n) + 1j * rng.uniform(-200, 200, n)


def central(function: Callable[[float], FloatArray | ComplexArray], step: float) -> ComplexArray:
    """Central difference of fourth order."""
    near, far = function(step) - function(-step), function(2 * step) - function(-2 * step)
    return np.asarray((8 * near - far) / (12 * step), dtype=np.complex128)


@pytest.mark.parametrize("seed", SEEDS)
def test_branch_derivatives_are_those_of_the_formulas(seed: int) -> None:
    network = mixed()
    lines = conductors(network, reduce_tree(network))
    voltage, power = state_at_random(network, seed)
    # The receiving voltages have to be those that the flows cause.
    for branch in network.branches:
        if branch.kind == "line":
            ends = [network.node_index[f"{branch.from_bus}.{p}"] for p in branch.phases]
            to = [network.node_index[f"{branch.to_bus}.{p}"] for p in branch.phases]
            flow = [network.branch_index[f"{branch.name}.{p}"] for p in branch.phases]
            z = branch.impedance_ohm / (KV**2 * 1e3)
            voltage[to] = voltage[ends] - z @ np.conj(power[flow] / voltage[ends])
    slope = branch_derivatives(lines, voltage, power)
    n = len(lines.rating)
    z = np.zeros((n, n), dtype=np.complex128)
    z[lines.row, lines.col] = lines.impedance

    def outcome(p: FloatArray, q: FloatArray, w: FloatArray) -> tuple[ComplexArray, FloatArray, FloatArray]:
        start = voltage[lines.from_node]
        v = start / np.abs(start) * np.sqrt(w)
        current = np.conj((p + 1j * q) / v)
        loss = (z @ current) * np.conj(current)
        return loss, np.abs(v - z @ current) ** 2, np.abs(current)

    s, w = power[lines.branch_phase], np.abs(voltage[lines.from_node]) ** 2
    expected = {
        "p": (slope.loss_p, slope.w_p, slope.current_p),
        "q": (slope.loss_q, slope.w_q, slope.current_q),
        "w": (slope.loss_w, slope.w_w, slope.current_w),
    }
    for name, (loss, far, current) in expected.items():
        for col in range(n):

            def moved(by: float, part: int, col: int = col, name: str = name) -> ComplexArray:
                unit = by * np.eye(n)[col]
                return np.asarray(
                    outcome(
                        s.real + unit * (name == "p"), s.imag + unit * (name == "q"), w + unit * (name == "w")
                    )[part],
                    dtype=np.complex128,
                )

            step = 1e-3 if name == "w" else 0.5
            numeric = [central(lambda by, part=part: moved(by, part), step) for part in range(3)]  # type: ignore[misc]
            pairs = np.flatnonzero(lines.col == col)
            rows = lines.row[pairs]
            assert np.allclose(loss[pairs], numeric[0][rows], rtol=1e-7, atol=1e-9), name
            assert np.allclose(far[pairs], numeric[1][rows].real, rtol=1e-7, atol=1e-12), name
            assert np.isclose(current[col], numeric[2][col].real, rtol=1e-6, atol=1e-9), name


def test_a_conductor_without_current_has_no_slope_of_its_current() -> None:
    network = mixed()
    lines = conductors(network, reduce_tree(network))
    voltage, power = state_at_random(network, 0)
    power[lines.branch_phase[2]] = 0.0
    slope = branch_derivatives(lines, voltage, power)
    assert slope.current[2] == slope.current_p[2] == slope.current_q[2] == slope.current_w[2] == 0.0
    assert np.isfinite(slope.loss_p).all()


@pytest.mark.parametrize("exponent", [0, 1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_load_derivatives_are_those_of_the_formulas(exponent: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    voltage = rng.uniform(0.9, 1.1, 2) * np.exp(
        1j * (np.array([0, -2 * np.pi / 3]) + rng.uniform(-0.1, 0.1, 2))
    )
    ends = Terminals(
        load=np.array([0, 1, 1]),
        node=np.array([0, 0, 1]),
        other=np.array([-1, 1, 0]),
        exponent=np.full(3, float(exponent)),
    )
    slope = load_derivatives(ends, voltage)

    def share(by: FloatArray) -> ComplexArray:
        v = voltage / np.abs(voltage) * np.sqrt(np.abs(voltage) ** 2 + by)
        u = v[0] - v[1]
        across = abs(u) / np.sqrt(3)
        return np.array([abs(v[0]) ** exponent, across**exponent * v[0] / u, -(across**exponent) * v[1] / u])

    assert np.allclose(slope.share, share(np.zeros(2)), rtol=1e-12)
    first, second = (central(lambda by, unit=unit: share(by * unit), 1e-3) for unit in np.eye(2))  # type: ignore[misc]
    assert np.allclose(slope.share_own, [first[0], first[1], second[2]], rtol=1e-8, atol=1e-9)
    assert np.allclose(slope.share_other, [0, second[1], first[2]], rtol=1e-8, atol=1e-9)


def test_shares_of_a_delta_load_are_what_its_terminals_draw() -> None:
    network = mixed()
    feeder = OpenDssFeeder(network, regulators="held", tolerance=1e-12)
    state = solve(feeder)
    ends = terminals(network)
    slope = load_derivatives(ends, state.voltage)
    drawn = np.bincount(ends.load, (slope.share * network.listed_demand[ends.load]).real)
    assert np.allclose(drawn, state.load.real, rtol=1e-9)
    circuit = feeder._engine.ActiveCircuit
    for k, load in enumerate(network.loads):
        circuit.SetActiveElement(f"load.{load.name}")
        powers = np.asarray(circuit.ActiveCktElement.Powers).view(np.complex128)[: len(load.phases)]
        assert np.allclose(slope.share[ends.load == k] * network.listed_demand[k], powers, rtol=1e-7)


def test_conductors_list_every_pair_of_every_line_and_no_merged_branch() -> None:
    network = mixed()
    tree = reduce_tree(network)
    lines = conductors(network, tree)
    names = [network.branch_ids[k].split(".")[0] for k in lines.branch_phase]
    assert names == ["src-a"] * 3 + ["b-c"] * 3 + ["d-two"] * 2 + ["two-end", "c-one", "one-tip"]
    assert len(lines.row) == 9 + 9 + 4 + 1 + 1 + 1
    assert np.array_equal(tree.node_slot[lines.from_node], lines.from_slot)
    assert lines.rating[0] == pytest.approx(400.0 * KV)
    assert lines.impedance[0] == pytest.approx(complex(0.25, 1.7 * 0.25) / (KV**2 * 1e3))


def predict(model: ThreePhaseModel, state: AcState, demand: ComplexArray) -> Clearing:
    """What the model anchored at `state` says that another demand does, without any resource."""
    anchor = model.anchor(state, demand, ())
    problem = model.problem(anchor, (), PRICE)
    n = problem.n_state
    nothing = Solution(np.zeros(len(problem.linear) - n), np.zeros(n))
    return read_clearing(model.grid, anchor, network_solver(problem), PRICE, nothing)


def errors(network: Network, step: ComplexArray) -> dict[str, float]:
    """Model against half the difference of two AC solutions; the largest error over the largest change.

    The head is in kW per kVA of the step instead.
    """
    feeder = OpenDssFeeder(network, regulators="held", tolerance=1e-12)
    state = solve(feeder)
    up, down = (solve(feeder, network.listed_demand + sign * step) for sign in (1, -1))
    told = predict(ThreePhaseModel(network, MarketSettings()), state, network.listed_demand + step)
    pairs = {
        "w": (
            told.voltage_magnitude**2 - np.abs(state.voltage) ** 2,
            (np.abs(up.voltage) ** 2 - np.abs(down.voltage) ** 2) / 2,
        ),
        "flow": (told.power_from - state.power_from, (up.power_from - down.power_from) / 2),
    }
    found = {name: float(np.abs(a - b).max() / np.abs(b).max()) for name, (a, b) in pairs.items()}
    size = float(np.abs(step).sum())
    head = told.head.real.sum() - state.head.real.sum(), (up.head - down.head).real.sum() / 2
    loss = told.losses_kw - state.losses.real, (up.losses - down.losses).real / 2
    return found | {"head": abs(head[0] - head[1]) / size, "loss": abs(loss[0] - loss[1]) / size}


def straight(branch: Branch, resistance: float, reactance: float) -> Branch:
    """The branch with uncoupled phases, scaled by its own size; a switch becomes a short line."""
    n = len(branch.phases)
    size = 0.05 if branch.kind == "switch" else branch.resistance_ohm[0][0]

    def rows(value: float) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(float(x) for x in row) for row in value * size * np.eye(n))

    kind = "line" if branch.kind == "switch" else branch.kind
    return replace(branch, kind=kind, resistance_ohm=rows(resistance), reactance_ohm=rows(reactance))


def uncoupled(resistance: float, reactance: float, loads: tuple[Load, ...]) -> Network:
    """`mixed` with uncoupled phases, other loads and no capacitors."""
    network = mixed(0.4)
    lines = tuple(straight(branch, resistance, reactance) for branch in network.branches)
    return replace(network, branches=lines, loads=loads, capacitors=(), resources=())


WYE_BUSES = (("c", 1), ("d", 2), ("b", 3), ("two", 1), ("end", 3), ("one", 2), ("tip", 2))
EXACT = 4e-6
"""What is left of exactness: third order in a step of 1 kVA, and the 1e-5 ohm of a merged regulator."""
MERGED = 6e-5
"""The same for voltages under reactive power, which see those 1e-5 ohm beside lines of 0.4 ohm."""


@pytest.mark.parametrize("exponent", [0, 1, 2])
@pytest.mark.parametrize("where", range(len(WYE_BUSES)))
def test_it_is_the_feeder_itself_where_resistance_and_real_power_turn_no_angle(
    exponent: int, where: int
) -> None:
    loads = tuple(
        Load(f"l{k}", bus, (phase,), (exponent + k) % 3, 60.0 + 10 * k, 0.0)  # type: ignore[arg-type]
        for k, (bus, phase) in enumerate(WYE_BUSES)
    )
    found = errors(uncoupled(1.0, 0.0, loads), np.eye(len(loads))[where].astype(np.complex128))
    assert max(found.values()) < EXACT, found


@pytest.mark.parametrize("exponent", [0, 1, 2])
@pytest.mark.parametrize("where", range(len(WYE_BUSES)))
def test_it_is_the_feeder_itself_where_reactance_and_reactive_power_turn_no_angle(
    exponent: int, where: int
) -> None:
    loads = tuple(
        Load(f"l{k}", bus, (phase,), (exponent + k) % 3, 0.0, 30.0 + 5 * k)  # type: ignore[arg-type]
        for k, (bus, phase) in enumerate(WYE_BUSES)
    )
    network = replace(
        uncoupled(0.0, 1.0, loads),
        capacitors=(
            Capacitor("c1", "c", 1, 80.0),
            Capacitor("c2", "tip", 2, 40.0),
            Capacitor("c3", "b", 3, 90.0),
        ),
    )
    found = errors(network, 1j * np.eye(len(loads))[where])
    assert found.pop("w") < MERGED
    assert max(found.values()) < EXACT, found


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_it_is_the_feeder_itself_for_three_equal_delta_loads(exponent: int) -> None:
    loads = tuple(
        Load(f"d{a}{b}", "d", (a, b), exponent, 90.0, 0.0)  # type: ignore[arg-type]
        for a, b in ((1, 2), (2, 3), (3, 1))
    )
    network = replace(
        uncoupled(1.0, 0.0, loads),
        regulators=tuple(regulator(f"r{p}", "a-b", p, 5) for p in (1, 2, 3)),
    )
    found = errors(network, np.ones(3, dtype=np.complex128))
    assert max(found.values()) < EXACT, found


LIMITS = {"w": 0.018, "flow": 0.013, "head": 0.008, "loss": 3e-4}
"""What held angles cost on `mixed`, whose voltage-dependent loads follow voltages of other phases."""


@pytest.mark.parametrize("microsiemens", [0.0, 50.0])
@pytest.mark.parametrize("unit", [1.0, 1.0j])
@pytest.mark.parametrize("name", mixed().load_ids)
def test_held_angles_cost_little_with_coupling_reactance_and_delta_loads(
    name: str, unit: complex, microsiemens: float
) -> None:
    network = mixed(0.25, microsiemens)
    step = np.array([5 * unit * (load == name) for load in network.load_ids])
    found = errors(network, step)
    assert all(found[key] < limit for key, limit in LIMITS.items()), found


@pytest.mark.parametrize("name", ["pq1", "delta_i", "z_tip"])
def test_what_held_angles_cost_is_of_first_order_in_the_impedance(name: str) -> None:
    whole, tenth = (
        errors(network, np.array([5.0 + 0j if load == name else 0j for load in network.load_ids]))
        for network in (mixed(0.25), mixed(0.025))
    )
    for key in ("w", "flow", "head"):
        assert tenth[key] < 0.12 * whole[key] + 1e-6, key


def test_prediction_is_the_anchor_where_nothing_changes() -> None:
    network = mixed(0.4, 30.0)
    state = solve(OpenDssFeeder(network, regulators="held", tolerance=1e-12))
    told = predict(ThreePhaseModel(network, MarketSettings()), state, network.listed_demand)
    assert np.array_equal(told.power_from, state.power_from)
    assert np.array_equal(told.head, state.head)
    assert np.allclose(told.voltage_magnitude, np.abs(state.voltage), rtol=1e-15)
    assert told.losses_kw == state.losses.real


def test_voltage_behind_a_regulator_follows_its_taps() -> None:
    network = mixed()
    state = solve(OpenDssFeeder(network, regulators="held", tolerance=1e-12))
    anchor = ThreePhaseModel(network, MarketSettings()).anchor(state, network.listed_demand, ())
    gain = dict(zip(network.node_ids, anchor.node_gain, strict=True))
    for phase, tap in ((1, 4), (2, 7), (3, -3)):
        assert gain[f"b.{phase}"] == pytest.approx((1 + 0.00625 * tap) ** 2, rel=1e-5)
        assert gain[f"a.{phase}"] == 1.0


def test_a_slot_has_its_own_bus_for_every_line() -> None:
    network = mixed()
    tree = reduce_tree(network)
    assert tree.n_atom == 1 + sum(branch.kind == "line" for branch in network.branches)
    bus = {name: tree.atom_of_bus[k] for k, name in enumerate(b.name for b in network.buses)}
    assert bus["a"] == bus["b"]
    assert bus["c"] == bus["d"] != bus["b"]
    assert tree.parent[bus["one"]] == tree.parent[bus["two"]] == bus["c"]
    assert isinstance(network.buses[0], Bus)
