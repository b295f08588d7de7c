"""A day with and without what looks ahead: energy, prices, head power and losses, drawn by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.runners.report.figure_file import new_figure, save_figure, stairs
from dlmp_cosim.runners.report.pictures import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_ahead(with_it: Path, without: Path | None, file: Path) -> None:
    """Draw a run that looked ahead, and the same day without.

    Parameters
    ----------
    with_it : Path
        Results of the run.
    without : Path, optional
        Results of the same day without.
    file : Path
        Where to: a .png, .svg or .pdf.

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    figure = new_figure(file, (9.0, 6.0))
    panels = figure.subplots(2, 2)
    with Results(with_it) as run:
        _energy(panels[0, 0], run)
        _curves(panels, run, BLUE, "with")
    if without is not None:
        with Results(without) as base:
            _curves(panels, base, GREY, "without")
    titles = ("energy that owners report [kWh]", "mean d-LMP [$/MWh]", "head power [kW]", "losses [kW]")
    for axes, title in zip(panels.flat, titles, strict=True):
        axes.set_title(title, loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[1]:
        axes.set_xlabel("hours from the start")
    panels[0, 1].legend(frameon=False)
    save_figure(figure, file, 150)


def _edges(run: Results) -> FloatArray:
    """Where intervals begin, and where the last ends [h]."""
    return np.asarray(np.arange(run.intervals + 1) * run.period_h)


def _energy(axes: Axes, run: Results) -> None:
    """Draw the energy of every owner that reports one, at the ends of intervals."""
    for key in run.keys:
        if key.endswith("/energy") and not key.startswith(("wholesale", "market")):
            axes.plot(_edges(run)[1:], run.values(key), label=key.split("/")[0])
    axes.legend(frameon=False, fontsize="small")


def _curves(panels: np.ndarray, run: Results, colour: str, label: str) -> None:
    values = (
        (panels[0, 1], run.values("market/dlmp_real").mean(axis=1)),
        (panels[1, 0], run.values("feeder/head_power_real").sum(axis=1)),
        (panels[1, 1], run.values("feeder/losses_real")),
    )
    for axes, value in values:
        stairs(axes, value, _edges(run), color=colour, label=label)
    if label == "with":
        lmp = run.values("wholesale/lmp")
        stairs(panels[0, 1], lmp, _edges(run), color=ORANGE, linestyle="--", linewidth=1.0, label="LMP")
