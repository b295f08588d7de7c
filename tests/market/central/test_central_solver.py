from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.central.solver import ACCURACIES, solve


class Stubborn(cp.Problem):
    """Calls its solutions inaccurate as long as it is asked for more than `reached`."""

    def __init__(self, reached: float) -> None:
        self._x = cp.Variable(3)
        super().__init__(cp.Minimize(cp.sum_squares(self._x - 1.0)), [self._x >= 2.0])
        self._reached = reached
        self.asked: list[float] = []

    def solve(self, **options: object) -> None:
        super().solve(**options)
        self.asked.append(float(options.get("tol_feas", 0.0)))  # type: ignore[arg-type]
        if self.asked[-1] < self._reached:
            self._status = cp.OPTIMAL_INACCURATE

    @property
    def found(self) -> list[float]:
        return np.round(self._x.value, 5).tolist()


def test_the_first_accuracy_is_enough_where_it_is_reached() -> None:
    problem = Stubborn(0.0)
    solve(problem, "CLARABEL")
    assert problem.asked == [ACCURACIES[0]]
    assert problem.found == [2.0, 2.0, 2.0]


def test_the_second_is_asked_for_where_it_is_not() -> None:
    problem = Stubborn(5e-8)
    solve(problem, "CLARABEL")
    assert problem.asked == list(ACCURACIES)
    assert problem.found == [2.0, 2.0, 2.0]


def test_less_than_that_is_no_reference() -> None:
    with pytest.raises(ClearingError, match="the reference solver ends with 'optimal_inaccurate'"):
        solve(Stubborn(1e-3), "CLARABEL")


def test_what_has_no_solution_is_an_error() -> None:
    x = cp.Variable()
    with pytest.raises(ClearingError, match="'infeasible'"):
        solve(cp.Problem(cp.Minimize(x), [x >= 1.0, x <= 0.0]), "CLARABEL")


def test_any_solver_will_do() -> None:
    x = cp.Variable()
    problem = cp.Problem(cp.Minimize((x - 3.0) ** 2))
    solve(problem, "OSQP")
    assert x.value == pytest.approx(3.0, abs=1e-4)


def test_a_solver_that_is_not_there_is_named() -> None:
    with pytest.raises(ClearingError, match=r"gave up.*NOSUCH"):
        solve(cp.Problem(cp.Minimize(cp.Variable() ** 2)), "NOSUCH")
