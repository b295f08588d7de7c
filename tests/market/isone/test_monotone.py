"""The monotone cubic is SciPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from dlmp_cosim.market.isone.monotone import monotone_cubic

steps = st.lists(st.just(0.0) | st.floats(-3e4, 3e4).filter(lambda step: abs(step) > 1e-3), min_size=2)


@given(steps, st.lists(st.floats(0, 1), min_size=1))
def test_it_is_scipys(rises: list[float], shares: list[float]) -> None:
    values = np.concatenate([[0.0], np.cumsum(rises)])
    at = np.concatenate([np.arange(values.size), np.array(shares) * (values.size - 1)])
    theirs = PchipInterpolator(np.arange(values.size), values)(at)
    # The same operations in the same order; some processors add and multiply at once.
    np.testing.assert_allclose(
        monotone_cubic(values, at), theirs, rtol=1e-14, atol=1e-13 * np.abs(values).max()
    )


@given(st.lists(st.just(0.0) | st.floats(1e-3, 3e4), min_size=2))
def test_it_never_falls_where_its_values_do_not(rises: list[float]) -> None:
    values = np.concatenate([[0.0], np.cumsum(rises)])
    curve = monotone_cubic(values, np.linspace(0, values.size - 1, 20 * values.size))
    assert np.diff(curve).min() >= -1e-12 * values[-1]
