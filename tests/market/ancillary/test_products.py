"""What is sold beside energy, and which offers of it cannot be meant."""

from __future__ import annotations

import math

import pytest

from dlmp_cosim.market.ancillary.products import (
    PRODUCTS,
    UPWARDS,
    Award,
    Capacity,
    held_of,
    reason_against_capacity,
)


def test_a_product_without_a_price_is_not_sold() -> None:
    capacity = Capacity(regulation_up=3.0, reserve=0.0)
    assert [capacity.price(name) for name in PRODUCTS] == [3.0, None, 0.0]


@pytest.mark.parametrize(
    ("award", "held"),
    [
        ({}, (0, 0)),
        ({"regulation_up": 5.0, "reserve": 7.0}, (12.0, 0.0)),
        ({"regulation_down": 4.0}, (0, 4.0)),
        ({"regulation_up": 5.0, "regulation_down": 4.0, "reserve": 7.0}, (12.0, 4.0)),
    ],
)
def test_room_is_kept_above_and_below(award: Award, held: tuple[float, float]) -> None:
    assert held_of(award) == held
    assert set(UPWARDS) == {"regulation_up", "reserve"}


@pytest.mark.parametrize(
    ("capacity", "reason"),
    [
        (Capacity(), ""),
        (Capacity(regulation_up=0.0, regulation_down=1e5, called=-1e5, up_kwh=0.0), ""),
        (Capacity(reserve=-0.01), "its price of reserve is -0.01; expected 0 to 100000"),
        (Capacity(regulation_up=1.1e5), "its price of regulation_up is 110000; expected 0 to 100000"),
        (Capacity(regulation_down=math.nan), "its price of regulation_down is nan; expected 0 to 100000"),
        (Capacity(called=math.inf), "its price of called energy is inf; expected at most 100000"),
        (Capacity(called=math.nan), "its price of called energy is nan; expected at most 100000"),
        (Capacity(ramp_kw_per_minute=0.0), "its ramp is 0 kW/min; expected more than 0"),
        (Capacity(ramp_kw_per_minute=math.nan), "its ramp is nan kW/min; expected more than 0"),
        (Capacity(up_kwh=-1.0), "its up_kwh is -1; expected 0 or more"),
        (Capacity(down_kwh=math.nan), "its down_kwh is nan; expected 0 or more"),
    ],
)
def test_what_cannot_be_meant(capacity: Capacity, reason: str) -> None:
    assert reason_against_capacity(capacity) == reason
