"""What discs add to a Newton step, against a dense Newton step of the conditions they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.interior_point.discs import add_discs, advance_discs
from dlmp_cosim.market.interior_point.limits import Limits, Pairs, disc_room
from dlmp_cosim.market.interior_point.sweeps import System

NOTHING, NOBODY = np.zeros(0), np.zeros(0, dtype=np.int64)


def one_disc(radius: float, slack: float, price: float) -> tuple[Limits, Pairs]:
    """A disc over variables 1 and 2 of three, and nothing else."""
    discs = np.array([[1, 2]], dtype=np.int64)
    limits = Limits(NOBODY, NOTHING, NOTHING, NOTHING, NOBODY, discs, np.array([radius]))
    return limits, Pairs(NOTHING, NOTHING, NOTHING, NOTHING, np.array([slack]), np.array([price]))


def empty(curve: FloatArray) -> System:
    """A system to which nobody added anything."""
    return System(NOTHING, curve.copy(), np.zeros(3), np.zeros((2, 3)), NOTHING, np.full(3, -1))


def conditions(z: FloatArray, radius: float, t: float) -> FloatArray:
    """What the disc pulls at both powers, what its slack and its pair miss; z = (p, q, s, mu)."""
    p, q, slack, price = z
    room = (radius**2 - p**2 - q**2) / (2 * radius)
    return np.array([price * p / radius, price * q / radius, room - slack, slack * price - t])


def slopes(z: FloatArray, radius: float, t: float) -> FloatArray:
    """Their derivatives by central differences."""
    columns = []
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-6
        columns.append((conditions(z + step, radius, t) - conditions(z - step, radius, t)) / 2e-6)
    return np.stack(columns, axis=1)


points = st.tuples(
    st.floats(-1.5, 1.5),
    st.floats(-1.5, 1.5),
    st.floats(0.05, 2.0),
    st.floats(0.05, 5.0),
    st.floats(0.3, 2.0),
)


@settings(max_examples=40)
@given(points, st.floats(1e-4, 1.0), st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_what_a_disc_adds_is_its_share_of_a_newton_step(
    point: tuple[float, float, float, float, float], t: float, dp: float, dq: float
) -> None:
    """H and c give the pull after the step that slack and price, linearised, answer with."""
    p, q, slack, price, radius = point
    limits, pairs = one_disc(radius, slack, price)
    system = empty(np.ones(3))
    x, step = np.array([9.0, p, q]), np.array([9.0, dp, dq])
    add_discs(limits, pairs, x, system)
    z = np.array([p, q, slack, price])
    jacobian, now = slopes(z, radius, t), conditions(z, radius, t)
    inner = np.linalg.solve(jacobian[2:, 2:], -now[2:] - jacobian[2:, :2] @ step[1:])
    pull = now[:2] + jacobian[:2] @ np.concatenate([step[1:], inner])
    hessian = np.array([[system.curve[1] - 1, system.cross[1]], [system.cross[2], system.curve[2] - 1]])
    said = hessian @ step[1:] + system.cost[0, 1:] + t * system.cost[1, 1:]
    np.testing.assert_allclose(said, pull, rtol=1e-5, atol=1e-5)


@settings(max_examples=40)
@given(points)
def test_a_disc_adds_nothing_to_other_variables(point: tuple[float, float, float, float, float]) -> None:
    p, q, slack, price, radius = point
    limits, pairs = one_disc(radius, slack, price)
    system = empty(np.array([2.0, 3.0, 4.0]))
    add_discs(limits, pairs, np.array([1.0, p, q]), system)
    assert (system.curve[0], system.cross[0]) == (2.0, 0.0)
    assert not system.cost[:, 0].any()
    assert (system.curve[1:] > [3.0, 4.0]).all()


def test_a_known_power_is_asked_nothing() -> None:
    limits, pairs = one_disc(1.0, 0.5, 2.0)
    system = empty(np.array([1.0, np.inf, 1.0]))
    add_discs(limits, pairs, np.array([0.0, 0.3, 0.4]), system)
    assert np.isinf(system.curve[1])
    assert not system.cost[:, 1].any()
    assert system.curve[2] > 1.0


@pytest.mark.parametrize("t", [1.0, 1e-2, 1e-4])
def test_a_pair_on_the_centre_that_does_not_move_stays(t: float) -> None:
    room = float(disc_room(0.3, 0.4, 1.0))
    limits, pairs = one_disc(1.0, room, t / room)
    missed, lag = advance_discs(limits, pairs, np.array([0.0, 0.3, 0.4]), np.zeros(3), t)
    assert missed == pytest.approx(0.0, abs=1e-15)
    assert lag == pytest.approx(0.0, abs=1e-12)
    assert pairs.disc_slack[0] == pytest.approx(room)
    assert pairs.disc_price[0] == pytest.approx(t / room)


def test_steps_that_stand_still_bring_a_pair_to_its_centre() -> None:
    """Newton's method for one pair: from a slack and a price that fit nothing."""
    limits, pairs = one_disc(1.0, 0.02, 7.0)
    x = np.array([0.0, 0.3, 0.4])
    for _ in range(12):
        advance_discs(limits, pairs, x, np.zeros(3), 1e-2)
    assert pairs.disc_slack[0] == pytest.approx(0.375)
    assert pairs.disc_price[0] == pytest.approx(1e-2 / 0.375)


@pytest.mark.parametrize(
    ("p", "q", "radius", "room"),
    [
        pytest.param(0.0, 0.0, 2.0, 1.0, id="half the radius in the middle"),
        pytest.param(1.2, 1.6, 2.0, 0.0, id="nothing on the rim"),
        pytest.param(3.0, 4.0, 2.0, -5.25, id="negative outside"),
    ],
)
def test_room_in_a_disc(p: float, q: float, radius: float, room: float) -> None:
    assert disc_room(p, q, radius) == pytest.approx(room)


@settings(max_examples=40)
@given(st.floats(0, 2 * np.pi), st.floats(-1e-4, 1e-4), st.floats(0.5, 3.0))
def test_near_its_rim_the_room_is_the_distance_to_it(angle: float, beyond: float, radius: float) -> None:
    p, q = (radius + beyond) * np.cos(angle), (radius + beyond) * np.sin(angle)
    assert disc_room(p, q, radius) == pytest.approx(-beyond, abs=2e-8)
