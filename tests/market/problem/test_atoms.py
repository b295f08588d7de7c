"""The form of a problem: its cost, its copies, its merged tree and its fixed pattern."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import splu

from feeders.network import FloatArray, Network
from feeders.opendss.feeder import OpenDssFeeder
from market.offers import WholesalePrice
from market.problem.atoms import AtomicProblem, boundary, objective, with_copies
from market.problem.damping import loss_curvature
from market.problem.pattern import pattern
from market.problem.reduction import reduce_tree
from market.settings import MarketSettings
from market.three_phase.linearisation import conductors
from market.three_phase.model import ThreePhaseModel
from tests.market.conftest import Situation
from tests.market.support import central_optimum, mixed, mixed_offers, solve

PRICE = WholesalePrice(30.0, reactive=1.5)


@pytest.fixture(scope="module")
def problem() -> AtomicProblem:
    network = mixed(0.35)
    state = solve(OpenDssFeeder(network, regulators="held", tolerance=1e-12))
    model = ThreePhaseModel(network, MarketSettings(voltage_min_pu=0.963, voltage_max_pu=1.1))
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
    """The balance of an atom's slots, the drop of its line and its resources are its own."""
    model = ThreePhaseModel(usual.network, MarketSettings())
    problem = model.problem(model.anchor(usual.state, usual.demand, usual.offers), usual.offers, PRICE)
    grid, lay = model.grid, model.grid.layout
    slot_atom = grid.tree.slot_atom
    for block in (lay.p, lay.q):
        assert np.array_equal(problem.variable_atom[block], slot_atom)
    for block in (lay.balance_p, lay.balance_q):
        assert np.array_equal(problem.row_atom[block], slot_atom)
    inner = lay.w >= 0
    assert np.array_equal(problem.variable_atom[lay.w[inner]], slot_atom[inner])
    assert np.array_equal(problem.row_atom[lay.drop[inner]], slot_atom[inner])
    for k, resource in enumerate(usual.network.resources):
        atom = grid.tree.atom_of_bus[usual.network.bus_index[resource.bus]]
        assert problem.variable_atom[lay.resource_p[k]] == problem.variable_atom[lay.resource_q[k]] == atom
    assert sorted(np.unique(problem.row_atom).tolist()) == list(range(problem.n_atom))
    assert problem.n_state == len(problem.row_lower) == lay.m
    assert np.abs(splu(problem.rows[:, : lay.m].tocsc()).U.diagonal()).min() > 1e-3


def test_merged_buses_share_an_atom_and_nothing_else_does(usual: Situation) -> None:
    network, tree = usual.network, reduce_tree(usual.network)
    for branch in network.branches:
        above = tree.atom_of_bus[network.bus_index[branch.from_bus]]
        here = tree.atom_of_bus[network.bus_index[branch.to_bus]]
        assert (above == here) == (branch.kind != "line")
        if branch.kind == "line":
            assert tree.parent[here] == above
            assert network.branches[tree.entry_branch[here]] is branch
    assert tree.parent[0] == tree.entry_branch[0] == -1
    assert np.all(tree.parent[1:] < np.arange(1, tree.n_atom))
    assert tree.n_atom == 1 + sum(branch.kind == "line" for branch in network.branches)
    phase = [int(name.split(".")[1]) for name in network.node_ids]
    for node, slot in enumerate(tree.node_slot):
        assert phase[tree.slot_node[slot]] == phase[node]
        assert (
            tree.slot_atom[slot] == tree.atom_of_bus[np.searchsorted(node_starts(network), node, "right") - 1]
        )


def node_starts(network: Network) -> np.ndarray:
    return np.cumsum([0, *(len(bus.phases) for bus in network.buses)])[:-1]


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
    """Losses of random power on a bare resistive tree never curve more than the bound says."""
    network = mixed(0.4)
    tree = reduce_tree(network)
    lines = conductors(network, tree)
    n_slot = len(tree.slot_node)
    rng = np.random.default_rng(6)
    slot = rng.integers(int(tree.slot_start[1]), n_slot, 5)
    reach = rng.uniform(10, 100, 5)
    resistance = lines.impedance[lines.row == lines.col].real

    def curvature(reach: FloatArray) -> FloatArray:
        return loss_curvature(
            lines.to_slot, lines.from_slot, resistance, np.arange(5), slot, np.ones(5), reach
        )

    bound = curvature(reach)
    carries = np.zeros((len(lines.rating), 5))
    for k, start in enumerate(slot):
        at = int(start)
        while at in set(lines.to_slot.tolist()):
            line = int(np.flatnonzero(lines.to_slot == at)[0])
            carries[line, k] = 1.0
            at = int(lines.from_slot[line])
    hessian = 2 * carries.T @ (resistance[:, None] * carries)
    assert np.all(bound > 0)
    # diag(bound) - hessian is positive semidefinite: a step by the bound descends.
    assert np.linalg.eigvalsh(np.diag(bound) - hessian).min() > -1e-12
    assert np.all(curvature(np.zeros(5)) == 0)
