"""A whole study in one process: every federate a thread, no ports, the same code as between processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import helics as h

from dlmp_cosim.federates.assets import Assets
from dlmp_cosim.federates.feeder import Feeder
from dlmp_cosim.federates.market import MarketFederate
from dlmp_cosim.federates.recorder import Recorder
from dlmp_cosim.federates.runtime.base import (
    ERROR_CODE,
    Connection,
    Role,
    broker_key,
    live,
    summary,
    unique_name,
)
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat
from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.wholesale import Wholesale

ROLES: dict[str, Callable[[Study], Role]] = {
    "wholesale": Wholesale,
    "feeder": Feeder,
    "assets": Assets,
    "market": MarketFederate,
    "recorder": Recorder,
}
"""The federates of a built-in study."""
ENDS_MS = 50
"""How long a broker may take to end by itself, once its federates are gone [ms]."""


def run_local(
    study: Study,
    roles: Mapping[str, Callable[[Study], Role]] | None = None,
    signs: Path | None = None,
) -> None:
    """Run a study's federates as threads of this process and wait for the last.

    Parameters
    ----------
    study : Study
        The study.
    roles : mapping of str to callable, optional
        What makes each federate's role; the built-in ones by default.
    signs : Path, optional
        Folder in which every federate says how far it is.

    Raises
    ------
    Exception
        The first error of a federate of its own fault.
    """
    made = {name: build(study) for name, build in (ROLES if roles is None else roles).items()}
    failures: list[tuple[float, Exception]] = []
    with _broker(len(made), broker_key(study)) as (address, broker):
        connection = Connection("inproc", f"--broker={address} --federates={len(made)}", unique_name("local"))

        def run(name: str, role: Role) -> None:
            beat = Heartbeat(signs, name)
            try:
                live(name, lambda _: role, study, connection, beat)
            except Exception as error:  # noqa: BLE001 - the outermost guard of the thread; raised again below
                failures.append((min(beat.failed_at, time.monotonic()), error))
                # The federates' own error reaches nobody when it never joined.
                h.helicsBrokerGlobalError(broker, ERROR_CODE, f"{name}: {summary(error)}".encode())
            finally:
                beat.close()

        threads = [threading.Thread(target=run, args=item, name=item[0]) for item in made.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        errors = [error for _, error in sorted(failures, key=lambda item: item[0])]
        raise next((error for error in errors if not isinstance(error, FederationStopped)), errors[0])


@contextmanager
def _broker(federates: int, key: str) -> Iterator[tuple[str, Any]]:
    name = f"dlmp_{uuid4().hex[:12]}"
    broker = h.helicsCreateBroker("inproc", name, f"-f{federates} --loglevel=error --brokerkey={key}")
    try:
        yield name, broker
    finally:
        # For one that has ended by itself HELICS would often wait for 0.8 s.
        if h.helicsBrokerIsConnected(broker):
            h.helicsBrokerWaitForDisconnect(broker, ENDS_MS)
        if h.helicsBrokerIsConnected(broker):
            h.helicsBrokerDisconnect(broker)
        # Its finalizer frees it: a second free could hit a later broker at the same address.
