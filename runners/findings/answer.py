"""A wholesale price that answers: who gains when the market settles with it, by how steeply it rises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from dlmp_cosim.runners.api import Sweep
from dlmp_cosim.runners.findings.drawing import COLOURS, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDES = {
    "load_payment": "loads pay",
    "generation_payment": "generators are paid",
    "flexible_payment": "flexible loads are paid",
    "wholesale_payment": "wholesale is paid",
    "net_revenue": "operator keeps",
}


def found(sweep: Sweep) -> pd.DataFrame:
    """Find what every slope comes to.

    Returns
    -------
    DataFrame
        A row a slope [$/MWh per MW]: ``lmp`` paid, its mean [$/MWh]; ``cost`` of the day [$]; ``unaware``,
        what the dispatch of a given LMP costs when its power is billed on the supply curve [$]; and the sums
        of `SIDES` [$].
    """
    power = _by_slope(sweep.topic("feeder/head_power_real"), "sum")
    price = _by_slope(sweep.topic("wholesale/lmp"), "first")
    times = pd.DatetimeIndex(price.columns)
    hours = (times[1] - times[0]) / pd.Timedelta(hours=1)
    runs = sweep.summary.set_index("slope").sort_index()
    steepest = float(power.index.max())
    kw, lmp = power.to_numpy(), price.to_numpy()
    # What a clearing settled at lies on the curve, so the steepest run tells where its rise is nothing.
    from_kw = float((kw[-1] - 1e3 * (lmp[-1] - lmp[0]) / steepest).mean())
    per_slope = float(((kw[0] - from_kw) * kw[0]).sum()) * hours / 1e6
    table = runs[[*SIDES]].assign(lmp=price.mean(axis=1), cost=runs["cost"])
    table["unaware"] = float(runs["cost"].to_numpy()[0]) + per_slope * table.index.to_numpy()
    return table


def _by_slope(topic: pd.DataFrame, how: Literal["sum", "first"]) -> pd.DataFrame:
    """Lay a topic out, a row a slope from the least on and a column a time."""
    return topic.pivot_table(index="slope", columns="time", values="value", aggfunc=how)


def table(sweep: Sweep) -> pd.DataFrame:
    """Cost with and without regard to the answer, and what each side pays or is paid [$]."""
    rows = found(sweep)
    shown = rows.rename(columns=SIDES)[[*SIDES.values()]]
    shown.insert(0, "mean LMP [$/MWh]", rows["lmp"])
    shown.insert(1, "cost, dispatch as at a given LMP", rows["unaware"])
    shown.insert(2, "cost, settled with the answer", rows["cost"])
    shown.insert(3, "saved", rows["unaware"] - rows["cost"])
    return shown.round(2)


def draw(sweep: Sweep) -> Figure:
    """Draw the cost of the day with and without regard to the answer, and who gains."""
    figure = new_figure((10.0, 3.8))
    left, right = figure.subplots(1, 2)
    rows = found(sweep)
    left.plot(rows.index, rows["unaware"], "o-", ms=4, color=COLOURS[1], label="dispatch as at a given LMP")
    left.plot(rows.index, rows["cost"], "o-", ms=4, color=COLOURS[3], label="settled with the answer")
    left.set(ylabel="cost of the day [$]", xlabel="slope of the LMP [$/MWh per MW]")
    left.legend(frameon=False)
    for k, (name, label) in enumerate(SIDES.items()):
        change = rows[name] - rows[name].loc[0.0]
        right.plot(rows.index, change, "o-", ms=4, color=COLOURS[k], label=label)
    right.axhline(0, color="black", lw=0.8)
    right.set(ylabel="change over a given LMP [$]", xlabel="slope of the LMP [$/MWh per MW]")
    right.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
