"""`dlmp verify`: clear a day by negotiation and by the central reference, and print the gaps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import click
from rich.console import Console
from rich.progress import Progress

from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.market.models import negotiated_models
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.judge.gaps import Gaps, negotiated, verify_model
from dlmp_cosim.runners.judge.physics import PhysicsGaps, verify_physics
from dlmp_cosim.runners.judge.walk import Day
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.run.find import find_study

COLD_EVERY_S = 3600
"""Cold clearings are tried at this interval of the day [s]."""


@click.command("verify", epilog="\b\nExample:\n  dlmp verify ieee123_day --every 12")
@click.argument("study", type=StudyName())
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="Step of intervals.")
@click.option(
    "--model", "models", multiple=True, help="Only this model; repeatable. Default: all with a reference."
)
@click.option("--ac", "physics", is_flag=True, help="Hold settled prices against the AC optimum itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_command(study: str, every: int, models: tuple[str, ...], physics: bool, as_json: bool) -> None:
    """Clear STUDY's day by negotiation and by an independent reference; print the gaps.

    STUDY is a study folder, a runner file, or the name of one in runners/. The forecast AC state of every
    interval is cleared twice, with every model that has a reference: by the negotiating agents, warm from the
    interval before, and by Clarabel on a statement of the market of its own. Exit code 0: all gaps pass (1e-4
    of the cost, 0.1 $/MWh); 2: one does not.

    With --ac the study's own model is settled against AC and held against the optimum of the AC power flow,
    found by power flows alone: prices pass at 0.005 $/MWh in the median, 0.05 at the 95th percentile and 0.2
    at most, real and reactive. That takes seconds an interval: see --every.
    """
    try:
        content = find_study(study)
        settings = negotiated(content.scenario.market.settings)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as progress:
            found: Mapping[str, Gaps | PhysicsGaps]
            if physics:
                found = {settings.model: verify_physics(content, settings, every, progress)}
            else:
                found = _against_references(content, settings, every, models, progress)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({model: asdict(gaps) for model, gaps in found.items()}, indent=2))
    else:
        as_table(found).print(Console())
    raise SystemExit(0 if all(gaps.passed for gaps in found.values()) else 2)


def _against_references(
    study: Study, settings: MarketSettings, every: int, models: tuple[str, ...], progress: Progress
) -> dict[str, Gaps]:
    """Gaps to the central reference, model by model."""
    day = Day(study)
    cold_every = max(1, COLD_EVERY_S // study.clock.period_s)
    return {
        model: verify_model(day, replace(settings, model=model), every, cold_every, progress)
        for model in models or negotiated_models()
    }


def as_table(found: Mapping[str, Gaps | PhysicsGaps]) -> Rows:
    """One column for each model."""
    table = Rows("", *found)
    for name in next(iter(found.values())).__dataclass_fields__:
        values = (getattr(gaps, name) for gaps in found.values())
        table.add_row(name, *(value if isinstance(value, str) else f"{value:.6g}" for value in values))
    return table
