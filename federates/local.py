"""A whole study in one process: every federate a thread, no ports, the same code as between processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import helics as h

from federates.assets import Assets
from federates.base import Connection, Role, broker_key, live
from federates.feeder import Feeder
from federates.heartbeat import Heartbeat
from federates.link import FederationStopped
from federates.market import MarketFederate
from federates.recorder import Recorder
from federates.study import Study
from federates.wholesale import Wholesale
from feeders.errors import FederationError

ROLES: dict[str, Callable[[Study], Role]] = {
    "wholesale": Wholesale,
    "feeder": Feeder,
    "assets": Assets,
    "market": MarketFederate,
    "recorder": Recorder,
}
"""The federates of a built-in study."""


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
    # Made before the broker: it would wait for ever for a federate that cannot be made.
    made = {name: build(study) for name, build in (ROLES if roles is None else roles).items()}
    failures: list[tuple[str, Exception]] = []
    with _broker(len(made), broker_key(study)) as address:
        connection = Connection("inproc", f"--broker={address}")
        threads = [
            threading.Thread(target=_live, args=(name, role, study, connection, failures, signs), name=name)
            for name, role in made.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    own = [error for _, error in failures if not isinstance(error, FederationStopped)]
    if own:
        raise own[0]
    if failures:
        raise FederationError(f"{failures[0][0]}: {failures[0][1]}")


def _live(
    name: str,
    role: Role,
    study: Study,
    connection: Connection,
    failures: list[tuple[str, Exception]],
    signs: Path | None,
) -> None:
    try:
        live(name, lambda _: role, study, connection, Heartbeat(signs, name))
    except Exception as error:  # noqa: BLE001 - the outermost guard of the thread; raised again by run_local
        failures.append((name, error))


@contextmanager
def _broker(federates: int, key: str) -> Any:
    name = f"dlmp_{uuid4().hex[:12]}"
    broker = h.helicsCreateBroker("inproc", name, f"-f{federates} --loglevel=error --brokerkey={key}")
    try:
        yield name
    finally:
        h.helicsBrokerDisconnect(broker)
        h.helicsBrokerFree(broker)
