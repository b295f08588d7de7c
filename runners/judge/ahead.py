"""`dlmp ahead`: how well a run looked ahead, what its stores earned, and what they changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.contract.ahead import read_ahead
from dlmp_cosim.federates.contract.heard import price_at
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError, ResultsError
from dlmp_cosim.feeders.network import FloatArray, Resource
from dlmp_cosim.market.horizon.terms import Store
from dlmp_cosim.market.money.storage import StoreAccount, account_store
from dlmp_cosim.runners.judge.day_cost import DayCost, day_cost
from dlmp_cosim.runners.judge.offered import owned_rows
from dlmp_cosim.runners.plain_json import finite
from dlmp_cosim.runners.plain_table import Rows, say

LEADS_H = ((0.0, 1.0), (1.0, 4.0), (4.0, 12.0), (12.0, np.inf))
"""How far ahead, in groups [h]."""


@dataclass(frozen=True)
class LeadErrors:
    """How far forecasts and plans were from what came, over all steps so far ahead.

    Attributes
    ----------
    from_h, to_h : float
        How far ahead [h].
    steps : int
        Steps that count: those that the run has lived to see.
    lmp, lmp_bias : float
        Mean size and mean of forecast less what came [$/MWh].
    demand : float
        The same size, of the demand [kW].
    head : float
        Mean size of planned less realised head power [kW].
    voltage : float
        Mean size of planned less realised lowest voltage [pu].
    dlmp : float
        Mean size of advisory less paid mean d-LMP [$/MWh].
    """

    from_h: float
    to_h: float
    steps: int
    lmp: float
    lmp_bias: float
    demand: float
    head: float
    voltage: float
    dlmp: float


def lead_errors(results: Results) -> list[LeadErrors]:
    """Hold every step ahead against what came, by how far ahead it was.

    Raises
    ------
    ResultsError
        When the run did not look ahead.
    """
    records = _records(results)
    came = {
        "lmp": results.values("wholesale/lmp"),
        "demand_kw": np.array([record["steps"][0]["demand_kw"] for record in records]),
        "head_kw": results.values("feeder/head_power_real").sum(axis=1),
        "voltage_low": _lowest(results),
        "dlmp_mean": results.values("market/dlmp_real").mean(axis=1),
    }
    rows = [
        (
            (step["first"] - k) * results.period_h,
            *(_missed(step, key, came[key], np.min if key == "voltage_low" else np.mean) for key in came),
        )
        for k, record in enumerate(records)
        for step in record["steps"][1:]
        if step["after"] <= results.intervals
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 1 + len(came))
    found = []
    for low, high in LEADS_H:
        mine = table[(table[:, 0] >= low) & (table[:, 0] < high), 1:]
        if len(mine):
            size, bias = np.nanmean(np.abs(mine), axis=0), np.nanmean(mine, axis=0)
            numbers = map(float, (size[0], bias[0], *size[1:]))
            found.append(LeadErrors(low, high, len(mine), *numbers))
    return found


def _missed(step: dict[str, Any], key: str, came: FloatArray, over: Callable[[FloatArray], Any]) -> float:
    """Planned less realised over the intervals of a step; NaN where nothing was planned."""
    planned = step.get(key)
    return float("nan") if planned is None else planned - float(over(came[step["first"] : step["after"]]))


def _records(results: Results) -> list[dict[str, Any]]:
    if "market/horizon" not in results:
        raise ResultsError(
            f"{results.path}: the run did not look ahead; its scenario has no [market] horizon"
        )
    return results.records("market/horizon")


def _lowest(results: Results) -> FloatArray:
    """Lowest voltage of every interval, of nodes that have one [pu]."""
    magnitude = results.values("feeder/voltage_magnitude")
    return np.asarray(np.where(magnitude > 0, magnitude, np.inf).min(axis=1))


def store_accounts(results: Results) -> dict[str, StoreAccount]:
    """Keep the books of every store that was offered with its terms in the first interval."""
    found = {}
    for interval, place, row in owned_rows(results):
        store = _store(row) if interval == 0 else None
        if store is not None:
            resource = results.network.resources[place]
            found[resource.name] = _account(results, resource, place, store)
    return found


def _store(row: dict[str, Any]) -> Store | None:
    """Store that an offer tells of; None where it tells of none, or nothing that can be read."""
    try:
        return read_ahead(row["ahead"]).store if row.get("ahead") else None
    except ValueError:
        return None


def _account(results: Results, resource: Resource, place: int, store: Store) -> StoreAccount:
    owner, dlmp = resource.owner, results.values("market/dlmp_real")
    price = np.array([price_at(results.network, resource, row) for row in dlmp])
    power = results.values("market/dispatch_real")[:, place]
    said = results.values(f"{owner}/energy") if f"{owner}/energy" in results else None
    return account_store(store, resource.kw_max, power, price, results.period_h, said)


@click.command("ahead")
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--without", type=click.Path(path_type=Path), help="Results of the same day without what looks ahead."
)
@click.option("--figure", type=click.Path(path_type=Path), help="Draw energy, prices, power and losses.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ahead_command(results: Path, without: Path | None, figure: Path | None, as_json: bool) -> None:
    """Say how a run looked ahead: forecasts and plans against what came, and what stores earned."""
    try:
        with Results(results) as run:
            leads, accounts, mine = lead_errors(run), store_accounts(run), day_cost(run)
            names, short = _records(run)[0]["forecast"], _named(run)
            other: DayCost | None = None
            if without is not None:
                with Results(without) as base:
                    other = day_cost(base)
        if figure is not None:
            from dlmp_cosim.runners.judge.ahead_figure import draw_ahead

            draw_ahead(results, without, figure)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(finite(_table(leads, accounts, mine, other, names, short)), indent=2))
    else:
        _show(leads, accounts, mine, other, names, short)


def _named(run: Results) -> dict[str, list[str]]:
    """Name once what plans could not meet, and stores that would burn energy, with the first interval."""
    found: dict[str, dict[str, str]] = {"short": {}, "both_ways": {}}
    for k, record in enumerate(_records(run)):
        for key, seen in found.items():
            for text in record[key]:
                seen.setdefault(text.split(" ", 1)[0], f"interval {k}: {text}")
    return {key: list(seen.values()) for key, seen in found.items()}


def _table(
    leads: list[LeadErrors],
    accounts: dict[str, StoreAccount],
    mine: DayCost,
    other: DayCost | None,
    names: dict[str, str],
    short: dict[str, list[str]],
) -> dict[str, Any]:
    stores = {
        name: {
            "earned_usd": a.earned,
            "kept_usd": a.kept,
            "foresight_usd": a.foresight,
            "uplift_usd": a.uplift,
            "conserved_kwh": a.conserved_kwh,
            "rent_usd": a.revenue.tolist(),
        }
        for name, a in accounts.items()
    }
    return {
        "forecast": names,
        "leads": [asdict(lead) for lead in leads],
        "stores": stores,
        "day": asdict(mine),
        "without": asdict(other) if other else None,
        **short,
    }


def _show(
    leads: list[LeadErrors],
    accounts: dict[str, StoreAccount],
    mine: DayCost,
    other: DayCost | None,
    names: dict[str, str],
    short: dict[str, list[str]],
) -> None:
    console = Console()
    say(console, f"forecasts: price {names['price']}, demand {names['demand']}, PV {names['pv']}")
    table = Rows("ahead", "steps", "LMP $/MWh", "bias", "demand kW", "head kW", "voltage pu", "d-LMP $/MWh")
    for lead in leads:
        until = "on" if np.isinf(lead.to_h) else f"to {lead.to_h:g} h"
        numbers = (lead.lmp, lead.lmp_bias, lead.demand, lead.head)
        cells = [*(f"{x:.2f}" for x in numbers), f"{lead.voltage:.4f}", f"{lead.dlmp:.2f}"]
        table.add_row(f"{lead.from_h:g} h {until}", str(lead.steps), *cells)
    table.print(console)
    if accounts:
        books = Rows("store", "earned $", "energy kept $", "perfect foresight $", "uplift $", "conserved kWh")
        for name, a in accounts.items():
            money = (f"{x:.2f}" for x in (a.earned, a.kept, a.foresight, a.uplift))
            books.add_row(name, *money, f"{a.conserved_kwh:.1g}")
        books.print(console)
    cost = Rows("day", "run", *(("without", "saved") if other else ()))
    for name, value in asdict(mine).items():
        before = asdict(other)[name] if other else 0.0
        more = (f"{before:,.2f}", f"{before - value:,.2f}") if other else ()
        cost.add_row(name.replace("_", " "), f"{value:,.2f}", *more)
    cost.print(console)
    for lines in short.values():
        for line in lines:
            say(console, line)
