"""How figures of sweeps look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from dlmp_cosim.feeders.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#8c8c8c", "#d55e00", "#e6a700", "#0072b2", "#009e73")
"""Told apart in print and by the colour-blind."""


def new_figure(size: tuple[float, float]) -> Figure:
    """Make an empty figure [inch].

    Raises
    ------
    InputError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure as Drawn
    except ImportError:
        raise InputError(
            "figures need matplotlib", where="dlmp findings", expected='pip install "dlmp-cosim[report]"'
        ) from None
    return Drawn(figsize=size, layout="constrained")


def quantiles(grouped: Any, shares: Sequence[float]) -> pd.DataFrame:
    """Quantiles of a grouped column: a row a group, a column a share."""
    return pd.DataFrame({share: grouped.quantile(share) for share in shares})
