"""Steps of the method limit by limit, against a dense Newton step of the optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.limits import Limits, Pairs, centred
from dlmp_cosim.market.interior_point.newton import advance, linearise
from dlmp_cosim.market.interior_point.sweeps import System

NO_DISCS = np.zeros((0, 2), dtype=np.int64), np.zeros(0)


def one_limit(sign: float, bound: float, cap: float) -> Limits:
    """One limit of one variable."""
    columns = np.array([sign]), np.array([bound]), np.array([cap])
    return Limits(np.zeros(1, dtype=np.int64), *columns, np.zeros(1, dtype=np.int64), *NO_DISCS)


def pair(slack: float, price: float, excess: float, missing: float) -> Pairs:
    """Where its slack and its price are."""
    return Pairs(*(np.array([value]) for value in (slack, price, excess, missing)), np.zeros(0), np.zeros(0))


def written(limits: Limits, pairs: Pairs, x: float, curve: float, linear: float) -> System:
    """H and c of one variable."""
    system = System(np.zeros(0), np.zeros(1), np.zeros(1), np.zeros((2, 1)), np.zeros(0), np.full(1, -1))
    linearise(limits, pairs, np.array([x]), np.array([curve]), np.array([linear]), system)
    return system


def dense_change(limits: Limits, pairs: Pairs, x: float, dx: float, t: float) -> FloatArray:
    """Changes of s, mu, e and nu that Newton's method asks for when the variable moves by dx."""
    s, mu, e, nu = (float(part[0]) for part in pairs[:4])
    sign, bound, cap = (float(part[0]) for part in (limits.sign, limits.bound, limits.cap))
    left = [
        [1.0, 0.0, -1.0, 0.0],  # s = sign (bound - x) + e
        [0.0, 1.0, 0.0, 1.0],  # mu + nu = cap
        [mu, s, 0.0, 0.0],  # s mu = t
        [0.0, 0.0, nu, e],  # e nu = t
    ]
    right = [sign * (bound - x - dx) + e - s, cap - mu - nu, t - s * mu, t - e * nu]
    return np.linalg.solve(np.array(left), np.array(right))


starts = st.tuples(*(st.floats(0.2, 4.0) for _ in range(4)))
signs = st.sampled_from([1.0, -1.0])


@settings(max_examples=40)
@given(starts, signs, st.floats(-1.0, 1.0), st.floats(-0.02, 0.02), st.floats(0.05, 1.0))
def test_a_soft_limit_answers_as_a_dense_newton_step_says(
    start: tuple[float, float, float, float], sign: float, x: float, dx: float, t: float
) -> None:
    limits, pairs = one_limit(sign, 0.3, 6.0), pair(*start)
    change = dense_change(limits, pairs, x, dx, t)
    system = written(limits, pairs, x, 2.0, 5.0)
    price = start[1] + change[1]
    gradient = 2.0 * (x + dx) + 5.0 + sign * price
    said = system.curve[0] * dx + system.cost[0, 0] + t * system.cost[1, 0]
    assert said == pytest.approx(gradient, rel=1e-9, abs=1e-9)
    after = np.array(start) + change
    if (after > 0.15 * np.array(start)).all() and after[0] * after[1] > t and after[2] * after[3] > t:
        advance(limits, pairs, np.array([x]), np.array([dx]), t)
        np.testing.assert_allclose([part[0] for part in pairs[:4]], after, rtol=1e-9)


@settings(max_examples=40)
@given(st.floats(0.2, 4.0), st.floats(0.2, 4.0), signs, st.floats(-1.0, 1.0), st.floats(0.05, 1.0))
def test_a_hard_limit_answers_as_newton_says(
    slack: float, price: float, sign: float, x: float, t: float
) -> None:
    """s + ds = sign (bound - x - dx) and s mu + s dmu + mu ds = t, solved by hand."""
    limits, pairs, dx = one_limit(sign, 0.3, np.inf), pair(slack, price, 0.0, 1.0), 0.01
    ds = sign * (0.3 - x - dx) - slack
    dmu = (t - slack * price - price * ds) / slack
    system = written(limits, pairs, x, 2.0, 5.0)
    said = system.curve[0] * dx + system.cost[0, 0] + t * system.cost[1, 0]
    assert said == pytest.approx(2.0 * (x + dx) + 5.0 + sign * (price + dmu), rel=1e-9, abs=1e-9)
    progress = advance(limits, pairs, np.array([x]), np.array([dx]), t)
    assert pairs.slack[0] >= 0.1 * slack
    assert pairs.price[0] >= 0.1 * price
    if slack + ds > 0.1 * slack and price + dmu > 0.1 * price and (slack + ds) * (price + dmu) > 1e-4 * t:
        assert (pairs.slack[0], pairs.price[0]) == pytest.approx((slack + ds, price + dmu))
    else:
        assert max(progress) > 0


def minimum(limits: Limits, curve: float, linear: float) -> tuple[float, float]:
    """Variable and price where steps end."""
    x, t = 0.0, 1.0
    pairs = centred(limits, np.array([x]), t)
    for _ in range(60):
        t = max(t / 4, 1e-12)
        system = written(limits, pairs, x, curve, linear)
        step = -(system.cost[0, 0] + t * system.cost[1, 0]) / system.curve[0]
        advance(limits, pairs, np.array([x]), np.array([step]), t)
        x += step
    return x, float(pairs.price[0])


@pytest.mark.parametrize(
    ("sign", "bound", "cap", "linear", "ends"),
    [
        pytest.param(1.0, 2.0, np.inf, -2.0, (1.0, 0.0), id="an idle limit changes nothing"),
        pytest.param(1.0, 0.5, np.inf, -2.0, (0.5, 1.0), id="a hard upper limit holds"),
        pytest.param(-1.0, 3.0, np.inf, -2.0, (3.0, 4.0), id="a hard lower limit holds"),
        pytest.param(1.0, 0.5, 5.0, -2.0, (0.5, 1.0), id="a soft limit holds below its penalty"),
        pytest.param(1.0, 0.5, 0.6, -2.0, (0.7, 0.6), id="a soft limit is exceeded at its penalty"),
        pytest.param(-1.0, 3.0, 1.0, -2.0, (1.5, 1.0), id="from below as well"),
    ],
)
def test_steps_end_where_a_parabola_with_a_limit_has_its_minimum(
    sign: float, bound: float, cap: float, linear: float, ends: tuple[float, float]
) -> None:
    """x**2 + linear x: price and place follow from its slope 2 x + linear."""
    assert minimum(one_limit(sign, bound, cap), 2.0, linear) == pytest.approx(ends, abs=1e-6)


def test_of_a_known_variable_nothing_is_asked() -> None:
    system = written(
        one_limit(1.0, 9.0, np.inf)._replace(variable=np.zeros(0, dtype=np.int64)),
        pair(1.0, 1.0, 0.0, 1.0),
        0.7,
        np.inf,
        5.0,
    )
    assert np.isinf(system.curve[0])
    assert not system.cost.any()


def test_nothing_is_left_over_of_a_step_that_fits() -> None:
    """A centred pair whose variable stays: no residual, and nothing moves."""
    limits, x, t = one_limit(1.0, 0.5, np.inf), np.array([0.1]), 0.04
    pairs = centred(limits, x, t)
    progress = advance(limits, pairs, x, np.zeros(1), t)
    assert max(progress) <= 1e-15
    assert (pairs.slack[0], pairs.price[0]) == pytest.approx((0.4, 0.1))


def test_what_a_step_could_not_do_is_told() -> None:
    """A step past the wall: the slack keeps a tenth, and what it lacks is the residual."""
    limits, x = one_limit(1.0, 0.5, np.inf), np.array([0.1])
    pairs = centred(limits, x, 0.04)
    progress = advance(limits, pairs, x, np.array([1.4]), 0.04)
    assert pairs.slack[0] == pytest.approx(0.04)
    assert progress.primal == pytest.approx(1.04)
