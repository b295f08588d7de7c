"""Signs of life: each federate keeps one small file up to date, which tells a watcher who blocks and why.

A file and not a HELICS query, because a killed or stopped process answers no query.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import select
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from dlmp_cosim.feeders.errors import FederationError

Stage = Literal["starting", "joining", "working", "waiting", "finished", "failed", "stopped"]
"""What a federate is doing; `failed` by its own fault, `stopped` because the federation ended."""

BROKER = "broker"
"""Name under which the broker process reports that it is alive."""
CULPRIT = "culprit"
"""Figure in which a failed broker names the federate at fault."""
ENDED: frozenset[Stage] = frozenset({"finished", "failed", "stopped"})
_SIZE, _ERROR_LENGTH = 8192, 1000
_READS = 3
"""Attempts at reading a file that is being written."""


@dataclass(frozen=True)
class Beat:
    """What one federate last said.

    Attributes
    ----------
    federate : str
        Its name.
    pid : int
        Its process.
    stage : str
        What it is doing.
    time : float
        Simulated time that it was last granted [s]; -1 before the first.
    wanted : float
        Simulated time that it waits for [s].
    error : str
        Why it failed.
    figures : mapping of str to float or str
        What a progress line shows.
    """

    federate: str
    pid: int
    stage: Stage
    time: float = -1.0
    wanted: float = -1.0
    error: str = ""
    figures: Mapping[str, float | str] = field(default_factory=dict)


class Heartbeat:
    """Writer of one federate's sign of life; holds its file, so that two runs cannot share a folder.

    Parameters
    ----------
    folder : Path or None
        Run folder; None keeps nothing, for federates that run as threads.
    federate : str
        Name of the federate.

    Raises
    ------
    FederationError
        When a process of another run holds the file.
    """

    def __init__(self, folder: Path | None, federate: str) -> None:
        self._beat: dict[str, Any] = asdict(Beat(federate, os.getpid(), "starting"))
        self.folder = folder
        self.failed_at = math.inf
        self._file = -1
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _hold(beat_file(folder, federate))
            self._write()

    def tell(self, stage: Stage, **changes: float | str | Mapping[str, float | str]) -> None:
        """Replace the stage and any other field of the beat; a long error is cut.

        Of a failure the first word stays: said again, after the federation heard of it, it would seem to
        follow those that it brought down.
        """
        if stage == "failed":
            if self.failed_at < math.inf:
                return
            self.failed_at = time.monotonic()
        self._beat |= {"stage": stage, **changes}
        self._beat["error"] = str(self._beat["error"])[:_ERROR_LENGTH]
        self._write()

    def close(self) -> None:
        """Close the file; what was said last stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self) -> None:
        if self._file < 0:
            return
        os.pwrite(self._file, json.dumps(self._beat).encode().ljust(_SIZE), 0)


@dataclass(frozen=True)
class Sign:
    """A beat and how long ago it was written [s of wall time]."""

    beat: Beat
    age_s: float


def refuse_if_held(folder: Path) -> None:
    """Raise FederationError when a run that is going on keeps its signs of life in this folder."""
    for file in sorted(folder.glob("*.beat")):
        os.close(_hold(file))


def _hold(file: Path) -> int:
    """Open a file that only one process may have open."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise FederationError(
            f"another run is writing to {file.parent.parent}; wait for it, or choose another folder (-o)"
        ) from None
    return handle


def beat_file(folder: Path, federate: str) -> Path:
    """Path of a federate's sign of life.

    Parameters
    ----------
    folder : Path
        Run folder.
    federate : str
        Name of the federate.
    """
    return folder / f"{federate}.beat"


def read_sign(folder: Path, federate: str, *, since: float = 0.0) -> Sign | None:
    """Read a federate's last sign of life.

    Parameters
    ----------
    folder : Path
        Run folder.
    federate : str
        Name of the federate.
    since : float
        Wall time before which a file belongs to an earlier run [s since 1970].

    Returns
    -------
    Sign or None
        None when there is none yet, or none that can be read.
    """
    file = beat_file(folder, federate)
    for _ in range(_READS):
        try:
            written = file.stat().st_mtime
            if written < since:
                return None
            return Sign(_beat(file.read_bytes()), max(time.time() - written, 0.0))
        except FileNotFoundError:
            return None
        except (TypeError, ValueError):
            time.sleep(0.001)
    return None


def _beat(text: bytes) -> Beat:
    """Take a sign of life apart; TypeError or ValueError when it is none, or one of another version."""
    return Beat(**json.loads(text))


def process_alive(pid: int) -> bool:
    """Tell whether a process of this host runs; one that ended and was not yet collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return True
    return state not in "ZX"


def wait_for_end(pid: int, poll_s: float = 0.2) -> None:
    """Wait until a process of this host has ended: at once where the system tells, else by looking.

    Parameters
    ----------
    pid : int
        Number of the process.
    poll_s : float
        How often to look where the system does not tell [s].
    """
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:
            pass
        else:
            select.select([handle], [], [])
            os.close(handle)
            return
    while process_alive(pid):
        time.sleep(poll_s)
