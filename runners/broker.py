"""The broker of a federation: watches every federate and ends the run when one is at fault.

Started first by a runner file. Exit code 0 only when every federate finished its last interval.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import helics as h

from dlmp_cosim.federates.runtime.base import AnyStudy, broker_key
from dlmp_cosim.federates.runtime.door import LOG_OPTIONS, Door
from dlmp_cosim.federates.runtime.heartbeat import (
    BROKER,
    CULPRIT,
    ENDED,
    Heartbeat,
    Sign,
    process_alive,
    read_sign,
)
from dlmp_cosim.federates.runtime.hosts import listening
from dlmp_cosim.federates.runtime.ports import broker_port, check_ports
from dlmp_cosim.federates.study.substation import SubstationStudy, load_any
from dlmp_cosim.feeders.errors import DlmpError, FederationError
from dlmp_cosim.runners.arguments import finite
from dlmp_cosim.runners.run.watch import (
    Finding,
    Patience,
    Signs,
    all_finished,
    certain_fault,
    find_fault,
    going_on,
)

STARTED = time.time()
POLL_S, PROGRESS_S, SLACK_S = 0.05, 10.0, 1.0
GRACE_S = 0.4
"""Time for others to leave. `helics run` looks once a second, ends everybody when a process was killed, and
does not count that as an error: the broker must be out, with its own exit code, before it looks again."""
ERROR_CODE = 98

TIMING = "--timing=global"
"""The broker grants times itself: federates that read each other would ask each other for theirs again and
again, and keep their threads busy while they wait."""

log = logging.getLogger("broker")


class Interrupted(FederationError):  # noqa: N818 - not an error of the run
    """Somebody asked the broker to end the run."""


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--federates", required=True, help="Names of all federates, separated by commas.")
@click.option(
    "--stall",
    default=120.0,
    show_default=True,
    callback=finite,
    help="Seconds that a federate may take for one answer.",
)
@click.option(
    "--start",
    default=60.0,
    show_default=True,
    callback=finite,
    help="Seconds within which every federate must join.",
)
def main(study: Path, federates: str, stall: float, start: float) -> None:
    """Run the broker for the federates of STUDY, on the port that HELICS_BROKER_PORT gives (23404)."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    names = [name.strip() for name in federates.split(",") if name.strip()]
    try:
        run(load_any(study), names, Patience(start, stall))
    except DlmpError as error:
        raise SystemExit(f"broker: {error}") from None


def run(study: AnyStudy, names: list[str], patience: Patience) -> None:
    """Hold the federation together until it finishes; when somebody is at fault, end the process.

    Parameters
    ----------
    study : Study or SubstationStudy
        What is run.
    names : list of str
        Federates that take part.
    patience : Patience
        How long a federate may stay silent.

    Raises
    ------
    FederationError
        When the port is taken.
    """
    port = broker_port()
    check_ports(port)
    beat = Heartbeat(study.run_folder, BROKER)
    with _broker(len(names), port, broker_key(study)) as broker:
        beat.tell("working")
        log.info("%s: waiting for %s on port %d", study.name, ", ".join(names), port)
        finding = _watch(study, names, patience, Door(broker, names))
        if finding is not None:
            beat.tell("failed", error=finding.message, figures={CULPRIT: finding.culprit})
            h.helicsBrokerGlobalError(broker, ERROR_CODE, finding.message.encode())
            _wait_for(study, [name for name in names if name != finding.culprit])
            _leave(finding)
        else:
            h.helicsBrokerWaitForDisconnect(broker, int(GRACE_S * 1000))
            beat.tell("finished")


@contextmanager
def _broker(federates: int, port: int, key: str) -> Iterator[Any]:
    options = f"-f{federates} {TIMING} --port={port} {LOG_OPTIONS} --brokerkey={key} {listening()}"
    broker = h.helicsCreateBroker("zmq", f"dlmp_{os.getpid()}", options)
    if not h.helicsBrokerIsConnected(broker):
        raise FederationError(f"the broker could not listen on port {port}")
    try:
        yield broker
    finally:
        h.helicsBrokerDisconnect(broker)
        h.helicsCloseLibrary()


def _watch(study: AnyStudy, names: list[str], patience: Patience, door: Door) -> Finding | None:
    """Look at every federate's sign of life until all finished or one is at fault, and at strangers."""
    signal.signal(signal.SIGTERM, _interrupt)
    told, joining = time.monotonic(), True
    told_of: set[str] = set()

    def look() -> tuple[Signs, dict[str, str]]:
        return _left(study, read_signs(study, names))

    try:
        while True:
            signs, gone = look()
            for feeder in gone.keys() - told_of:
                told_of.add(feeder)
                log.warning("%s has stopped, the others go on: %s", feeder, gone[feeder])
            elapsed = time.time() - STARTED
            if all_finished(signs):
                return None
            judge = partial(
                find_fault, clock=study.clock, patience=patience, elapsed_s=elapsed, alive=process_alive
            )
            finding = certain_fault(signs, lambda: look()[0], judge)
            if joining and _all_in(signs):
                joining = False
                door.close()
            if joining:
                stranger = door.stranger(broken=finding is not None)
                finding = Finding(stranger.name, stranger.message) if stranger else finding
            if finding is not None:
                return finding
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                log.info(progress(signs, study.clock.intervals))
            time.sleep(POLL_S)
    except (Interrupted, KeyboardInterrupt):
        return Finding(BROKER, "the run was interrupted")


def _left(study: AnyStudy, signs: Signs) -> tuple[Signs, dict[str, str]]:
    """Signs that the run depends on, and why feeders stopped that it goes on without."""
    if isinstance(study, SubstationStudy) and study.scenario.substation.on_stop == "go_on":
        return going_on(signs)
    return signs, {}


def _all_in(signs: Signs) -> bool:
    """Tell whether every federate is past joining; one that gives no signs may be anywhere."""
    stages = {sign.beat.stage for sign in signs.values() if sign is not None}
    return "working" in stages and not {"starting", "joining"} & stages


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(f"signal {number}")


def read_signs(study: AnyStudy, names: list[str]) -> dict[str, Sign | None]:
    """Last sign of life of every federate of this run.

    Parameters
    ----------
    study : Study or SubstationStudy
        What is run.
    names : list of str
        Federates that take part.

    Returns
    -------
    dict of str to Sign or None
        By name; None for a federate that has not shown any in this run.
    """
    folder = study.run_folder
    return {name: read_sign(folder, name, since=STARTED - SLACK_S) for name in names}


def progress(signs: Signs, intervals: int) -> str:
    """One line on how far a run is.

    Parameters
    ----------
    signs : mapping of str to Sign or None
        Last sign of life of every federate; the recorder's carries figures.
    intervals : int
        Intervals of the run.
    """
    for sign in signs.values():
        figures = sign.beat.figures if sign is not None else {}
        if "lmp" in figures:
            return (
                f"{figures['interval']:g} of {intervals} intervals, {figures['time']}: "
                f"LMP {figures['lmp']:.2f}, d-LMP {figures['dlmp_mean']:.2f} $/MWh, "
                f"{figures['rounds']:g} rounds, "
                f"lowest voltage {figures['voltage_min']:.4f} pu at {figures['voltage_min_node']}"
            )
    return f"0 of {intervals} intervals"


def _leave(finding: Finding) -> NoReturn:
    """Exit at once: a tidy end of HELICS and of the interpreter takes longer than `helics run` waits."""
    click.echo(f"broker: {finding.message}", err=True)
    logging.shutdown()
    os._exit(1)


def _wait_for(study: AnyStudy, names: list[str]) -> None:
    """Give federates time to hear of the error, flush and leave."""
    limit = time.monotonic() + GRACE_S
    while time.monotonic() < limit:
        beats = [sign.beat for sign in read_signs(study, names).values() if sign is not None]
        if all(beat.stage in ENDED or not process_alive(beat.pid) for beat in beats):
            return
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
