"""What an agent knows of a negotiation, and that one agent alone negotiates as the loop does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.agents.neighbours import ALONE, alone
from dlmp_cosim.market.pac.iterations import accelerated
from dlmp_cosim.market.pac.negotiate import USUAL, Start, pack
from dlmp_cosim.market.pac.parts import Shares, TalkPart, accelerated_part, talk_parts
from dlmp_cosim.market.pac.step_sizes import local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network
from tests.market.interior_point.test_tree import trees


def parts_of(
    problem: AtomicProblem, area: list[int], fill: float = 0.0
) -> tuple[tuple[TalkPart, ...], Shares]:
    start = Start(np.full(len(problem.linear), fill), np.arange(float(len(problem.row_lower))), 1.5)
    return talk_parts(problem, local_gains(problem), start, np.array(area))


@settings(max_examples=15)
@given(trees(9), st.integers(1, 4), st.integers(0, 9))
def test_every_variable_and_row_is_somebodys_own(parent: list[int], count: int, seed: int) -> None:
    problem = network(parent, per_bus=2)
    area = np.random.default_rng(seed).integers(0, count, len(parent))
    area[: min(count, len(parent))] = np.arange(min(count, len(parent)))
    parts, shares = parts_of(problem, area.tolist())
    gains = local_gains(problem)
    assert sorted(np.concatenate(shares.variables).tolist()) == list(range(len(problem.linear)))
    assert sorted(np.concatenate(shares.rows).tolist()) == list(range(len(problem.row_lower)))
    for part, variables, rows in zip(parts, shares.variables, shares.rows, strict=True):
        np.testing.assert_array_equal(part.gains.tau, gains.tau[variables])
        np.testing.assert_array_equal(part.gains.sigma, gains.sigma[rows])
        np.testing.assert_array_equal(part.part.problem.linear, problem.linear[variables])
        np.testing.assert_array_equal(part.start.y[: len(rows)], rows)


def test_an_agent_begins_within_limits_also_where_it_knows_of_others() -> None:
    problem = network(chain(6))
    parts, shares = parts_of(problem, [0, 0, 0, 1, 1, 1], fill=9.0)
    for part, variables in zip(parts, shares.variables, strict=True):
        own = part.start.x[: len(variables)]
        assert (own <= problem.upper[variables]).all()
        assert len(part.start.x) == part.part.n_known > len(variables)
        assert part.start.weight == 1.5


def test_sums_go_to_the_middle_and_back() -> None:
    parts, _ = parts_of(network(chain(5)), [0, 1, 2, 3, 4])
    assert [part.ties.up for part in parts] == [1, 2, -1, 2, 3]
    assert [set(part.ties.down) for part in parts] == [set(), {0}, {1, 3}, {4}, set()]


@pytest.mark.parametrize("limit", [1, 10, 37, 2_000])
def test_one_agent_alone_does_what_the_loop_does_bit_by_bit(limit: int) -> None:
    problem = network(chain(4), low=-0.7)
    gains = local_gains(problem)
    start = Start(np.zeros(len(problem.linear)), np.zeros(len(problem.row_lower)))
    (part,), _ = talk_parts(problem, gains, start, np.zeros(4, dtype=np.int64))
    mine = alone(accelerated_part(part, ALONE, 1e-6, limit, USUAL))
    # One agent adds everything up in one go, as a problem of one atom does.
    one = pack(part.part.problem, gains, part.part.columns)
    theirs = accelerated(one, start.x, start.y, 1.0, USUAL.restart, 1e-6, limit, USUAL.check_every)
    assert mine.x.tobytes() == theirs.x.tobytes()
    assert mine.y.tobytes() == theirs.y.tobytes()
    assert (mine.iterations, mine.restarts, mine.weight) == (
        theirs.iterations,
        theirs.restarts,
        theirs.weight,
    )
    assert (mine.primal, mine.dual) == (theirs.primal, theirs.dual)


def test_no_iteration_leaves_the_start() -> None:
    problem = network(chain(3))
    (part,), _ = parts_of(problem, [0, 0, 0], fill=0.1)
    outcome = alone(accelerated_part(part, ALONE, 1e-6, 0, USUAL))
    np.testing.assert_array_equal(outcome.x, part.start.x)
    assert (outcome.iterations, outcome.primal) == (0, np.inf)
