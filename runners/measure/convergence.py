"""`dlmp convergence`: what makes the negotiation converge, one choice varied at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.market.models import negotiated_models
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.judge.walk import Day
from dlmp_cosim.runners.measure.convergence_figure import draw_levels
from dlmp_cosim.runners.measure.tolerances import (
    Choice,
    Level,
    Sample,
    cold_levels,
    rounds_to_pass,
    take_samples,
    warm_levels,
)
from dlmp_cosim.runners.measure.variations import GROUPS, PUBLISHED, USUAL_CHOICE
from dlmp_cosim.runners.plain_json import finite
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.report.figure_file import check_figure
from dlmp_cosim.runners.run.find import find_study

NEVER = "never"
BUDGET = 100_000
"""Rounds after which a choice counts as never arriving."""
FEW = 3
"""Samples on which the slow methods are tried."""


@dataclass(frozen=True)
class Row:
    """Rounds of one choice over the samples.

    Attributes
    ----------
    group, choice : str
        What is varied, and to what.
    rounds : list of int or None
        Rounds to the criterion, one per sample; None where it was not met.
    messages, scalars : float
        Messages between neighbours in a round, and numbers in them.
    """

    group: str
    choice: str
    rounds: list[int | None]
    messages: float
    scalars: float

    @property
    def median(self) -> float:
        """Median, with infinity for samples that never pass."""
        return float(median([float("inf") if r is None else r for r in self.rounds]))

    @property
    def most(self) -> float:
        """Largest, infinite when a sample never passes."""
        return max(float("inf") if r is None else float(r) for r in self.rounds)


@click.command("convergence", epilog="\b\nExample:\n  dlmp convergence ieee123_day --figure convergence.png")
@click.argument("study", type=StudyName(), default="ieee123_day")
@click.option("--samples", type=click.IntRange(1), default=8, show_default=True, help="Intervals tried.")
@click.option(
    "--model", type=click.Choice(negotiated_models()), multiple=True, help="Only this model; both by default."
)
@click.option("--published", is_flag=True, help="Also the published iterations, which takes minutes.")
@click.option("--figure", type=click.Path(path_type=Path, dir_okay=False), help="Write the tolerance figure.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def convergence_command(
    study: str, samples: int, model: tuple[str, ...], published: bool, figure: Path | None, as_json: bool
) -> None:
    """Count the rounds that STUDY's negotiation needs, with one choice varied at a time.

    Samples are intervals in which a limit has a price, evenly over the day, each cleared from nothing. Rounds
    are those of the loosest stopping tolerance from which on cost is within 1e-4 and every real d-LMP within
    0.1 $/MWh of the central optimum.
    """
    try:
        if figure is not None:
            check_figure(figure)
        content = find_study(study)
        asked = content.scenario.market.settings
        day, settings = Day(content), replace(asked, method="pac-accelerated", negotiation_rounds=BUDGET)
        found = {}
        for name in model or negotiated_models():
            chosen = take_samples(day, replace(settings, model=name), samples, binding=True)
            if not chosen:
                raise InputError(
                    f"no interval of it has a limit with a price in the model {name!r}",
                    where=study,
                    expected="a study of two intervals or more in which agents have something to negotiate",
                )
            found[name] = study_model(chosen, published=published, quiet=as_json)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if figure is not None:
        draw({name: levels for name, (_, levels) in found.items()}, figure)
    if as_json:
        click.echo(json.dumps(finite({name: as_data(*parts) for name, parts in found.items()}), indent=2))
        return
    for name, (rows, levels) in found.items():
        rounds_table(name, rows).print(Console())
        levels_table(name, levels).print(Console())


def study_model(
    samples: Sequence[Sample], *, published: bool, quiet: bool
) -> tuple[list[Row], list[list[Level]]]:
    """Try every choice on the samples of one model, and the usual one at every tolerance.

    Returns
    -------
    list of Row
        Rounds of every choice.
    list of list of Level
        The usual choice, for every sample and tolerance.
    """
    choices = [(choice, samples) for group in GROUPS for choice in group]
    if published:
        few = samples[:: -(-len(samples) // FEW)]
        choices += [(choice, few) for group in PUBLISHED for choice in group]
    rows = []
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(samples[0].settings.model, total=len(choices) + 2)
        levels = [cold_levels(sample, USUAL_CHOICE, stop=False) for sample in samples]
        progress.advance(task)
        warm = replace(USUAL_CHOICE, group="start", name="from the interval before")
        rows.append(try_choice(samples, warm, warm_levels))
        progress.advance(task)
        for choice, tried in choices:
            rows.append(try_choice(tried, choice, cold_levels))
            progress.advance(task)
    return rows, levels


def try_choice(
    samples: Iterable[Sample], choice: Choice, clear: Callable[[Sample, Choice], list[Level]]
) -> Row:
    """Count rounds, messages and numbers of one choice on every sample."""
    found = [clear(sample, choice) for sample in samples]
    last = [levels[-1] for levels in found]
    rounds = max(sum(level.rounds for level in last), 1)
    return Row(
        choice.group,
        choice.name,
        [rounds_to_pass(levels) for levels in found],
        sum(level.messages for level in last) / rounds,
        sum(level.scalars for level in last) / rounds,
    )


def as_data(rows: Sequence[Row], levels: Sequence[Sequence[Level]]) -> dict[str, Any]:
    """Write rows and levels as plain data."""
    return {
        "rounds": [asdict(row) for row in rows],
        "tolerance": {f"{group[0].tolerance:g}": asdict(summary(group)) for group in by_tolerance(levels)},
    }


def by_tolerance(levels: Sequence[Sequence[Level]]) -> list[list[Level]]:
    """Group the levels of all samples by tolerance."""
    return [list(group) for group in zip(*levels, strict=True)]


@dataclass(frozen=True)
class Summary:
    """One tolerance over all samples: rounds, and errors of cost (relative) and real price [$/MWh]."""

    rounds_median: float
    rounds_max: int
    cost_median: float
    cost_max: float
    price_median: float
    price_max: float


def summary(group: Sequence[Level]) -> Summary:
    """Sum one tolerance up."""
    costs, prices = [level.cost for level in group], [level.price for level in group]
    rounds = [level.rounds for level in group]
    return Summary(float(median(rounds)), max(rounds), median(costs), max(costs), median(prices), max(prices))


def rounds_table(model: str, rows: Sequence[Row]) -> Rows:
    """List the rounds of every choice for people."""
    heads = ("median", "most", "messages a round", "numbers a round")
    table = Rows("varied", "choice", *heads, title=f"{model}: rounds")
    last = ""
    for row in rows:
        texts = (_text(row.median), _text(row.most), f"{row.messages:.0f}", f"{row.scalars:.0f}")
        table.add_row("" if row.group == last else row.group, row.choice, *texts)
        last = row.group
    return table


def levels_table(model: str, levels: Sequence[Sequence[Level]]) -> Rows:
    """Say what a tolerance means for cost and prices, for people."""
    heads = ("rounds", "most", "cost error", "most", "d-LMP error", "most")
    table = Rows("tolerance", *heads, title=f"{model}: tolerance")
    for group in by_tolerance(levels):
        found = summary(group)
        table.add_row(
            f"{group[0].tolerance:g}",
            f"{found.rounds_median:.0f}",
            f"{found.rounds_max}",
            *(f"{value:.1e}" for value in (found.cost_median, found.cost_max)),
            *(f"{value:.3f}" for value in (found.price_median, found.price_max)),
        )
    return table


def _text(rounds: float) -> str:
    return NEVER if rounds == float("inf") else f"{rounds:.0f}"


def draw(found: Mapping[str, Sequence[Sequence[Level]]], file: Path) -> None:
    """Draw rounds and errors over the tolerance, every sample a dot, the worst a line.

    Raises
    ------
    InputError
        When matplotlib is not installed.
    """
    draw_levels({name: by_tolerance(levels) for name, levels in found.items()}, file)
