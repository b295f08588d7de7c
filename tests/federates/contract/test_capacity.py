"""Capacity in an offer, as JSON and back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.contract.capacity import capacity_row, read_capacity
from dlmp_cosim.market.ancillary.products import Capacity

price = st.none() | st.floats(0, 1e5)
energy = st.just(math.inf) | st.floats(0, 1e6)
capacities = st.builds(
    Capacity, price, price, price, st.none() | st.floats(-1e5, 1e5), energy, price, price, energy, energy
)


@settings(max_examples=30)
@given(capacities)
def test_what_was_written_is_read(capacity: Capacity) -> None:
    assert read_capacity(json.loads(json.dumps(capacity_row(capacity), allow_nan=False))) == capacity


def test_what_says_nothing_is_left_out() -> None:
    assert capacity_row(Capacity()) == {}
    assert capacity_row(Capacity(reserve=0.0, up_kwh=12.5)) == {"reserve": 0.0, "up_kwh": 12.5}


NAMES = ", ".join(
    [
        "regulation_up",
        "regulation_down",
        "reserve",
        "called",
        "ramp_kw_per_minute",
        "p_min_kw",
        "p_max_kw",
        "up_kwh",
        "down_kwh",
    ]
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "capacity is not a JSON object"),
        ([1], "capacity is not a JSON object"),
        ({"reserves": 1.0}, "capacity has unknown field 'reserves', did you mean 'reserve'?"),
        ({"xyz": 1.0}, f"capacity has unknown field 'xyz'; expected one of {NAMES}"),
        ({"reserve": "1"}, "capacity.reserve is '1'; expected a finite number"),
        ({"reserve": True}, "capacity.reserve is 'True'; expected a finite number"),
        ({"reserve": None}, "capacity.reserve is 'None'; expected a finite number"),
        ({"reserve": math.nan}, "capacity.reserve is 'nan'; expected a finite number"),
        ({"up_kwh": math.inf}, "capacity.up_kwh is 'inf'; expected a finite number"),
        ({"up_kwh": 10**400}, f"capacity.up_kwh is '1{'0' * 79}'; expected a finite number"),
    ],
)
def test_what_cannot_be_sold(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^capacity") as caught:
        read_capacity(value)
    assert str(caught.value) == message


def test_a_long_name_is_cut() -> None:
    with pytest.raises(ValueError, match="unknown field") as caught:
        read_capacity({"q" * 1000: 1.0})
    assert len(str(caught.value)) < 300
