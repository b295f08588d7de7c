"""Days of prices and loads: how d-LMPs, customers' bills and the operator's result are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlmp_cosim.runners.api import Sweep
from dlmp_cosim.runners.findings.drawing import COLOURS, new_figure, quantiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)
LEAST_KWH = 1e-6
"""A customer with less energy has no price of its own [kWh]."""


def bills(sweep: Sweep) -> pd.DataFrame:
    """Find what every customer pays for energy on every day: ``day``, ``load``, ``usd_per_mwh``."""
    paid = sweep.topic("settlement/load_account:sum")
    # Intervals of an hour: a sum of powers is an energy.
    energy = sweep.topic("feeder/load_real:sum").rename(columns={"value": "kwh"})[["run", "load", "kwh"]]
    both = paid.merge(energy, on=["run", "load"])
    both = both[both["kwh"] > LEAST_KWH]
    return both.assign(usd_per_mwh=1e3 * both["value"] / both["kwh"])[["day", "load", "usd_per_mwh"]]


def table(sweep: Sweep) -> pd.DataFrame:
    """Quantiles over days and places: d-LMP, its distance from the LMP, bills, and the operator's result."""
    prices = sweep.topic("market/dlmp_real")
    lmp = prices.groupby(["run", "time"])["value"].transform("first")
    rows = {
        "LMP at the head [$/MWh]": prices.drop_duplicates(["run", "time"])["value"],
        "real d-LMP over nodes [$/MWh]": prices["value"],
        "d-LMP less LMP [$/MWh]": prices["value"] - lmp,
        "what a customer pays on a day [$/MWh]": bills(sweep)["usd_per_mwh"],
        "operator's result of a day [$]": sweep.summary["net_revenue"],
        "cost of a day [$]": sweep.summary["cost"],
    }
    found = pd.DataFrame({name: values.quantile(list(SHARES)) for name, values in rows.items()}).T
    found.columns = pd.Index(["lowest", "5 %", "median", "95 %", "highest"])
    found.index.name = "over days and places"
    return found.round(1)


def draw(sweep: Sweep) -> Figure:
    """Draw d-LMPs by bus, bills by customer and the operator's result by day."""
    figure = new_figure((8.0, 7.0))
    top, middle, bottom = figure.subplots(3, 1)
    prices = sweep.topic("market/dlmp_real")
    prices["bus"] = prices["node"].str.rpartition(".")[0]
    by_bus = quantiles(prices.groupby("bus")["value"], (0.05, 0.5, 0.95))
    by_bus = by_bus.loc[by_bus[0.5].sort_values().index]
    at = np.arange(len(by_bus))
    top.fill_between(
        at, by_bus[0.05], by_bus[0.95], color=COLOURS[3], alpha=0.25, lw=0, label="5 to 95 % of hours"
    )
    top.plot(at, by_bus[0.5], color=COLOURS[3], label="median")
    top.set(xlabel="bus, by its median", ylabel="real d-LMP [$/MWh]")
    top.legend(frameon=False)
    paid = bills(sweep)
    middle.boxplot(
        [group["usd_per_mwh"].to_numpy() for _, group in paid.groupby("day")],
        whis=(0, 100), tick_labels=[f"{day:%d}" for day in sorted(paid["day"].unique())],
    )  # fmt: skip
    middle.set_ylabel("what customers\npay [$/MWh]")
    days = sweep.summary.sort_values("day")
    bottom.bar(np.arange(len(days)), days["net_revenue"], color=COLOURS[1])
    bottom.set_xticks(np.arange(len(days)), [f"{day:%d}" for day in days["day"]])
    bottom.set(xlabel="day of the month", ylabel="operator's\nresult [$]")
    return figure
