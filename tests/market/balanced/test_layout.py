"""Places of variables and rows of the balanced problem: each once, the network before its resources."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.balanced.layout import cone_layout, negotiated_units

COLUMNS = ("p", "q", "current", "v_from", "v", "loading", "resource_p", "resource_q")
ROWS = ("balance_p", "balance_q", "drop", "copy", "rating")


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 12))
def test_every_variable_and_row_has_one_place(n_atom: int, n_resource: int) -> None:
    lay = cone_layout(n_atom, n_resource)
    columns = np.concatenate([getattr(lay, name) for name in COLUMNS])
    rows = np.concatenate([getattr(lay, name) for name in ROWS])
    assert columns.tolist() == list(range(lay.n))
    assert rows.tolist() == list(range(lay.m))
    assert lay.n_network == lay.n - 2 * n_resource
    assert {len(getattr(lay, name)) for name in ("current", "v_from", "v", "loading", "drop", "copy")} == {
        n_atom - 1
    }


def test_sizes_by_hand() -> None:
    """Three atoms have two lines: 2 * 3 + 4 * 2 network variables, and 2 * 3 + 3 * 2 rows."""
    lay = cone_layout(3, 4)
    assert (lay.n_network, lay.n, lay.m) == (14, 22, 12)


@pytest.mark.parametrize(
    ("names", "unit"),
    [
        (("p", "q", "current", "resource_p", "resource_q"), 0.1),
        (("v", "v_from"), 0.01),
        (("loading",), 1.0),
    ],
)
def test_agents_speak_of_100_kw_and_a_hundredth_of_squared_voltage(
    names: tuple[str, ...], unit: float
) -> None:
    lay = cone_layout(4, 2)
    units = negotiated_units(lay)
    for name in names:
        assert set(units.variable[getattr(lay, name)].tolist()) == {unit}
    for name, row in (("balance_p", 0.1), ("drop", 0.01), ("copy", 0.01), ("rating", 1.0)):
        assert set(units.row[getattr(lay, name)].tolist()) == {row}
    assert len(units.row) == lay.m + len(lay.current)
