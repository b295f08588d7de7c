"""Intervals in a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def in_a_row(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Find where something is there for intervals in a row: the first of each, and the one after its last.

    Parameters
    ----------
    there : ndarray of bool, shape (n,)
        Whether it is, in every interval.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]])))
    return [(begin, end) for begin, end in edges.reshape(-1, 2).tolist()]
