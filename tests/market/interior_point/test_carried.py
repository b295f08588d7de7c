"""Powers that are carried to the root: what the root hears is what is left when all else is eliminated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.carried import STIFFNESS, Carried, carry, with_carried
from dlmp_cosim.market.interior_point.sweeps import System, make_store, sweep_up
from dlmp_cosim.market.interior_point.workspace import new_system
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees


def powers(problem: AtomicProblem, *buses: int) -> np.ndarray:
    """Variables of the resources at some buses."""
    return problem.n_state + np.array(buses, dtype=np.int64)


@pytest.fixture
def tree() -> AtomicProblem:
    return network([-1, 0, 0, 1, 1, 2])


def test_a_carried_power_is_its_resources_but_for_next_to_nothing(tree: AtomicProblem) -> None:
    n, m = len(tree.linear), len(tree.row_lower)
    wider = with_carried(tree, powers(tree, 3, 5))
    rows = wider.rows.toarray()
    np.testing.assert_array_equal(rows[:m, :n], tree.rows.toarray())
    np.testing.assert_array_equal(rows[:m, n:], 0.0)
    for k, bus in enumerate((3, 5)):
        expected = np.zeros(n + 4)
        expected[[tree.n_state + bus, n + k, n + 2 + k]] = 1.0, -1.0, -1.0
        np.testing.assert_array_equal(rows[m + k], expected)
    assert wider.quadratic[n:].tolist() == [STIFFNESS, STIFFNESS, 0.0, 0.0]


def test_the_rest_belongs_to_its_bus_and_the_power_to_the_root(tree: AtomicProblem) -> None:
    wider = with_carried(tree, powers(tree, 3, 5))
    assert wider.variable_atom[-4:].tolist() == [3, 5, 6, 6]
    assert wider.row_atom[-2:].tolist() == [3, 5]
    assert (wider.n_atom, wider.parent[-1]) == (7, -1)


def test_what_is_added_has_no_limit_and_costs_nothing(tree: AtomicProblem) -> None:
    wider = with_carried(tree, powers(tree, 1))
    for low, high in ((wider.lower, wider.upper), (wider.soft_lower, wider.soft_upper)):
        assert np.isneginf(low[-2:]).all()
        assert np.isposinf(high[-2:]).all()
    assert not wider.linear[-2:].any()
    assert not wider.penalty[-2:].any()
    assert wider.row_lower[-1] == wider.row_upper[-1] == 0.0


def test_nothing_carried_is_nothing_added(tree: AtomicProblem) -> None:
    wider = with_carried(tree, powers(tree))
    assert wider.rows.shape == tree.rows.shape
    assert wider.n_atom == tree.n_atom + 1


def heard_at_root(
    problem: AtomicProblem, carried: Carried, wider: AtomicProblem, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Matrix and two right-hand sides of the messages that the root gathers, and the dense ones."""
    rng = np.random.default_rng(seed)
    system = new_system(wider)
    n = len(problem.linear)
    system.curve[:n] = 0.3 + rng.random(n)
    system.curve[n:] = wider.quadratic[n:]
    system.cost[:, :n] = rng.standard_normal((2, n))
    system.right[:] = rng.standard_normal(len(wider.row_lower))
    store = make_store(carried.plan.fronts, len(wider.linear))
    assert sweep_up(carried.fronts, system, store) < 0
    count = (len(wider.linear) - n) // 2
    summed = np.zeros((count, count + 2))
    for front, at in zip(carried.roots, carried.at, strict=True):
        sent = store.sent[store.sent_ptr[front] : store.sent_ptr[front + 1]].reshape(len(at), -1)
        summed[np.ix_(at, at)] += sent[:, : len(at)]
        summed[at, count:] += sent[:, len(at) :]
    return summed, schur(wider, system, count)


def schur(wider: AtomicProblem, system: System, count: int) -> FloatArray:
    """The same by a dense elimination of everything but the carried powers."""
    rows = wider.rows.toarray()
    m, n = rows.shape
    whole = np.block([[np.diag(system.curve), rows.T], [rows, np.zeros((m, m))]])
    sides = np.zeros((n + m, 2))
    sides[:n] = -system.cost.T
    sides[n:, 0] = system.right
    kept = np.arange(n - count, n)
    gone = np.setdiff1d(np.arange(n + m), kept)
    solved = np.linalg.solve(whole[np.ix_(gone, gone)], np.hstack([whole[np.ix_(gone, kept)], sides[gone]]))
    across = whole[np.ix_(kept, gone)]
    left: FloatArray = np.hstack([whole[np.ix_(kept, kept)], sides[kept]]) - across @ solved
    return left


@settings(max_examples=15)
@given(trees(9), st.integers(0, 50))
def test_the_root_hears_what_a_dense_elimination_leaves(parent: list[int], seed: int) -> None:
    problem = network(parent, seed=seed)
    power = powers(problem, *sorted({seed % len(parent), 0}))
    heard, left = heard_at_root(problem, carry(problem, power), with_carried(problem, power), seed)
    np.testing.assert_allclose(heard, left, atol=1e-6)


def test_loops_are_eliminated_too() -> None:
    problem = network(chain(7), loops=[(6, 0)])
    power = powers(problem, 1, 3, 6)
    heard, left = heard_at_root(problem, carry(problem, power), with_carried(problem, power), 1)
    np.testing.assert_allclose(heard, left, atol=1e-6)


@pytest.mark.parametrize(("buses", "hops"), [((), 0), ((3,), 0), ((0,), 3), ((0, 6), 6), ((2, 3, 4), 2)])
def test_hops_are_those_to_the_middle(buses: tuple[int, ...], hops: int) -> None:
    problem = network(chain(7))
    assert carry(problem, powers(problem, *buses)).hops == hops


def test_the_root_itself_eliminates_nothing(tree: AtomicProblem) -> None:
    carried = carry(tree, powers(tree, 3, 5))
    assert len(carried.fronts.own_ptr) == len(carried.plan.fronts.own_ptr) - 1 == tree.n_atom + 1
    assert sorted(np.concatenate(carried.at).tolist()) == [0, 1]
