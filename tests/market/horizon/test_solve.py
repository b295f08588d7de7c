"""Solving horizons one after the other: what is kept, what it takes, and circuits of one bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.network import Resource, wye
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.horizon.market import HorizonMarket
from dlmp_cosim.market.horizon.outlook import Outlook, Step
from dlmp_cosim.market.horizon.problem import HorizonProblem
from dlmp_cosim.market.horizon.solve import Findings, HorizonSolver, findings_of
from dlmp_cosim.market.horizon.steps import Span
from dlmp_cosim.market.horizon.terms import Ahead, Store
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import objective
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.horizon.support import outlook
from tests.market.horizon.test_problem import TREE, horizon
from tests.market.interior_point.chains import chain, network
from tests.market.support import ladder, load, sample, solve

TIGHT = MarketSettings(tolerance=1e-6, negotiation_rounds=400_000, agents=2)
METHODS: tuple[Method, ...] = ("interior-point", "pac-accelerated", "pac", "central")


def steps(first: int, count: int) -> Outlook:
    """Steps of an hour from one on; what they cost and ask for is in the problems."""
    none = np.zeros(0, dtype=np.complex128)
    spans = [Span(first + k, first + k + 1) for k in range(count)]
    return Outlook(tuple(Step(span, 1.0, WholesalePrice(30.0), none) for span in spans))


def untied(*prices: float) -> HorizonProblem:
    nobody = np.zeros(0, dtype=np.int64)
    return HorizonProblem(tuple(network(chain(5), price=price) for price in prices), (), nobody)


def total(at: HorizonProblem, found: Findings) -> float:
    return sum(objective(p, x) for p, x in zip(at.steps, found.x, strict=True)) + found.own_cost


@pytest.mark.parametrize("method", ["pac-accelerated", "pac"])
def test_methods_find_the_same_course(method: Method) -> None:
    at = horizon(list(TREE), 3, 1, (1, 3))
    best = HorizonSolver(TIGHT).solve(at, steps(0, 3))
    found = HorizonSolver(replace(TIGHT, method=method)).solve(at, steps(0, 3))
    assert found.effort.converged
    assert total(at, found) == pytest.approx(total(at, best), abs=1e-3)
    np.testing.assert_allclose(found.first.resources, best.first.resources, atol=0.02)


def test_rows_of_the_network_hold_whatever_was_agreed() -> None:
    at = horizon(list(TREE), 3, 1, (1, 3))
    found = HorizonSolver(replace(TIGHT, tolerance=1e-2)).solve(at, steps(0, 3))
    for problem, x in zip(at.steps, found.x, strict=True):
        np.testing.assert_allclose(problem.rows @ x, problem.row_lower, atol=1e-8)


def test_powers_of_the_first_step_are_within_their_boxes() -> None:
    at = horizon(list(TREE), 2, 1, (1, 3))
    found, first = HorizonSolver(replace(TIGHT, tolerance=1e-1)).solve(at, steps(0, 2)), at.steps[0]
    n = first.n_state
    assert (found.first.resources >= first.lower[n:]).all()
    assert (found.first.resources <= first.upper[n:]).all()


def test_the_next_interval_finds_the_same_course_from_the_last_plan() -> None:
    at = horizon(list(TREE), 4, 1, (1, 3))
    later = replace(at, steps=(*at.steps[1:], at.steps[-1]))
    warm, cold = HorizonSolver(TIGHT), HorizonSolver(TIGHT)
    warm.solve(at, steps(0, 4))
    mine, theirs = warm.solve(later, steps(1, 4)), cold.solve(later, steps(1, 4))
    assert mine.effort.converged
    assert total(later, mine) == pytest.approx(total(later, theirs), abs=1e-4)


def test_the_same_interval_again_takes_next_to_nothing() -> None:
    at, when = horizon(list(TREE), 4, 1, (1, 3)), steps(0, 4)
    solver = HorizonSolver(TIGHT)
    first, again = solver.solve(at, when), solver.solve(at, when)
    assert again.effort.rounds < first.effort.rounds / 2


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(horizon(list(TREE), 2, 1, (1, 3)), id="fewer steps"),
        pytest.param(horizon(list(TREE), 4, 1, (1,)), id="fewer couplings"),
        pytest.param(horizon(chain(5), 4, 1, (1, 3)), id="another circuit"),
    ],
)
@pytest.mark.parametrize("method", ["interior-point", "pac-accelerated"])
def test_a_horizon_of_another_shape_is_solved_as_if_it_were_the_first(
    later: HorizonProblem, method: Method
) -> None:
    settings = replace(TIGHT, method=method)
    used = HorizonSolver(settings)
    used.solve(horizon(list(TREE), 4, 1, (1, 3)), steps(0, 4))
    found = used.solve(later, steps(1, len(later.steps)))
    fresh = HorizonSolver(settings).solve(later, steps(1, len(later.steps)))
    assert found.effort.converged
    assert total(later, found) == pytest.approx(total(later, fresh), abs=1e-3)


def test_solutions_step_by_step_are_findings() -> None:
    at = untied(0.7, 2.0)
    rng = np.random.default_rng(0)
    solutions = [Solution(rng.random(5), np.zeros(at.steps[0].n_state)) for _ in at.steps]
    found = findings_of(at, solutions, 1.25)
    for problem, solution, x, y in zip(at.steps, solutions, found.x, found.y, strict=True):
        n = problem.n_state
        np.testing.assert_allclose(problem.rows @ x, problem.row_lower, atol=1e-10)
        np.testing.assert_array_equal(x[n:], solution.resources)
        np.testing.assert_allclose(problem.rows[:, :n].T @ y, problem.linear[:n], atol=1e-10)
    assert (found.first, found.own_cost, len(found.own)) == (solutions[0], 1.25, 0)


def test_what_is_carried_is_told_to_the_root_and_no_further() -> None:
    """A chain of five is two hops high; a power that is carried adds numbers, and no hop."""
    plain, tied = untied(1.0, 1.0), horizon(chain(5), 2, 1, (0,))
    plan = make_plan(plain.steps[0])
    for at in (plain, tied):
        effort = HorizonSolver(TIGHT).solve(at, steps(0, 2)).effort
        sweeps, left = divmod(effort.rounds, 2 * plan.height)
        assert (left, plan.height) == (0, 2)
        assert effort.messages == sweeps * plan.messages
        assert effort.scalars >= 2 * sweeps * plan.scalars


GEN = Resource("gen", "generator", "src", wye((1,)), 10.0, 10.0)
ONE = sample("one", [load("x", "src", (1,), 1, 30.0, 5.0)], [GEN])


def ahead(
    here: object, offers: Sequence[Offer], method: Method, prices: Sequence[float] = (40.0, 60.0)
) -> Clearing:
    assert isinstance(here, type(ONE))
    state = solve(here.feeder())
    market = HorizonMarket(here.network, replace(TIGHT, method=method))
    return market.clear_ahead(state, outlook(here.network, prices, [1.0] * len(prices)), offers)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("offers", "kw"),
    [
        pytest.param((), [0.0, 0.0], id="nothing offered"),
        pytest.param((Offer("gen", 0.0, 10.0, 50.0, 0.0),), [0.0, 10.0], id="a generator"),
        pytest.param(
            (Offer("gen", -10.0, 10.0, 0.0, ahead=Ahead(store=Store(2.0, 8.0))),), [-6.0, 8.0], id="a store"
        ),
    ],
)
def test_one_bus_looks_ahead_without_a_message(
    method: Method, offers: tuple[Offer, ...], kw: list[float]
) -> None:
    found = ahead(ONE, offers, method)
    assert (found.status, found.rounds, found.messages) == ("solved", 0, 0)
    assert found.plan is not None
    assert [step.dispatch[0].real for step in found.plan.steps] == pytest.approx(kw, abs=0.05)
    np.testing.assert_allclose([float(step.price[0]) for step in found.plan.steps], [40.0, 60.0], rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_feeder_without_resources_plans_what_it_buys(method: Method) -> None:
    bare = ladder(1)
    found = ahead(bare, (), method)
    assert found.status == "solved"
    assert found.plan is not None
    head = solve(bare.feeder()).head.sum().real
    assert found.plan.cost == pytest.approx((40.0 + 60.0) * head / 1e3, rel=1e-6)
    assert (found.rounds > 0) is (method != "central")
