"""The structured method against the plain one on the stacked problem, on small trees of buses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.horizon.coupling import Timing, couple
from dlmp_cosim.market.horizon.problem import HorizonProblem, stacked, unstacked, weighted
from dlmp_cosim.market.horizon.terms import Ahead, Ramp, Session, Store
from dlmp_cosim.market.interior_point.carried import carry
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.horizon import Course, Opening, iterate_horizon
from dlmp_cosim.market.interior_point.method import iterate
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.pac.areas import condense
from dlmp_cosim.market.problem.atoms import AtomicProblem, boundary, objective
from tests.market.interior_point.chains import chain, network

TREE = (-1, 0, 0, 1, 1, 2, 5)


def horizon(parent: list[int], count: int, seed: int, at: tuple[int, ...]) -> HorizonProblem:
    """Steps of one tree at prices of their own; resources `at` have terms over time."""
    rng = np.random.default_rng(seed)
    steps = [
        opened(network(parent, price=0.5 + 2 * rng.random(), load=0.3 + 0.2 * rng.random(), low=-0.8), at)
        for _ in range(count)
    ]
    timing = Timing(np.ones(count), 1.0, 1.0)
    terms = (
        Ahead(store=Store(30, 100, 0, 0.95, 0.9, 0.01, end_value=1.0), ramp=Ramp(0.9, 10.0)),
        Ahead(sessions=(Session(60, 4, 30, 0.5), Session(30, 9, 30, 2.0))),
    )
    couplings = tuple(
        couple(bus, [Offer("r", -50, 50, 0.0, ahead=term)] * count, timing)
        for bus, term in zip(at, terms, strict=False)
    )
    power = np.array([steps[0].n_state + bus for bus in at[: len(couplings)]], dtype=np.int64)
    return HorizonProblem(tuple(steps), couplings, power)


def opened(problem: AtomicProblem, buses: tuple[int, ...]) -> AtomicProblem:
    """Let the resources of some buses draw as well as give, for little."""
    lower, upper = problem.lower.copy(), problem.upper.copy()
    linear, quadratic = problem.linear.copy(), problem.quadratic.copy()
    at: IntArray = problem.n_state + np.array(buses, dtype=np.int64)
    lower[at], upper[at], linear[at], quadratic[at] = -0.5, 0.5, 0.0, 0.01
    return replace(problem, lower=lower, upper=upper, linear=linear, quadratic=quadratic)


def solved(at: HorizonProblem, tolerance: float = 1e-6) -> Course:
    opening = Opening(tuple(np.zeros(len(s.linear)) for s in at.steps), np.zeros(len(at.own.linear)))
    return iterate_horizon(at, carry(at.steps[0], at.power), opening, tolerance=tolerance)


@given(
    count=st.integers(1, 6),
    seed=st.integers(0, 99),
    parent=st.sampled_from([list(TREE), chain(5), [-1, 0, 0, 0]]),
)
@settings(max_examples=15, deadline=None)
def test_sweeps_of_steps_are_newton_steps_of_the_whole(count: int, seed: int, parent: list[int]) -> None:
    at = horizon(parent, count, seed, (1, 3))
    mine, whole = solved(at), stacked(at)
    theirs = iterate(whole, make_plan(whole), np.zeros(len(whole.linear)), tolerance=1e-6)
    assert mine.converged
    assert theirs.converged
    x, own = unstacked(at, theirs.x)
    for a, b in zip(mine.x, x, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    total = sum(objective(p, v) for p, v in zip(at.steps, mine.x, strict=True)) + objective(at.own, mine.own)
    assert total == pytest.approx(objective(whole, theirs.x), abs=1e-5)
    assert len(own) == len(mine.own)


def test_a_horizon_keeps_its_rows() -> None:
    at = horizon(list(TREE), 6, 3, (3, 6))
    found = solved(at)
    for problem, x in zip(at.steps, found.x, strict=True):
        np.testing.assert_allclose(problem.rows @ x, problem.row_lower, atol=1e-8)
    cuts = np.cumsum([len(c.lower) for c in at.couplings])[:-1]
    for coupling, power, own in zip(at.couplings, at.power, np.split(found.own, cuts), strict=True):
        p = np.array([x[power] for x in found.x])
        np.testing.assert_allclose(coupling.power @ p + coupling.own @ own, coupling.right, atol=1e-6)


def test_prices_of_rows_are_marginal_costs() -> None:
    at = horizon(list(TREE), 4, 5, (3, 6))
    base = solved(at)
    step, more = at.steps[1], 1e-3
    moved = step.row_lower.copy()
    moved[4] += more
    changed = replace(step, row_lower=moved, row_upper=moved)
    after = solved(replace(at, steps=(at.steps[0], changed, *at.steps[2:])))

    def cost(which: HorizonProblem, course: Course) -> float:
        parts = zip([*which.steps, which.own], [*course.x, course.own], strict=True)
        return sum(objective(problem, x) for problem, x in parts)

    rise = (cost(replace(at, steps=(at.steps[0], changed, *at.steps[2:])), after) - cost(at, base)) / more
    assert rise == pytest.approx(base.y[1][4], abs=2e-2)


def test_neighbours_talk_about_all_steps_and_nobody_else_talks() -> None:
    at = horizon(list(TREE), 5, 1, (3, 6))
    one, all_steps = boundary(at.steps[0]), boundary(stacked(at))
    pairs = set(zip(one.reader.tolist(), one.owner.tolist(), strict=True))
    assert set(zip(all_steps.reader.tolist(), all_steps.owner.tolist(), strict=True)) == pairs
    assert all_steps.messages_per_round == one.messages_per_round
    assert all_steps.scalars_per_round == 5 * one.scalars_per_round


def test_areas_keep_the_rows_over_time() -> None:
    at = horizon(list(TREE), 3, 2, (3, 6))
    whole = stacked(at)
    condensed = condense(whole, np.array([0, 0, 0, 1, 1, 0, 0]), np.zeros(0, dtype=np.int64))
    tied = len(whole.row_lower) - whole.n_state
    assert condensed.problem.rows.shape[0] == len(condensed.boundary) + tied
    np.testing.assert_array_equal(condensed.problem.row_lower[-tied:], whole.row_lower[whole.n_state :])


def test_a_longer_step_weighs_more() -> None:
    problem = network(list(TREE))
    longer = weighted(problem, 4.0, 2.0)
    x = np.linspace(-1, 1, len(problem.linear))
    assert objective(longer, x) == pytest.approx(2.0 * objective(problem, x))
    assert weighted(problem, 1.0, problem.cost_unit) is problem
