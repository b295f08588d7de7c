"""Jobs through a cluster: a few more at a time than it has workers, each outcome handed on as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from distributed import Future, KilledWorker, wait
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.runners.plain_table import say
from dlmp_cosim.runners.sweep.cluster import DEATHS, Workers, cores, open_cluster
from dlmp_cosim.runners.sweep.job import Job, Outcome, code_digest, do_job

AHEAD = 1
"""Jobs that wait at the scheduler, beside those that are being done."""
LOOK_S, PATIENCE_S = 3.0, 300.0
"""How often to look for lost workers, and how long to do without any [s]."""

Receive = Callable[[Outcome], None]


def run_jobs(workers: Workers, jobs: Iterable[Job], receive: Receive) -> None:
    """Do jobs on a cluster; memory does not grow with their number.

    Parameters
    ----------
    workers : Workers
        Who does them.
    jobs : iterable of Job
        What to do, made when there is room for it.
    receive : callable
        Gets every outcome, in the order in which they come.

    Raises
    ------
    FederationError
        When a worker's disk is full, a worker has other code, or the scheduler is gone.
    """
    waiting = iter(jobs)
    out: dict[Future, int] = {}
    try:
        while True:
            for job in islice(waiting, max(AHEAD + workers.threads - len(out), 0)):
                out[workers.client.submit(do_job, replace(job, code=code_digest()), pure=False)] = job.number
            if not out:
                return
            for future in _next_done(workers, list(out)):
                receive(_outcome(future, out.pop(future)))
    finally:
        workers.client.cancel(list(out))


def _next_done(workers: Workers, futures: list[Future]) -> list[Future]:
    """Wait for the next to end, and meanwhile see to it that there are workers.

    Raises
    ------
    FederationError
        When there has been none for too long.
    """
    alone_since = time.monotonic()
    while True:
        try:
            return list(wait(futures, timeout=LOOK_S, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            workers.replace_lost()
        if workers.threads:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > PATIENCE_S:
            raise FederationError(f"no worker is left, and none came within {PATIENCE_S:g} s") from None


def _outcome(future: Future, number: int) -> Outcome:
    """Take what a future holds; the death of a worker, again and again, is an outcome of its run."""
    if future.status == "finished":
        outcome: Outcome = future.result()
        if outcome.stops:
            raise FederationError(f"run {outcome.number}: {outcome.error}")
        return outcome
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        return Outcome(number, error=f"its worker died, {DEATHS} times in a row")
    raise FederationError(f"the scheduler is gone or gave run {number} up ({error or future.status})")


def run_here(
    jobs: Iterable[Job], count: int, receive: Receive, *, title: str, scheduler: str = "", workers: int = 0
) -> None:
    """Do jobs on a cluster of one's own or another's, with a progress bar.

    Parameters
    ----------
    jobs : iterable of Job
        What to do.
    count : int
        How many there are.
    receive : callable
        Gets every outcome.
    title : str
        Name beside the bar.
    scheduler, workers
        As for `open_cluster`; no more workers than jobs are started.
    """
    if not count:
        return
    console = Console(stderr=True)
    with (
        open_cluster(scheduler, min(workers or cores(), count)) as found,
        _progress(console, title, count) as advance,
    ):
        say(console, f"dashboard: {found.dashboard}")

        def note(outcome: Outcome) -> None:
            receive(outcome)
            advance(outcome)

        run_jobs(found, jobs, note)


@contextmanager
def _progress(console: Console, title: str, count: int) -> Iterator[Receive]:
    """Show how many are done, failed and to come, and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    failed = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=count, failed="")

        def advance(outcome: Outcome) -> None:
            nonlocal failed
            failed += bool(outcome.error)
            bar.update(task, advance=1, failed=f"{failed} failed" if failed else "")

        yield advance
