"""One clearing by negotiation: what it counts, where it begins, which limits join, what comes of answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.method import iterate
from dlmp_cosim.market.offers import Refusal
from dlmp_cosim.market.pac import clear
from dlmp_cosim.market.pac.clear import (
    MAX_EXTENSIONS,
    SWEEPS,
    Effort,
    Warmth,
    begin,
    iteration_budget,
    negotiate_areas,
    negotiate_buses,
    talk_within,
    with_effort,
)
from dlmp_cosim.market.pac.negotiate import USUAL, Negotiation, Start, Tuning
from dlmp_cosim.market.problem.atoms import AtomicProblem, objective
from dlmp_cosim.market.problem.graph import Sweep, ways_of
from dlmp_cosim.market.problem.prices import NetworkSolver, network_solver
from dlmp_cosim.market.settings import MarketSettings, Method
from tests.market.interior_point.chains import chain, network
from tests.market.nodal.small import cleared

SWEEP = Sweep(hops=6, messages=10)
SETTINGS = MarketSettings(tolerance=1e-7, negotiation_rounds=400_000)


def talk(rounds: int, *, converged: bool = True) -> Negotiation:
    """A negotiation of which only figures count."""
    none = np.zeros(0)
    return Negotiation(
        none, none, converged, 7, rounds, 100, 300, SWEEP, 1e-3, 2e-3, 1.0, 0, np.zeros((0, 3))
    )


def solver_of(problem: AtomicProblem) -> NetworkSolver:
    return network_solver(problem, make_plan(problem).network)


def halves(problem: AtomicProblem) -> IntArray:
    return (np.arange(problem.n_atom) >= problem.n_atom // 2).astype(np.int64)


def best(problem: AtomicProblem) -> float:
    return objective(
        problem, iterate(problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=1e-8).x
    )


def cost(problem: AtomicProblem, resources: FloatArray) -> float:
    state = solver_of(problem).state(resources)
    return objective(problem, np.concatenate([state, resources]))


def test_a_first_negotiation_has_sweeps_before_and_after_it() -> None:
    one = Effort().add(talk(50))
    assert one == Effort(50 + 2 * SWEEPS * 6, 100 + 2 * SWEEPS * 10, 300 + 4 * SWEEPS * 10, True, 1e-3, 2e-3)
    two = one.add(talk(30, converged=False))
    assert (two.rounds, two.converged) == (one.rounds + 30 + SWEEPS * 6, False)
    assert two.messages == one.messages + 100 + SWEEPS * 10


def test_sweeps_carry_two_numbers_a_message() -> None:
    assert Effort(1, 2, 3).swept(4, SWEEP) == Effort(1 + 24, 2 + 40, 3 + 80)
    assert Effort(1, 2, 3).swept(0, SWEEP) == Effort(1, 2, 3)


def test_a_later_part_has_the_last_word_on_convergence() -> None:
    first, later = Effort(10, 20, 30, False, 1.0, 1.0), Effort(1, 2, 3, True, 1e-5, 1e-6)
    assert first.and_then(later) == Effort(11, 22, 33, True, 1e-5, 1e-6)
    assert not later.and_then(first).converged


@pytest.mark.parametrize(("converged", "status"), [(True, "solved"), (False, "not_converged")])
def test_a_clearing_records_what_it_took(converged: bool, status: str) -> None:
    effort = Effort(5, 6, 7, converged, 1e-3, 1e-4)
    found = with_effort(cleared(), effort, [Refusal("g", "offered twice")])
    assert (found.status, found.refused) == (status, ("g: offered twice",))
    assert (found.rounds, found.messages, found.scalars) == (5, 6, 7)
    assert (found.primal_residual, found.dual_residual) == (1e-3, 1e-4)


@pytest.mark.parametrize("rounds", [0, 35, 36, 100, 10_000])
def test_sweeps_around_a_negotiation_are_part_of_its_budget(rounds: int) -> None:
    settings = MarketSettings(negotiation_rounds=rounds)
    left = iteration_budget(SWEEP, settings, USUAL)
    assert left >= 0
    assert 2 * SWEEPS * 6 + 2 * left <= max(rounds, 2 * SWEEPS * 6)
    assert iteration_budget(Sweep(0, 0), settings, USUAL) == rounds


def test_the_first_start_answers_prices_of_limits_beyond_reach_alone() -> None:
    near, far = network(chain(6), low=-1.5), network(chain(6), load=1.0, low=-0.01)
    start = begin(near, solver_of(near), None)
    assert not start.limits.any()
    assert start.weight == 1.0
    beyond = begin(far, solver_of(far), None).limits
    n = far.n_state
    state = solver_of(far).state(far.upper[n:])
    out = np.maximum(state, solver_of(far).state(far.lower[n:])) < far.soft_lower[:n]
    np.testing.assert_allclose(beyond, np.where(out, -far.penalty[:n], 0.0))


def test_a_warm_start_is_within_todays_limits_and_never_dearer() -> None:
    problem = network(chain(6), low=-1.5)
    n = problem.n_state
    wild = Warmth(np.full(6, 9.0), np.zeros(n), 2.5)
    start = begin(problem, solver_of(problem), wild)
    assert (start.dispatch <= problem.upper[n:]).all()
    assert start.weight == 2.5
    assert cost(problem, start.dispatch) <= cost(problem, problem.upper[n:]) + 1e-12


def test_multipliers_of_before_are_taken_in_todays_unit() -> None:
    problem = replace(network(chain(4)), cost_unit=4.0)
    n = problem.n_state
    limits = np.zeros(n)
    limits[-1] = -8.0
    assert begin(problem, solver_of(problem), Warmth(np.zeros(4), limits)).limits[-1] == -2.0


@pytest.mark.parametrize("low", [-3.0, -0.9, -0.5])
def test_areas_find_the_optimum(low: float) -> None:
    problem = network(chain(6), low=low)
    solver = solver_of(problem)
    start = begin(problem, solver, None)
    solution, effort, weight = negotiate_areas(problem, solver, halves(problem), start, SETTINGS)
    assert effort.converged
    assert weight > 0.0
    assert cost(problem, solution.resources) == pytest.approx(best(problem), abs=1e-5)
    assert (solution.limits <= 1e-9).all()


@pytest.mark.parametrize("method", ["pac-accelerated", "pac", "nst-pac"])
def test_buses_find_the_optimum(method: Method) -> None:
    problem = network(chain(4), low=-0.7)
    solver = solver_of(problem)
    settings = replace(SETTINGS, method=method, tolerance=1e-6)
    solution, effort, _ = negotiate_buses(problem, solver, begin(problem, solver, None), settings)
    assert effort.converged
    assert cost(problem, solution.resources) == pytest.approx(best(problem), abs=1e-4)


def test_a_limit_that_nobody_watched_joins_when_it_turns_out_exceeded() -> None:
    problem = network(chain(6), low=-0.5)
    solver, asked = solver_of(problem), list[int]()

    def listen(part: AtomicProblem, start: Start, settings: MarketSettings, tuning: Tuning) -> Negotiation:
        asked.append(len(part.row_lower))
        return talk_within(part, start, settings, tuning)

    nothing = Warmth(np.zeros(6), np.zeros(problem.n_state))
    blind = replace(USUAL, watch_margin=-1e9)
    solution, effort, _ = negotiate_areas(problem, solver, halves(problem), nothing, SETTINGS, blind, listen)
    assert len(asked) > 1
    assert asked == sorted(set(asked))
    assert effort.converged
    assert cost(problem, solution.resources) == pytest.approx(best(problem), abs=1e-5)


def test_limits_that_keep_joining_end_unconverged_on_what_is_left_of_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem, budgets, more = network(chain(6), low=-3.0), list[int](), count()
    monkeypatch.setattr(clear, "_exceeded", lambda *_: np.array([6 + next(more)]))

    def short(part: AtomicProblem, start: Start, settings: MarketSettings, _: Tuning) -> Negotiation:
        budgets.append(settings.negotiation_rounds)
        return replace(talk(10), x=start.x.copy(), y=np.zeros(len(part.row_lower)))

    start, settings = Warmth(np.zeros(6), np.zeros(12)), replace(SETTINGS, negotiation_rounds=100)
    _, effort, _ = negotiate_areas(problem, solver_of(problem), halves(problem), start, settings, talk=short)
    assert not effort.converged
    spent = [10 + 2 * SWEEPS * 6, 10 + SWEEPS * 6]
    assert budgets == [100, 100 - spent[0], 100 - sum(spent), 0, 0]
    assert len(budgets) == MAX_EXTENSIONS


@pytest.mark.parametrize("rounds", [0, 10])
def test_without_a_budget_the_answer_to_prices_stands(rounds: int) -> None:
    problem = network(chain(6), low=-0.9)
    solver = solver_of(problem)
    start = begin(problem, solver, None)
    settings = replace(SETTINGS, negotiation_rounds=rounds)
    solution, effort, _ = negotiate_buses(problem, solver, start, settings)
    assert not effort.converged
    assert np.isfinite(solution.resources).all()
    low, high = problem.lower[problem.n_state :], problem.upper[problem.n_state :]
    assert (solution.resources >= low - 1e-12).all()
    assert (solution.resources <= high + 1e-12).all()
    assert effort.rounds == 2 * SWEEPS * ways_of(problem).sweep.hops
