"""What a stopping tolerance means for rounds, cost and prices, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlmp_cosim.runners.judge.gaps import COST_GAP, PRICE_GAP
from dlmp_cosim.runners.measure.tolerances import Level
from dlmp_cosim.runners.report.figure_file import new_figure, save_figure
from dlmp_cosim.runners.report.pictures import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"nodal": BLUE, "branch_flow": ORANGE}
LEAST = 1e-9
"""Smaller errors are drawn here: they are rounding."""


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
    figure = new_figure(file, (9.0, 3.2))
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
    save_figure(figure, file, 160)


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
