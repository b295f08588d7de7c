"""JSON that any reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.runners.plain_json import finite

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_no_number_of_json_becomes_none(value: float) -> None:
    assert finite({"a": [value, 1.0], "b": (value,)}) == {"a": [None, 1.0], "b": [None]}


@settings(max_examples=40)
@given(ANYTHING)
def test_anything_plain_can_be_written_and_stays_as_it_is(value: Any) -> None:
    json.dumps(finite(value), allow_nan=False)
    assert finite(finite(value)) == finite(value)
