"""Multipliers: their unit, which limits pay their penalty, and what a held limit does not cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.problem.atoms import objective
from dlmp_cosim.market.problem.solution import Multipliers, pays, settled_cost
from tests.market.interior_point.chains import chain, network

PROBLEM = network(chain(3), low=-1.0, penalty=40.0)
"""Variables 3 to 5 are voltages with a soft lower limit of -1 at 40."""
STATE = len(PROBLEM.row_lower)


@pytest.mark.parametrize(
    ("multiplier", "paid"), [(0.0, False), (-39.9, False), (-39.97, True), (-40.0, True), (39.97, True)]
)
def test_a_limit_at_its_penalty_is_exceeded(multiplier: float, paid: bool) -> None:
    multipliers = np.zeros(STATE)
    multipliers[4] = multiplier
    assert pays(PROBLEM, multipliers, 4) is paid


def test_what_a_held_limit_misses_is_not_paid_for() -> None:
    x = np.zeros(len(PROBLEM.linear))
    x[3], x[4] = -1.01, -1.5
    multipliers = np.zeros(STATE)
    multipliers[3], multipliers[4] = -20.0, -40.0
    assert objective(PROBLEM, x) - settled_cost(PROBLEM, x, multipliers) == pytest.approx(0.01 * 40.0)
    assert settled_cost(PROBLEM, x, multipliers) == pytest.approx(0.5 * 40.0)


@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_without_limits_at_their_penalty_only_offers_and_energy_cost(x: list[float]) -> None:
    values = np.array(x)
    plain = PROBLEM.quadratic @ values**2 / 2 + PROBLEM.linear @ values
    assert settled_cost(PROBLEM, values, np.zeros(STATE)) == pytest.approx(float(plain), abs=1e-9)


def test_another_unit_of_cost_changes_prices_and_not_pieces() -> None:
    one = Multipliers(np.arange(12.0).reshape(4, 3), np.array([2.0]), np.array([0, 3, 6]))
    other = one.scaled(0.5)
    assert other.limits.tolist() == (np.arange(12.0).reshape(4, 3) / 2).tolist()
    assert other.discs.tolist() == [1.0]
    assert other.pieces is one.pieces
    assert (one.soft_upper.tolist(), one.soft_lower.tolist()) == ([6, 7, 8], [9, 10, 11])
