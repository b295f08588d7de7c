"""One run as a worker does it: laid out in a folder of its own, run in this process, measured."""

from __future__ import annotations

import errno
import hashlib
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlmp_cosim.federates
import dlmp_cosim.feeders
import dlmp_cosim.market
import dlmp_cosim.runners
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.base import Build, summary
from dlmp_cosim.federates.runtime.direct import run_direct
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import DlmpError, FederationError, ResultsError
from dlmp_cosim.runners.sweep.pack import Pack

RESULTS = "results"
"""What to keep of a run beside topics: its whole results file."""
STUDY = "study"
"""Folder of a run in which its study is laid out."""
NO_SPACE = "No space left on device"
CODE = (dlmp_cosim.feeders, dlmp_cosim.market, dlmp_cosim.federates, dlmp_cosim.runners)
"""Packages whose code decides what comes out of a run."""


@dataclass(frozen=True)
class Job:
    """One run to do.

    Attributes
    ----------
    number : int
        Which run of its kind.
    pack : Pack
        The study.
    federates : mapping of str to str
        Federates of the run, and the class of each; empty for the package's own.
    keep : tuple of str
        What to bring back beside the summary: ``results``, and topics as `check_topic` splits them.
    measured : bool
        Whether to sum the run up.
    code : str
        What `code_digest` has to say at the worker; empty for anything.
    """

    number: int
    pack: Pack
    federates: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(ROLES, ""))
    keep: tuple[str, ...] = ()
    measured: bool = True
    code: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes
    ----------
    number : int
        Number of the job.
    row : mapping of str to object
        Its summary, by the names of `MEASURES`; empty for a run that failed.
    files : mapping of str to bytes
        What was kept, by the text that asked for it.
    error, trace : str
        Why it failed, in a line and in full; empty when it did not.
    seconds : float
        How long it took [s].
    stops : bool
        Whether nothing else can succeed either: a full disk, or other code at the worker.
    """

    number: int
    row: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""
    trace: str = ""
    seconds: float = 0.0
    stops: bool = False


@dataclass(frozen=True)
class PlacedStudy(Study):
    """A study whose results go to a file of the caller's choice.

    Attributes
    ----------
    place : Path
        The file.
    """

    place: Path = Path("results.h5")

    @property
    def results_file(self) -> Path:
        """Where the results go."""
        return self.place


def do_job(job: Job) -> Outcome:
    """Run and measure; an error becomes part of the outcome, because a sweep goes on without it."""
    began = time.perf_counter()
    if job.code and job.code != code_digest():
        error = "the worker has other code of dlmp-cosim, of a different version or changed"
        return Outcome(job.number, error=error, stops=True)
    folder = ""
    try:
        with TemporaryDirectory(prefix="dlmp-run-") as folder:
            row, files = _run(job, Path(folder))
    except Exception as error:  # noqa: BLE001 - the outermost guard of a run: others go on
        return Outcome(
            job.number,
            # Equal runs fail with equal words, wherever they were laid out.
            error=summary(error).replace(f"{folder}/{STUDY}/", ""),
            trace="" if isinstance(error, DlmpError) else traceback.format_exc(),
            seconds=time.perf_counter() - began,
            stops=is_full_disk(error),
        )
    return Outcome(job.number, row, files, seconds=time.perf_counter() - began)


def _run(job: Job, folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    laid_out = load_study(job.pack.unpack(folder / STUDY))
    study = PlacedStudy(laid_out.folder, laid_out.scenario, folder / "results.h5")
    run_direct(study, builds_of(job.federates))
    row: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    with Results(study.results_file) as run:
        if not run.intervals:
            raise ResultsError("no interval finished")
        if job.measured:
            from dlmp_cosim.runners.sweep.measures import measure_run

            row = measure_run(run, study)
        for wanted in job.keep:
            if wanted != RESULTS:
                files[wanted] = _topic_file(run, wanted, job.number)
    if RESULTS in job.keep:
        files[RESULTS] = study.results_file.read_bytes()
    return row, files


def _topic_file(run: Results, wanted: str, number: int) -> bytes:
    import io

    import pyarrow.parquet

    from dlmp_cosim.runners.tables.topics import check_topic, long_table

    key, how = check_topic(wanted, where="keep")
    out = io.BytesIO()
    pyarrow.parquet.write_table(long_table(run, key, how, {"run": number}), out, compression="zstd")
    return out.getvalue()


def builds_of(federates: Mapping[str, str]) -> dict[str, Build]:
    """Find what makes the role of every federate.

    Raises
    ------
    InputError, FederationError
        When there is no such class, or the package has no such federate.
    """
    from dlmp_cosim.federates.host import find_build

    builds: dict[str, Build] = {}
    for name, path in federates.items():
        if path:
            builds[name] = find_build(name, path)
        elif name in ROLES:
            builds[name] = ROLES[name]
        else:
            raise FederationError(f"the package has no federate {name!r}; say which class it is")
    return builds


def is_full_disk(error: BaseException | None) -> bool:
    """Tell whether an error, or what led to it, is a disk without room."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or NO_SPACE in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


@cache
def code_digest() -> str:
    """SHA-256 over all code of the package as this process would import it."""
    digest = hashlib.sha256()
    for package in CODE:
        home = Path(str(package.__file__)).parent
        for path in sorted(home.rglob("*.py")):
            digest.update(path.relative_to(home.parent).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
