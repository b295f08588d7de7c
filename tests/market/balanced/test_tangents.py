"""Tangents of the cones: where they touch, what they leave in, the flow they lead to, and units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.balanced.tangents import Tangents, Units, in_units
from dlmp_cosim.market.problem.atoms import objective
from tests.market.branch_flow_support import CASES, EASY, fork_flow, point, reference, stated
from tests.market.support import central_optimum

STATED = stated(EASY)
LAYOUT, PROBLEM = STATED.model.layout, STATED.problem
N_LINE = len(PROBLEM.cones)
N_RESOURCE = len(LAYOUT.resource_p) + len(LAYOUT.resource_q)

some = settings(max_examples=60, deadline=None)
flows = arrays(np.float64, (N_LINE, 2), elements=st.floats(-3.0, 3.0))
voltages = arrays(np.float64, N_LINE, elements=st.floats(0.5, 1.5))
slacks = arrays(np.float64, N_LINE, elements=st.floats(0.0, 2.0))


def on_cones(flow: FloatArray, v: FloatArray, slack: FloatArray | float = 0.0) -> FloatArray:
    """A point with every cone at a flow and a squared voltage, currents `slack` above the least."""
    x = np.zeros(LAYOUT.n)
    p, q, current, v_from = PROBLEM.cones.T
    x[p], x[q], x[v_from] = flow[:, 0], flow[:, 1], v
    x[current] = (flow**2).sum(axis=1) / v + slack
    return x


def tangent_rows(x: FloatArray, at: FloatArray) -> FloatArray:
    """Value of every tangent taken at a point, at another point."""
    return np.asarray(Tangents(PROBLEM).at(at).rows[-N_LINE:] @ x)


@some
@given(flows, voltages)
def test_a_tangent_touches_its_cone_where_it_was_taken(flow: FloatArray, v: FloatArray) -> None:
    x = on_cones(flow, v)
    assert np.abs(tangent_rows(x, x)).max() < 1e-12


@some
@given(flows, voltages, flows, voltages, slacks)
def test_a_tangent_cuts_off_no_point_of_the_cone(
    flow: FloatArray, v: FloatArray, other: FloatArray, other_v: FloatArray, slack: FloatArray
) -> None:
    inside = on_cones(other, other_v, slack)
    assert tangent_rows(inside, on_cones(flow, v)).min() >= -1e-12


@some
@given(flows, voltages)
def test_a_point_below_the_cone_is_beyond_the_tangent_there(flow: FloatArray, v: FloatArray) -> None:
    x = on_cones(flow, v)
    assert np.all(tangent_rows(on_cones(flow, v, -0.1), x) < -0.05)


@some
@given(flows, voltages)
def test_slopes_are_the_derivatives_of_the_current(flow: FloatArray, v: FloatArray) -> None:
    """Central differences of the squared current ``(P**2 + Q**2) / v`` in each of its three variables."""
    rows = Tangents(PROBLEM).at(on_cones(flow, v)).rows[-N_LINE:].toarray()
    step = 1e-5
    for line, (p, q, current, v_from) in enumerate(PROBLEM.cones):
        assert rows[line, current] == 1.0
        for column, move in ((p, (step, 0, 0)), (q, (0, step, 0)), (v_from, (0, 0, step))):
            up, down = (
                ((flow[line, 0] + s * move[0]) ** 2 + (flow[line, 1] + s * move[1]) ** 2)
                / (v[line] + s * move[2])
                for s in (1, -1)
            )
            assert -rows[line, column] == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-6)
        assert np.count_nonzero(np.delete(rows[line], [p, q, current, v_from])) == 0


def test_a_tangent_belongs_to_the_atom_of_its_line() -> None:
    flat = Tangents(PROBLEM).at(on_cones(np.ones((N_LINE, 2)), np.ones(N_LINE)))
    assert flat.row_atom[-N_LINE:].tolist() == list(range(1, N_LINE + 1))
    assert flat.row_lower[-N_LINE:].tolist() == flat.row_upper[-N_LINE:].tolist() == [0.0] * N_LINE


def test_the_rest_of_the_problem_stays() -> None:
    flat = Tangents(PROBLEM).at(on_cones(np.ones((N_LINE, 2)), np.ones(N_LINE)))
    m = len(PROBLEM.row_lower)
    assert len(flat.cones) == 0
    assert flat.n_state == m + N_LINE == LAYOUT.n - N_RESOURCE
    assert (flat.rows[:m] != PROBLEM.rows).nnz == 0
    for name in ("linear", "quadratic", "soft_upper", "penalty", "discs", "disc_radius"):
        assert np.array_equal(getattr(flat, name), getattr(PROBLEM, name))
    assert np.array_equal(flat.row_lower[:m], PROBLEM.row_lower)


def test_new_tangents_leave_earlier_ones_alone() -> None:
    tangents = Tangents(PROBLEM)
    first = tangents.at(on_cones(np.ones((N_LINE, 2)), np.ones(N_LINE)))
    kept = first.rows.copy()
    tangents.at(on_cones(2 * np.ones((N_LINE, 2)), np.ones(N_LINE)))
    assert (first.rows != kept).nnz == 0


@some
@given(st.permutations(range(4)), flows, voltages)
def test_variables_of_a_cone_may_stand_in_any_order(
    order: list[int], flow: FloatArray, v: FloatArray
) -> None:
    cones = PROBLEM.cones[:, np.array(order)]
    x, (p, q, current, v_from) = np.zeros(LAYOUT.n), cones.T
    x[p], x[q], x[v_from] = flow[:, 0], flow[:, 1], v
    x[current] = (flow**2).sum(axis=1) / v
    rows = Tangents(replace(PROBLEM, cones=cones)).at(x).rows[-N_LINE:].toarray()
    square = (flow**2).sum(axis=1) / v**2
    expected = np.stack([-2 * flow[:, 0] / v, -2 * flow[:, 1] / v, np.ones(N_LINE), square], axis=1)
    assert np.take_along_axis(rows, cones, axis=1) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["no_limit", "voltage_low", "rating", "loss_weight", "mixed"])
def test_the_tangents_at_an_exact_optimum_have_the_same_optimum(name: str) -> None:
    case = CASES[name]
    problem, best = stated(case).problem, reference(case)
    # A tangent is no bound on the current, which the cones alone keep from below.
    free = problem.lower.copy()
    free[problem.cones[:, 2:]] = -np.inf
    cost, x = central_optimum(replace(Tangents(problem).at(best.x), lower=free))
    n = len(case.network.resources)
    assert cost * problem.cost_unit == pytest.approx(best.cost, rel=1e-6)
    assert np.abs(x[-2 * n : -n] - best.x[-2 * n : -n]).max() < 5e-5


dispatches = arrays(np.float64, N_RESOURCE, elements=st.floats(-0.3, 0.3))


@some
@given(dispatches, flows, voltages)
def test_newton_finds_the_flow_of_any_dispatch_from_another_flow(
    dispatch: FloatArray, flow: FloatArray, v: FloatArray
) -> None:
    """It is the flow that sweeps find, tight cones and balanced rows, wherever the search began."""
    p, q = dispatch[:3], dispatch[3:] + np.array([0.0, 0.0, 25.0 / 60.0]) * dispatch[:3]
    known = fork_flow(EASY, np.asarray(1e3 * (p + 1j * q)))
    start = on_cones(0.2 * flow, 0.95 + 0.1 * (v - 0.5))
    x = Tangents(PROBLEM).flow(start, dispatch)
    assert np.abs(x - point(STATED.model, known, STATED.same, dispatch)).max() < 1e-8
    assert np.abs(PROBLEM.rows @ x - PROBLEM.row_lower).max() < 1e-8
    p_, q_, current, v_from = x[PROBLEM.cones].T
    assert np.abs(current * v_from - p_**2 - q_**2).max() < 1e-8


def test_a_voltage_collapse_is_an_error() -> None:
    drawn = np.zeros(N_RESOURCE)
    drawn[0] = -1.2
    with pytest.raises(ClearingError, match="voltage collapses"):
        Tangents(PROBLEM).flow(IDLE, drawn)


IDLE = point(
    STATED.model, fork_flow(EASY, np.zeros(3, dtype=np.complex128)), STATED.same, np.zeros(N_RESOURCE)
)
"""The flow without dispatch."""
FLAT = Tangents(PROBLEM).at(IDLE)


def units(variable: FloatArray, row: FloatArray, cost: float) -> Units:
    """Units that keep the two variables of a disc alike."""
    variable = variable.copy()
    variable[FLAT.discs[:, 1]] = variable[FLAT.discs[:, 0]]
    return Units(variable, row, cost)


positive = st.floats(0.05, 20.0)


@some
@given(
    arrays(np.float64, LAYOUT.n, elements=st.floats(-2.0, 2.0)),
    arrays(np.float64, LAYOUT.n, elements=st.floats(-2.0, 2.0)),
    arrays(np.float64, LAYOUT.n, elements=positive),
    arrays(np.float64, FLAT.n_state, elements=positive),
    positive,
)
def test_units_change_numbers_and_nothing_else(
    z: FloatArray, centre: FloatArray, variable: FloatArray, row: FloatArray, cost: float
) -> None:
    """Cost with penalties, rows, bounds and discs say of z what they say of ``centre + unit z``."""
    centre = centre.copy()
    centre[FLAT.discs] = 0.0
    chosen = units(variable, row, cost)
    scaled = in_units(FLAT, centre, chosen)
    x = centre + chosen.variable * z
    assert scaled.cost_unit * objective(scaled, z) == pytest.approx(
        FLAT.cost_unit * objective(FLAT, x), rel=1e-9, abs=1e-6
    )
    missed, meant = scaled.rows @ z - scaled.row_lower, FLAT.rows @ x - FLAT.row_lower
    assert missed * row == pytest.approx(meant, rel=1e-9, abs=1e-9)
    inside = (x >= FLAT.lower + 1e-9) & (x <= FLAT.upper - 1e-9)
    assert np.all((z >= scaled.lower)[inside] & (z <= scaled.upper)[inside])
    beyond = (x < FLAT.lower - 1e-9) | (x > FLAT.upper + 1e-9)
    assert np.all(((z < scaled.lower) | (z > scaled.upper))[beyond])
    sizes = [np.hypot(*x[pair]) / r for pair, r in zip(FLAT.discs, FLAT.disc_radius, strict=True)]
    shares = [np.hypot(*z[pair]) / r for pair, r in zip(scaled.discs, scaled.disc_radius, strict=True)]
    assert shares == pytest.approx(sizes)
    assert FLAT.reach is not None
    assert scaled.reach is not None
    moved = np.isfinite(FLAT.reach)
    assert (scaled.reach * chosen.variable)[moved] == pytest.approx(FLAT.reach[moved])


def test_soft_rows_and_problems_without_reach_change_units_too() -> None:
    soft = replace(FLAT, row_penalty=np.full(FLAT.n_state, 3.0), reach=None)
    variable, row = np.full(LAYOUT.n, 0.5), np.full(FLAT.n_state, 4.0)
    scaled = in_units(soft, np.full(LAYOUT.n, 0.0), Units(variable, row, 2.0))
    z = np.linspace(-1.0, 1.0, LAYOUT.n)
    assert scaled.reach is None
    assert 2.0 * objective(scaled, z) == pytest.approx(objective(soft, 0.5 * z))
