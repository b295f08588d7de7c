"""The yardstick on programs whose optimum is worked out on paper."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp

from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.runners.measure import clarabel_direct
from dlmp_cosim.runners.measure.clarabel_direct import solve_directly

INF = np.inf


def program(linear: list[float], rows: list[list[float]], right: list[float]) -> AtomicProblem:
    """Minimise a linear cost of amounts between 0 and 1 that meet equalities."""
    n, m = len(linear), len(rows)
    return AtomicProblem(
        quadratic=np.zeros(n),
        linear=np.array(linear),
        lower=np.zeros(n),
        upper=np.ones(n),
        soft_lower=np.full(n, -INF),
        soft_upper=np.full(n, INF),
        penalty=np.zeros(n),
        rows=sp.csr_matrix(np.array(rows)),
        row_lower=np.array(right),
        row_upper=np.array(right),
        row_penalty=np.full(m, INF),
        variable_atom=np.zeros(n, dtype=np.int64),
        row_atom=np.zeros(m, dtype=np.int64),
        parent=np.array([-1]),
        discs=np.zeros((0, 2), dtype=np.int64),
        disc_radius=np.zeros(0),
        cones=np.zeros((0, 4), dtype=np.int64),
        offset=0.0,
        cost_unit=1.0,
        n_state=0,
    )


MERIT = program([3.0, 1.0, 2.0], [[1.0, 1.0, 1.0]], [1.5])
"""1.5 to be met by three, the cheapest first: 1 at 1 and 0.5 at 2."""


@pytest.mark.parametrize(
    ("problem", "cost"),
    [
        (MERIT, 2.0),
        (replace(MERIT, offset=7.0), 9.0),
        (replace(MERIT, linear=-MERIT.linear), -4.0),
        (replace(MERIT, lower=np.array([0.25, 0.0, 0.0])), 0.25 * 3 + 1.0 + 0.25 * 2),
        (replace(MERIT, quadratic=np.array([0.0, 0.0, 2.0])), 2.0 + 2.0 * 0.5**2 / 2),
        (replace(MERIT, upper=np.array([INF, 1.0, 1e-12])), 1.0 + 0.5 * 3),
    ],
    ids=["merit order", "offset", "negative costs", "a lower bound", "a quadratic cost", "a closed box"],
)
def test_the_optimum_is_that_on_paper(problem: AtomicProblem, cost: float) -> None:
    found, seconds, status = solve_directly(problem)
    assert status == "Solved"
    assert found == pytest.approx(cost, abs=1e-6)
    assert seconds >= 0.0


def soft(upper: float = INF, lower: float = -INF, penalty: float = 0.5) -> AtomicProblem:
    """Soft limits of the cheapest."""
    spread = np.array([0.0, 1.0, 0.0])
    return replace(
        MERIT,
        soft_upper=np.where(spread, upper, INF),
        soft_lower=np.where(spread, lower, -INF),
        penalty=penalty * spread,
    )


@pytest.mark.parametrize(
    ("problem", "cost"),
    [
        (soft(upper=0.4), 2.0 + 0.6 * 0.5),
        (soft(upper=0.6, penalty=5.0), 0.6 * 1 + 0.9 * 2),
        (soft(lower=1.2), 2.0 + 0.2 * 0.5),
        (soft(upper=2.0, lower=-1.0, penalty=99.0), 2.0),
    ],
    ids=["worth leaving", "worth holding", "from below", "wide"],
)
def test_a_soft_limit_is_left_where_that_is_cheaper(problem: AtomicProblem, cost: float) -> None:
    assert solve_directly(problem)[0] == pytest.approx(cost, abs=1e-6)


def test_a_disc_bounds_two_powers_together() -> None:
    """Both earn 1; on a disc of 1 they earn the square root of 2."""
    pair = program([-1.0, -1.0], [[0.0, 0.0]], [0.0])
    found = solve_directly(replace(pair, discs=np.array([[0, 1]]), disc_radius=np.array([1.0])))[0]
    assert found == pytest.approx(-np.sqrt(2.0), abs=1e-6)


def test_what_ends_without_an_answer_is_tried_with_more_regularisation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer of the last try counts, and no try follows one that has solved."""
    tried: list[float] = []

    class Solver:
        def __init__(self, *arguments: Any) -> None:
            tried.append(arguments[-1].static_regularization_constant)

        def solve(self) -> Any:
            status = clarabel.SolverStatus
            ends = status.Solved if tried[-1] >= 1e-7 else status.NumericalError
            return SimpleNamespace(obj_val=float(len(tried)), status=ends)

    monkeypatch.setattr(clarabel, "DefaultSolver", Solver)
    cost, _, status = solve_directly(replace(MERIT, offset=0.0))
    assert (cost, status) == (2.0, "Solved")
    assert tried == [1e-8, 1e-7]
    tried.clear()
    monkeypatch.setattr(clarabel_direct, "REGULARISATIONS", (1e-6, 1e-5))
    solve_directly(MERIT)
    assert tried == [1e-6]


def test_what_cannot_be_met_is_said() -> None:
    assert solve_directly(replace(MERIT, row_lower=np.array([9.0]), row_upper=np.array([9.0])))[2] == (
        "PrimalInfeasible"
    )
