from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.spells import in_a_row


@pytest.mark.parametrize(
    ("there", "expected"),
    [("", []), ("..", []), ("x", [(0, 1)]), ("xx.x", [(0, 2), (3, 4)]), (".xx.", [(1, 3)])],
)
def test_spells_begin_and_end_where_they_do(there: str, expected: list[tuple[int, int]]) -> None:
    assert in_a_row(np.array([letter == "x" for letter in there], dtype=bool)) == expected


@given(st.lists(st.booleans(), max_size=40))
def test_spells_hold_every_interval_that_is_there_and_no_other(there: list[bool]) -> None:
    found = in_a_row(np.array(there, dtype=bool))
    assert [k for begin, end in found for k in range(begin, end)] == [
        k for k, is_there in enumerate(there) if is_there
    ]
    assert all(end < begin for (_, end), (begin, _) in pairwise(found))
