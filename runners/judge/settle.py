"""`dlmp settle` says who paid whom in a run, and stores it in the results file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.market.money.settlement import CurtailmentRule
from dlmp_cosim.runners.arguments import ResultsFile
from dlmp_cosim.runners.judge.holdings import Holding, holdings, penalised
from dlmp_cosim.runners.judge.ledger import (
    Account,
    account_for,
    curtailment_rule,
    missing_part,
    read_equipment,
    store_settlement,
)
from dlmp_cosim.runners.judge.tiers import tell_tiers
from dlmp_cosim.runners.judge.verdict import SUBSTATION_MARK
from dlmp_cosim.runners.plain_table import Rows, money

LEDGER = (
    ("load_usd", "loads pay"),
    ("dg_usd", "generators are paid"),
    ("participants_usd", "of these, wholesale participants"),
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
OF_ADDER = "substation's adder on losses"
"""What the operator of a feeder at a substation keeps besides."""


@click.command("settle")
@click.argument("results", type=ResultsFile())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--curtailment",
    type=click.Choice(["paper", "net"]),
    help="What flexible loads are paid: paper, the d-LMP on top of not buying; net, less that saving. By "
    "default as the scenario says.",
)
@click.option("--store/--no-store", default=True, show_default=True, help="Write it into the results file.")
def settle_command(results: Path, as_json: bool, curtailment: CurtailmentRule | None, store: bool) -> None:
    """Settle a run: energy, remuneration, wholesale purchase and the operator's net revenue.

    Every resource has a line of its own: what it earned, what its offers say that it cost, its profit, and
    what a storage holds at the end. Results of a substation are settled with those of its feeders.
    """
    try:
        with Results(results) as run:
            if SUBSTATION_MARK in run:
                tell_tiers(run, as_json=as_json, rule=curtailment)
                return
            account = account_for(run, rule=curtailment)
            table = (
                summary(account)
                | details(run, account, curtailment)
                | {
                    "intervals": run.intervals,
                    "complete": run.complete,
                    "missing": missing_part(run),
                }
            )
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
    if settlement is not None and settlement.participants is not None:
        table["participants_usd"] = float(settlement.participants.usd.sum())
        table["energy_kwh"]["participants"] = float(settlement.participants.energy_kwh.sum())
    if settlement is not None:
        parts = settlement.parts
        table["net_revenue_parts_usd"] = {
            name: float(getattr(parts, name).sum()) * (-1 if name in COSTS else 1) for name in PARTS
        }
        if parts.substation.any():
            table["net_revenue_parts_usd"]["substation"] = float(parts.substation.sum())
    return table


def details(run: Results, account: Account, rule: CurtailmentRule | None) -> dict[str, Any]:
    """Say what only a market has: a line for each resource, and what penalties do to the money.

    Parameters
    ----------
    run : Results
        The run.
    account : Account
        Its account.
    rule : {"paper", "net"} or None
        Rule of the account, unless it is the scenario's.

    Returns
    -------
    dict
        Empty under a tariff.
    """
    settlement = account.settlement
    if settlement is None:
        return {}
    found, high, own = holdings(run, settlement), penalised(run), read_equipment(run)
    rest = np.setdiff1d(np.arange(run.intervals), high)
    return {
        "curtailment": rule or curtailment_rule(run),
        "resources": [_plain(item) for item in found],
        "equipment": {
            "groups_usd": dict(own.by_group),
            "head_usd": own.head_usd,
            "capacitors": [asdict(item) for item in own.elements if item.group == "capacitor"],
            "regulators": [asdict(item) for item in own.elements if item.group == "regulator"],
        },
        "penalties": {
            "intervals": len(high),
            "load_usd_without": float(settlement.load.usd[rest].sum()),
            "dg_usd_without": float(settlement.generation.usd[rest].sum()),
            "net_revenue_usd_without": float(settlement.net_revenue[rest].sum()),
        },
    }


def _plain(item: Holding) -> dict[str, Any]:
    row = asdict(item) | {"profit_usd": item.profit_usd}
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()
    }


def show(table: dict[str, Any], console: Console) -> None:
    """Print a summary for people.

    Parameters
    ----------
    table : dict
        The summary, as ``--json`` prints it.
    console : Console
        Where to.
    """
    ledger = Rows("who", "$", "kWh", title="Ledger")
    energy = table["energy_kwh"]
    for key, text in LEDGER:
        if key not in table:
            continue
        kwh = energy.get(key.removesuffix("_usd"))
        ledger.add_row(text, money(table[key]), "" if kwh is None else f"{kwh:,.0f}")
    ledger.print(console)
    if "net_revenue_parts_usd" in table:
        parts = Rows("operator's net revenue from", "$", title="Where it comes from")
        for name, value in table["net_revenue_parts_usd"].items():
            parts.add_row(PARTS.get(name, OF_ADDER), money(value))
        parts.print(console)
    if table.get("resources"):
        _show_resources(table["resources"], console)
    if table.get("equipment"):
        _show_equipment(table["equipment"], console)
    console.print(
        f"ledger out of balance by {table['imbalance_usd']:.1e} $ over {table['intervals']} intervals"
    )
    for note in notes(table):
        console.print(note)
    if table["missing"]:
        console.print(table["missing"], style="bold")


def _show_resources(rows: list[dict[str, Any]], console: Console) -> None:
    """Print a line for each resource that did anything, the best paid first."""
    lines = Rows("resource", "kWh", "earned $", "cost $", "profit $", "stored kWh", title="Resources")
    used = [row for row in rows if row["energy_kwh"] or row["earned_usd"] or row["stored_kwh"] is not None]
    for row in sorted(used, key=lambda row: (-row["earned_usd"], row["resource"])):
        sums = (row[key] for key in ("earned_usd", "cost_usd", "profit_usd"))
        shown = ("" if value is None else money(value) for value in sums)
        stored = "" if row["stored_kwh"] is None else f"{row['stored_kwh']:,.1f}"
        lines.add_row(row["resource"], f"{row['energy_kwh']:,.1f}", *shown, stored)
    lines.print(console)
    if len(used) < len(rows):
        console.print(f"{len(rows) - len(used)} more resources were not used")


def _show_equipment(table: dict[str, Any], console: Console) -> None:
    """Print what the operator's own equipment earned at the prices of its nodes."""
    lines = Rows("operator's own", "$", "kvarh", title="Equipment, valued like any other resource")
    for item in (*table["capacitors"], *table["regulators"]):
        usd = item["real_usd"] + item["reactive_usd"]
        lines.add_row(item["name"], money(usd), f"{item['kvarh']:,.0f}")
    rest = {key: value for key, value in table["groups_usd"].items() if key not in ("capacitor", "regulator")}
    for group, value in rest.items():
        lines.add_row(f"all of kind {group}", money(value), "")
    lines.print(console)


def notes(table: dict[str, Any]) -> list[str]:
    """Say what the money contains that its size does not show."""
    if "penalties" not in table:
        return []
    found = [
        "equipment of the operator is paid nothing: what it would earn is what the operator keeps of energy",
        "flexible loads are paid "
        + ("the d-LMP on top of not buying" if table["curtailment"] == "paper" else "by not buying alone")
        + f" (curtailment = {table['curtailment']})",
    ]
    penalties = table["penalties"]
    if penalties["intervals"]:
        found.append(
            f"contains penalty prices: a limit could not be held in {penalties['intervals']} of "
            f"{table['intervals']} intervals; without them loads pay {penalties['load_usd_without']:,.2f} $, "
            f"generators are paid {penalties['dg_usd_without']:,.2f} $, the operator keeps "
            f"{penalties['net_revenue_usd_without']:,.2f} $"
        )
    return found
