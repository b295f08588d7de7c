"""Pictures of a comparison: what each market let happen, and what it expected."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.runners.compare.metrics import Metrics, blocks
from dlmp_cosim.runners.report.figure_file import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#8c8c8c", "#d55e00", "#e6a700", "#0072b2", "#009e73")
"""One per market, told apart in print and by the colour-blind."""
FLOOR_PU = 1e-7
"""Smaller errors are those of the power flow, where nothing was predicted, and not drawn [pu]."""


def draw(found: list[Metrics], folder: Path) -> list[Path]:
    """Draw all pictures of a comparison into its folder and return their paths.

    Parameters
    ----------
    found : list of Metrics
        What every variant came to.
    folder : Path
        Where to.
    """
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        return [_violations(found, folder / "violations.png"), _voltage(found, folder)]


def _violations(found: list[Metrics], path: Path) -> Path:
    """Limits broken in AC, and the error of the prediction, for every market and loading."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    groups = {
        "\n".join(textwrap.fill(plain(title), 18) for title in titles): items
        for titles, items in blocks(found).items()
    }
    markets = list(dict.fromkeys(item.titles[-1] for item in found))
    for m, market in enumerate(markets):
        chosen = [next((i for i in items if i.titles[-1] == market), None) for items in groups.values()]
        at = np.arange(len(groups)) + (m - (len(markets) - 1) / 2) / (len(markets) + 1)
        width = 1 / (len(markets) + 1)
        counts = [0 if item is None else item.violations for item in chosen]
        errors = [np.nan if item is None else item.voltage_error_pu for item in chosen]
        bars = top.bar(at, counts, width, color=COLORS[m % len(COLORS)], label=plain(market))
        top.bar_label(bars, [f"{count:,}" for count in counts], fontsize=6.5, rotation=90, padding=2)
        bottom.bar(
            at, np.where(np.array(errors) > FLOOR_PU, errors, np.nan), width, color=COLORS[m % len(COLORS)]
        )
    top.set_yscale("symlog", linthresh=1)
    top.set_ylim(0, max(item.violations for item in found) * 12 + 10)
    top.set_ylabel("limits broken in AC\n(nodes and conductors x intervals)")
    figure.legend(frameon=False, ncols=2, loc="outside upper center")
    bottom.set_yscale("log")
    bottom.set_ylabel("largest voltage error\nof the prediction [pu]")
    bottom.axhline(1e-4, color="black", linewidth=0.8, linestyle=":")
    bottom.set_xticks(np.arange(len(groups)), list(groups))
    figure.savefig(path, dpi=150)
    return path


def _voltage(found: list[Metrics], folder: Path) -> Path:
    """Lowest voltage over the day where most limits broke: AC against what each market expected."""
    groups = list(blocks(found).values())
    shown = max(groups, key=lambda items: sum(item.violations for item in items))
    figure = Figure(figsize=(2.6 * len(shown), 3.2), layout="constrained")
    axes = figure.subplots(1, len(shown), sharey=True)
    for axis, item in zip(np.atleast_1d(axes), shown, strict=False):
        _lowest(axis, item, folder)
    first = np.atleast_1d(axes)[0]
    first.set_ylabel("lowest voltage [pu]")
    figure.legend(*first.get_legend_handles_labels(), frameon=False, ncols=2, loc="outside lower center")
    path = folder / "lowest_voltage.png"
    figure.savefig(path, dpi=150)
    return path


def _lowest(axis: Axes, item: Metrics, folder: Path) -> None:
    with Results(folder / item.name / "results.h5") as run:
        hours = np.arange(run.intervals) * run.period_h
        actual = run.values("feeder/voltage_magnitude").min(axis=1)
        expected = run.values("market/predicted_voltage_magnitude").min(axis=1)
    axis.plot(hours, expected, color="#d55e00", linewidth=1.6, label="market expects")
    axis.plot(hours, actual, color="#0072b2", linewidth=1.0, label="AC physics")
    axis.axhline(0.95, color="black", linewidth=0.8, linestyle=":")
    axis.set_title(plain(item.titles[-1]), fontsize=8)
    axis.set_xlabel("hour")
    axis.set_xlim(0, 24)
    axis.set_xticks(range(0, 25, 6))
