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
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import helics as h

from federates.runtime.base import BROKER, broker_key
from federates.runtime.heartbeat import CULPRIT, ENDED, Heartbeat, Sign, process_alive, read_sign
from federates.runtime.ports import broker_port, check_ports
from federates.study.study import Study, load_study
from feeders.errors import DlmpError, FederationError
from runners.run.watch import Finding, Patience, all_finished, find_fault

STARTED = time.time()
POLL_S, PROGRESS_S, SLACK_S = 0.05, 10.0, 1.0
GRACE_S = 0.4
"""Time for others to leave. `helics run` looks once a second, ends everybody when a process was killed, and
does not count that as an error: the broker must be out, with its own exit code, before it looks again."""
ERROR_CODE = 98

log = logging.getLogger("broker")


class Interrupted(FederationError):  # noqa: N818 - not an error of the run
    """Somebody asked the broker to end the run."""


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--federates", required=True, help="Names of all federates, separated by commas.")
@click.option(
    "--stall", default=120.0, show_default=True, help="Seconds that a federate may take for one answer."
)
@click.option(
    "--start", default=60.0, show_default=True, help="Seconds within which every federate must join."
)
def main(study: Path, federates: str, stall: float, start: float) -> None:
    """Run the broker for the federates of STUDY, on the port that HELICS_BROKER_PORT gives (23404)."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    names = [name.strip() for name in federates.split(",")]
    try:
        run(load_study(study), names, Patience(start, stall))
    except DlmpError as error:
        raise SystemExit(f"broker: {error}") from None


def run(study: Study, names: list[str], patience: Patience) -> None:
    """Hold the federation together until it finishes; when somebody is at fault, end the process.

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
        finding = _watch(study, names, patience)
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
    options = f"-f{federates} --port={port} --loglevel=warning --brokerkey={key}"
    broker = h.helicsCreateBroker("zmq", f"dlmp_{os.getpid()}", options)
    if not h.helicsBrokerIsConnected(broker):
        raise FederationError(f"the broker could not listen on port {port}")
    try:
        yield broker
    finally:
        h.helicsBrokerDisconnect(broker)
        h.helicsCloseLibrary()


def _watch(study: Study, names: list[str], patience: Patience) -> Finding | None:
    """Look at every federate's sign of life until all finished or one is at fault."""
    signal.signal(signal.SIGTERM, _interrupt)
    told = time.monotonic()
    try:
        while True:
            signs = read_signs(study, names)
            elapsed = time.time() - STARTED
            if all_finished(signs):
                return None
            finding = find_fault(signs, study.clock, patience, elapsed, process_alive)
            if finding is not None:
                return finding
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                log.info(progress(signs, study.clock.intervals))
            time.sleep(POLL_S)
    except (Interrupted, KeyboardInterrupt):
        return Finding(BROKER, "the run was interrupted")


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(f"signal {number}")


def read_signs(study: Study, names: list[str]) -> dict[str, Sign | None]:
    """Last sign of life of every federate of this run."""
    return {name: read_sign(study.run_folder, name, since=STARTED - SLACK_S) for name in names}


def progress(signs: dict[str, Sign | None], intervals: int) -> str:
    """One line on how far a run is."""
    for sign in signs.values():
        figures = sign.beat.figures if sign is not None else {}
        if "interval" in figures:
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


def _wait_for(study: Study, names: list[str]) -> None:
    """Give federates time to hear of the error, flush and leave."""
    limit = time.monotonic() + GRACE_S
    while time.monotonic() < limit:
        beats = [sign.beat for sign in read_signs(study, names).values() if sign is not None]
        if all(beat.stage in ENDED or not process_alive(beat.pid) for beat in beats):
            return
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
