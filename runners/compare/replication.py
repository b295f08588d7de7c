"""`dlmp replication` holds the runs of `dlmp scenarios` against the figures of the retail-market paper.

Published figures: Haider et al., "Reinventing the utility for distributed energy resources: a proposal for
retail electricity markets" (2021), arXiv:2102.01269.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.money.payment_schemes import MODELS, TITLES, Rates, Scenario
from dlmp_cosim.runners.compare.scenarios import Outcome, read_outcome, results_file
from dlmp_cosim.runners.plain_table import Rows

RETAIL_RATE = Rates().retail


@dataclass(frozen=True)
class Figure:
    """One figure of the paper beside ours, both as text with their unit."""

    name: str
    published: str
    ours: str


@dataclass(frozen=True)
class Day:
    """What a market run of a day contributes.

    Attributes
    ----------
    lmp : ndarray, shape (n,)
        Price at the head [$/MWh].
    real, reactive : ndarray, shape (n, n_node)
        d-LMPs [$/MWh, $/(MVAR*h)].
    demand : ndarray, shape (n,)
        Demand as a share of its peak.
    hours : float
        Length of an interval [h].
    """

    lmp: FloatArray
    real: FloatArray
    reactive: FloatArray
    demand: FloatArray
    hours: float


@click.command("replication", epilog="\b\nExample:\n  dlmp replication results/replication")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def replication_command(folder: Path, as_json: bool) -> None:
    """Hold the runs in FOLDER, written by `dlmp scenarios`, against the published figures."""
    try:
        outcomes = {name: read_outcome(folder, name, Rates()) for name in MODELS}
        figures = compare(read_day(results_file(folder, "market")), outcomes)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    table = Rows("figure", "published", "here")
    for figure in figures:
        table.add_row(figure.name, figure.published, figure.ours)
    table.print(Console())


def read_day(path: Path) -> Day:
    """Read prices and demand of a market run.

    Raises
    ------
    ResultsError
        When the file cannot be used.
    """
    with Results(path) as results:
        return Day(
            lmp=results.values("wholesale/lmp"),
            real=results.values("market/dlmp_real"),
            reactive=results.values("market/dlmp_reactive"),
            demand=results.values("wholesale/demand_ratio"),
            hours=results.period_h,
        )


def compare(day: Day, outcomes: Mapping[Scenario, Outcome]) -> list[Figure]:
    """List every published figure beside ours.

    Parameters
    ----------
    day : Day
        Prices and demand of the day.
    outcomes : mapping of str to Outcome
        What every scenario came to, by its name.
    """
    return [*price_figures(day), *use_figures(day, outcomes), *money_figures(outcomes)]


def price_figures(day: Day) -> list[Figure]:
    """Figures of the prices."""
    lmp, mean = float(day.lmp.mean()), float(day.real.mean())
    spread = spreads(day.real)
    range_of_day = spreads(day.reactive.T)
    size = np.abs(day.reactive).mean(axis=1)
    varies = size.std() > 0 and day.demand.std() > 0
    together = float(np.corrcoef(size, day.demand)[0, 1]) if varies else np.nan
    return [
        Figure("average LMP", "0.0267 $/kWh", f"{lmp / 1e3:.4f} $/kWh"),
        Figure("average real d-LMP", "0.0291 $/kWh", f"{mean / 1e3:.4f} $/kWh"),
        Figure("average real d-LMP over average LMP", "+9 %", f"{100 * (mean / lmp - 1):+.1f} %"),
        Figure(
            "average real d-LMP over the retail rate of 0.114 $/kWh",
            "26 %",
            f"{100 * mean / 1e3 / RETAIL_RATE:.0f} %",
        ),
        Figure(
            "highest over lowest real d-LMP in one interval",
            "2",
            f"median {_text(_middle(spread))}, at most {_text(_most(spread))}",
        ),
        Figure(
            "highest over lowest reactive d-LMP at one node over the day",
            "3.8",
            f"median of {np.isfinite(range_of_day).sum()} nodes {_text(_middle(range_of_day))}",
        ),
        Figure("correlation of reactive d-LMP and demand", "follows demand", _text(together)),
    ]


def spreads(prices: FloatArray) -> FloatArray:
    """Highest over lowest magnitude of each row; NaN where a price changes sign or is zero."""
    low, high = prices.min(axis=1), prices.max(axis=1)
    small = np.minimum(np.abs(low), np.abs(high))
    large = np.maximum(np.abs(low), np.abs(high))
    known = (low * high > 0) & (small > 1e-9)
    return np.where(known, large / np.where(known, small, 1.0), np.nan)


def use_figures(day: Day, outcomes: Mapping[Scenario, Outcome]) -> list[Figure]:
    """Figures of energy and of when resources are used.

    Parameters
    ----------
    day : Day
        Demand of the day.
    outcomes : mapping of str to Outcome
        What every scenario came to, by its name.
    """
    market, others = outcomes["market"], [outcomes[name] for name in MODELS if name != "market"]
    use = market.use_by_hour_kwh
    hourly = [float(day.demand[first:last].max()) for first, last in _hours(day)]
    load = market.energy_kwh["load"]
    least = min(other.energy_kwh["load"] for other in others)
    return [
        Figure("hour of the highest LMP", "17", f"{market.dearest_hour + 1}"),
        Figure("hour of the peak load", "17", f"{hourly.index(max(hourly)) + 1}"),
        Figure("hour in which resources are used most", "17", f"{use.index(max(use)) + 1}"),
        Figure(
            "load served, market against the scenarios without demand response",
            "below",
            f"{load:,.0f} against at least {least:,.0f} kWh ({100 * (load / least - 1):+.1f} %)",
        ),
    ]


def _hours(day: Day) -> list[tuple[int, int]]:
    step = max(round(1.0 / day.hours), 1)
    return [(k, k + step) for k in range(0, len(day.demand), step)]


def money_figures(outcomes: Mapping[Scenario, Outcome]) -> list[Figure]:
    """Figures of money."""
    published: dict[Scenario, str] = {
        "traditional": "large profit",
        "no_export": "large profit",
        "retail_m": "loss",
        "retail_b": "loss",
        "market": "far smaller than Traditional",
    }
    nets = [
        Figure(f"net revenue of the operator, {TITLES[name]}", text, f"{outcomes[name].money.net_usd:,.0f} $")
        for name, text in published.items()
    ]
    paid = {name: outcomes[name].money.load_usd for name in MODELS}
    least = min(paid[name] for name in MODELS if name != "market")
    return [
        *nets,
        Figure(
            "what customers pay, market against the cheapest tariff",
            "less",
            f"{paid['market']:,.0f} against {least:,.0f} $",
        ),
    ]


def _middle(values: FloatArray) -> float:
    """Median of the numbers that are there; NaN when none is."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if there.size else np.nan


def _most(values: FloatArray) -> float:
    """Largest of the numbers that are there; NaN when none is."""
    there = values[np.isfinite(values)]
    return float(there.max()) if there.size else np.nan


def _text(value: float) -> str:
    return "not defined" if np.isnan(value) else f"{value:.2f}"
