"""A results file that was removed while its run was writing it: what is finished is put back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_BLOCK = 2**20


def put_back(handle: int, path: Path, finished: int) -> str:
    """Write an open file, whose name is gone, under its name again, or beside what took its place.

    Parameters
    ----------
    handle : int
        The open file.
    path : Path
        Where it stood.
    finished : int
        Intervals that it holds.

    Returns
    -------
    str
        What happened, for the user.
    """
    target = path.with_name(f"{path.stem}.rescued{path.suffix}") if path.exists() else path
    what = f"{path}: was removed or replaced while the run was writing it"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy:
            _copy_sparse(handle, copy.fileno())
    except OSError as error:
        return f"{what}, and its {finished} finished intervals cannot be saved: {error}"
    return f"{what}; its {finished} finished intervals are saved in {target}"


def _copy_sparse(source: int, target: int) -> None:
    """Copy what a file holds and leave its holes."""
    end = os.fstat(source).st_size
    os.ftruncate(target, end)
    at = 0
    while at < end:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        hole = os.lseek(source, at, os.SEEK_HOLE)
        while at < hole:
            at += os.pwrite(target, os.pread(source, min(_BLOCK, hole - at), at), at)
