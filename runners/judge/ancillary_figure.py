"""A run of an ancillary market: how far power is off what was bought, what was called, and prices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.products import Product
from dlmp_cosim.runners.judge.ancillary import section_of
from dlmp_cosim.runners.report.figure_file import new_figure, save_figure, stairs
from dlmp_cosim.runners.report.pictures import BLUE, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MINUTES_PER_HOUR = 60.0
SHADES: dict[Product, str] = {"regulation_up": BLUE, "reserve": ORANGE, "regulation_down": "#009e73"}
"""Colours of the products, which colour-blind readers can tell apart."""


def draw_ancillary(run: Results, beside: Results | None, file: Path) -> None:
    """Draw a run with an ancillary market, and how far off another run was.

    Parameters
    ----------
    run : Results
        Results of the substation.
    beside : Results or None
        Another run of the same intervals, such as one without a market.
    file : Path
        Where to: a .png, .svg or .pdf.

    Raises
    ------
    InputError
        When matplotlib is not installed, or the file's kind is unknown.
    """
    figure = new_figure(file, (9.0, 7.5))
    off, called, price = figure.subplots(3, 1, sharex=True)
    edges = np.asarray(np.arange(run.intervals + 1) * run.period_h * MINUTES_PER_HOUR)
    _deviation(off, run, beside, edges)
    section = section_of(run)
    for name in section.products if section is not None else ():
        _product(called, price, run, name, edges)
    titles = (
        "drawn beyond what was bought [kW]",
        "called (dashed) and delivered [kW]",
        "price of a MW held for an hour [$]",
    )
    for axes, title in zip((off, called, price), titles, strict=True):
        axes.set_title(title, loc="left", fontsize="medium")
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize="small", ncols=4)
    price.set_ylim(bottom=0.0)
    price.set_xlabel("minutes from the start")
    price.set_xlim(0.0, float(edges[-1]))
    save_figure(figure, file, 150)


def _deviation(axes: Axes, run: Results, beside: Results | None, edges: FloatArray) -> None:
    """Draw how far off one run and another are, and the band."""
    section = section_of(run)
    band = section.band_kw if section is not None else 0.0
    axes.axhspan(-band, band, color=GREY, alpha=0.2, linewidth=0.0, label="band")
    if beside is not None:
        other = beside.values("substation/deviation")[: len(edges) - 1]
        name = str(beside.scenario["study"]["name"])
        stairs(axes, other, edges[: len(other) + 1], color=ORANGE, linestyle="--", label=name)
    name = str(run.scenario["study"]["name"])
    stairs(axes, run.values("substation/deviation"), edges, color=BLUE, label=name)


def _product(called: Axes, price: Axes, run: Results, name: Product, edges: FloatArray) -> None:
    """Draw what was called of a product and came, downwards below zero, and its price."""
    sign, colour, label = -1.0 if name == "regulation_down" else 1.0, SHADES[name], name.replace("_", " ")
    wanted, given = (sign * run.values(f"{name}/{key}") for key in ("called", "delivered"))
    stairs(called, wanted, edges, color=colour, linestyle="--", linewidth=1.0)
    stairs(called, given, edges, color=colour, label=label)
    stairs(price, run.values(f"{name}/price"), edges, color=colour, label=label)
