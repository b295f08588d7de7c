"""The negotiation itself: convergence from nothing, counting, budgets, determinism, and who can know what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp

from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.pac.areas import condense, partition
from dlmp_cosim.market.pac.clear import talk_within
from dlmp_cosim.market.pac.negotiate import (
    CHECK_EVERY,
    HOPS,
    USUAL,
    Negotiation,
    PacMethod,
    Start,
    iterations_within,
    negotiate,
)
from dlmp_cosim.market.pac.step_sizes import atom_gains, local_gains
from dlmp_cosim.market.problem import graph
from dlmp_cosim.market.problem.atoms import AtomicProblem, Boundary, boundary, objective, with_copies
from dlmp_cosim.market.problem.graph import ways_of
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation
from tests.market.support import mixed, mixed_offers, solve

PRICE = WholesalePrice(30.0, reactive=1.5)
METHODS: tuple[PacMethod, ...] = ("pac-accelerated", "pac", "nst-pac")


def nothing(problem: AtomicProblem) -> Start:
    """No powers and no prices."""
    return Start(np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower)))


@dataclass(frozen=True)
class Case:
    """A problem, its form with copies, and its optimum."""

    problem: AtomicProblem
    copies: AtomicProblem
    optimum: Negotiation


@pytest.fixture(scope="module")
def case() -> Case:
    """Nine buses (seven atoms) with a low voltage limit that binds."""
    sample = mixed(0.35)
    network = sample.network
    state = solve(sample.feeder(tolerance=1e-12))
    model = NodalModel(network, MarketSettings(voltage_min_pu=0.963, voltage_max_pu=1.1))
    offers = tuple(replace(o, q_min_kvar=0.0, q_max_kvar=0.0, s_max_kva=np.inf) for o in mixed_offers())
    problem = model.problem(model.anchor(state, network.listed_demand, offers), offers, PRICE)
    optimum = negotiate(problem, nothing(problem), tolerance=1e-10, max_iterations=100_000)
    assert optimum.converged
    return Case(problem, with_copies(problem), optimum)


def test_the_optimum_meets_the_optimality_conditions(case: Case) -> None:
    """Feasible rows, and no marginal cost but at a bound or a soft limit."""
    problem, x, y = case.problem, case.optimum.x, case.optimum.y
    assert np.abs(problem.rows @ x - problem.row_lower).max() < 1e-8
    pull = problem.rows.T @ y - problem.linear - problem.quadratic * x
    for i, force in enumerate(pull):
        soft = min(abs(x[i] - problem.soft_lower[i]), abs(x[i] - problem.soft_upper[i])) < 1e-8
        if problem.lower[i] == problem.upper[i]:
            continue
        if x[i] >= problem.upper[i] - 1e-9:
            assert force > -1e-8
        elif x[i] <= problem.lower[i] + 1e-9:
            assert force < 1e-8
        elif soft:
            assert abs(force) <= problem.penalty[i] + 1e-8
        else:
            assert abs(force) < 1e-8
    at_soft = (np.abs(x - problem.soft_lower) < 1e-8) & (np.abs(pull) > 1e-3)
    assert at_soft.sum() == 1


@pytest.mark.parametrize("method", METHODS)
def test_every_method_comes_from_nothing_to_the_same_optimum(case: Case, method: PacMethod) -> None:
    """On copies, to 1e-6: cost within 1e-5, powers and voltages within 1e-3 of their units."""
    problem = case.copies
    gains = None if method == "pac-accelerated" else atom_gains(problem, 0.1)
    found = negotiate(
        problem, nothing(problem), method=method, tolerance=1e-6, max_iterations=80_000, gains=gains
    )
    assert found.converged
    n, m = len(case.problem.linear), len(case.problem.row_lower)
    assert objective(case.problem, found.x[:n]) == pytest.approx(
        objective(case.problem, case.optimum.x), rel=1e-5
    )
    assert np.abs(found.x[:n] - case.optimum.x).max() < 1e-3
    assert np.abs(found.y[:m] - case.optimum.y).max() < 1e-3
    reads = boundary(case.problem)
    assert np.abs(found.x[n:] - found.x[reads.variable]).max() < 1e-5


def test_acceleration_pays(case: Case) -> None:
    """The same messages: at most two fifths of the rounds of the published iteration at its best."""
    rounds = {}
    for method in METHODS:
        gains = None if method == "pac-accelerated" else atom_gains(case.copies, 0.1)
        found = negotiate(
            case.copies,
            nothing(case.copies),
            method=method,
            tolerance=1e-4,
            max_iterations=40_000,
            gains=gains,
        )
        assert found.converged
        rounds[method] = found.iterations
    assert rounds["pac-accelerated"] < 0.4 * min(rounds["pac"], rounds["nst-pac"]), rounds


def test_the_published_gains_converge_as_well(case: Case) -> None:
    """With the ratio that suits the balanced feeder: slower here, to the same place."""
    found = negotiate(case.copies, nothing(case.copies), method="pac", tolerance=2e-3, max_iterations=60_000)
    assert found.converged
    n = len(case.problem.linear)
    assert objective(case.problem, found.x[:n]) == pytest.approx(
        objective(case.problem, case.optimum.x), rel=1e-3
    )


def chain(couplings: int = 1) -> AtomicProblem:
    """Three atoms in a line, root first; each child reads `couplings` variables of its parent.

    Atom 0 owns x0, x1; atom 1 owns x2; atom 2 owns x3. The row of atom 0 reads x2, the row of atom 1 reads
    x0 (and x1 when there are two couplings), and that of atom 2 reads x2.
    """
    rows = np.array(
        [
            [1.0, 0.0, -0.5, 0.0],
            [0.3, 0.2 * (couplings > 1), 1.0, 0.0],
            [0.0, 0.0, 0.4, 1.0],
        ]
    )
    return AtomicProblem(
        quadratic=np.array([1.0, 1.0, 2.0, 1.0]),
        linear=np.array([1.0, 0.5, -1.0, 0.2]),
        lower=np.full(4, -5.0),
        upper=np.full(4, 5.0),
        soft_lower=np.full(4, -np.inf),
        soft_upper=np.full(4, np.inf),
        penalty=np.zeros(4),
        rows=sp.csr_matrix(rows),
        row_lower=np.array([0.2, 0.1, -0.3]),
        row_upper=np.array([0.2, 0.1, -0.3]),
        row_penalty=np.full(3, np.inf),
        variable_atom=np.array([0, 0, 1, 2]),
        row_atom=np.array([0, 1, 2]),
        parent=np.array([-1, 0, 1]),
        discs=np.zeros((0, 2), dtype=np.int64),
        disc_radius=np.zeros(0),
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=0.0,
        cost_unit=1.0,
    )


@pytest.mark.parametrize(("couplings", "scalars"), [(1, 6), (2, 8)])
def test_messages_and_numbers_are_counted_by_hand(couplings: int, scalars: int) -> None:
    """Three pairs read each other: 0 reads 1, 1 reads 0 and 2 reads 1; a value one way, a dual back."""
    problem = chain(couplings)
    reads = boundary(problem)
    pairs = sorted(zip(reads.reader.tolist(), reads.owner.tolist(), strict=True))
    assert pairs == sorted([(0, 1), (2, 1), *[(1, 0)] * couplings])
    assert sorted(reads.variable.tolist()) == sorted([2, 2, 0, 1][: 2 + couplings])
    assert reads.messages_per_round == 6
    assert reads.scalars_per_round == scalars
    found = negotiate(problem, nothing(problem), tolerance=1e-9)
    checks = len(found.trace) + found.restarts + 1
    assert found.sweep == (2, 4)
    assert found.rounds == 2 * found.iterations + 2 * checks
    assert found.messages == 6 * found.iterations + 4 * checks
    assert found.scalars == scalars * found.iterations + 3 * 4 * checks


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("budget", [0, 5, 33, 100, 1000])
def test_a_budget_of_rounds_has_room_for_its_checks(case: Case, method: PacMethod, budget: int) -> None:
    sweep = ways_of(case.copies).sweep
    most = iterations_within(budget, sweep)
    found = negotiate(case.copies, nothing(case.copies), method=method, tolerance=0.0, max_iterations=most)
    assert found.iterations == most
    assert found.rounds <= budget
    assert most * (HOPS + sweep.hops) >= budget - 2 * (sweep.hops + HOPS * CHECK_EVERY)


def test_what_passes_between_agents_is_measured_once(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[AtomicProblem] = []

    def counted(problem: AtomicProblem) -> Boundary:
        measured.append(problem)
        return boundary(problem)

    monkeypatch.setattr(graph, "boundary", counted)
    found = talk_within(case.problem, nothing(case.problem), MarketSettings(), USUAL)
    assert found.messages > 0
    assert len(measured) == 1


def test_copies_need_the_same_messages(case: Case) -> None:
    for problem in (chain(1), chain(2), case.problem):
        plain, copied = boundary(problem), boundary(with_copies(problem))
        assert plain.messages_per_round == copied.messages_per_round
        assert plain.scalars_per_round == copied.scalars_per_round


def test_neighbours_read_neighbours_only(case: Case, usual: Situation) -> None:
    """Every variable that a row reads belongs to its own atom, to its parent or to a child."""
    model = NodalModel(usual.network, MarketSettings())
    large = model.problem(model.anchor(usual.state, usual.demand, usual.offers), usual.offers, PRICE)
    area = partition(large.parent, 8)
    watched = np.flatnonzero(large.penalty[: large.n_state] > 0)
    for problem in (case.problem, case.copies, large, condense(large, area, watched).problem):
        reads = boundary(problem)
        assert len(reads.variable)
        parent = problem.parent
        related = (parent[reads.reader] == reads.owner) | (parent[reads.owner] == reads.reader)
        assert related.all()


@pytest.mark.parametrize("method", METHODS)
def test_a_spent_budget_is_not_called_converged(case: Case, method: PacMethod) -> None:
    for budget in (1, 7, CHECK_EVERY, 25):
        found = negotiate(
            case.copies, nothing(case.copies), method=method, tolerance=1e-9, max_iterations=budget
        )
        assert found.iterations == budget
        assert not found.converged
        assert np.isfinite(found.x).all()
        assert len(found.trace) == budget // CHECK_EVERY


def test_no_round_at_all_leaves_the_start(case: Case) -> None:
    start = Start(np.full(len(case.problem.linear), 0.25), np.full(len(case.problem.row_lower), 0.5))
    found = negotiate(case.problem, start, max_iterations=0)
    assert not found.converged
    assert np.array_equal(found.x, np.clip(start.x, case.problem.lower, case.problem.upper))
    assert np.array_equal(found.y, start.y)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_start_gives_the_same_bytes(case: Case, method: PacMethod) -> None:
    first, second = (
        negotiate(case.copies, nothing(case.copies), method=method, tolerance=1e-9, max_iterations=500)
        for _ in range(2)
    )
    assert first.x.tobytes() == second.x.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    assert first.trace.tobytes() == second.trace.tobytes()


@pytest.mark.parametrize("method", ["pac", "nst-pac"])
def test_masks_differ_with_the_seed_and_do_not_change_where_it_ends(case: Case, method: PacMethod) -> None:
    gains = atom_gains(case.copies, 0.1)
    ends = [
        negotiate(
            case.copies,
            nothing(case.copies),
            method=method,
            tolerance=1e-5,
            max_iterations=60_000,
            seed=seed,
            gains=gains,
        )
        for seed in (1, 2)
    ]
    assert all(end.converged for end in ends)
    assert ends[0].x.tobytes() != ends[1].x.tobytes()
    n = len(case.problem.linear)
    assert np.abs(ends[0].x[:n] - ends[1].x[:n]).max() < 1e-3


def test_residuals_are_what_they_say(case: Case) -> None:
    """Recomputed at the answer: rows missed, and marginal costs off the prices at free variables."""
    problem = case.problem
    found = negotiate(problem, nothing(problem), tolerance=1e-4, max_iterations=50_000)
    assert found.converged
    assert found.primal_residual <= 1e-4
    assert found.dual_residual <= 1e-4
    missed = np.abs(problem.rows @ found.x - problem.row_lower).max()
    assert missed <= found.primal_residual * (1 + 1e-9)
    pull = problem.rows.T @ found.y - problem.linear - problem.quadratic * found.x
    far = np.minimum(np.abs(found.x - problem.soft_lower), np.abs(found.x - problem.soft_upper)) > 1e-6
    free = (found.x > problem.lower + 1e-9) & (found.x < problem.upper - 1e-9) & far
    assert np.abs(pull[free]).max() <= found.dual_residual * (1 + 1e-6)
    assert found.trace[-1].tolist() == [found.iterations, found.primal_residual, found.dual_residual]
    assert np.all(np.diff(found.trace[:, 0]) == CHECK_EVERY)


def test_a_start_outside_the_bounds_is_clipped(case: Case) -> None:
    wild = Start(np.full(len(case.problem.linear), 1e6), np.zeros(len(case.problem.row_lower)))
    found = negotiate(case.problem, wild, tolerance=1e-6, max_iterations=50_000)
    assert found.converged
    assert np.abs(found.x - case.optimum.x).max() < 1e-3


def hops(parent: IntArray, start: int) -> IntArray:
    """Edges between `start` and every atom of the tree."""
    n = len(parent)
    edges = [(k, int(parent[k])) for k in range(n) if parent[k] >= 0]
    graph = sp.csr_matrix((np.ones(len(edges)), tuple(zip(*edges, strict=True))), shape=(n, n))
    found = sp.csgraph.shortest_path(graph, directed=False, indices=start)
    return np.asarray(found, dtype=np.int64)


def private(problem: AtomicProblem) -> IntArray:
    """Variables with limits of their own: the powers of resources that can move."""
    movable = np.isfinite(problem.lower) & (problem.lower < problem.upper)
    return np.flatnonzero(movable).astype(np.int64)


def dearer(problem: AtomicProblem, atom: int) -> AtomicProblem:
    """The problem after one atom's resources became dearer and steeper."""
    mine = private(problem)[problem.variable_atom[private(problem)] == atom]
    linear, quadratic = problem.linear.copy(), problem.quadratic.copy()
    linear[mine] += 0.3
    quadratic[mine] *= 1.5
    return replace(problem, linear=linear, quadratic=quadratic)


def smaller(problem: AtomicProblem, atom: int) -> AtomicProblem:
    """The problem after one atom's resources lost nine tenths of their range."""
    mine = private(problem)[problem.variable_atom[private(problem)] == atom]
    upper = problem.upper.copy()
    upper[mine] = 0.9 * problem.lower[mine] + 0.1 * upper[mine]
    return replace(problem, upper=upper)


@pytest.fixture(scope="module")
def large(usual: Situation) -> AtomicProblem:
    """One hundred and some atoms."""
    model = NodalModel(usual.network, MarketSettings())
    return model.problem(model.anchor(usual.state, usual.demand, usual.offers), usual.offers, PRICE)


Change = Callable[[AtomicProblem, int], AtomicProblem]


def spread(
    problem: AtomicProblem, atom: int, change: Change, method: PacMethod, rounds: int
) -> tuple[set[int], set[int]]:
    """Atoms whose variables, and whose duals, differ in a bit after so many rounds."""
    rng = np.random.default_rng(7)
    x, movable = rng.uniform(-0.5, 0.5, len(problem.linear)), private(problem)
    x[movable] = (problem.lower[movable] + problem.upper[movable]) / 2
    start = Start(x, rng.uniform(-1, 1, len(problem.row_lower)))
    # Steps are agreed before the first round; here they are the same for both.
    gains = local_gains(problem) if method == "pac-accelerated" else atom_gains(problem, 1.0)
    before, after = (
        negotiate(p, start, method=method, tolerance=0.0, max_iterations=rounds, gains=gains)
        for p in (problem, change(problem, atom))
    )
    moved = before.x.view(np.int64) != after.x.view(np.int64)
    repriced = before.y.view(np.int64) != after.y.view(np.int64)
    return set(problem.variable_atom[moved].tolist()), set(problem.row_atom[repriced].tolist())


def within(far: IntArray, reach: int) -> set[int]:
    return set(np.flatnonzero(far <= reach).tolist())


def biggest(problem: AtomicProblem) -> int:
    """The atom of the resource with the widest range."""
    movable = private(problem)
    widest = movable[np.argmax(problem.upper[movable] - problem.lower[movable])]
    return int(problem.variable_atom[widest])


@pytest.mark.parametrize("change", [dearer, smaller])
@pytest.mark.parametrize("method", METHODS)
def test_news_travels_one_neighbour_a_message(
    large: AtomicProblem, method: PacMethod, change: Change
) -> None:
    """Bit by bit: an atom can only know what its neighbours told it.

    The first round changes the atom's own variables alone. Each round has two messages, values and then
    duals, so news travels at most two neighbours a round; on copies one, for a copy answers a round later.
    Rounds stay below the first restart, which reduces one number over the tree.
    """
    problem = large if method == "pac-accelerated" else with_copies(large)
    atom, speed = biggest(problem), 2 if method == "pac-accelerated" else 1
    far = hops(problem.parent, atom)
    for rounds in range(1, 8):
        moved, repriced = spread(problem, atom, change, method, rounds)
        assert moved <= within(far, speed * (rounds - 1)), rounds
        assert repriced <= within(far, speed * (rounds - 1) + 1), rounds
        assert (moved == {atom}) or rounds > 1
    # The news does travel, and has not reached everybody.
    assert max(far[list(moved)]) >= 2
    assert len(moved) < problem.n_atom


@pytest.mark.parametrize("agents", [4, 8, 16])
def test_news_travels_one_area_a_message(large: AtomicProblem, agents: int) -> None:
    area = partition(large.parent, agents)
    watched = np.flatnonzero(large.penalty[: large.n_state] > 0)
    problem = condense(large, area, watched).problem
    atom = biggest(problem)
    far = hops(problem.parent, atom)
    for rounds in range(1, 6):
        moved, repriced = spread(problem, atom, dearer, "pac-accelerated", rounds)
        assert moved <= within(far, 2 * (rounds - 1)), rounds
        assert repriced <= within(far, 2 * rounds - 1), rounds
        assert (moved == {atom}) or rounds > 1
    assert len(moved) > 1


def test_private_costs_and_limits_change_no_published_gain(large: AtomicProblem) -> None:
    """One step an atom, from its rows and columns alone: it gives nothing private away."""
    for change in (dearer, smaller):
        before, after = (atom_gains(p, 10.0) for p in (large, change(large, biggest(large))))
        assert before.tau.tobytes() == after.tau.tobytes()
        assert before.sigma.tobytes() == after.sigma.tobytes()
