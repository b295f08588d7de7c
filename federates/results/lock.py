"""Who may write a results file: one process at a time, by the lock that HDF5 itself honours."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlmp_cosim.feeders.errors import ResultsError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a results file, made empty when there is none, while another takes its place.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ResultsError
        When another process is writing it.
    OSError
        When it cannot be opened.
    """
    handle = _hold_named(path)
    try:
        yield
    finally:
        if stands(handle, path) and not os.fstat(handle).st_size:
            path.unlink()
        os.close(handle)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Name a file that will take the place of another; what is left under the name is removed."""
    draft = path.with_name(f".{path.name}.new")
    try:
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def lock(handle: int, path: Path) -> None:
    """Lock an open file until it is closed; ResultsError when another process has it.

    Parameters
    ----------
    handle : int
        Descriptor of the open file.
    path : Path
        Its name, for the message.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ResultsError(
            f"{path}: another run is writing this file, which is locked; give the run another folder (-o)"
        ) from None


def _hold_named(path: Path) -> int:
    """Open and lock what the name stands for: another run may replace the file between the two steps."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            lock(handle, path)
            if stands(handle, path):
                return handle
        except ResultsError:
            os.close(handle)
            raise
        os.close(handle)


def stands(handle: int, path: Path) -> bool:
    """Tell whether a name still stands for an open file.

    Parameters
    ----------
    handle : int
        Descriptor of the open file.
    path : Path
        The name; somebody may have removed or replaced what it stands for.
    """
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False
