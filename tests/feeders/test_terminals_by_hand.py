"""What loads draw by hand: legs, models and ranges of voltage, on one bus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import (
    Bus,
    ComplexArray,
    Legs,
    Load,
    LoadModel,
    Machine,
    Network,
    Resource,
    delta,
    wye,
)
from dlmp_cosim.feeders.terminals import injection_terminals, load_terminals, machine_terminals
from tests.handmade import ABC, KV

TURN = np.exp(-2j * np.pi / 3)
FLAT: ComplexArray = np.array([1.0, TURN, TURN**2])
LINE_KV = KV * 3**0.5


def network(*loads: Load) -> Network:
    return Network("one", (Bus("b", ABC, KV),), (), (), loads)


def load(model: LoadModel = 1, legs: Legs = ((1, 0),), kv: float = KV, **more: object) -> Load:
    return Load("x", "b", legs, 30.0, 12.0, kv, model, **more)  # type: ignore[arg-type]


def drawn(one: Load, voltage: ComplexArray) -> complex:
    here = network(one)
    return complex(load_terminals(here).served(here.listed_demand, voltage)[0])


@pytest.mark.parametrize(
    ("model", "real", "reactive"),
    [(1, 1.0, 1.0), (2, 0.9604, 0.9604), (3, 1.0, 0.9604), (4, 0.98, 0.9604), (5, 0.98, 0.98)],
)
def test_a_load_follows_its_voltage_by_its_model(model: LoadModel, real: float, reactive: float) -> None:
    """At 0.98 pu: constant power, impedance, mixed, exponents of 1 and 2, current."""
    assert drawn(load(model), 0.98 * FLAT) == pytest.approx(30.0 * real + 12.0j * reactive)


@pytest.mark.parametrize(
    ("pu", "factor"),
    [
        (0.4, 0.16),
        (0.5, 0.25),
        (0.725, 0.725 * (0.5 + (1 / 0.95 - 0.5) / 2)),
        (0.95, 1.0),
        (1.05, 1.0),
        (1.1, (1.1 / 1.05) ** 2),
    ],
)
def test_constant_power_holds_between_its_ends_and_is_an_impedance_beyond(pu: float, factor: float) -> None:
    assert drawn(load(1), pu * FLAT) == pytest.approx((30.0 + 12.0j) * factor)


def test_a_polynomial_load_is_the_sum_of_its_parts() -> None:
    zipv = (0.2, 0.3, 0.5, 0.6, 0.4, 0.0, 0.0)
    m = 0.97
    real, reactive = 0.2 * m**2 + 0.3 * m + 0.5, 0.6 * m**2 + 0.4 * m
    assert drawn(load(8, zipv=zipv), m * FLAT) == pytest.approx(30.0 * real + 12.0j * reactive)


@pytest.mark.parametrize(("pu", "share"), [(0.96, 0.0), (0.97, 0.5), (0.98, 1.0)])
def test_a_load_with_a_cut_off_drops_out_around_it(pu: float, share: float) -> None:
    zipv = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.97)
    found = drawn(load(8, zipv=zipv), pu * FLAT)
    assert found == pytest.approx(share * (30.0 + 12.0j), abs=0.01)


@pytest.mark.parametrize(
    ("legs", "kv", "across"),
    [
        (wye(ABC), KV, [1.0, 0.9, 1.0]),
        (((1, 2),), LINE_KV, [abs(1.0 - 0.9 * TURN) / 3**0.5]),
        (((1, 3),), LINE_KV, [1.0]),
        (wye((2,)), KV, [0.9]),
        (wye((2,)), 2 * KV, [0.45]),
    ],
)
def test_voltage_across_a_leg_is_of_its_own_nominal_voltage(
    legs: Legs, kv: float, across: list[float]
) -> None:
    volts = FLAT * np.array([1.0, 0.9, 1.0])
    found = load_terminals(network(load(legs=legs, kv=kv))).across(volts)
    assert np.abs(found) == pytest.approx(across)


def test_a_leg_that_sags_draws_less_and_the_others_do_not() -> None:
    sagging = FLAT * np.array([1.0, 0.9, 1.0])
    whole = drawn(load(2, wye(ABC)), sagging)
    assert whole == pytest.approx((30.0 + 12.0j) * (1.0 + 0.81 + 1.0) / 3)


def test_a_ring_draws_as_much_as_a_star_at_balanced_voltage() -> None:
    models: tuple[LoadModel, ...] = (1, 2, 5)
    for model in models:
        star, ring = load(model, wye(ABC)), load(model, delta(ABC), LINE_KV)
        assert drawn(star, 0.97 * FLAT) == pytest.approx(drawn(ring, 0.97 * FLAT))


def test_a_ring_does_not_see_what_is_common_to_all_phases() -> None:
    lifted = FLAT + 0.1
    assert drawn(load(2, delta(ABC), LINE_KV), lifted) == pytest.approx(30.0 + 12.0j)
    assert abs(drawn(load(2, wye(ABC)), lifted)) > 30.0


def test_loads_are_served_each_by_itself() -> None:
    here = network(load(1), replace(load(2), name="y"), replace(load(5, wye((2,))), name="z"))
    served = load_terminals(here).served(np.array([10.0, 20.0 + 1j, 0.0]), 0.98 * FLAT)
    assert served == pytest.approx([10.0, (20.0 + 1j) * 0.9604, 0.0])


@given(st.sampled_from([1, 2, 3, 4, 5]), st.floats(0.3, 1.3), st.floats(0.0, 6.28))
def test_turning_all_voltages_changes_nothing(model: LoadModel, pu: float, angle: float) -> None:
    """But at the very end of a range, where exponents are cut off and rounding says on which side it is."""
    one = load(model, delta(ABC), LINE_KV)
    assume(min(abs(pu - end) for end in (one.vlow_pu, one.vmin_pu, one.vmax_pu)) > 1e-9)
    assert drawn(one, pu * FLAT * np.exp(1j * angle)) == pytest.approx(drawn(one, pu * FLAT))


@given(st.floats(0.05, 1.3), st.sampled_from([1, 2, 5]))
def test_power_does_not_jump_at_the_ends_of_a_range(pu: float, model: LoadModel) -> None:
    """Unlike exponents, which OpenDSS itself cuts off there."""
    one, step = load(model), 1e-9
    near = drawn(one, (pu + step) * FLAT)
    assert abs(near - drawn(one, pu * FLAT)) < 1e-5


def test_the_slope_of_constant_power_is_none_within_its_range() -> None:
    legs = load_terminals(network(load(1)))
    assert [part.tolist() for part in legs.slopes(np.array([1.0]))] == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("model", "slopes"), [(2, (2.0, 2.0)), (3, (0.0, 2.0)), (4, (1.0, 2.0)), (5, (1.0, 1.0))]
)
def test_slopes_at_nominal_voltage_are_the_exponents(model: LoadModel, slopes: tuple[float, float]) -> None:
    found = load_terminals(network(load(model))).slopes(np.ones(1))
    assert [float(part[0]) for part in found] == pytest.approx(list(slopes))


def test_legs_of_resources_and_machines_share_their_power_equally() -> None:
    here = replace(
        network(),
        resources=(
            Resource("g", "generator", "b", wye(ABC), 60.0, 75.0),
            Resource("cell", "storage", "b", ((1, 2),), 5.0, 5.0),
        ),
        machines=(Machine("pv", "b", wye((3, 1))),),
    )
    injected = injection_terminals(here)
    assert injected.power(np.array([30 + 6j, -4])).tolist() == pytest.approx([10 + 2j] * 3 + [-4])
    assert (injected.node.tolist(), injected.other.tolist()) == ([0, 1, 2, 0], [3, 3, 3, 1])
    machines = machine_terminals(here)
    assert (machines.node.tolist(), machines.share.tolist()) == ([2, 0], [0.5, 0.5])
