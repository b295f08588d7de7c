"""What every federate's process keeps an eye on: whether the broker is there, and what it says of the end."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from dlmp_cosim.federates.runtime.heartbeat import (
    BROKER,
    ENDED,
    Heartbeat,
    Sign,
    process_alive,
    read_sign,
    wait_for_end,
)
from dlmp_cosim.federates.runtime.hosts import far_broker, stall_limit

log = logging.getLogger(__name__)

STOPPED = 3
"""Exit code of a federate that was stopped by another's failure."""
BROKER_WATCH_S = 0.2
JOIN_S = 60.0
"""How long others may take to start, for one that waits for a broker on another host [s]."""
VERDICT_S, VERDICT_POLL_S = 3.0, 0.02
"""How long one that was stopped waits for the broker's verdict, and how often it looks [s]."""
BROKER_S = 10.0
"""How long one waits for a sign of life of the run's own broker before it joins whoever listens [s]."""
RECENT_S = 10.0
"""Age beyond which the broker's last word belongs to an earlier run [s]."""


def _broker_sign(beat: Heartbeat | None) -> Sign | None:
    return read_sign(beat.folder, BROKER) if beat is not None and beat.folder is not None else None


def is_over(beat: Heartbeat | None) -> bool:
    """Tell whether the broker has ended the run: an error while joining then is no fault of this federate."""
    sign = _broker_sign(beat)
    return sign is not None and sign.beat.stage == "failed" and sign.age_s < RECENT_S


def await_broker(beat: Heartbeat) -> None:
    """Stay until this run's own broker is there: who joins another run's breaks that as well as this one."""
    limit = time.monotonic() + BROKER_S
    while beat.folder is not None and time.monotonic() < limit:
        if _is_there(_broker_sign(beat)):
            return
        time.sleep(VERDICT_POLL_S)


def _is_there(sign: Sign | None) -> bool:
    """Tell whether a broker's sign is of one that goes on, not of one of an earlier run."""
    return sign is not None and sign.beat.stage not in ENDED and process_alive(sign.beat.pid)


def await_verdict(beat: Heartbeat | None) -> None:
    """Stay until the broker has named who is at fault: `helics run` ends all when the first leaves."""
    limit = time.monotonic() + VERDICT_S
    while time.monotonic() < limit:
        sign = _broker_sign(beat)
        if sign is None or sign.beat.stage in ENDED or not process_alive(sign.beat.pid):
            return
        time.sleep(VERDICT_POLL_S)


def watch_broker(run_folder: Path, name: str) -> None:
    """End this process when the broker's is gone: nobody is left to end a wait in HELICS.

    Parameters
    ----------
    run_folder : Path
        Folder of the signs of life.
    name : str
        Name of this process's federate.
    """
    if far_broker():
        _watch_silence(run_folder, name)
    broker = _find_broker(run_folder)
    wait_for_end(broker)
    sign = read_sign(run_folder, BROKER)
    if sign is None or sign.beat.stage not in ENDED:
        log.error("%s: the broker is gone (process %d)", name, broker)
        logging.shutdown()
        os._exit(STOPPED)


def _watch_silence(run_folder: Path, name: str) -> None:
    """End this process when a broker on another host lets it wait for too long: the link may be down."""
    limit = stall_limit()
    while True:
        time.sleep(BROKER_WATCH_S)
        sign = read_sign(run_folder, name)
        if sign is not None and sign.beat.pid == os.getpid() and _waits_in_vain(sign, limit):
            message = f"nothing was heard for {limit:g} s: the link to the broker at {far_broker()} is down, "
            message += "or somebody there does not answer"
            log.error("%s: stopped at %g s: %s", name, sign.beat.time, message)
            logging.shutdown()
            os._exit(STOPPED)


def _waits_in_vain(sign: Sign, limit: float) -> bool:
    late = max(limit, JOIN_S) if sign.beat.stage == "joining" else limit
    return sign.beat.stage in ("joining", "waiting") and sign.age_s > late


def _find_broker(run_folder: Path) -> int:
    """Wait for the broker's first sign of life, not one of an earlier run, and return its process."""
    while True:
        sign = read_sign(run_folder, BROKER)
        if sign is not None and _is_there(sign):
            return sign.beat.pid
        time.sleep(BROKER_WATCH_S)
