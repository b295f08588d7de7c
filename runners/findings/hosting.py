"""Hosting capacity: the penetration at which AC breaks a limit, by place of the plants and by market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlmp_cosim.runners.api import Sweep
from dlmp_cosim.runners.findings.drawing import COLOURS, new_figure, quantiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LISTED_KW = 3490.0
"""Listed load of the feeder, which penetration is a share of [kW]."""
STEPS = 20
"""Intervals of a run; the sun rises by as many equal steps to all of it."""
PLACES = ("near", "middle", "far", "anywhere")
MARKETS = ("none", "balanced", "open_loop", "anchored")
BAND = (0.05, 0.5, 0.95)


def capacities(sweep: Sweep) -> pd.DataFrame:
    """Find in every run the penetration at which a limit breaks first.

    Returns
    -------
    DataFrame
        A row a run: ``place``, ``market``, ``draw``, ``penetration`` [% of the listed load] of the first
        interval with a broken limit, one step beyond the highest where there is none, and ``curtailed`` [%],
        the share of the sun's energy that was not taken.
    """
    broken = sweep.topic("audit/violations").sort_values(["run", "time"], kind="stable")
    most = broken["installed"] / LISTED_KW * 100
    broken["penetration"] = most * (broken.groupby("run").cumcount() + 1) / STEPS
    first = broken[broken["value"] > 0].groupby("run")["penetration"].min()
    runs = sweep.summary.set_index("run")
    runs = runs[(runs["status"] == "finished") & runs["draw"].isin(whole_draws(runs))]
    highest = runs["installed"] / LISTED_KW * 100 * (STEPS + 1) / STEPS
    available = runs["installed"] * (STEPS + 1) / 2 / 60.0
    return runs[["place", "market", "draw"]].assign(
        penetration=first.reindex(runs.index).fillna(highest),
        curtailed=100 * (1 - runs["generation_energy"] / available),
    )


def whole_draws(runs: pd.DataFrame) -> list[int]:
    """Name the draws of which every combination is done."""
    counts = runs.groupby("draw").size()
    return [int(draw) for draw in counts.index[counts == counts.max()]]


def table(sweep: Sweep) -> pd.DataFrame:
    """Sum capacities up: 5 %, median and 95 % of the penetration, by place and market [%]."""
    found = capacities(sweep)
    grouped = found.groupby(["place", "market"])
    summed = quantiles(grouped["penetration"], BAND)
    summed.columns = pd.Index(["penetration 5 %", "median", "95 %"])
    summed["draws"] = grouped.size()
    summed["curtailed %"] = grouped["curtailed"].median()
    return summed.reindex(pd.MultiIndex.from_product([PLACES, MARKETS], names=["place", "market"])).round(1)


def draw(sweep: Sweep) -> Figure:
    """Draw median and 5 to 95 % band by place, a colour for each market."""
    figure = new_figure((8.0, 3.6))
    axes = figure.subplots()
    found = table(sweep)
    for m, market in enumerate(MARKETS):
        rows = found.xs(market, level="market").reindex(list(PLACES))
        at = np.arange(len(PLACES)) + 0.18 * (m - 1.5)
        middle = rows["median"].to_numpy()
        spread = np.abs(rows[["penetration 5 %", "95 %"]].to_numpy().T - middle)
        axes.errorbar(
            at, middle, yerr=spread, fmt="o", color=COLOURS[m], capsize=3, label=market.replace("_", " ")
        )
    axes.set_xticks(range(len(PLACES)), PLACES)
    axes.set_ylabel("PV at the first broken limit\n[% of the listed load]")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return figure
