"""Rules of restarts and weights, and each loop against the same iteration written out in plain algebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.pac.iterations import (
    USUAL_RESTARTS,
    Outcome,
    RestartRule,
    accelerated,
    nesterov,
    next_weight,
    published,
    reflect,
    restart_due,
    way,
)
from dlmp_cosim.market.pac.negotiate import pack
from dlmp_cosim.market.pac.step_sizes import Gains, local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network

NEVER = RestartRule(near=0.0, stalled=0.0, long=np.inf, inertia=1.0)


@pytest.mark.parametrize(
    ("k", "moved", "first", "last", "done", "due"),
    [
        pytest.param(0, 0.0, 1.0, 1.0, 5, False, id="never at once"),
        pytest.param(3, 0.19, 1.0, 0.5, 100, True, id="near"),
        pytest.param(3, 0.21, 1.0, 0.5, 100, False, id="not near"),
        pytest.param(3, 0.7, 1.0, 0.6, 100, True, id="stalled: it grows again"),
        pytest.param(3, 0.7, 1.0, 0.8, 100, False, id="it still falls"),
        pytest.param(3, 0.9, 1.0, 0.6, 100, False, id="it never fell far enough"),
        pytest.param(37, 0.9, 1.0, 0.95, 100, True, id="long without"),
        pytest.param(36, 0.9, 1.0, 0.95, 100, False, id="not long yet"),
    ],
)
def test_a_restart_is_due(k: int, moved: float, first: float, last: float, done: int, due: bool) -> None:
    found, kept, seen = restart_due(USUAL_RESTARTS, moved, first, last, k, done)
    assert found is due
    assert kept == (moved if k == 0 else first)
    assert seen == (np.inf if k == 0 else moved)


positive = st.floats(1e-6, 1e6)


@settings(max_examples=30)
@given(positive, positive, positive)
def test_a_weight_moves_halfway_to_the_balance_of_both_distances(x: float, y: float, omega: float) -> None:
    balance = np.sqrt(y / x)
    assert next_weight(USUAL_RESTARTS, (x, y), omega) == pytest.approx(np.sqrt(balance * omega), rel=1e-9)
    assert next_weight(NEVER, (x, y), omega) == pytest.approx(omega, rel=1e-9)


@pytest.mark.parametrize("far", [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1e-21, 1e-21)])
def test_a_weight_stays_where_nothing_moved(far: tuple[float, float]) -> None:
    assert next_weight(USUAL_RESTARTS, far, 3.0) == 3.0


@settings(max_examples=30)
@given(positive, positive, positive)
def test_a_way_weighs_values_against_duals(x: float, y: float, omega: float) -> None:
    assert way((x, y), omega) == pytest.approx(np.sqrt(x * omega + y / omega))


@pytest.mark.parametrize("k", [1, 2, 9])
def test_a_reflection_is_drawn_to_its_anchor_less_and_less(k: int) -> None:
    x, new, anchor = np.array([1.0, 4.0]), np.array([2.0, 3.0]), np.array([10.0, -10.0])
    reflect(x, new, anchor, k)
    share = k / (k + 1)
    np.testing.assert_allclose(x, share * np.array([3.0, 2.0]) + (1 - share) * anchor)


def small() -> tuple[AtomicProblem, Gains]:
    problem = network(chain(3), low=-0.6)
    return problem, local_gains(problem)


def prox(problem: AtomicProblem, gains: Gains, x: FloatArray, y: FloatArray, omega: float) -> FloatArray:
    """Minimise the cost of every variable with its soft and hard limits around a step, coordinate by one."""
    weight = omega / gains.tau
    top = weight * x + problem.rows.T @ y - problem.linear
    curve = weight + problem.quadratic
    value = top / curve
    low = np.minimum((top + problem.penalty) / curve, problem.soft_lower)
    high = np.maximum((top - problem.penalty) / curve, problem.soft_upper)
    soft = problem.penalty > 0
    value = np.where(soft & (value < problem.soft_lower), low, value)
    value = np.where(soft & (value > problem.soft_upper), high, value)
    held: FloatArray = np.clip(value, problem.lower, problem.upper)
    return held


def by_hand(count: int, omega: float) -> tuple[FloatArray, FloatArray]:
    """Reflected Halpern iterations without a restart."""
    problem, gains = small()
    x, y = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    anchor_x, anchor_y = x.copy(), y.copy()
    for k in range(1, count + 1):
        new = prox(problem, gains, x, y, omega)
        dual = y + omega * gains.sigma * (problem.row_lower - problem.rows @ (2 * new - x))
        share = k / (k + 1)
        x = share * (2 * new - x) + (1 - share) * anchor_x
        y = share * (2 * dual - y) + (1 - share) * anchor_y
    return new, dual


def run(
    problem: AtomicProblem,
    gains: Gains,
    *,
    count: int,
    rule: RestartRule = USUAL_RESTARTS,
    omega: float = 1.0,
) -> Outcome:
    x, y = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    return accelerated(pack(problem, gains), x, y, omega, rule, 1e-9, count, 5)


@pytest.mark.parametrize(("count", "omega"), [(1, 1.0), (4, 1.0), (17, 1.0), (17, 0.5), (17, 4.0)])
def test_accelerated_iterations_are_those_of_plain_algebra(count: int, omega: float) -> None:
    outcome = run(*small(), count=count, rule=NEVER, omega=omega)
    x, y = by_hand(count, omega)
    np.testing.assert_allclose(outcome.x, x, atol=1e-10)
    np.testing.assert_allclose(outcome.y, y, atol=1e-10)
    assert (outcome.iterations, outcome.restarts, outcome.weight) == (count, 0, omega)


@pytest.mark.parametrize("count", [1, 7])
def test_published_iterations_without_a_mask_are_those_of_plain_algebra(count: int) -> None:
    problem, gains = small()
    a = pack(problem, gains)
    x0, y0 = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    outcome = published(a, x0, y0, 0.0, np.random.default_rng(0), 1e-9, count, 5)
    x, y, sent = x0.copy(), y0.copy(), y0.copy()
    for _ in range(count):
        x = prox(problem, gains, x, sent, 1.0)
        miss = problem.row_lower - problem.rows @ x
        y = y + gains.sigma * miss
        sent = y + gains.sigma * miss
    np.testing.assert_allclose(outcome.x, x, atol=1e-10)
    np.testing.assert_allclose(outcome.y, y, atol=1e-10)


@pytest.mark.parametrize("method", ["pac", "nst-pac"])
def test_a_mask_is_drawn_from_its_seed(method: str) -> None:
    problem, gains = small()
    a, x, y = pack(problem, gains), np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))

    def masked(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        if method == "pac":
            return published(a, x, y, 0.5, rng, 1e-9, 9, 5).x.tobytes()
        return nesterov(a, x, y, 0.3, 0.5, rng, 1e-9, 9, 5).x.tobytes()

    assert masked(1) == masked(1) != masked(2)


@pytest.mark.parametrize(("limit", "checks"), [(0, 0), (4, 0), (5, 1), (23, 4)])
def test_a_trace_has_a_line_for_every_check(limit: int, checks: int) -> None:
    outcome = run(*small(), count=limit)
    assert outcome.iterations == limit
    assert outcome.trace[:, 0].tolist() == [5.0 * k for k in range(1, checks + 1)]
    if checks:
        assert (outcome.primal, outcome.dual) == tuple(outcome.trace[-1, 1:])
    else:
        assert (outcome.primal, outcome.dual) == (np.inf, np.inf)


def test_no_iteration_leaves_the_start() -> None:
    problem, gains = small()
    outcome = run(problem, gains, count=0)
    assert not outcome.x.any()
    assert not outcome.y.any()


def test_iterations_stop_at_the_check_that_meets_the_tolerance() -> None:
    problem, gains = small()
    x, y = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    outcome = accelerated(pack(problem, gains), x, y, 1.0, USUAL_RESTARTS, 1e-3, 10_000, 5)
    assert max(outcome.primal, outcome.dual) <= 1e-3
    assert outcome.iterations % 5 == 0
    assert outcome.trace[:-1, 1:].max(axis=1).min() > 1e-3


def test_starts_are_not_changed() -> None:
    problem, gains = small()
    x, y = np.full(len(problem.linear), 0.1), np.full(len(problem.row_lower), 0.2)
    accelerated(pack(problem, gains), x, y, 1.0, USUAL_RESTARTS, 1e-9, 20, 5)
    assert set(x.tolist()) == {0.1}
    assert set(y.tolist()) == {0.2}


def test_restarts_pay_on_a_problem_whose_scale_is_off() -> None:
    problem, gains = small()
    costs = {name: 100 * getattr(problem, name) for name in ("linear", "quadratic", "penalty")}
    odd = replace(problem, **costs)
    x, y = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    fresh, stubborn = (
        accelerated(pack(odd, gains), x, y, 1.0, rule, 1e-4, 20_000, 5) for rule in (USUAL_RESTARTS, NEVER)
    )
    assert fresh.restarts > 0
    assert fresh.iterations < stubborn.iterations
    assert max(fresh.primal, fresh.dual) <= 1e-4
