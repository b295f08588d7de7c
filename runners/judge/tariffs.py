"""`dlmp tariffs` says what a day costs every customer under five retail tariffs made from its d-LMPs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.scenario import ZONE
from dlmp_cosim.feeders.errors import DlmpError, ResultsError
from dlmp_cosim.market.money.tariffs import TITLES, Bill, TariffTerms, Usage, bills, exposed
from dlmp_cosim.runners.arguments import ResultsFile, finite
from dlmp_cosim.runners.judge.ledger import account_for, missing_part
from dlmp_cosim.runners.plain_table import Rows


@click.command("tariffs", epilog="\b\nExample:\n  dlmp tariffs results/ieee123_day/results.h5")
@click.argument("results", type=ResultsFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every customer's bill.")
@click.option("--peak", nargs=2, type=click.IntRange(0, 24), default=(12, 20), show_default=True,
              help="First local hour of the peak rate, and the hour it ends, maybe a day later.")  # fmt: skip
@click.option("--critical-hours", type=click.IntRange(1), default=2, show_default=True,
              help="Dearest hours that critical peak pricing prices apart.")  # fmt: skip
@click.option("--block", type=click.FloatRange(0.0, 1.0), callback=finite, default=0.7, show_default=True,
              help="Share of its mean power that a customer buys as a fixed block.")  # fmt: skip
def tariffs_command(
    results: Path, as_json: bool, peak: tuple[int, int], critical_hours: int, block: float
) -> None:
    """Bill every load of RESULTS under five tariffs made from its d-LMPs, and say who bears price swings."""
    first, end = peak
    if first == end:
        raise click.BadParameter(f"the peak ends at {end} h, where it begins.", param_hint="--peak")
    hours = range(first, end if end > first else end + 24)
    terms = TariffTerms(tuple(hour % 24 for hour in hours), critical_hours, block)
    try:
        with Results(results) as run:
            usage, names, missing = read_usage(run), run.network.load_ids, missing_part(run)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    found = bills(usage, terms)
    if as_json:
        click.echo(json.dumps(as_table(found, usage, names) | {"missing": missing}, indent=2))
        return
    show(found, usage, names, Console())
    if missing:
        click.echo(missing)


def read_usage(results: Results) -> Usage:
    """Read what every load used, and what it cost at its d-LMPs.

    Raises
    ------
    ResultsError
        When the run has no d-LMPs, or the file cannot be used.
    """
    settlement = account_for(results).settlement
    if settlement is None:
        raise ResultsError(f"{results.path}: is a run under a tariff; expected one with d-LMPs")
    if not (results.intervals and results.network.loads):
        raise ResultsError(f"{results.path}: has nobody to bill; expected loads, and a finished interval")
    seconds = results.time
    local = [datetime.fromtimestamp(t, UTC).astimezone(ZONE).hour for t in seconds.tolist()]
    return Usage(
        kwh=settlement.load.owner_kwh,
        usd=settlement.load.owner_usd,
        hour=(seconds - seconds[0]) // 3600,
        local_hour=np.array(local),
    )


def as_table(found: list[Bill], usage: Usage, names: tuple[str, ...]) -> dict[str, Any]:
    """Write bills as plain data; money in $, energy in kWh.

    Parameters
    ----------
    found : list of Bill
        Bills of the tariffs.
    usage : Usage
        What they bill.
    names : tuple of str, length n_customer
        Names of the customers.
    """
    share = exposed(found, usage)
    return {
        "customers": list(names),
        "kwh": usage.kwh.sum(axis=0).tolist(),
        "dlmp_usd": usage.usd.sum(axis=0).tolist(),
        "tariffs": {
            bill.tariff: {
                "total_usd": float(bill.usd.sum()),
                "bills_usd": bill.usd.tolist(),
                "spread_usd_per_mwh": bill.spread.tolist(),
                "spike_usd": bill.spike_usd.tolist(),
                "rate_usd_per_mwh": bill.rate.tolist(),
                "customers_bear": share[bill.tariff],
            }
            for bill in found
        },
    }


def _mean_spread(bill: Bill, usage: Usage) -> float:
    """Mean spread of all customers by their energy; 0 where nobody used any [$/MWh]."""
    kwh = usage.kwh.sum(axis=0)
    return float(bill.spread @ kwh / kwh.sum()) if kwh.sum() > 0.0 else 0.0


def show(found: list[Bill], usage: Usage, names: tuple[str, ...], console: Console) -> None:
    """Print totals, who gains and loses most against the d-LMP, and who bears price swings.

    Parameters
    ----------
    found : list of Bill
        Bills of the tariffs.
    usage : Usage
        What they bill.
    names : tuple of str, length n_customer
        Names of the customers.
    console : Console
        Where to.
    """
    table = Rows(
        "tariff", "all bills $", "rates $/MWh", "gains most", "loses most",
        "swing $/MWh", "customers bear",
        title="Tariffs from d-LMPs",
    )  # fmt: skip
    share, own = exposed(found, usage), usage.usd.sum(axis=0)
    for bill in found:
        change = bill.usd - own
        best, worst = int(change.argmin()), int(change.argmax())
        table.add_row(
            TITLES[bill.tariff],
            f"{bill.usd.sum():,.2f}",
            f"{bill.rate.min():.1f} to {bill.rate.max():.1f}",
            f"{names[best]} {change[best]:+.2f} $",
            f"{names[worst]} {change[worst]:+.2f} $",
            f"{_mean_spread(bill, usage):.1f}",
            f"{100 * share[bill.tariff]:.0f} %",
        )
    table.print(console)
    console.print(
        "Gains and losses: against paying the own d-LMP. Swing: standard deviation of what a kWh costs. "
        "Customers bear: share of a doubled dearest hour."
    )
