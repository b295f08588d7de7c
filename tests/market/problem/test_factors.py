"""The network's rows factorised bus by bus, against dense linear algebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.factors import Factors, WholeFactors, factorise
from tests.market.interior_point.chains import network

CHAIN = (-1, 0, 1, 2, 3)
FORK = (-1, 0, 0, 1, 1, 2, 2)
trees = st.integers(1, 9).flatmap(
    lambda n: st.tuples(*(st.integers(0, k - 1) if k else st.just(-1) for k in range(n)))
)


def stated(parent: tuple[int, ...], seed: int = 0, loops: tuple[tuple[int, int], ...] = ()) -> AtomicProblem:
    """A network whose first rows determine as many variables."""
    return replace(network(parent, seed=seed, loops=loops), n_state=2 * len(parent))


def factors(problem: AtomicProblem) -> Factors | WholeFactors:
    return factorise(problem.rows, problem.n_state, make_plan(problem).network)


def check(problem: AtomicProblem, found: Factors | WholeFactors, seed: int = 0) -> None:
    """Both solutions are those of dense linear algebra, and what is solved for is left as it was."""
    n = problem.n_state
    dense = problem.rows[:n, :n].toarray()
    right = np.random.default_rng(seed).normal(size=n)
    before = right.copy()
    assert found.solve(right) == pytest.approx(np.linalg.solve(dense, right), rel=1e-11, abs=1e-12)
    assert found.solve_transposed(right) == pytest.approx(
        np.linalg.solve(dense.T, right), rel=1e-11, abs=1e-12
    )
    assert np.array_equal(right, before)


@settings(max_examples=80, deadline=None)
@given(trees, st.integers(0, 2**32 - 1))
def test_trees_are_solved_both_ways(parent: tuple[int, ...], seed: int) -> None:
    problem = stated(parent, seed)
    found = factors(problem)
    assert isinstance(found, Factors)
    check(problem, found, seed)


@pytest.mark.parametrize("loops", [((1, 3),), ((4, 0), (2, 4)), ((0, 4), (1, 4), (3, 0))])
def test_loops_are_solved_too(loops: tuple[tuple[int, int], ...]) -> None:
    problem = stated(CHAIN, 1, loops)
    check(problem, factors(problem))


def test_other_numbers_in_the_same_pattern_need_no_other_fronts() -> None:
    problem = stated(FORK)
    fronts = make_plan(problem).network
    rows = problem.rows.copy()
    rows.data = rows.data * np.linspace(0.7, 1.4, len(rows.data))
    other = replace(problem, rows=rows)
    check(other, factorise(rows, problem.n_state, fronts))


def test_rows_may_stand_in_any_order_within_a_bus() -> None:
    """Pivots are sought among the rows of a bus: the first one may have a zero on its diagonal."""
    problem = stated(FORK, 3)
    n = problem.n_state
    order = np.append(np.arange(n).reshape(2, -1)[::-1].ravel(), np.arange(n, problem.rows.shape[0]))
    turned = replace(problem, rows=sp.csr_matrix(problem.rows[order]), row_atom=problem.row_atom[order])
    found = factors(turned)
    assert isinstance(found, Factors)
    check(turned, found)


def test_a_bus_that_its_own_rows_do_not_determine_is_solved_with_the_others() -> None:
    """Two buses whose rows each say what the other's variables are."""
    problem = stated((-1, 0))
    n = problem.n_state
    place = {(atom, row): k for k, (atom, row) in enumerate((a, r) for r in range(2) for a in range(2))}
    crossed = sp.lil_matrix(problem.rows.shape)
    for atom in range(2):
        for row in range(2):
            crossed[place[atom, row], place[1 - atom, row]] = 2.0 + atom + row
    crossed[:, n:] = problem.rows[:, n:]
    whole = replace(problem, rows=sp.csr_matrix(crossed))
    found = factors(whole)
    assert isinstance(found, WholeFactors)
    check(whole, found)


@pytest.mark.parametrize("fronted", [True, False])
def test_rows_that_determine_nothing_are_an_error(*, fronted: bool) -> None:
    problem = stated(CHAIN)
    rows = problem.rows.copy()
    rows.data[rows.indptr[2] : rows.indptr[3]] = 0.0
    fronts = make_plan(problem).network if fronted else None
    with pytest.raises(ClearingError, match=r"^the rows of the network have no solution"):
        factorise(rows, problem.n_state, fronts)
