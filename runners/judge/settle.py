"""`dlmp settle` says who paid whom in a run, and stores it in the results file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from federates.results.run import Results
from feeders.errors import DlmpError
from runners.judge.ledger import Account, account_for, missing_part, store_settlement

LEDGER = (
    ("load_usd", "loads pay"),
    ("dg_usd", "generators are paid"),
    ("flex_usd", "flexible loads are paid"),
    ("wholesale_usd", "wholesale market is paid"),
    ("net_revenue_usd", "operator keeps"),
)
PARTS = {
    "loss_collected": "losses, collected through prices",
    "loss_cost": "losses, bought at the LMP",
    "voltage": "voltage limits",
    "congestion": "line ratings",
    "reactive": "reactive energy",
    "curtailment": "paid for demand not consumed",
}
COSTS = ("loss_cost", "curtailment")


@click.command("settle")
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--store/--no-store", default=True, show_default=True, help="Write it into the results file.")
def settle_command(results: Path, as_json: bool, store: bool) -> None:
    """Settle a run: energy, remuneration, wholesale purchase and the operator's net revenue."""
    try:
        with Results(results) as run:
            account = account_for(run)
            table = summary(account) | {
                "intervals": run.intervals,
                "complete": run.complete,
                "missing": missing_part(run),
            }
        if store and account.settlement is not None:
            store_settlement(results, account.settlement)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(table, indent=2))
    else:
        show(table, Console())


def summary(account: Account) -> dict[str, Any]:
    """Sum an account up over the run, by the names of ``dlmp settle --json``.

    Parameters
    ----------
    account : Account
        What was settled.

    Returns
    -------
    dict
        Money [$], energy [kWh], and under a market the operator's net revenue by part [$].
    """
    money, metered, settlement = account.money, account.metered, account.settlement
    table: dict[str, Any] = {
        "scenario": account.scenario,
        "imbalance_usd": account.imbalance_usd,
        "net_revenue_usd": money.net_usd,
        "wholesale_usd": money.wholesale_usd,
        "load_usd": money.load_usd,
        "dg_usd": money.dg_usd,
        "flex_usd": money.flex_usd,
        "wholesale_of_loads_usd": money.wholesale_of_loads_usd,
        "energy_kwh": {
            "load": float(metered.load.sum()),
            "dg": float(metered.generation.sum()),
            "flex": float(metered.spared.sum()),
            "wholesale": float(metered.head.sum()),
            "losses": float(metered.losses.sum()),
        },
    }
    if settlement is not None:
        parts = settlement.parts
        table["net_revenue_parts_usd"] = {
            name: float(getattr(parts, name).sum()) * (-1 if name in COSTS else 1) for name in PARTS
        }
    return table


def show(table: dict[str, Any], console: Console) -> None:
    """Print a summary for people."""
    ledger = Table("who", "$", "kWh", title="Ledger", title_justify="left")
    energy = table["energy_kwh"]
    for key, text in LEDGER:
        kwh = energy.get(key.removesuffix("_usd"))
        ledger.add_row(text, f"{table[key]:,.2f}", "" if kwh is None else f"{kwh:,.0f}")
    console.print(ledger)
    if "net_revenue_parts_usd" in table:
        parts = Table("operator's net revenue from", "$", title="Where it comes from", title_justify="left")
        for name, text in PARTS.items():
            parts.add_row(text, f"{table['net_revenue_parts_usd'][name]:,.2f}")
        console.print(parts)
    console.print(
        f"ledger out of balance by {table['imbalance_usd']:.1e} $ over {table['intervals']} intervals"
    )
    if table["missing"]:
        console.print(table["missing"], style="bold")
