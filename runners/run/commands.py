"""`dlmp check` and `dlmp run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from dlmp_cosim.federates.results.foreign import refuse_foreign, remove
from dlmp_cosim.federates.runtime.heartbeat import Beat
from dlmp_cosim.federates.runtime.ports import broker_port
from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.runners.arguments import StudyName, finite
from dlmp_cosim.runners.run.preflight import Report, check_study
from dlmp_cosim.runners.run.progress import show_progress
from dlmp_cosim.runners.run.runner_file import Runner, find_runner, load_runner
from dlmp_cosim.runners.run.supervise import Failure, run_folder_of, supervise

NOT_SOUND = 2
"""Exit code of a study that is refused before anything starts."""

Watch = Callable[[Mapping[str, Beat]], None]


@click.command("check", epilog="\b\nExample:\n  dlmp check ieee123_day")
@click.argument("study", type=StudyName())
def check_command(study: str) -> None:
    """Say what is wrong with STUDY before anything starts.

    STUDY is a runner file, or the name of one in runners/. Every key of the scenario, the HELICS files and
    the runner file is checked, every subscription against its publisher, the feeder and its assets, the price
    and demand files, and the port. What is hardly meant, such as costs in $/kWh, is a warning with
    its figure. Exit code 0: sound; 2: not.
    """
    runner = _load(study)
    try:
        port = broker_port()
    except DlmpError as error:
        raise _refused(error) from None
    report = check_study(runner, port=port)
    show_report(runner, report)
    clock = runner.study.clock
    click.echo(
        f"{runner.content.name}: sound. {report.federates} federates, {report.topics} topics, "
        f"{clock.intervals} intervals of {clock.period_s} s"
    )


@click.command(
    "run",
    epilog="\b\nExamples:\n  dlmp run ieee123_day\n  dlmp run ieee123_day -o results/second --time-limit 600",
)
@click.argument("study", type=StudyName())
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder of the results."
)
@click.option("--overwrite", is_flag=True, help="Replace what stands there, another study's results too.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something goes wrong.")
@click.option("--time-limit", type=float, callback=finite, help="End the run after so many seconds.")
@click.option("--host", default="", help="Start the processes of this host alone, as the runner file says.")
def run_command(
    study: str, output: Path | None, overwrite: bool, quiet: bool, time_limit: float | None, host: str
) -> None:
    """Run STUDY under supervision, after checking it.

    STUDY is a runner file, or the name of one in runners/. Ports are chosen freely, so any number of runs can
    go on at once; give each its own folder with -o. When a federate fails, dies or stops answering,
    everything ends, the culprit is named with the last lines of its log, and its exit code is this command's.
    Results keep every finished interval. Results of the same study are replaced, those of another are not.
    """
    runner = _load(study)
    show_report(runner, check_study(runner))
    try:
        if overwrite:
            remove(results_of(runner, output))
        refuse_foreign(results_of(runner, output), runner.study.name)
    except DlmpError as error:
        raise _refused(error) from None
    run_study(runner, output, quiet=quiet, time_limit=time_limit, host=host)


def run_study(
    runner: Runner,
    output: Path | None = None,
    *,
    quiet: bool = False,
    time_limit: float | None = None,
    host: str = "",
) -> None:
    """Run a study that was checked, with progress; leave with the culprit's exit code when it fails.

    Parameters
    ----------
    runner : Runner
        What to start.
    output : Path, optional
        Folder of the results, if not where the scenario says.
    quiet : bool
        Say nothing unless something goes wrong.
    time_limit : float, optional
        Wall time after which the run is ended [s].
    host : str
        Start the processes of this host alone; empty: all.
    """
    began = time.perf_counter()
    try:
        with _progress(runner, quiet=quiet) as watch:
            failure = supervise(
                runner, results_folder=output, time_limit_s=time_limit, watch=watch, host=host
            )
    except DlmpError as error:
        raise _refused(error, code=1) from None
    folder = run_folder_of(runner, output)
    if failure is not None:
        _tell(failure, folder)
        raise SystemExit(failure.exit_code)
    if not quiet:
        took = time.perf_counter() - began
        click.echo(
            f"{runner.content.name}: {runner.study.clock.intervals} intervals in {took:.1f} s -> "
            f"{results_of(runner, output)}"
        )


def results_of(runner: Runner, output: Path | None = None) -> Path:
    """Results file of a run, as a user can type it.

    Parameters
    ----------
    runner : Runner
        The runner file.
    output : Path, optional
        Folder that a user wants results in; that of the scenario by default.
    """
    folder = run_folder_of(runner, output).parent
    here = Path.cwd()
    folder = folder.relative_to(here) if here in (folder, *folder.parents) else folder
    return folder / Path(runner.study.scenario.results.file).name


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


def show_report(runner: Runner, report: Report) -> None:
    """Print notes, warnings and errors; leave when there are errors.

    Parameters
    ----------
    runner : Runner
        The runner file that was checked.
    report : Report
        What was found.

    Raises
    ------
    SystemExit
        When there are errors, with exit code `NOT_SOUND`.
    """
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
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
