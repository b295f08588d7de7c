"""Parts of a problem: whole together, and the same bits from sweeps over any of them, loops too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import IntArray
from dlmp_cosim.market.agents.neighbours import BrokenWordError, Heard, Kind, Neighbours, Ties, Word, alone
from dlmp_cosim.market.agents.parts import cut, part_of
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.method import iterate
from dlmp_cosim.market.interior_point.parts import cut_sweeps, parents, sweep_areas, sweep_parts
from dlmp_cosim.market.meeting.network import Fate, Simulated
from dlmp_cosim.market.meeting.rules import Conditions, Patience
from dlmp_cosim.market.meeting.tasks import SweepTask, TalkTask, Task
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.pac.areas import area_parents, partition
from dlmp_cosim.market.pac.negotiate import USUAL, Negotiation, Start, Tuning, exchanged, negotiate
from dlmp_cosim.market.pac.parts import talk_parts
from dlmp_cosim.market.pac.step_sizes import local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.graph import ways_of
from dlmp_cosim.market.settings import MarketSettings
from tests.market.conftest import Situation
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees

TOLERANCE = 1e-5


def test_parts_hold_everything_once() -> None:
    problem = network(chain(9), per_bus=2)
    area = np.repeat([0, 1, 2], 3)
    cuts = cut(problem, area)
    assert sorted(np.concatenate([c.variables[: c.n] for c in cuts])) == list(range(len(problem.linear)))
    assert sorted(np.concatenate([c.rows[: c.m] for c in cuts])) == list(range(len(problem.row_lower)))
    x = np.random.default_rng(1).random(len(problem.linear))
    y = np.random.default_rng(2).random(len(problem.row_lower))
    for piece in cuts:
        part = part_of(problem, piece)
        np.testing.assert_array_equal(
            part.problem.rows @ x[piece.variables], (problem.rows @ x)[piece.rows[: piece.m]]
        )
        np.testing.assert_array_equal(
            part.columns.T @ y[piece.rows], (problem.rows.T @ y)[piece.variables[: piece.n]]
        )


def test_what_one_tells_is_what_the_other_hears() -> None:
    cuts = cut(network(chain(9)), np.repeat([0, 1, 2], 3))
    for k, piece in enumerate(cuts):
        for halo in piece.halos:
            back = next(item for item in cuts[halo.area].halos if item.area == k)
            told = piece.variables[halo.tell_values]
            assert told.tolist() == cuts[halo.area].variables[back.hear_values].tolist()
            rows = piece.rows[halo.tell_prices]
            assert rows.tolist() == cuts[halo.area].rows[back.hear_prices].tolist()
    assert [[halo.area for halo in piece.halos] for piece in cuts] == [[1], [0, 2], [1]]


def sweep_apart(problem: AtomicProblem, n_area: int, conditions: Conditions) -> np.ndarray:
    """Resources agreed on by agents of their own."""
    plan, n = make_plan(problem), problem.n_state
    cuts = cut_sweeps(problem, plan, sweep_areas(plan, n_area))
    tasks: dict[int, Task] = {
        k: SweepTask(
            part,
            np.zeros(len(part.part.problem.linear) - part.part.problem.n_state),
            False,
            0,
            TOLERANCE,
            10**5,
        )
        for k, part in enumerate(sweep_parts(problem, cuts))
    }
    carrier = Simulated(Patience(repeats=conditions.loss > 0), Fate(0, lambda *_: conditions))
    resources = np.zeros(len(problem.linear) - n)
    for report in carrier.hold(0, tasks):
        assert report.answer is not None, report.reason
        variables = cuts.cuts[report.agent].variables[: cuts.cuts[report.agent].n]
        resources[variables[variables >= n] - n] = report.answer.values
    return resources


@settings(deadline=None, max_examples=25)
@given(trees(15), st.integers(0, 500), st.floats(-3.0, -0.2), st.integers(0, 6))
def test_any_tree_in_any_areas_gives_the_same_bits(
    parent: list[int], seed: int, low: float, n_area: int
) -> None:
    problem = network(parent, seed=seed, low=low, per_bus=2)
    whole = iterate(
        problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=TOLERANCE, max_steps=200
    )
    expected = np.clip(whole.x, problem.lower, problem.upper)[problem.n_state :]
    assert sweep_apart(problem, n_area, Conditions()).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n_area", [2, 3, 5, 0])
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_loops_give_the_same_bits(n_area: int, loss: float) -> None:
    problem = network(chain(12), loops=[(11, 2), (7, 0)], low=-1.0)
    whole = iterate(
        problem, make_plan(problem), np.zeros(len(problem.linear)), tolerance=TOLERANCE, max_steps=200
    )
    expected = np.clip(whole.x, problem.lower, problem.upper)[problem.n_state :]
    found = sweep_apart(problem, n_area, Conditions(delay_s=0.01, loss=loss))
    assert found.tobytes() == expected.tobytes()


def by_areas(problem: AtomicProblem, area: IntArray) -> AtomicProblem:
    """The same problem of fewer agents, each with the buses of an area."""
    return replace(
        problem,
        variable_atom=area[problem.variable_atom],
        row_atom=area[problem.row_atom],
        parent=area_parents(problem.parent, area),
    )


def talk_apart(problem: AtomicProblem, start: Start, limit: int, tuning: Tuning) -> tuple[Negotiation, int]:
    """What agents of their own agree on in the iterations of first order, and their packets."""
    parts, shares = talk_parts(problem, local_gains(problem), start, np.arange(problem.n_atom))
    tasks: dict[int, Task] = {
        k: TalkTask(part, TOLERANCE, limit, tuning.check_every, tuning.restart)
        for k, part in enumerate(parts)
    }
    reports = Simulated(Patience(), Fate(0, lambda *_: Conditions())).hold(0, tasks)
    x, y = np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower))
    for report in reports:
        assert report.answer is not None, report.reason
        x[shares.variables[report.agent]] = report.answer.values
        y[shares.rows[report.agent]] = report.answer.duals
    reached, done, primal, dual, weight, restarts = report.answer.figures
    checks = int(done) // tuning.check_every + int(restarts) + 1
    took = exchanged(ways_of(problem), int(done), checks)
    agreed = Negotiation(
        x, y, bool(reached), int(done), *took, primal, dual, weight, int(restarts), np.empty((0, 3))
    )
    return agreed, sum(report.packets for report in reports)


@settings(deadline=None, max_examples=25)
@given(
    trees(15),
    st.integers(0, 500),
    st.floats(-3.0, -0.2),
    st.integers(1, 15),
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=2),
)
def test_talk_in_any_areas_gives_the_same_bits(
    parent: list[int], seed: int, low: float, n_area: int, loops: list[tuple[int, int]]
) -> None:
    """The weight and restarts too, which follow from sums over all; and as many packets as are counted."""
    n = len(parent)
    across = [(one % n, other % n) for one, other in loops if one % n != other % n]
    whole = network(parent, seed=seed, low=low, per_bus=2, loops=across)
    problem = by_areas(whole, partition(whole.parent, n_area))
    rng = np.random.default_rng(seed)
    start = Start(rng.normal(size=len(problem.linear)), rng.normal(size=len(problem.row_lower)), 0.7)
    one = negotiate(problem, start, tolerance=TOLERANCE, max_iterations=300)
    other, packets = talk_apart(problem, start, 300, USUAL)
    assert one.x.tobytes() == other.x.tobytes()
    assert one.y.tobytes() == other.y.tobytes()
    told = ("converged", "iterations", "restarts", "weight", "primal_residual", "dual_residual", "messages")
    assert [getattr(one, key) for key in told] == [getattr(other, key) for key in told]
    # A restart in the very last iteration is counted with the check after it, which does not come.
    assert packets in (one.messages, one.messages - (not one.converged) * one.sweep.messages)


def test_talk_without_a_connection_gives_the_same_bits() -> None:
    """Two parts of a network that only what all agents add up connects."""
    problem = network([-1, 0, 1, 1, -1, 4, 5, 5, 4], low=-1.0)
    start = Start(np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower)))
    one = negotiate(problem, start, tolerance=TOLERANCE, max_iterations=300)
    other, _ = talk_apart(problem, start, 300, USUAL)
    assert one.restarts > 0
    assert one.x.tobytes() == other.x.tobytes()
    assert one.weight == other.weight


def test_one_agent_a_bus_of_a_feeder_gives_the_same_bits(sagging: Situation) -> None:
    """Limits bind; far from agreed after so few rounds, and equal on the way."""
    model = NodalModel(sagging.network, MarketSettings())
    anchor = model.anchor(sagging.state, sagging.demand, sagging.offers)
    problem = model.problem(anchor, sagging.offers, WholesalePrice(30.0, reactive=1.0))
    start = Start(np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower)))
    one = negotiate(problem, start, tolerance=TOLERANCE, max_iterations=205)
    other, packets = talk_apart(problem, start, 205, USUAL)
    assert problem.n_atom > 100
    assert one.restarts > 2
    assert one.x.tobytes() == other.x.tobytes()
    assert one.y.tobytes() == other.y.tobytes()
    assert one.weight == other.weight
    assert packets == one.messages


@pytest.mark.parametrize("n_area", [1, 4, 12, 20, 0])
def test_areas_are_as_many_as_wanted_and_connected_in_the_elimination_tree(n_area: int) -> None:
    plan = make_plan(network(chain(12), loops=[(11, 2), (7, 0)]))
    up, area = parents(plan.fronts), sweep_areas(plan, n_area)[plan.atoms]
    assert int(area.max()) + 1 == min(n_area or 12, 12)
    sizes = np.bincount(area)
    assert sizes.max() <= 2 * sizes.min() or n_area == 1
    for k in range(int(area.max()) + 1):
        mine = np.flatnonzero(area == k)
        assert sum(up[f] < 0 or area[up[f]] != k for f in mine) == 1


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (Word(Kind.PRICES, np.zeros(2)), "sent 2 numbers of PRICES; expected 2 of VALUES"),
        (Word(Kind.VALUES, np.zeros(3)), "sent 3 numbers of VALUES; expected 2 of VALUES"),
        (Word(Kind.VALUES, np.array([0.0, np.nan])), "sent nan as one of VALUES"),
        (Word(Kind.VALUES, np.array([-1e18, 0.0])), "sent -1e+18 as one of VALUES"),
    ],
)
def test_a_word_that_cannot_be_true_names_who_said_it(word: Word, says: str) -> None:
    program = Neighbours(Ties(), lambda *_: None).hear(3, Kind.VALUES, 2)
    wanted = program.send(None)
    assert isinstance(wanted, Heard)
    with pytest.raises(BrokenWordError, match=f"agent 4 {says}".replace("+", r"\+")) as error:
        program.send(word)
    assert error.value.neighbour == 3


def test_an_agent_alone_waits_for_nobody() -> None:
    with pytest.raises(ClearingError, match="an agent that is alone waits for agent 1"):
        alone(Neighbours(Ties(), lambda *_: None).hear(0, Kind.VALUES, 1))
