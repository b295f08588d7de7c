"""What a clearing refuses to start from, and how clearings of one interval are counted together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing, Prices, check_case
from dlmp_cosim.market.offers import WholesalePrice

NOTHING = np.zeros(0)
PRICES = Prices(*([NOTHING] * 10))


def state(**changes: object) -> AcState:
    whole = AcState(
        voltage=np.ones(3, dtype=complex),
        power=np.zeros(2, dtype=complex),
        current=np.zeros(2),
        load=np.zeros(1, dtype=complex),
        demand=np.zeros(1, dtype=complex),
        injection=np.zeros(0, dtype=complex),
        machine=np.zeros(0, dtype=complex),
        tap=np.zeros(0, dtype=np.int64),
        capacitor=np.zeros(0, dtype=np.int64),
        admittance=np.zeros(0, dtype=complex),
        head=np.zeros(3, dtype=complex),
        losses=0j,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


SOUND = (state(), np.array([30 + 12j]), WholesalePrice(40.0))


@pytest.mark.parametrize("price", [WholesalePrice(-20.0), WholesalePrice(0.0), WholesalePrice(1e4)])
def test_any_price_that_is_a_number_will_do(price: WholesalePrice) -> None:
    check_case(SOUND[0], SOUND[1], price)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("voltage", "a voltage of the AC state is not a finite number"),
        ("power", "a branch power of the AC state is not a finite number"),
        ("demand", "a demand is not a finite number"),
        ("lmp", "the price at the head is not a finite number"),
        ("reactive", "the price at the head is not a finite number"),
    ],
)
def test_what_is_no_number_is_named(place: str, message: str, bad: float) -> None:
    at, demand, price = SOUND
    if place in ("voltage", "power"):
        at = state(**{place: np.array([1.0, bad, 1.0], dtype=complex)})
    elif place == "demand":
        demand = np.array([bad + 0j])
    else:
        price = replace(price, **{place: bad})
    with pytest.raises(ClearingError) as caught:
        check_case(at, demand, price)
    assert str(caught.value) == message


def test_a_power_flow_without_a_solution_starts_nothing() -> None:
    with pytest.raises(ClearingError) as caught:
        check_case(state(converged=False), SOUND[1], SOUND[2])
    assert str(caught.value) == "the power flow that the clearing starts from did not converge"


def clearing(**changes: object) -> Clearing:
    whole = Clearing(NOTHING + 0j, np.array([3 + 4j, -1j]), NOTHING + 0j, NOTHING + 0j, 1.0, PRICES, 5.0)
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_what_earlier_clearings_took_is_counted_as_well() -> None:
    first, second = clearing(rounds=30, messages=7, scalars=21), clearing(rounds=12, messages=4, scalars=5)
    both = second.after(first)
    assert (both.rounds, both.messages, both.scalars) == (42, 11, 26)
    assert replace(both, rounds=12, messages=4, scalars=5, voltage=second.voltage) == second


def test_voltages_have_a_magnitude() -> None:
    assert clearing().voltage_magnitude.tolist() == [5.0, 1.0]
