"""`dlmp verify`: clear a day by negotiation and by the central reference, and print the gaps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from feeders.errors import DlmpError
from market.models import negotiated_models
from runners.judge.gaps import Gaps, negotiated, verify_model
from runners.judge.walk import Day
from runners.run.find import find_study

COLD_EVERY_S = 3600
"""Cold clearings are tried at this interval of the day [s]."""


@click.command("verify", epilog="\b\nExample:\n  dlmp verify ieee123_day --every 12")
@click.argument("study")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Step of intervals.")
@click.option(
    "--model", "models", multiple=True, help="Only this model; repeatable. Default: all with a reference."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_command(study: str, every: int, models: tuple[str, ...], as_json: bool) -> None:
    """Clear STUDY's day by negotiation and centrally, with every model that has a reference; print the gaps.

    STUDY is a study folder, a runner file, or the name of one in runners/. The forecast AC state of every
    interval is cleared twice: by the negotiating agents, warm from the interval before, and by Clarabel on a
    statement of the market of its own. Exit code 0: all gaps pass (1e-4 of the cost, 0.1 $/MWh); 2: one does
    not.
    """
    try:
        content = find_study(study)
        settings, day = negotiated(content.scenario.market.settings), Day(content)
        cold_every = max(1, COLD_EVERY_S // content.clock.period_s)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
            found = {
                model: verify_model(day, replace(settings, model=model), every, cold_every, progress)
                for model in models or negotiated_models()
            }
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({model: asdict(gaps) for model, gaps in found.items()}, indent=2))
    else:
        Console().print(as_table(found))
    raise SystemExit(0 if all(gaps.passed for gaps in found.values()) else 2)


def as_table(found: Mapping[str, Gaps]) -> Table:
    """One column for each model."""
    table = Table("", *found)
    for name in Gaps.__dataclass_fields__:
        table.add_row(name, *(f"{getattr(gaps, name):.6g}" for gaps in found.values()))
    return table
