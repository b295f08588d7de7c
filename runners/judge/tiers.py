"""The ledger of a run of several feeders, from the substation's results and those of its feeders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.market.ancillary.money import AncillaryLedger
from dlmp_cosim.market.money.settlement import CurtailmentRule
from dlmp_cosim.market.money.tiers import FeederAccount, Metered, TwoTiers, feeder_account, two_tiers
from dlmp_cosim.runners.judge.ancillary import ancillary_ledger
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.plain_table import Rows, money

MAIN = ("customers", "resources", "machines", "operator", "bought")


def read_tiers(run: Results, rule: CurtailmentRule | None = None) -> TwoTiers:
    """Settle all feeders of a run, and the substation with them.

    Parameters
    ----------
    run : Results
        Results of the substation; those of the feeders lie beside them.
    rule : {"paper", "net"}, optional
        What flexible loads are paid; by default as each scenario says.

    Raises
    ------
    ResultsError
        When a feeder's results are not there, have other intervals, or are not settled at d-LMPs.
    """
    names = [item.name for item in SubstationScenario.model_validate(run.scenario).feeders]
    accounts = {name: _account(run, name, rule) for name in names}
    metered = Metered(
        hours=run.period_h,
        adder=run.values("substation/adder"),
        head_kw={name: run.values(f"{name}/head_power_real") for name in names},
        lmp={name: run.values(f"{name}/lmp") for name in names},
    )
    expected = {name: run.values(f"{name}/predicted_head_power_real") for name in names}
    return two_tiers(accounts, metered, ancillary_ledger(run, metered.head_kw, expected))


def _account(run: Results, name: str, rule: CurtailmentRule | None) -> FeederAccount:
    path = run.path.parent / f"{name}.h5"
    with Results(path) as feeder:
        if feeder.intervals != run.intervals:
            raise ResultsError(
                f"{path}: has {feeder.intervals} intervals, and the substation {run.intervals}; "
                "one ledger needs the same"
            )
        account, network = account_for(feeder, rule=rule), feeder.network
    if account.settlement is None:
        raise ResultsError(f"{path}: is settled at a tariff; one ledger of all feeders needs d-LMPs")
    return feeder_account(account.settlement, network.load_ids, network.resource_ids)


def tell_tiers(run: Results, *, as_json: bool, rule: CurtailmentRule | None) -> None:
    """Print the ledger of a run of several feeders.

    Parameters
    ----------
    run : Results
        Results of the substation; those of the feeders lie beside them.
    as_json : bool
        Whether to print JSON in place of tables.
    rule : {"paper", "net"} or None
        What flexible loads are paid; None as each scenario says.

    Raises
    ------
    ResultsError
        When a feeder's results are not there, have other intervals, or are not settled at d-LMPs.
    """
    tiers = read_tiers(run, rule)
    if as_json:
        click.echo(json.dumps(_plain(tiers), indent=2))
    else:
        _show(Console(), tiers, run.intervals)


def _plain(tiers: TwoTiers) -> dict[str, Any]:
    def rows(account: FeederAccount) -> Mapping[str, Any]:
        return {f"{key}_usd": getattr(account, key) for key in MAIN}

    table: dict[str, Any] = {
        "feeders": {name: rows(account) for name, account in tiers.feeders.items()},
        "substation_usd": tiers.substation,
        "wholesale_usd": tiers.wholesale,
        "imbalance_usd": tiers.imbalance_usd,
    }
    ledger = tiers.ancillary
    if ledger is not None:
        table["ancillary"] = {
            "paid_usd": ledger.paid,
            "charged_usd": dict(ledger.charged),
            "products_usd": dict(ledger.products),
            "sellers": [asdict(item) for item in ledger.sellers],
        }
    return table


def _show(console: Console, tiers: TwoTiers, intervals: int) -> None:
    table = Rows("feeder", "customers $", "resources $", "operator $", "paid to substation $", title="Ledger")
    for name, account in tiers.feeders.items():
        sums = (
            sum(account.customers.values()),
            sum(account.resources.values()) + account.machines,
            account.operator,
            account.bought,
        )
        table.add_row(name, *map(money, sums))
    table.print(console)
    above = Rows("who", "$")
    above.add_row("feeders pay the substation", money(tiers.bought))
    above.add_row("substation pays the wholesale market", money(tiers.wholesale))
    above.add_row("substation keeps for what is shared", money(tiers.substation))
    above.print(console)
    if tiers.ancillary is not None:
        _show_ancillary(console, tiers.ancillary, list(tiers.feeders))
    console.print(f"ledger out of balance by {tiers.imbalance_usd:.1e} $ over {intervals} intervals")


def _show_ancillary(console: Console, ledger: AncillaryLedger, feeders: list[str]) -> None:
    """Print what was paid for capacity and called energy, and by whom."""
    table = Rows("feeder", "its resources are paid $", "its operator pays $", title="Ancillary services")
    for name in feeders:
        table.add_row(name, money(ledger.of_feeder(name)), money(ledger.charged.get(name, 0.0)))
    table.print(console)
    sold = Rows("resource", "product", "MW h held", "for capacity $", "for called energy $")
    for item in sorted(ledger.sellers, key=lambda item: -item.usd):
        sums = (item.held_kwh / 1e3, item.capacity_usd, item.called_usd)
        sold.add_row(f"{item.feeder}.{item.resource}", item.product, *map(money, sums))
    sold.print(console)
