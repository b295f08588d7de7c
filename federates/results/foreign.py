"""Results of another study: a run keeps them, unless it is told not to."""

from __future__ import annotations

from pathlib import Path

from dlmp_cosim.federates.results.lock import held
from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.feeders.errors import ResultsError


def refuse_foreign(path: Path, name: str) -> None:
    """Keep what another study left.

    Parameters
    ----------
    path : Path
        Where a run is about to write its results.
    name : str
        Name of its study.

    Raises
    ------
    ResultsError
        When the file is there and is not known to be of the study of this name.
    """
    if not path.exists() or not path.stat().st_size:
        return
    advice = "expected another folder, or `dlmp run --overwrite`"
    try:
        with Results(path) as found:
            there = str(found.scenario["study"]["name"])
    except ResultsError as error:
        raise ResultsError(f"{error}; it is kept: {advice}") from None
    if there != name:
        raise ResultsError(f"{path}: holds the results of study {there!r}, not of {name!r}; {advice}")


def remove(path: Path) -> None:
    """Remove what stands where results go.

    Parameters
    ----------
    path : Path
        A file, or nothing.

    Raises
    ------
    ResultsError
        When a run is writing it.
    """
    if path.exists():
        with held(path):
            path.unlink()
