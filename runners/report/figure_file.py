"""Figures that a command draws into one file: empty ones, and how they are written."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.report.pictures import METADATA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlmp_cosim.feeders.network import FloatArray


def check_figure(file: Path) -> None:
    """Raise InputError unless a figure can be drawn: into a .png, .svg or .pdf, and with matplotlib."""
    kind = file.suffix.lstrip(".")
    if kind not in METADATA:
        raise InputError(f"a figure cannot be {kind!r}", where=str(file), expected="one of png, svg, pdf")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "matplotlib is not installed", where=str(file), expected='pip install "dlmp-cosim[report]"'
        )


def new_figure(file: Path, size: tuple[float, float]) -> Figure:
    """Make an empty figure for a file.

    Parameters
    ----------
    file : Path
        Where it will go: a .png, .svg or .pdf.
    size : (float, float)
        Width and height [inch].

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    check_figure(file)
    from matplotlib.figure import Figure as Drawn

    return Drawn(figsize=size, layout="constrained")


def stairs(axes: Axes, values: FloatArray, edges: FloatArray, **style: Any) -> None:
    """Draw a value that holds for every interval, to the end of the last.

    Parameters
    ----------
    axes : Axes
        Where to.
    values : ndarray, shape (n,)
        The value in every interval.
    edges : ndarray, shape (n + 1,)
        Where intervals begin, and where the last ends.
    **style
        As of `Axes.stairs`.
    """
    axes.stairs(values, edges, baseline=None, **{"linewidth": 1.5, **style})


def save_figure(figure: Figure, file: Path, dpi: int) -> None:
    """Write a figure into its file; equal figures give equal bytes.

    Parameters
    ----------
    figure : Figure
        From `new_figure`.
    file : Path
        Where to.
    dpi : int
        Dots per inch.
    """
    figure.savefig(file, dpi=dpi, metadata=METADATA[file.suffix.lstrip(".")])
