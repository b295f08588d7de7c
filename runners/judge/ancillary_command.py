"""`dlmp ancillary`: what a substation bought of its feeders' resources, what it called, and what came."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import DlmpError, ResultsError
from dlmp_cosim.runners.arguments import ResultsFile
from dlmp_cosim.runners.judge.ancillary import judge_ancillary
from dlmp_cosim.runners.judge.ancillary_figure import draw_ancillary
from dlmp_cosim.runners.judge.ancillary_shown import show_ancillary, show_calls


@click.command(
    "ancillary", epilog="\b\nExample:\n  dlmp ancillary results/substation_trip/results.h5 --figure trip.png"
)
@click.argument("results", type=ResultsFile())
@click.option("--beside", type=ResultsFile(), help="Draw how far off another run was, such as one without.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw it: a .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ancillary_command(results: Path, beside: Path | None, figure: Path | None, as_json: bool) -> None:
    """Say which capacity was bought, how every call was answered, and how far power was off.

    Results are those of a substation whose scenario has an `[ancillary]` table.
    """
    try:
        with ExitStack() as stack:
            run = stack.enter_context(Results(results))
            other = stack.enter_context(Results(beside)) if beside is not None else None
            for path, item in ((results, run), (beside, other)):
                if item is not None and "substation/deviation" not in item:
                    raise ResultsError(
                        f"{path}: expected results of a substation whose scenario has an [ancillary] table"
                    )
            verdict = judge_ancillary(run)
            if figure is not None:
                draw_ancillary(run, other, figure)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if verdict is None:
        raise click.ClickException(f"{results}: its scenario has no [ancillary]")
    if as_json:
        click.echo(json.dumps(asdict(verdict), indent=2))
        return
    console = Console()
    show_ancillary(console, verdict)
    show_calls(console, verdict)
