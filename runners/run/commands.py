"""`dlmp check` and `dlmp run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from federates.runtime.heartbeat import Beat
from federates.runtime.ports import broker_port
from feeders.errors import DlmpError
from runners.run.preflight import Report, check_study
from runners.run.progress import show_progress
from runners.run.runner_file import Runner, find_runner, load_runner
from runners.run.supervise import Failure, run_folder_of, supervise

NOT_SOUND = 2
"""Exit code of a study that is refused before anything starts."""

Watch = Callable[[Mapping[str, Beat]], None]


@click.command("check", epilog="\b\nExample:\n  dlmp check ieee123_day")
@click.argument("study")
def check_command(study: str) -> None:
    """Say what is wrong with STUDY before anything starts.

    STUDY is a runner file, or the name of one in runners/. Every key of the scenario, the HELICS files and
    the runner file is checked, every subscription against its publisher, the feeder and its assets, the price
    and demand files, and the port. Exit code 0: sound; 2: not.
    """
    runner = _load(study)
    try:
        port = broker_port()
    except DlmpError as error:
        raise _refused(error) from None
    report = check_study(runner, port=port)
    _show(runner, report)
    clock = runner.study.clock
    click.echo(
        f"{runner.content.name}: sound. {report.federates} federates, {report.topics} topics, "
        f"{clock.intervals} intervals of {clock.period_s} s"
    )


@click.command(
    "run",
    epilog="\b\nExamples:\n  dlmp run ieee123_day\n  dlmp run ieee123_day -o results/second --time-limit 600",
)
@click.argument("study")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder of the results."
)
@click.option("--quiet", is_flag=True, help="Say nothing unless something goes wrong.")
@click.option("--time-limit", type=float, help="End the run after so many seconds.")
def run_command(study: str, output: Path | None, quiet: bool, time_limit: float | None) -> None:
    """Run STUDY under supervision, after checking it.

    STUDY is a runner file, or the name of one in runners/. Ports are chosen freely, so any number of runs can
    go on at once; give each its own folder with -o. When a federate fails, dies or stops answering,
    everything ends, the culprit is named with the last lines of its log, and its exit code is this command's.
    Results keep every finished interval.
    """
    runner = _load(study)
    _show(runner, check_study(runner))
    began = time.perf_counter()
    try:
        with _progress(runner, quiet=quiet) as watch:
            failure = supervise(runner, results_folder=output, time_limit_s=time_limit, watch=watch)
    except DlmpError as error:
        raise _refused(error, code=1) from None
    folder = run_folder_of(runner, output)
    if failure is not None:
        _tell(failure, folder)
        raise SystemExit(failure.exit_code)
    if not quiet:
        took = time.perf_counter() - began
        results = folder.parent / Path(runner.study.scenario.results.file).name
        click.echo(
            f"{runner.content.name}: {runner.study.clock.intervals} intervals in {took:.1f} s -> {results}"
        )


@contextmanager
def _progress(runner: Runner, *, quiet: bool) -> Iterator[Watch | None]:
    if quiet:
        yield None
        return
    with show_progress(runner.content.name, runner.study.clock.intervals) as watch:
        yield watch


def _load(study: str) -> Runner:
    try:
        return load_runner(find_runner(study))
    except DlmpError as error:
        raise _refused(error) from None


def _show(runner: Runner, report: Report) -> None:
    """Print notes and errors; leave when there are errors."""
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    for error in report.errors:
        click.echo(f"error: {error}", err=True)
    if report.errors:
        count = len(report.errors)
        click.echo(
            f"{runner.content.name}: {count} error{'s' if count > 1 else ''}, nothing was started", err=True
        )
        raise SystemExit(NOT_SOUND)


def _refused(error: DlmpError, code: int = NOT_SOUND) -> SystemExit:
    click.echo(f"error: {error}", err=True)
    return SystemExit(code)


def _tell(failure: Failure, folder: Path) -> None:
    if not failure.culprit:
        click.echo(f"error: {failure.message}", err=True)
        return
    click.echo(f"error: {failure.culprit}: {failure.message}", err=True)
    click.echo(f"last lines of {folder / failure.culprit}.log:", err=True)
    for line in failure.log:
        click.echo(f"  {line}", err=True)
