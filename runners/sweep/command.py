"""`dlmp sweep`: many runs of a study, drawn from a file, on as many workers as there are."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.runners.sweep.engine import run_here
from dlmp_cosim.runners.sweep.folder import Folder, open_folder
from dlmp_cosim.runners.sweep.plan import Plan, load_plan

INTERRUPTED = 130
"""Exit code after Ctrl-C."""
SOME_FAILED = 3
"""Exit code when runs failed and the others are done."""


@click.command(
    "sweep",
    epilog="\b\nExamples:\n  dlmp sweep configs/sweeps/loading.toml -o results/loading\n"
    "  dlmp sweep configs/sweeps/hosting.toml -o results/hosting --draws 500 --scheduler tcp://10.0.0.5:8786",
)
@click.argument("sweep", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder."
)
@click.option("--draws", type=click.IntRange(1), help="Draws instead of those that SWEEP names.")
@click.option("--workers", type=click.IntRange(1), help="Workers on this machine; one a core by default.")
@click.option("--scheduler", default="", help="Address of a Dask scheduler to use instead.")
@click.option("--retry-failed", is_flag=True, help="Do runs again that failed.")
@click.option("--check", "check_only", is_flag=True, help="Check every run, and start none.")
def sweep_command(
    sweep: Path,
    output: Path,
    draws: int | None,
    workers: int | None,
    scheduler: str,
    retry_failed: bool,
    check_only: bool,
) -> None:
    """Run a study many times, as SWEEP says, and sum every run up in a row of DIR/summary.parquet.

    SWEEP is a TOML file: a base study, axes that vary it (a list, named cases, days, or a distribution to
    draw from) and what to keep of every run. All runs are checked before the first starts.

    Ctrl-C keeps what is done, and the same command goes on from there; so it does after a crash. A run that
    fails is recorded with its error and stops no other; exit code 3 says that there are some. Results do not
    depend on the number of workers, nor on the order in which runs end.
    """
    try:
        plan = load_plan(sweep, draws)
        plan.check()
        if check_only:
            click.echo(f"{plan.sweep.name}: sound. {len(plan.design)} runs")
            return
        with open_folder(output, plan.identity()) as folder:
            _run(plan, folder, scheduler, workers or 0, retry_failed)
    except DlmpError as error:
        raise click.ClickException(str(error)) from error


def _run(plan: Plan, folder: Folder, scheduler: str, workers: int, retry_failed: bool) -> None:
    left = to_do(plan, folder, retry_failed)
    console, count = Console(stderr=True, highlight=False, markup=False), len(plan.design)
    console.print(f"{plan.sweep.name}: {count} runs, {count - len(left)} of them done before")
    try:
        run_here(
            map(plan.job, left), len(left), folder.record,
            title=plan.sweep.name, scheduler=scheduler, workers=workers,
        )  # fmt: skip
    except (KeyboardInterrupt, OSError) as error:
        if not _is_interrupt(error):
            raise
        folder.read_again()
        done = len(folder.done)
        console.print(f"interrupted: {done} of {count} runs are kept; the same command goes on from there")
        raise SystemExit(INTERRUPTED) from None
    finally:
        if folder.done:
            folder.write_summary(plan.design)
    failed = [line for number, line in sorted(folder.done.items()) if line["error"] and number < count]
    for line in failed[:3]:
        console.print(f"run {line['run']} failed: {line['error']}", soft_wrap=True)
    click.echo(
        f"{plan.sweep.name}: {count - len(failed)} runs finished, {len(failed)} failed -> {folder.path}"
    )
    if failed:
        raise SystemExit(SOME_FAILED)


def _is_interrupt(error: BaseException | None) -> bool:
    """Tell whether somebody interrupted; workers that do not end in time may raise an error over that."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def to_do(plan: Plan, folder: Folder, retry_failed: bool) -> list[int]:
    """Numbers of the runs that are not done yet.

    Parameters
    ----------
    plan : Plan
        All runs.
    folder : Folder
        What is done.
    retry_failed : bool
        Whether runs that failed are to be tried again.
    """
    return [
        number
        for number in range(len(plan.design))
        if number not in folder.done or (retry_failed and folder.done[number]["error"])
    ]
