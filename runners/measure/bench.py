"""`dlmp bench`: rounds and times of a clearing, each as a ratio to a named alternative, in one run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.market.models import negotiated_models
from dlmp_cosim.market.settings import MarketSettings, Method
from dlmp_cosim.runners.arguments import StudyName
from dlmp_cosim.runners.judge.gaps import negotiated
from dlmp_cosim.runners.judge.walk import Day
from dlmp_cosim.runners.measure.growth import grow, show_growth
from dlmp_cosim.runners.measure.reading import time_reading
from dlmp_cosim.runners.measure.timing import machine, ratios, time_clearings, time_day, time_distopf
from dlmp_cosim.runners.measure.tolerances import (
    Choice,
    Sample,
    cold_levels,
    rounds_to_pass,
    take_samples,
    warm_levels,
)
from dlmp_cosim.runners.plain_table import Rows
from dlmp_cosim.runners.run.find import find_study

PUBLISHED_SAMPLES = 3
PUBLISHED_ROUNDS = 150_000
"""Budget of the methods with one agent a bus."""
METHODS: tuple[Method, ...] = ("pac", "nst-pac", "pac-accelerated")


@click.command(
    "bench",
    epilog="\b\nExamples:\n  dlmp bench ieee123_day\n  dlmp bench --json > bench.json"
    "\n  dlmp bench --circuit 13/Master.dss --circuit 8500/Master.dss --copies 4 --copies 12 -o growth.png",
)
@click.argument("study", type=StudyName(), default="ieee123_day")
@click.option(
    "--samples", type=click.IntRange(1), default=24, show_default=True, help="Intervals of the day."
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Repeats of each time.")
@click.option("--published/--no-published", default=True, show_default=True, help="Also pac and nst-pac.")
@click.option(
    "--circuit",
    "circuits",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Measure this OpenDSS circuit instead of STUDY; may be given again.",
)
@click.option(
    "--copies",
    multiple=True,
    type=click.IntRange(2),
    help="Also this many copies of the last circuit behind one substation; may be given again.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Draw the circuits' times (.png, .svg, .pdf).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench_command(
    study: str,
    samples: int,
    repeats: int,
    published: bool,
    circuits: tuple[Path, ...],
    copies: tuple[int, ...],
    output: Path | None,
    as_json: bool,
) -> None:
    """Measure STUDY's clearings: rounds to the optimum, and times against CVXPY, Clarabel and distopf.

    Rounds are those of the loosest stopping tolerance from which on cost is within 1e-4 and every real d-LMP
    within 0.1 $/MWh of the central optimum: from nothing, and from where the interval before ended. Samples
    lie evenly over the day, and evenly over the intervals in which a limit has a price. Times are medians,
    each alternative in turn on the same interval, in this process. A day of five-minute prices (13 MB) is
    read as well, and compared with pandas splitting its rows. All in one run takes some minutes.

    With circuits, one clearing of each is timed where limits bind, cold and warm, against Clarabel on the
    same problem, and up to a thousand nodes against CVXPY: every load offers a fifth of its demand, and a
    tenth of as many generators 70 % of it. Those times are processor time.
    """
    if (copies or output) and not circuits:
        raise click.UsageError("--copies and --output go with --circuit")
    try:
        if circuits:
            show_growth(grow(circuits, copies, repeats, output, quiet=as_json), as_json=as_json)
            return
        content = find_study(study)
        settings, day = negotiated(content.scenario.market.settings), Day(content)
        with _progress(quiet=as_json) as (bar, task):
            found = measure(day, settings, samples, repeats, (bar, task))
            if published:
                found["published"] = {
                    model: published_rounds(day, replace(settings, model=model))
                    for model in negotiated_models()
                }
    except DlmpError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show(Console(), found)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[tuple[Progress, TaskID]]:
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        yield bar, bar.add_task("measuring", total=4 * len(negotiated_models()) + 2)


def measure(
    day: Day, settings: MarketSettings, count: int, repeats: int, progress: tuple[Progress, TaskID]
) -> dict[str, Any]:
    """Measure rounds and times of both models.

    Parameters
    ----------
    day : Day
        The day.
    settings : MarketSettings
        Limits and tolerances.
    count, repeats : int
        Samples, and times that each is timed.
    progress : (Progress, TaskID)
        What to advance.

    Returns
    -------
    dict
        What ``dlmp bench --json`` prints, without the published methods. The ratios at its top are those of
        the nodal model.
    """
    bar, task = progress
    distopf = time_distopf()
    bar.advance(task)
    reading = time_reading(repeats)
    bar.advance(task)
    found: dict[str, Any] = {
        "machine": machine(),
        "rounds": {},
        "seconds": {"distopf": distopf, **reading},
        "ratios": {},
        "reading_over_pandas": reading["reading"] / reading["reading_pandas"],
    }
    for model in negotiated_models():
        chosen = replace(settings, model=model)
        for name, binding in ((model, False), (f"{model}, limits binding", True)):
            samples = take_samples(day, chosen, count, binding=binding)
            found["rounds"][name] = count_rounds(samples)
            bar.advance(task)
            if samples:
                times = time_clearings(samples, repeats)
                found["seconds"][name], found["ratios"][name] = times, ratios(times, distopf)
            bar.advance(task)
        whole = {f"day_{key}": took for key, took in time_day(day, chosen).items()}
        found["seconds"].setdefault(model, {}).update(whole)
    found.update(found["ratios"].get(negotiated_models()[0], {}))
    return found


def count_rounds(samples: Sequence[Sample]) -> dict[str, float | None]:
    """Count rounds to the optimum; None where a sample never passes."""
    usual = Choice("usual", "usual")
    figures: dict[str, float | None] = {"samples": len(samples)}
    for name, levels in (("cold", cold_levels), ("warm", warm_levels)):
        rounds = [as_number(rounds_to_pass(levels(sample, usual))) for sample in samples] or [0.0]
        figures |= {f"{name}_median": _finite(float(median(rounds))), f"{name}_max": _finite(max(rounds))}
    return figures


def as_number(rounds: int | None) -> float:
    """Make "never" infinity."""
    return float("inf") if rounds is None else float(rounds)


def _finite(rounds: float) -> float | None:
    return rounds if rounds < float("inf") else None


def published_rounds(day: Day, settings: MarketSettings) -> dict[str, dict[str, int | None]]:
    """Count rounds with one agent a bus, from nothing, at hours in which a limit has a price."""
    samples = take_samples(day, settings, PUBLISHED_SAMPLES, binding=True)
    table: dict[str, dict[str, int | None]] = {}
    for method in METHODS:
        chosen = Choice(
            method,
            method,
            settings=(("method", method), ("agents", 0), ("negotiation_rounds", PUBLISHED_ROUNDS)),
        )
        table[method] = {
            f"interval {sample.case.interval}": rounds_to_pass(cold_levels(sample, chosen))
            for sample in samples
        }
    return table


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Print every table for people."""
    for name in ("rounds", "seconds", "ratios"):
        rows = {key: row for key, row in found[name].items() if isinstance(row, dict)}
        _table(name, rows).print(console)
    for model, rows in found.get("published", {}).items():
        _table(f"rounds with one agent a bus, {model}", rows).print(console)
    console.print(f"reading / pandas: {_text(found['reading_over_pandas'])}", highlight=False, markup=False)
    for unit, figures in ((", seconds", found["seconds"]), ("", found["machine"])):
        for key, value in figures.items():
            if not isinstance(value, dict):
                console.print(f"{_words(key)}{unit}: {_text(value)}", highlight=False, markup=False)


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Rows:
    heads = list(dict.fromkeys(head for row in rows.values() for head in row))
    table = Rows("", *map(_words, heads), title=title)
    for key, row in rows.items():
        table.add_row(_words(key), *(_text(row.get(head)) for head in heads))
    return table


def _words(key: str) -> str:
    """Spell a key so that it can be broken into lines: ``pac_warm_over_cvxpy`` is "pac warm / cvxpy"."""
    return key.replace("_over_", " / ").replace("_", " ")


def _text(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
