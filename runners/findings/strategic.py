"""Strategic offers: what one generator gains by another price than its cost, or by less than it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.runners.api import Sweep
from dlmp_cosim.runners.findings.drawing import COLOURS, new_figure
from dlmp_cosim.runners.sweep.apply import AssetTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRUTHFUL = 1.0
"""Price and capacity as they are."""


def gains(sweep: Sweep) -> pd.DataFrame:
    """Find what the owner that acts strategically earns, over the run.

    Returns
    -------
    DataFrame
        A row a run: ``owner``, ``bus``, what it ``asked`` or ``offered``, ``energy`` [kWh], ``profit`` [$] at
        its true cost, ``gain`` [$] over its truthful run, and ``loads_pay_more`` [$] then.
    """
    runs = sweep.summary
    lever = "asked" if "asked" in runs else "offered"
    rows = {row["resource"]: row for row in AssetTable(ieee123.ASSETS.read_text(encoding="utf-8")).rows}
    paid = sweep.topic("settlement/generation_account:sum")
    own = paid[paid["resource"] == paid["owner"]].set_index("run")["value"]
    power = sweep.topic("feeder/injection_real")
    power = power[power["resource"] == power["owner"]]
    starts = pd.DatetimeIndex(power["time"].unique()).sort_values()
    hours = (starts[1] - starts[0]) / pd.Timedelta(hours=1)
    linear = power["owner"].map({name: float(row["cost_linear"]) for name, row in rows.items()})
    quadratic = power["owner"].map({name: float(row["cost_quadratic"]) for name, row in rows.items()})
    cost = (linear * power["value"] + quadratic * power["value"] ** 2 / 2) * hours / 1e3
    found = runs.set_index("run")[["owner", lever, "load_payment"]].assign(
        bus=lambda table: table["owner"].map({name: row["bus"] for name, row in rows.items()}),
        energy=power.groupby("run")["value"].sum() * hours,
        profit=own - cost.groupby(power["run"]).sum(),
    )
    truthful = found[found[lever] == TRUTHFUL].set_index("owner")
    found["gain"] = found["profit"] - found["owner"].map(truthful["profit"])
    found["loads_pay_more"] = found["load_payment"] - found["owner"].map(truthful["load_payment"])
    return found.drop(columns="load_payment")


def table(sweep: Sweep) -> pd.DataFrame:
    """Truthful profit of every owner, its best lever and what that gains [$]."""
    found = gains(sweep)
    lever = str(found.columns[1])
    best = found.loc[found.groupby("owner")["gain"].idxmax()].set_index("owner")
    truthful = found[found[lever] == TRUTHFUL].set_index("owner")["profit"]
    return (
        pd.DataFrame(
            {
                "bus": best["bus"],
                "truthful profit [$]": truthful,
                f"best {lever}": best[lever],
                "gain [$]": best["gain"],
                "loads pay more [$]": best["loads_pay_more"],
            }
        )
        .sort_values("gain [$]", ascending=False)
        .round(2)
    )


def draw(sweep: Sweep) -> Figure:
    """Draw the gain of every owner over what it asks or offers."""
    figure = new_figure((8.0, 3.8))
    axes = figure.subplots()
    found = gains(sweep)
    lever = str(found.columns[1])
    order = found.groupby("owner")["gain"].max().sort_values(ascending=False).index
    for k, owner in enumerate(order):
        rows = found[found["owner"] == owner].sort_values(lever)
        strong = k < len(COLOURS) - 1
        colour, width = (COLOURS[k + 1], 1.4) if strong else (COLOURS[0], 0.7)
        axes.plot(
            rows[lever],
            rows["gain"],
            marker="o",
            ms=3,
            color=colour,
            lw=width,
            label=owner if strong else None,
        )
    axes.axhline(0, color="black", lw=0.8)
    said = {"asked": "price asked, as a multiple of cost", "offered": "share of the capacity offered"}
    axes.set(xlabel=said[lever], ylabel="gain over truth [$]")
    axes.legend(frameon=False, title="owners that gain most")
    return figure
