"""The nodal problem's rows are the derivatives of the AC power flow, on circuits of every kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Resource, wye
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.audit import point_voltage
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.nodal.outcome import read_clearing
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.prices import network_solver
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import Sample, apply, ladder, loop, mixed, service, solve

PRICE = WholesalePrice(40.0, reactive=3.0)
SMALL_KW = 0.2
LEAST = (0.05, 0.05, 1e-5, 0.05)
"""Slopes that count as none: of head power, losses and branch power [kW/kW], of voltages [pu/kW]."""

CIRCUITS: dict[str, Callable[[], Sample]] = {
    "mixed": lambda: mixed(0.35),
    "charged cables": lambda: mixed(0.3, nanofarad=400.0),
    "ladder": ladder,
    "loop": loop,
    "service": service,
}


def probed(sample: Sample) -> Sample:
    """A generator at every node that has a voltage, beside the circuit's own resources."""
    buses = {bus.name: bus for bus in sample.network.buses}
    probes = [
        Resource(f"probe {point.name}", "generator", point.bus, wye((point.phase,)), 10.0, 20.0)
        for point in sample.network.voltage_points
        if point.bus in buses and not point.other
    ]
    return sample.with_resources(*sample.network.resources, *probes)


@pytest.fixture(scope="module", params=CIRCUITS)
def circuit(request: pytest.FixtureRequest) -> Sample:
    return probed(CIRCUITS[request.param]())


@pytest.fixture(scope="module")
def loaded(circuit: Sample) -> tuple[AcState, ComplexArray]:
    """A state with every resource running at a tenth, and the dispatch that it was solved with."""
    dispatch = np.array([0.1 * r.kw_max * (1 + 0.2j) for r in circuit.network.resources])
    return apply(circuit.feeder(tolerance=1e-12), circuit.network.listed_demand, dispatch), dispatch


def predict(
    model: NodalModel, state: AcState, dispatch: ComplexArray, demand: ComplexArray
) -> tuple[FloatArray, ...]:
    """Head, losses, voltages of points and power of conductors that the model expects of a dispatch."""
    anchor = model.anchor(state, demand, ())
    problem = model.problem(anchor, (), PRICE)
    solver = network_solver(problem, make_plan(problem).network)
    powers = np.concatenate([dispatch.real, dispatch.imag]) / 100.0
    found = read_clearing(model, anchor, solver, PRICE, Solution(powers, np.zeros(solver.problem.n_state)))
    head = found.head.sum()
    points = point_voltage(model.network, found.voltage)
    return np.array([head.real, head.imag]), np.array([found.losses_kw]), points, found.power


def realise(sample: Sample, state: AcState) -> tuple[FloatArray, ...]:
    head = state.head.sum()
    points = point_voltage(sample.network, state.voltage)
    return np.array([head.real, head.imag]), np.array([state.losses.real]), points, state.power


def test_where_nothing_changes_the_prediction_is_the_state(
    circuit: Sample, loaded: tuple[AcState, ComplexArray]
) -> None:
    state, dispatch = loaded
    model = NodalModel(circuit.network, MarketSettings())
    for expected, found in zip(
        realise(circuit, state),
        predict(model, state, dispatch, circuit.network.listed_demand),
        strict=True,
    ):
        assert found == pytest.approx(expected, abs=1e-9, rel=1e-9)


def test_every_resource_moves_everything_as_the_power_flow_says(
    circuit: Sample, loaded: tuple[AcState, ComplexArray]
) -> None:
    """Central differences in real and reactive power of each resource, against the same in the model."""
    state, dispatch = loaded
    feeder, demand = circuit.feeder(tolerance=1e-12), circuit.network.listed_demand
    model = NodalModel(circuit.network, MarketSettings())
    for k in range(len(dispatch)):
        for unit in (1.0, 1.0j):
            step = np.zeros(len(dispatch), dtype=np.complex128)
            step[k] = unit * SMALL_KW
            ends = [realise(circuit, apply(feeder, demand, dispatch + s * step)) for s in (1, -1)]
            told = [predict(model, state, dispatch + s * step, demand) for s in (1, -1)]
            for ahead, behind, more, less, least in zip(*ends, *told, LEAST, strict=True):
                true, said = (ahead - behind) / (2 * SMALL_KW), (more - less) / (2 * SMALL_KW)
                size = max(np.abs(true).max(), least)
                assert np.abs(said - true).max() <= 2e-5 * size, (circuit.network.resources[k].name, unit)


def test_every_load_costs_what_the_power_flow_says(
    circuit: Sample, loaded: tuple[AcState, ComplexArray]
) -> None:
    """d head / d load by the adjoint, against central differences in every load's demand."""
    state, dispatch = loaded
    feeder, network = circuit.feeder(tolerance=1e-12), circuit.network
    marginal = head_by_load(NodalModel(network, MarketSettings()), state)
    for k in range(len(network.loads)):
        for part, unit in enumerate((1.0, 1.0j)):
            step = np.zeros(len(network.loads), dtype=np.complex128)
            step[k] = unit * SMALL_KW
            ahead, behind = (
                apply(feeder, network.listed_demand + s * step, dispatch).head.sum() for s in (1, -1)
            )
            true = (ahead - behind).real / (2 * SMALL_KW)
            assert marginal[part, k] == pytest.approx(true, rel=1e-5, abs=1e-5), network.load_ids[k]


def head_by_load(model: NodalModel, state: AcState) -> FloatArray:
    """Change of real head power for each kW and kvar more that a load asks for, shape (2, n_load)."""
    network = model.network
    anchor = model.anchor(state, state.demand, ())
    problem = model.problem(anchor, (), WholesalePrice(1e3))
    solver = network_solver(problem, make_plan(problem).network)
    duals = solver.duals(problem.linear[: problem.n_state])
    found = np.zeros((2, len(network.loads)))
    for part, unit in enumerate((1.0, 1.0j)):
        for k in range(len(network.loads)):
            more = state.demand.copy()
            more[k] += unit
            asked = model.problem(replace(anchor, demand=more), (), WholesalePrice(1e3)).row_lower
            found[part, k] = duals @ (asked - problem.row_lower) * problem.cost_unit
    return found


def test_rows_read_neighbours_only(circuit: Sample) -> None:
    """A row reads its own atom, its parent, its children, and across branches that close a loop."""
    network = circuit.network
    model = NodalModel(network, MarketSettings())
    state = solve(circuit.feeder())
    problem = model.problem(model.anchor(state, network.listed_demand, ()), (), PRICE)
    atom = model.layout.spanning.atom_of_bus
    joined = {
        frozenset((int(atom[network.bus_index[a.bus]]), int(atom[network.bus_index[b.bus]])))
        for element in network.branches
        for a in element.terminals
        for b in element.terminals
    }
    entries = problem.rows.tocoo()
    pairs = zip(problem.row_atom[entries.row], problem.variable_atom[entries.col], strict=True)
    assert {frozenset(map(int, pair)) for pair in pairs} <= joined
    parent = problem.parent
    assert np.all(parent < np.arange(len(parent)))


def test_no_row_is_far_from_order_one(circuit: Sample) -> None:
    """Switches, services and substations side by side, and still nothing to scale."""
    model = NodalModel(circuit.network, MarketSettings())
    state = solve(circuit.feeder())
    problem = model.problem(model.anchor(state, circuit.network.listed_demand, ()), (), PRICE)
    n = problem.n_state
    largest = np.abs(problem.rows[:, :n]).max(axis=1).toarray().ravel()
    assert largest.min() > 0.5
    assert largest.max() < 5e3
    assert np.linalg.cond(problem.rows[:, :n].toarray()) < 1e9
