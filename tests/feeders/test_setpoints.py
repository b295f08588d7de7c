"""What an engine refuses to be asked, and the state that stands for no solution."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.network import CapacitorBank, Network, Regulator
from dlmp_cosim.feeders.setpoints import (
    check_capacitors,
    check_option,
    check_setpoints,
    check_taps,
    failed_state,
)
from tests.handmade import chain, generator, line, load

REGULATORS = (Regulator("one", "t1", 2, 0.00625, -16, 16), Regulator("two", "t2", 2, 0.00625, 0, 4, 1))


def network() -> Network:
    shed = replace(generator("shed", "b"), kind="flexible_load", load="x")
    return chain(
        "a", "b",
        loads=[load("x", "b"), load("y", "b")],
        resources=[generator("g", "b"), shed],
        elements=[line("line.tie", ("a", "b"), (1,), controlled=True)],
        regulators=REGULATORS,
        banks=[CapacitorBank("cap", "c1", 3, 2)],
    )  # fmt: skip


def test_sound_set_points_become_complex_vectors() -> None:
    demand, injection = check_setpoints(network(), [1, 2 + 1j], (3.0, 0.0))  # type: ignore[arg-type]
    assert demand.dtype == injection.dtype == np.complex128
    assert (demand.tolist(), injection.tolist()) == ([1, 2 + 1j], [3, 0])


@pytest.mark.parametrize(
    ("demand", "injection", "message"),
    [
        ([1], [0, 0], "demand has shape (1,); expected one value for each of 2 loads"),
        ([[1, 2]], [0, 0], "demand has shape (1, 2); expected one value for each of 2 loads"),
        ([1, 2], [], "injection has shape (0,); expected one value for each of 2 resources"),
        ([1, np.nan], [0, 0], "demand of load y is (nan+0j); expected a finite number of kVA"),
        ([1, 2], [1j * np.inf, 0], "injection of resource g is (nan+infj); expected a finite number of kVA"),
        (
            [1, 2],
            [0, 5],
            "injection of flexible load shed is (5+0j) kVA; expected 0 and a smaller demand",
        ),
    ],
)
def test_unsound_set_points_are_named(demand: Any, injection: Any, message: str) -> None:
    with pytest.raises(FeederError) as caught:
        check_setpoints(network(), demand, injection)
    assert str(caught.value) == message


def test_positions_become_whole_numbers() -> None:
    assert check_taps(network(), np.array([-16.0, 4.0])) == [-16, 4]  # type: ignore[arg-type]
    assert check_capacitors(network(), np.array([3])) == [3]


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ([1], "taps have shape (1,); expected 2 positions"),
        ([17, 0], "tap of one is 17; expected a whole number from -16 to 16"),
        ([0, -1], "tap of two is -1; expected a whole number from 0 to 4"),
        ([0.5, 0], "tap of one is 0.5; expected a whole number from -16 to 16"),
        ([0, np.nan], "tap of two is nan; expected a whole number from 0 to 4"),
    ],
)
def test_positions_out_of_range_are_named(taps: Any, message: str) -> None:
    with pytest.raises(FeederError) as caught:
        check_taps(network(), taps)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("closed", "message"),
    [
        ([], "capacitors have shape (0,); expected 1 numbers of steps"),
        ([4], "cap has 4 steps closed; expected a whole number from 0 to 3"),
        ([-1], "cap has -1 steps closed; expected a whole number from 0 to 3"),
        ([1.5], "cap has 1.5 steps closed; expected a whole number from 0 to 3"),
    ],
)
def test_steps_that_a_capacitor_has_not_are_named(closed: Any, message: str) -> None:
    with pytest.raises(FeederError) as caught:
        check_capacitors(network(), closed)
    assert str(caught.value) == message


def test_options_are_among_those_that_there_are() -> None:
    check_option("regulators", "held", ("held", "neutral"))
    with pytest.raises(FeederError) as caught:
        check_option("regulators", "hold", ("held", "neutral"))
    assert str(caught.value) == "regulators is 'hold'; expected one of held, neutral"


def test_nobody_mistakes_a_failure_for_a_solution() -> None:
    """Lengths are those of a solution; every number that a solution would give is not a number."""
    here = network()
    asked = np.array([1 + 1j, 2]), np.array([3 + 0j, 0])
    state = failed_state(here, *asked, np.array([2, 1]), 15)
    assert (state.converged, state.iterations) == (False, 15)
    assert (state.demand is asked[0], state.injection is asked[1]) == (True, True)
    assert (state.tap.tolist(), state.capacitor.tolist()) == ([2, 1], [2])
    lengths = {"voltage": 6, "power": 8, "current": 8, "load": 2, "machine": 0, "admittance": 4, "head": 3}
    for name, length in lengths.items():
        values = getattr(state, name)
        assert values.shape == (length,), name
        assert np.isnan(values).all(), name
    assert np.isnan(state.losses)
    told = {"demand", "injection", "tap", "capacitor", "converged", "iterations", "losses"}
    assert {field.name for field in fields(state)} == told | set(lengths)
