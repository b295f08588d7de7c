"""What a stopping tolerance means for rounds, cost and prices, drawn by matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from feeders.errors import InputError
from runners.judge.gaps import COST_GAP, PRICE_GAP
from runners.measure.tolerances import Level
from runners.report.pictures import BLUE, GREY, METADATA, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"nodal": BLUE, "branch_flow": ORANGE}
LEAST = 1e-9
"""Smaller errors are drawn here: they are rounding."""


def check_figure(file: Path) -> None:
    """Raise InputError unless a figure can be drawn: into a .png, .svg or .pdf, and with matplotlib."""
    kind = file.suffix.lstrip(".")
    if kind not in METADATA:
        raise InputError(f"a figure cannot be {kind!r}", where=str(file), expected="one of png, svg, pdf")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "matplotlib is not installed", where=str(file), expected='pip install "dlmp-cosim[report]"'
        )


def draw_levels(found: Mapping[str, Sequence[Sequence[Level]]], file: Path) -> None:
    """Draw every sample as a dot and the worst of each tolerance as a line.

    Parameters
    ----------
    found : mapping of str to sequences of Level
        Levels of all samples, grouped by tolerance, for each model.
    file : Path
        Where to: a .png, .svg or .pdf.

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    check_figure(file)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    panels: tuple[tuple[str, Callable[[Level], float], float | None], ...] = (
        ("rounds", lambda level: float(level.rounds), None),
        ("relative cost error", lambda level: level.cost, COST_GAP),
        ("largest d-LMP error [$/MWh]", lambda level: level.price, PRICE_GAP),
    )
    for axes, (label, read, wanted) in zip(figure.subplots(1, 3), panels, strict=True):
        _panel(axes, found, read)
        axes.set_title(label, fontsize="medium", loc="left")
        if wanted is not None:
            axes.axhline(wanted, color=GREY, linestyle="--", linewidth=1)
    figure.axes[0].legend(frameon=False)
    figure.savefig(file, dpi=160, metadata=METADATA[file.suffix.lstrip(".")])


def _panel(
    axes: Axes, found: Mapping[str, Sequence[Sequence[Level]]], read: Callable[[Level], float]
) -> None:
    for model, groups in found.items():
        colour = COLOURS.get(model, GREY)
        places = [group[0].tolerance for group in groups]
        values = [[max(read(level), LEAST) for level in group] for group in groups]
        for place, column in zip(places, values, strict=True):
            axes.plot([place] * len(column), column, ".", color=colour, alpha=0.4, markersize=4)
        axes.plot(places, [max(column) for column in values], color=colour, label=model)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("stopping tolerance")
    axes.spines[["top", "right"]].set_visible(False)
