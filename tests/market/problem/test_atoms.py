"""The form of a problem: its cost, its copies, its tree and its fixed pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import splu

from dlmp_cosim.feeders.network import FloatArray, Resource, wye
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.nodal.spanning import span
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem, boundary, objective, with_copies
from dlmp_cosim.market.problem.path_curvature import path_curvature
from dlmp_cosim.market.problem.pattern import pattern
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation
from tests.market.support import central_optimum, mixed, mixed_offers, solve

PRICE = WholesalePrice(30.0, reactive=1.5)


@pytest.fixture(scope="module")
def problem() -> AtomicProblem:
    sample = mixed(0.35)
    network = sample.network
    state = solve(sample.feeder(tolerance=1e-12))
    model = NodalModel(network, MarketSettings(voltage_min_pu=0.963, voltage_max_pu=1.1))
    anchor = model.anchor(state, network.listed_demand, mixed_offers())
    return model.problem(anchor, mixed_offers(), PRICE)


def test_the_cost_adds_up_by_hand() -> None:
    problem = AtomicProblem(
        quadratic=np.array([2.0, 0.0]),
        linear=np.array([1.0, -3.0]),
        lower=np.array([-9.0, -9.0]),
        upper=np.array([9.0, 9.0]),
        soft_lower=np.array([0.0, -np.inf]),
        soft_upper=np.array([1.0, 2.0]),
        penalty=np.array([10.0, 100.0]),
        rows=sp.csr_matrix([[1.0, 1.0], [1.0, -1.0]]),
        row_lower=np.array([0.0, -1.0]),
        row_upper=np.array([0.0, 1.0]),
        row_penalty=np.array([np.inf, 7.0]),
        variable_atom=np.array([0, 0]),
        row_atom=np.array([0, 0]),
        parent=np.array([-1]),
        discs=np.zeros((0, 2), dtype=np.int64),
        disc_radius=np.zeros(0),
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=0.5,
        cost_unit=1.0,
    )
    # 3**2 + 3 - 3 * 4 + 10 * (3 - 1) + 100 * (4 - 2) + 0.5, and row 2 at -1 is inside.
    assert objective(problem, np.array([3.0, 4.0])) == pytest.approx(9 + 3 - 12 + 20 + 200 + 0.5)
    # -1 is 1 below its limit; row 2 is -3, 2 beyond; row 1 is hard and not priced.
    assert objective(problem, np.array([-1.0, 2.0])) == pytest.approx(1 - 1 - 6 + 10 + 14 + 0.5)


def test_copies_tell_the_same_problem(problem: AtomicProblem) -> None:
    """Local rows read local variables only; ties say copy less original; the optimum stays."""
    copies = with_copies(problem)
    n, m = len(problem.linear), len(problem.row_lower)
    reads = boundary(problem)
    assert len(copies.linear) == n + len(reads.variable)
    entries = copies.rows.tocoo()
    local = entries.row < m
    assert np.array_equal(copies.row_atom[entries.row[local]], copies.variable_atom[entries.col[local]])
    ties = copies.rows[m:].toarray()
    assert np.all(ties.sum(axis=1) == 0)
    assert np.all(np.abs(ties).sum(axis=1) == 2)
    for k, (reader, variable) in enumerate(zip(reads.reader, reads.variable, strict=True)):
        assert ties[k, n + k] == 1
        assert ties[k, variable] == -1
        assert copies.row_atom[m + k] == copies.variable_atom[n + k] == reader
    x = np.random.default_rng(0).normal(size=n)
    whole = np.append(x, x[reads.variable])
    assert np.allclose(copies.rows @ whole, np.append(problem.rows @ x, np.zeros(len(reads.variable))))
    assert objective(copies, whole) == pytest.approx(objective(problem, x))
    plain, told = central_optimum(problem), central_optimum(copies)
    assert told[0] == pytest.approx(plain[0], abs=1e-7)
    assert np.abs(told[1][:n] - plain[1]).max() < 1e-3


def test_copies_of_an_isolated_atom_are_none(problem: AtomicProblem) -> None:
    alone = replace(
        problem, variable_atom=np.zeros_like(problem.variable_atom), row_atom=np.zeros_like(problem.row_atom)
    )
    copies = with_copies(alone)
    assert copies.rows.shape == alone.rows.shape
    assert np.array_equal(copies.rows.toarray(), alone.rows.toarray())
    assert boundary(alone).messages_per_round == 0


def test_every_row_and_variable_has_its_owner(usual: Situation) -> None:
    """Voltages and balances of a bus, flows of the branch above it and its resources are its own."""
    model = NodalModel(usual.network, MarketSettings())
    problem = model.problem(model.anchor(usual.state, usual.demand, usual.offers), usual.offers, PRICE)
    layout, network, n = model.layout, usual.network, model.layout.n_state
    atom = layout.spanning.atom_of_bus
    for part in range(2):
        for owner in (problem.variable_atom, problem.row_atom):
            assert np.array_equal(owner[layout.voltage[part]], atom[network.node_bus])
            assert np.array_equal(owner[layout.flow[part]], layout.spanning.flow_atom)
        for k, resource in enumerate(network.resources):
            home = atom[network.bus_index[resource.bus]]
            assert problem.variable_atom[layout.resource[part, k]] == home
    assert sorted(np.unique(problem.row_atom).tolist()) == list(range(problem.n_atom))
    assert problem.n_state == len(problem.row_lower) == n
    assert np.abs(splu(problem.rows[:, :n].tocsc()).U.diagonal()).min() > 1e-10


def test_a_flow_belongs_to_the_child_and_leaves_the_parent(usual: Situation) -> None:
    spanning, network = span(usual.network), usual.network
    bus = spanning.atom_of_bus[network.node_bus[spanning.flow_node]]
    inner = slice(0, spanning.n_flow - spanning.n_head)
    assert np.array_equal(spanning.parent[spanning.flow_atom[inner]], bus[inner])
    assert np.array_equal(spanning.flow_atom[inner.stop :], bus[inner.stop :])
    assert spanning.parent[0] == -1
    assert np.all(spanning.parent[1:] < np.arange(1, len(spanning.parent)))
    bundled = [k for bundle in spanning.bundles for k in bundle.elements]
    assert sorted([*bundled, *spanning.others]) == list(range(len(network.elements)))
    assert not any(network.elements[k].is_branch for k in spanning.others), "a radial feeder has no loop"


@settings(deadline=None)
@given(st.data())
def test_a_pattern_adds_up_what_falls_on_one_place(data: st.DataObject) -> None:
    m, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    size = data.draw(st.integers(1, 20))
    rows = data.draw(st.lists(st.integers(-1, m - 1), min_size=size, max_size=size))
    cols = data.draw(st.lists(st.integers(-1, n - 1), min_size=size, max_size=size))
    values = data.draw(st.lists(st.floats(-10, 10), min_size=size, max_size=size))
    cut = data.draw(st.integers(0, size))
    blocks = {
        "first": (np.array(rows[:cut], dtype=np.int64), np.array(cols[:cut], dtype=np.int64)),
        "second": (np.array(rows[cut:], dtype=np.int64), np.array(cols[cut:], dtype=np.int64)),
    }
    fixed = pattern(blocks, (m, n))
    expected = np.zeros((m, n))
    for row, col, value in zip(rows, cols, values, strict=True):
        if row >= 0 and col >= 0:
            expected[row, col] += value
    given_values = {"first": np.array(values[:cut]), "second": np.array(values[cut:])}
    matrix = fixed.matrix(given_values)
    assert np.allclose(matrix.toarray(), expected, rtol=1e-12, atol=1e-12)
    constant = fixed.matrix({"first": 1.0, "second": 0.0})
    ones = np.zeros((m, n))
    for row, col in zip(rows[:cut], cols[:cut], strict=True):
        if row >= 0 and col >= 0:
            ones[row, col] += 1
    assert np.array_equal(constant.toarray(), ones)
    assert np.array_equal(constant.indices, matrix.indices)


def test_the_curvature_of_losses_is_bounded_from_above() -> None:
    """Losses of random power on a bare tree of lines never curve more than the bound says."""
    resources = [
        Resource("three", "generator", "d", wye((1, 2, 3)), 150.0, 180.0),
        Resource("two", "generator", "two", wye((1, 3)), 60.0, 75.0),
        Resource("end", "storage", "end", wye((3,)), 40.0, 50.0),
        Resource("tip", "generator", "tip", wye((2,)), 70.0, 90.0),
    ]
    sample = mixed(0.4).with_resources(*resources)
    feeder, demand = sample.feeder(tolerance=1e-12), 0.01 * sample.network.listed_demand
    n, step = len(resources), 20.0

    def losses(power: FloatArray) -> float:
        return float(feeder.solve(demand, power.astype(np.complex128), controls=False).losses.real)

    def curvature(k: int, other: int) -> float:
        one, two = step * np.eye(n)[k], step * np.eye(n)[other]
        ends = losses(one + two) - losses(one - two) - losses(two - one) + losses(-one - two)
        return ends / (4 * step**2)

    hessian = np.array([[curvature(k, other) for other in range(n)] for k in range(n)])
    real, reactive = path_curvature(sample.network)
    assert np.all(real > 0)
    assert np.all(reactive > 0)
    # diag(bound) - hessian is positive semidefinite: a step by the bound descends.
    assert np.linalg.eigvalsh(np.diag(real) - hessian).min() > -1e-9
    assert np.all(real < 20 * hessian.diagonal()), "no bound is out of all proportion"


def test_who_cannot_move_has_no_curvature() -> None:
    still = Resource("still", "generator", "tip", wye((2,)), 0.0, 0.0)
    real, reactive = path_curvature(mixed().with_resources(still).network)
    assert real.tolist() == reactive.tolist() == [0.0]
