"""Agents of several buses: connected areas, and a condensed problem that means the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.pac.areas import area_parents, condense, partition
from dlmp_cosim.market.pac.negotiate import Start, negotiate
from dlmp_cosim.market.problem.atoms import AtomicProblem, boundary, objective
from dlmp_cosim.market.settings import MarketSettings
from tests.market.support import central_optimum, mixed, mixed_offers, solve

PRICE = WholesalePrice(30.0, reactive=1.5)


@st.composite
def trees(draw: st.DrawFn) -> IntArray:
    """Parents of a random tree, parents first."""
    n = draw(st.integers(1, 60))
    return np.array([-1, *(draw(st.integers(0, k - 1)) for k in range(1, n))], dtype=np.int64)


@given(trees(), st.integers(1, 80))
def test_areas_are_connected_pieces_that_cover_the_tree(parent: IntArray, wanted: int) -> None:
    area = partition(parent, wanted)
    assert area.shape == parent.shape
    count = int(area.max()) + 1
    assert set(area.tolist()) == set(range(count))
    # A connected area has one atom whose parent lies outside.
    entries = [k for k in range(len(parent)) if parent[k] < 0 or area[parent[k]] != area[k]]
    assert len(entries) == count
    assert sorted(area[entries].tolist()) == list(range(count))
    assert area[0] == 0


@given(trees(), st.integers(1, 80))
def test_areas_are_of_the_size_asked_for(parent: IntArray, wanted: int) -> None:
    """No area but the root's is below the target; none is larger than one target a child, and itself."""
    area = partition(parent, wanted)
    target = max(1.0, len(parent) / wanted)
    size = np.bincount(area)
    children = np.bincount(parent[parent >= 0], minlength=len(parent))
    assert np.all(size[1:] >= target)
    assert len(size) <= max(wanted, 1) + 1
    for k in range(len(size)):
        assert size[k] < 1 + max(children[area == k].max(), 1) * target


@given(trees())
def test_one_area_each_or_one_for_all(parent: IntArray) -> None:
    assert partition(parent, 10 * len(parent)).tolist() == list(range(len(parent)))
    assert len(np.unique(partition(parent, 1))) <= 2
    assert partition(parent, 7).tobytes() == partition(parent, 7).tobytes()


@given(trees(), st.integers(1, 20))
def test_areas_form_a_tree_of_their_own(parent: IntArray, wanted: int) -> None:
    area = partition(parent, wanted)
    above = area_parents(parent, area)
    assert above[0] == -1
    assert np.all(above[1:] < np.arange(1, len(above)))
    assert np.all(above[1:] >= 0)
    for k in range(1, len(parent)):
        if area[k] != area[parent[k]]:
            assert above[area[k]] == area[parent[k]]


OFFERS = {
    "usual": mixed_offers(),
    "discs": (*mixed_offers()[1:], Offer("gen3", 0.0, 150.0, 28.0, 0.05, -140.0, 140.0, 155.0)),
    "must run": (Offer("gen3", 60.0, 60.0, 99.0, 0.1), *mixed_offers()[1:4]),
    "fixed on a disc": (
        Offer("gen3", 100.0, 100.0, 28.0, 0.05, -140.0, 140.0, 120.0),
        Offer("gen1", 0.0, 60.0, 26.0, 0.15, 40.0, 40.0, 61.0),
    ),
    "loss weight": mixed_offers(),
    "none": (),
}


@pytest.fixture(scope="module", params=OFFERS)
def problem(request: pytest.FixtureRequest) -> AtomicProblem:
    sample = mixed(0.35)
    network = sample.network
    weight = 4.0 if request.param == "loss weight" else 0.0
    limits = MarketSettings(voltage_min_pu=0.965, voltage_max_pu=1.1, rating_scale=0.2, loss_weight=weight)
    state = solve(sample.feeder(tolerance=1e-12))
    model = NodalModel(network, limits)
    offers = OFFERS[request.param]
    return model.problem(model.anchor(state, network.listed_demand, offers), offers, PRICE)


@pytest.mark.parametrize("agents", [1, 2, 4, 7])
def test_the_condensed_problem_costs_the_same_everywhere(problem: AtomicProblem, agents: int) -> None:
    """At random powers of the resources, with the network at what its rows say."""
    n = problem.n_state
    area = partition(problem.parent, agents)
    watched = np.flatnonzero(problem.penalty[:n] > 0)
    condensed = condense(problem, area, watched)
    rng = np.random.default_rng(agents)
    for _ in range(20):
        low, high = problem.lower[n:], problem.upper[n:]
        resources = low + rng.uniform(0, 1, len(low)) * (high - low)
        kept_in = condensed.variables >= n
        room = condensed.problem.lower[kept_in], condensed.problem.upper[kept_in]
        at = condensed.variables[kept_in] - n
        resources[at] = np.clip(resources[at], *room)
        known = problem.row_lower - problem.rows[:, n:] @ resources
        full = np.concatenate([np.linalg.solve(problem.rows[:, :n].toarray(), known), resources])
        kept = full[condensed.variables]
        boundary_rows = len(condensed.boundary)
        missed = condensed.problem.rows @ kept - condensed.problem.row_lower
        assert np.abs(missed[:boundary_rows]).max(initial=0.0) < 1e-8
        assert objective(condensed.problem, kept) == pytest.approx(objective(problem, full), abs=1e-7)


@pytest.mark.parametrize("agents", [1, 3, 7])
def test_the_condensed_problem_has_the_optimum_of_the_full_one(problem: AtomicProblem, agents: int) -> None:
    n = problem.n_state
    watched = np.flatnonzero(problem.penalty[:n] > 0)
    condensed = condense(problem, partition(problem.parent, agents), watched)
    whole, parts = central_optimum(problem), central_optimum(condensed.problem)
    assert parts[0] == pytest.approx(whole[0], abs=1e-6)
    resources = condensed.variables >= n
    assert np.abs(parts[1][resources] - whole[1][condensed.variables[resources]]).max(initial=0.0) < 2e-3


def test_limits_that_nobody_watches_take_no_part(problem: AtomicProblem) -> None:
    n = problem.n_state
    area = partition(problem.parent, 3)
    nobody = condense(problem, area, np.array([], dtype=np.int64))
    free = replace(problem, penalty=np.zeros(len(problem.linear)))
    assert len(nobody.problem.row_lower) == len(nobody.boundary)
    assert central_optimum(nobody.problem)[0] == pytest.approx(central_optimum(free)[0], abs=1e-6)
    assert nobody.problem.n_atom == int(area.max()) + 1
    assert nobody.problem.n_state == 0
    assert n == problem.n_state


def test_start_duals_carry_an_optimum_over(problem: AtomicProblem) -> None:
    """Begun at the full problem's optimum, the condensed negotiation has nothing left to do."""
    n = problem.n_state
    best = negotiate(
        problem,
        Start(np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))),
        tolerance=1e-9,
        max_iterations=200_000,
    )
    assert best.converged
    gradient = (problem.rows.T @ best.y - problem.linear - problem.quadratic * best.x)[:n]
    watched = np.flatnonzero(problem.penalty[:n] > 0)
    for agents in (1, 3, 7):
        condensed = condense(problem, partition(problem.parent, agents), watched)
        start = Start(best.x[condensed.variables], condensed.start_duals(best.y, -gradient))
        talk = negotiate(condensed.problem, start, tolerance=1e-6, max_iterations=1000)
        assert talk.converged
        assert talk.iterations <= 30
        assert np.abs(talk.x - start.x).max(initial=0.0) < 1e-4


def test_fewer_agents_say_less(problem: AtomicProblem) -> None:
    watched = np.flatnonzero(problem.penalty[: problem.n_state] > 0)
    numbers = [
        boundary(condense(problem, partition(problem.parent, agents), watched).problem).scalars_per_round
        for agents in (7, 3, 1)
    ]
    assert numbers[0] > numbers[1] > numbers[2] == 0


@cache
def small_problem() -> AtomicProblem:
    sample = mixed(0.35)
    network = sample.network
    state = solve(sample.feeder(tolerance=1e-12))
    model = NodalModel(network, MarketSettings())
    return model.problem(model.anchor(state, network.listed_demand, mixed_offers()), mixed_offers(), PRICE)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_any_partition_condenses_to_the_same_answer(agents: int, seed: int) -> None:
    """Random rows on the pattern of a real problem: nothing rests on the numbers of one feeder."""
    base = small_problem()
    rng = np.random.default_rng(seed)
    rows = base.rows.copy()
    rows.data = rows.data * rng.uniform(0.8, 1.2, len(rows.data))
    rhs = base.row_lower + rng.normal(0, 0.05, len(base.row_lower))
    problem = replace(base, rows=rows, row_lower=rhs, row_upper=rhs)
    n = problem.n_state
    condensed = condense(problem, partition(problem.parent, agents), np.arange(0, n, 3))
    resources = rng.uniform(problem.lower[n:], problem.upper[n:])
    known = problem.row_lower - problem.rows[:, n:] @ resources
    full = np.concatenate([np.linalg.solve(problem.rows[:, :n].toarray(), known), resources])
    kept = full[condensed.variables]
    value = condensed.problem.rows @ kept
    split = len(condensed.boundary)
    assert np.abs(value[:split] - condensed.problem.row_lower[:split]).max(initial=0.0) < 1e-8
    seen = value[split:] - condensed.problem.row_lower[split:]
    meant = full[condensed.watched] - problem.soft_lower[condensed.watched]
    finite = np.isfinite(meant)
    assert np.abs(seen[finite] - meant[finite]).max(initial=0.0) < 1e-8
