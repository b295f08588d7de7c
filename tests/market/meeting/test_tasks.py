"""What an agent is handed for a meeting, what it answers, and what it keeps for the next one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.market.agents.neighbours import ALONE, alone
from dlmp_cosim.market.interior_point.fronts import make_plan
from dlmp_cosim.market.interior_point.method import iterate
from dlmp_cosim.market.interior_point.parts import cut_sweeps, sweep_areas, sweep_parts
from dlmp_cosim.market.meeting.tasks import Answer, Memory, SweepTask, TalkTask, take_part
from dlmp_cosim.market.pac.iterations import USUAL_RESTARTS
from dlmp_cosim.market.pac.negotiate import Start, negotiate
from dlmp_cosim.market.pac.parts import talk_parts
from dlmp_cosim.market.pac.step_sizes import local_gains
from dlmp_cosim.market.problem.atoms import AtomicProblem
from tests.market.interior_point.chains import chain, network

PROBLEM = network(chain(6), low=-0.5)
N = PROBLEM.n_state


def sweep_tasks(
    n_area: int = 1, problem: AtomicProblem = PROBLEM, negotiation_rounds: int = 10_000
) -> list[SweepTask]:
    """Tasks of all agents of a clearing by sweeps."""
    plan = make_plan(problem)
    parts = sweep_parts(problem, cut_sweeps(problem, plan, sweep_areas(plan, n_area)))
    sizes = [len(part.part.problem.linear) - part.part.problem.n_state for part in parts]
    return [
        SweepTask(part, np.zeros(size), False, 0, 1e-6, negotiation_rounds)
        for part, size in zip(parts, sizes, strict=True)
    ]


def talk_task(limit: int = 20_000, tolerance: float = 1e-6) -> TalkTask:
    start = Start(np.zeros(len(PROBLEM.linear)), np.zeros(len(PROBLEM.row_lower)))
    (part,), _ = talk_parts(PROBLEM, local_gains(PROBLEM), start, np.zeros(6, dtype=np.int64))
    return TalkTask(part, tolerance, limit, 10, USUAL_RESTARTS)


def answered(task: SweepTask | TalkTask, memory: Memory | None = None) -> Answer:
    return alone(take_part(task, memory or Memory(), ALONE))


def test_one_agent_answers_what_the_method_finds() -> None:
    (task,) = sweep_tasks()
    answer = answered(task)
    agreed = iterate(PROBLEM, make_plan(PROBLEM), np.zeros(len(PROBLEM.linear)), tolerance=1e-6)
    np.testing.assert_allclose(answer.values, agreed.x[N:], atol=1e-9)
    assert answer.figures == (1.0, float(agreed.steps), agreed.primal, agreed.dual)
    assert (answer.duals < 0.0).any()
    assert len(answer.told) == 0


def test_an_agent_keeps_its_prices_for_the_next_meeting() -> None:
    (task,) = sweep_tasks()
    memory = Memory()
    first = answered(task, memory)
    assert memory.layout == 0
    assert memory.multipliers is not None
    again = answered(replace(task, resumes=True, dispatch=first.values), memory)
    assert again.figures[1] < first.figures[1]
    np.testing.assert_allclose(again.values, first.values, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [pytest.param({"resumes": False}, id="told not to"), pytest.param({"layout": 1}, id="other layout")],
)
def test_prices_of_before_are_left_where_they_are_of_no_use(changes: dict[str, object]) -> None:
    (task,) = sweep_tasks()
    memory = Memory()
    first = answered(task, memory)
    again = answered(replace(task, **({"resumes": True} | changes)), memory)  # type: ignore[arg-type]
    assert again.figures == first.figures
    assert again.values.tobytes() == first.values.tobytes()


@pytest.mark.parametrize("rounds", [0, 6, 11])
def test_a_budget_below_one_step_leaves_everything_where_it_is(rounds: int) -> None:
    (task,) = sweep_tasks(negotiation_rounds=rounds)
    memory = Memory()
    answer = answered(replace(task, dispatch=np.full(6, 9.0)), memory)
    np.testing.assert_array_equal(answer.values, PROBLEM.upper[N:])
    assert not answer.duals.any()
    assert answer.figures == (0.0, -1.0, np.inf, np.inf)


def test_a_budget_that_runs_out_says_so() -> None:
    (task,) = sweep_tasks(negotiation_rounds=24)
    converged, steps, primal, dual = answered(task).figures
    assert (converged, steps) == (0.0, 3.0)
    assert max(primal, dual) > 1e-6


def test_talks_answer_variables_duals_and_figures() -> None:
    answer = answered(talk_task())
    start = Start(np.zeros(len(PROBLEM.linear)), np.zeros(len(PROBLEM.row_lower)))
    found = negotiate(PROBLEM, start, tolerance=1e-6, max_iterations=20_000)
    assert found.converged
    np.testing.assert_allclose(answer.values[N:], found.x[N:], atol=1e-3)
    converged, iterations, primal, dual, weight, restarts = answer.figures
    assert converged == 1.0
    assert max(primal, dual) <= 1e-6
    assert (iterations % 10, restarts % 1) == (0.0, 0.0)
    assert weight > 0.0
    assert len(answer.duals) == len(PROBLEM.row_lower)


def test_talks_that_run_out_say_so() -> None:
    converged, iterations, *_ = answered(talk_task(limit=20)).figures
    assert (converged, iterations) == (0.0, 20.0)


def test_a_task_says_whom_its_agent_talks_to() -> None:
    tasks = sweep_tasks(3)
    assert [task.ties.up for task in tasks].count(-1) == 1
    for k, task in enumerate(tasks):
        assert {halo.area for halo in task.ties.halos} <= set(range(3)) - {k}
    assert talk_task().ties.halos == ()
