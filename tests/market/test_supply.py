"""A price that rises with what is drawn: a straight line, knots, and the cost below them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.supply import SupplyCurve

KNOTS = SupplyCurve((0.0, 1000.0, 3000.0), (0.0, 5.0, 45.0))
"""5 $/MWh a MW up to one MW, then 20."""


@pytest.mark.parametrize(
    ("kw", "rise"),
    [
        pytest.param(0.0, 0.0, id="at the first knot"),
        pytest.param(500.0, 2.5, id="within the first segment"),
        pytest.param(1000.0, 5.0, id="at a knot"),
        pytest.param(2000.0, 25.0, id="within the second"),
        pytest.param(3000.0, 45.0, id="at the last knot"),
        pytest.param(4000.0, 65.0, id="beyond, as before"),
        pytest.param(-1000.0, -5.0, id="below, as behind"),
    ],
)
def test_the_rise_runs_along_the_knots(kw: float, rise: float) -> None:
    assert KNOTS.rise_at(kw) == pytest.approx(rise)


@pytest.mark.parametrize(
    ("kw", "cost"),
    [(0.0, 0.0), (1000.0, 2.5), (2000.0, 2.5 + 15.0), (3000.0, 2.5 + 50.0), (-1000.0, 2.5)],
)
def test_the_cost_is_the_area_below(kw: float, cost: float) -> None:
    """Triangles and trapezoids, worked out by hand [$/h]."""
    assert KNOTS.cost(kw) == pytest.approx(cost)


curves = st.lists(st.tuples(st.floats(1.0, 500.0), st.floats(0.0, 30.0)), min_size=2, max_size=5).map(
    lambda steps: SupplyCurve(
        tuple(np.cumsum([step[0] for step in steps]) - 600.0), tuple(np.cumsum([step[1] for step in steps]))
    )
)


@settings(max_examples=40)
@given(curves, st.floats(-2e3, 3e3), st.floats(-2e3, 3e3))
def test_more_power_never_costs_less_at_the_margin(curve: SupplyCurve, one: float, other: float) -> None:
    assert curve.rise_at(max(one, other)) >= curve.rise_at(min(one, other)) - 1e-9


@settings(max_examples=40)
@given(curves, st.floats(-2e3, 3e3))
def test_the_rise_is_the_slope_of_the_cost(curve: SupplyCurve, kw: float) -> None:
    step = 1e-2
    slope = (curve.cost(kw + step) - curve.cost(kw - step)) / (2 * step) * 1e3
    steepest = np.abs(np.diff(curve.rise) / np.diff(curve.kw)).max()
    assert slope == pytest.approx(curve.rise_at(kw), abs=steepest * step + 1e-3)


@settings(max_examples=40)
@given(curves)
def test_what_is_not_drawn_costs_nothing(curve: SupplyCurve) -> None:
    assert curve.cost(0.0) == 0.0


@pytest.mark.parametrize(("slope", "start"), [(0.0, 0.0), (8.0, 2500.0), (3.5, -100.0)])
def test_a_straight_line_is_as_published_where_it_starts(slope: float, start: float) -> None:
    curve = SupplyCurve.straight(slope, start)
    assert curve.rise_at(start) == 0.0
    for kw in (-4000.0, 0.0, start + 1000.0, 9000.0):
        assert curve.rise_at(kw) == pytest.approx(slope * (kw - start) / 1e3)
        expected = slope * ((kw - start) ** 2 - start**2) / 2e6
        assert curve.cost(kw) == pytest.approx(expected, abs=1e-9)
