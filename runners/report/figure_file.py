"""Figures that a command draws into one file: empty ones, and how they are written."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlmp_cosim.feeders.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dlmp_cosim.feeders.network import FloatArray

METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What would make equal figures differ."""


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


def plain(text: str) -> str:
    """Keep matplotlib from reading mathematics into a name."""
    return text.replace("$", r"\$")


def save_figure(figure: Figure, file: Path, dpi: int) -> None:
    """Write a figure into its file; equal figures give equal bytes.

    Parameters
    ----------
    figure : Figure
        From `new_figure`.
    file : Path
        Where to; its folder is made when it is not there.
    dpi : int
        Dots per inch.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    from matplotlib import rc_context

    _settle_layout(figure)
    kind = file.suffix.lstrip(".")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Equal figures have equal names in an SVG, and its words stay words.
        with rc_context({"svg.hashsalt": "dlmp", "svg.fonttype": "none"}):
            figure.savefig(file, dpi=dpi, format=kind, metadata=METADATA[kind])
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", where=str(file), expected="a writable folder"
        ) from None


def _settle_layout(figure: Figure) -> None:
    """Fix where everything stands: last digits of the layout vary, and the names in an SVG with them."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(x, 5) for x in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))
