"""The steps of one round against brute force: bounds, soft limits, discs, cones and the duals of rows."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.pac.kernels import (
    Arrays,
    disc_prox,
    distance,
    dot,
    project_cone,
    row_dual,
    scalar_prox,
)
from dlmp_cosim.market.pac.negotiate import pack
from dlmp_cosim.market.pac.step_sizes import Gains
from dlmp_cosim.market.problem.atoms import AtomicProblem

NO_PAIRS = np.zeros((0, 2), dtype=np.int64)
NO_CONES = np.zeros((0, 4), dtype=np.int64)


def arrays(
    n: int,
    *,
    discs: IntArray = NO_PAIRS,
    radius: float = 1.0,
    cones: IntArray = NO_CONES,
    tau: FloatArray | None = None,
    row: tuple[float, float, float] = (0.0, 0.0, np.inf),
    **given: FloatArray,
) -> Arrays:
    """A problem of `n` variables and one row that sums them, with what is given by name."""
    free = {
        "quadratic": np.zeros(n),
        "linear": np.zeros(n),
        "lower": np.full(n, -np.inf),
        "upper": np.full(n, np.inf),
        "soft_lower": np.full(n, -np.inf),
        "soft_upper": np.full(n, np.inf),
        "penalty": np.zeros(n),
    }
    problem = AtomicProblem(
        **(free | given),
        rows=sp.csr_matrix(np.ones((1, n))),
        row_lower=np.array([row[0]]),
        row_upper=np.array([row[1]]),
        row_penalty=np.array([row[2]]),
        variable_atom=np.zeros(n, dtype=np.int64),
        row_atom=np.zeros(1, dtype=np.int64),
        parent=np.array([-1]),
        discs=discs,
        disc_radius=np.full(len(discs), radius),
        cones=cones,
        offset=0.0,
        cost_unit=1.0,
    )
    return pack(problem, Gains(np.ones(n) if tau is None else tau, np.ones(1)))


number = st.floats(-5, 5)
positive = st.floats(0.05, 5)


@given(number, positive, number, st.floats(0, 3), number, positive, number, positive, st.floats(0, 4))
def test_the_scalar_step_is_the_cheapest_point(
    pull: float,
    weight: float,
    linear: float,
    quadratic: float,
    low: float,
    width: float,
    soft: float,
    band: float,
    penalty: float,
) -> None:
    a = arrays(
        1,
        quadratic=np.array([quadratic]),
        linear=np.array([linear]),
        lower=np.array([low]),
        upper=np.array([low + width]),
        soft_lower=np.array([soft]),
        soft_upper=np.array([soft + band]),
        penalty=np.array([penalty]),
    )

    def cost(x: FloatArray) -> FloatArray:
        outside = np.maximum(soft - x, 0) + np.maximum(x - soft - band, 0)
        return (weight + quadratic) * x**2 / 2 + (linear - pull) * x + penalty * outside

    found = scalar_prox(a, 0, pull, weight)
    assert low <= found <= low + width
    grid = np.clip(
        np.concatenate([np.linspace(low, low + width, 2001), [soft, soft + band]]), low, low + width
    )
    assert cost(np.array([found]))[0] <= cost(grid).min() + 1e-9


pair = st.tuples(number, number)


@settings(deadline=None, max_examples=60)
@given(pair, st.tuples(positive, positive), pair, st.tuples(positive, positive), positive, pair)
def test_the_disc_step_is_the_cheapest_point_of_box_and_disc(
    pull: tuple[float, float],
    weight: tuple[float, float],
    low: tuple[float, float],
    width: tuple[float, float],
    radius: float,
    linear: tuple[float, float],
) -> None:
    lower = np.array(low)
    upper = lower + np.array(width)
    nearest = np.clip(0.0, lower, upper)
    assume(np.hypot(*nearest) < 0.95 * radius)
    a = arrays(
        2,
        discs=np.array([[0, 1]]),
        radius=radius,
        lower=lower,
        upper=upper,
        linear=np.array(linear),
        quadratic=np.array([0.5, 0.0]),
    )
    found = np.array(disc_prox(a, 0, *pull, *weight))
    assert np.hypot(*found) <= radius * (1 + 1e-9)
    assert np.all((found >= lower) & (found <= upper))
    curve, slope = np.array(weight) + np.array([0.5, 0.0]), np.array(linear) - pull
    x = cp.Variable(2)
    central = cp.Problem(
        cp.Minimize(cp.sum(cp.multiply(curve / 2, cp.square(x))) + slope @ x),
        [x >= lower, x <= upper, cp.norm(x) <= radius],
    )
    central.solve(solver="CLARABEL")
    cost = float(curve @ found**2 / 2 + slope @ found)
    assert cost <= float(central.value) + 1e-6 * (1 + abs(cost))
    assert np.abs(found - x.value).max() < 2e-3


@pytest.mark.parametrize("low", [[0.6, 0.8], [1.0, 0.0]])
def test_a_disc_that_leaves_one_point_gives_that_point(low: list[float]) -> None:
    a = arrays(2, discs=np.array([[0, 1]]), lower=np.array(low), upper=np.array([2.0, 2.0]))
    found = disc_prox(a, 0, 5.0, 5.0, 1.0, 1.0)
    assert np.allclose(found, low, atol=1e-7)


@settings(deadline=None, max_examples=60)
@given(st.tuples(number, number, number, number), positive, positive)
def test_the_cone_step_is_the_nearest_point_in_the_metric_of_the_steps(
    point: tuple[float, float, float, float], tau_l: float, tau_v: float
) -> None:
    tau_p = np.sqrt(tau_l * tau_v) / 2
    tau = np.array([tau_p, tau_p, tau_l, tau_v])
    a = arrays(4, cones=np.array([[0, 1, 2, 3]]), tau=tau)
    found = np.array(point)
    project_cone(found, a, 0)
    p, q, length, v = found
    assert length >= -1e-12
    assert v >= -1e-12
    assert p**2 + q**2 <= length * v + 1e-9
    # Nearest point of a convex cone: the rest is orthogonal to it and in the polar cone (Moreau).
    rest = (np.array(point) - found) / tau
    assert abs(rest @ found) < 1e-8
    rng = np.random.default_rng(0)
    for _ in range(50):
        flow = rng.normal(size=2)
        other = np.array([*flow, 0.0, rng.exponential() + 1e-3])
        other[2] = flow @ flow / other[3] * (1 + rng.exponential())
        assert rest @ other <= 1e-8 * (1 + np.abs(other).max())


def test_a_point_in_the_cone_stays() -> None:
    a = arrays(4, cones=np.array([[0, 1, 2, 3]]), tau=np.array([0.5, 0.5, 1.0, 1.0]))
    inside, opposite = np.array([0.3, 0.4, 0.5, 0.6]), np.array([0.0, 0.0, -1.0, -2.0])
    project_cone(inside, a, 0)
    assert inside.tolist() == [0.3, 0.4, 0.5, 0.6]
    project_cone(opposite, a, 0)
    assert opposite.tolist() == [0.0, 0.0, 0.0, 0.0]


@given(number, positive, number, st.floats(0, 4), st.one_of(st.just(np.inf), positive))
def test_the_dual_of_a_row_is_the_prox_of_its_range(
    ahead: float, step: float, low: float, width: float, penalty: float
) -> None:
    """By Moreau: the new dual is ``ahead + step z`` with z the row's best value at that dual."""
    a = arrays(1, row=(low, low + width, penalty))
    found = row_dual(a, 0, ahead, step)
    # z minimises step/2 (z + ahead/step)**2 + penalty * (distance of z from the range).
    z = (found - ahead) / step
    if np.isinf(penalty):
        assert low - 1e-9 <= z <= low + width + 1e-9
    else:
        assert abs(found) <= penalty + 1e-12
    grid = np.concatenate([np.linspace(low, low + width, 201), z + np.linspace(-1, 1, 201)])

    def cost(value: FloatArray) -> FloatArray:
        out = np.maximum(low - value, 0) + np.maximum(value - low - width, 0)
        charge = np.where(out > 1e-9, np.inf, 0.0) if np.isinf(penalty) else penalty * out
        return step / 2 * (value + ahead / step) ** 2 + charge

    assert cost(np.array([z]))[0] <= cost(grid).min() + 1e-8


def test_products_and_distances() -> None:
    a = arrays(3, tau=np.array([1.0, 2.0, 4.0]))
    x, u = np.array([1.0, 2.0, 3.0]), np.array([0.0, 4.0, 5.0])
    assert dot(a.row_ptr, a.row_index, a.row_value, 0, x) == 6.0
    assert dot(a.col_ptr, a.col_index, a.col_value, 1, np.array([2.5])) == 2.5
    primal, dual = distance(a, x, u, np.array([1.0]), np.array([3.0]))
    assert primal == pytest.approx(1 / 1 + 4 / 2 + 4 / 4)
    assert dual == pytest.approx(4.0)
