"""Studies side by side through the engine of sweeps, each leaving its results file where it says."""

from __future__ import annotations

from collections.abc import Sequence

from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.runners.sweep.engine import run_here
from dlmp_cosim.runners.sweep.folder import write_whole
from dlmp_cosim.runners.sweep.job import RESULTS, Job, Outcome
from dlmp_cosim.runners.sweep.pack import Packer


def run_studies(studies: Sequence[Study], *, title: str, scheduler: str = "", workers: int = 0) -> None:
    """Run studies on a cluster and write their results files.

    Parameters
    ----------
    studies : sequence of Study
        What to run; each scenario as it stands in memory.
    title : str
        Name beside the progress bar.
    scheduler : str
        Address of a Dask scheduler; empty for workers on this machine.
    workers : int
        How many of those; 0 for one a core.

    Raises
    ------
    ResultsError
        When a study failed, after all others have run; or a file cannot be written.
    FederationError
        When there are no workers to be had.
    """
    failed: dict[int, str] = {}

    def receive(outcome: Outcome) -> None:
        if outcome.error:
            failed[outcome.number] = outcome.error
            return
        path = studies[outcome.number].results_file
        try:
            write_whole(path, outcome.files[RESULTS])
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror}") from None

    jobs = (_job(number, study) for number, study in enumerate(studies))
    run_here(jobs, len(studies), receive, title=title, scheduler=scheduler, workers=workers)
    if failed:
        first = min(failed)
        others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise ResultsError(f"{studies[first].name} failed: {failed[first]}{others}")


def _job(number: int, study: Study) -> Job:
    table = study.scenario.model_dump(mode="json", exclude_none=True)
    return Job(number, Packer(study.folder).pack(table), keep=(RESULTS,), measured=False)
