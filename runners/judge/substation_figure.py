"""A day of feeders that meet at a substation: power against its limit, the adder, every feeder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.federates.substation import NO_LIMIT
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.runners.report.figure_file import new_figure, save_figure, stairs
from dlmp_cosim.runners.report.pictures import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEAR = 0.5
"""A limit on what is fed back is drawn where so much of it is."""
SHADES = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9")
"""Colours of the feeders, which colour-blind readers can tell apart."""


def draw_substation(run: Results, file: Path) -> None:
    """Draw a run of several feeders.

    Parameters
    ----------
    run : Results
        Results of the substation.
    file : Path
        Where to: a .png, .svg or .pdf.

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    figure = new_figure(file, (9.0, 7.5))
    power, price, feeders = figure.subplots(3, 1, sharex=True)
    edges = np.asarray(np.arange(run.intervals + 1) * run.period_h)
    _power(power, run, edges)
    _price(price, run, edges)
    for name, colour in zip(_names(run), SHADES * len(_names(run)), strict=False):
        stairs(feeders, run.values(f"{name}/head_power_real"), edges, color=colour, label=name)
    feeders.axhline(0.0, color=GREY, linewidth=0.6)
    titles = (
        "drawn by all feeders together [kW]",
        "adder, and LMP [$/MWh]",
        "drawn at the head of each feeder, negative: fed back [kW]",
    )
    for axes, title in zip((power, price, feeders), titles, strict=True):
        axes.set_title(title, loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize="small", ncols=4)
    feeders.set_xlabel("hours from the start")
    feeders.set_xlim(0.0, float(edges[-1]))
    save_figure(figure, file, 150)


def _names(run: Results) -> list[str]:
    return [item.name for item in SubstationScenario.model_validate(run.scenario).feeders]


def _power(axes: Axes, run: Results, edges: FloatArray) -> None:
    """Draw the power and the limits that there are."""
    drawn, below = run.values("substation/head_power_real"), run.values("substation/limit_lower")
    stairs(axes, drawn, edges, color=BLUE, label="power")
    limits = {"limit": run.values("substation/limit_upper")}
    if (drawn < NEAR * below).any():
        limits[""] = below
    for label, values in limits.items():
        if (np.abs(values) < NO_LIMIT).any():
            shown = np.where(np.abs(values) < NO_LIMIT, values, np.nan)
            stairs(axes, shown, edges, color=ORANGE, linestyle="--", label=label or None)


def _price(axes: Axes, run: Results, edges: FloatArray) -> None:
    adder = run.values("substation/adder")
    axes.stairs(adder, edges, fill=True, color=ORANGE, alpha=0.5, label="adder")
    stairs(axes, run.values(f"{_names(run)[0]}/lmp"), edges, color=GREY, label="LMP")
