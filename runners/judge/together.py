"""`dlmp substation`: a run of several feeders at a glance, as a figure, and against one program of all."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError, ResultsError
from dlmp_cosim.market.spells import in_a_row
from dlmp_cosim.runners.arguments import ResultsFile
from dlmp_cosim.runners.judge.central_adder import AdderGap, adder_gaps
from dlmp_cosim.runners.judge.ledger import local_time
from dlmp_cosim.runners.judge.substation_figure import draw_substation
from dlmp_cosim.runners.judge.verdict import SUBSTATION_MARK
from dlmp_cosim.runners.plain_table import Rows

PASSES_PRICE, PASSES_COST = 0.1, 1e-4
"""Difference of an adder [$/MWh], and relative difference of cost, that pass."""


@click.command("substation")
@click.argument("results", type=ResultsFile())
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the day: a .png, .svg or .pdf.")
@click.option(
    "--verify",
    type=click.IntRange(min=1),
    help="Hold every n-th interval with an adder or products to one program of all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def substation_command(results: Path, figure: Path | None, verify: int | None, as_json: bool) -> None:
    """Say when shared limits had a price, and what it was.

    With --verify the adders, and the prices of ancillary products, are held against one central program of
    all feeders at the AC states that the run ended with; exit code 2 when one differs by more than 0.1 $/MWh,
    or the cost by more than 1e-4.
    """
    try:
        with Results(results) as run:
            if SUBSTATION_MARK not in run:
                raise ResultsError(
                    f"{results}: holds the results of one feeder; expected those of a substation"
                )
            gaps = adder_gaps(run, verify) if verify else []
            rows = spells(run)
            if figure is not None:
                draw_substation(run, figure)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"spells": rows, "gaps": [asdict(item) for item in gaps]}, indent=2))
    else:
        _show(Console(), rows, gaps)
    if any(item.gap > PASSES_PRICE or abs(item.cost) > PASSES_COST for item in gaps):
        raise SystemExit(2)


def spells(run: Results) -> list[dict[str, float | str | int]]:
    """List the times in which shared limits had a price.

    Parameters
    ----------
    run : Results
        Results of the substation.
    """
    adder, kw = run.values("substation/adder"), run.values("substation/head_power_real")
    exchanges, records = run.values("substation/exchanges"), run.records(SUBSTATION_MARK)
    found: list[dict[str, float | str | int]] = []
    for begin, end in in_a_row(adder != 0.0):
        inside = slice(begin, end)
        found.append(
            {
                "begin": local_time(int(run.time[begin])),
                "intervals": end - begin,
                "limit": str(records[begin]["binding"]),
                "adder_mean": float(adder[inside].mean()),
                "adder_max": float(adder[inside][np.abs(adder[inside]).argmax()]),
                "kw_mean": float(kw[inside].mean()),
                "exchanges_mean": float(exchanges[inside].mean()),
            }
        )
    return found


def _show(console: Console, rows: list[dict[str, float | str | int]], gaps: list[AdderGap]) -> None:
    table = Rows("from", "intervals", "limit", "adder, mean", "largest $/MWh", "kW, mean", "exchanges")
    for row in rows:
        numbers = (row["adder_mean"], row["adder_max"], row["kw_mean"], row["exchanges_mean"])
        shown = [f"{number:,.2f}" for number in numbers[:2]] + [f"{number:,.0f}" for number in numbers[2:]]
        table.add_row(str(row["begin"]), str(row["intervals"]), str(row["limit"]), *shown)
    table.print(console)
    if not rows:
        console.print("no shared limit had a price")
    if gaps:
        console.print(
            f"against one program of all feeders, {len(gaps)} intervals: prices differ by "
            f"{max(item.gap for item in gaps):.3f} $/MWh at most, a feeder's power by "
            f"{max(item.kw for item in gaps):.2f} kW, cost by {max(abs(item.cost) for item in gaps):.1e}"
        )
