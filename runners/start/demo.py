"""`dlmp demo`: the example day, run where the user stands, with its summary and its report."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.study import SCENARIO_FILE, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.judge.summary import show_summary, summarise
from dlmp_cosim.runners.report.page import build_page
from dlmp_cosim.runners.report.runs import load_views
from dlmp_cosim.runners.run.commands import results_of, run_study, show_report
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import RUNNER_FILE, load_runner
from dlmp_cosim.runners.start.edits import set_value
from dlmp_cosim.runners.start.examples import DEMO, copy_example, find_example

REPORT = "report.html"


@click.command("demo", epilog="\b\nExamples:\n  dlmp demo\n  dlmp demo --intervals 24 --no-open")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path(DEMO))
@click.option("--intervals", type=click.IntRange(1), help="Five-minute intervals to run; by default all 288.")
@click.option(
    "--open/--no-open", "opens", default=True, show_default=True, help="Show the report in a browser."
)
def demo_command(folder: Path, intervals: int | None, opens: bool) -> None:
    """Run the example day in FOLDER, and show what came out.

    Twenty resources on IEEE's 123-node feeder trade at ISO New England's prices of 25 August 2020; six
    processes negotiate, solve and record. It takes about a minute. What is written is a study like any
    other: change it, and run it again.
    """
    _place(folder, intervals)
    runner = load_runner(folder / RUNNER_FILE)
    show_report(runner, check_study(runner))
    run_study(runner)
    results = results_of(runner)
    with Results(results) as found:
        show_summary(Console(), summarise(found), runner.study.name, results)
    page = _report(results, folder / REPORT)
    _say_next(folder, results)
    if opens and Console().is_terminal:
        click.launch(page.resolve().as_uri())


def _place(folder: Path, intervals: int | None) -> None:
    """Write the study, unless it is there from an earlier demo; shorten it where that is wanted."""
    file = folder / SCENARIO_FILE
    if not file.is_file():
        copy_example(find_example(DEMO), folder, folder.resolve().name)
    elif load_study(folder).name != folder.resolve().name or not (folder / RUNNER_FILE).is_file():
        raise InputError("is not from `dlmp demo`", where=str(folder), expected="a new folder, or the demo's")
    if intervals is not None:
        text = set_value(file.read_text(encoding="utf-8"), "time.intervals", str(intervals))
        file.write_text(text, encoding="utf-8")


def _report(results: Path, page: Path) -> Path:
    """Write the report."""
    page.write_text(build_page(load_views([results])), encoding="utf-8")
    click.echo(f"report: {page}")
    return page


def _say_next(folder: Path, results: Path) -> None:
    steps = {
        f"dlmp verdict {results}": "was any limit broken?",
        f"dlmp settle {results}": "who pays whom?",
        f"dlmp new my_study --like {DEMO}": "a study of your own",
    }
    click.echo(f"\nthe study is in {folder}; next:")
    for command, question in steps.items():
        click.echo(f"  {command:<{max(map(len, steps))}}  {question}")
