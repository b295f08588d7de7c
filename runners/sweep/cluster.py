"""Workers: a cluster on this machine, or any that listens behind a Dask scheduler."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, LocalCluster

from dlmp_cosim.feeders.errors import FederationError

PACKAGE = "dlmp-cosim"
JOIN_S = 15.0
"""How long a scheduler may take to answer, and its first worker to come [s]."""
DEATHS = 10
"""Deaths of its worker after which a run counts as failed: it may be what kills them."""
SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    # A worker holds the run that it does and no other, so that its death costs one.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.comm.timeouts.connect": f"{JOIN_S:g}s",
    "distributed.deploy.lost-worker-timeout": "2s",
    # A worker keeps its last events, and a run's event holds all files of the run.
    "distributed.admin.low-level-log-length": 20,
    "distributed.logging.distributed": "critical",
}


@dataclass(frozen=True)
class Workers:
    """Processes that do jobs.

    Attributes
    ----------
    client : distributed.Client
        Way to them.
    cluster : distributed.LocalCluster or None
        Those on this machine, which are ours to replace; None when they are another's.
    wanted : int
        How many there should be on this machine.
    """

    client: Client
    cluster: LocalCluster | None = None
    wanted: int = 0

    @property
    def threads(self) -> int:
        """Jobs that they do at once."""
        return sum(self.client.nthreads().values())

    @property
    def dashboard(self) -> str:
        """Address of Dask's dashboard; says what to install where it shows nothing."""
        link = str(self.client.dashboard_link or "")
        if link and importlib.util.find_spec("bokeh") is None:
            return f'{link} (empty here: pip install "dlmp-cosim[dashboard]")'
        return link

    def replace_lost(self) -> None:
        """Start workers anew that died while they started, which Dask gives up."""
        if self.cluster is not None:
            self.cluster.scale(self.wanted)


@contextmanager
def open_cluster(scheduler: str = "", workers: int = 0) -> Iterator[Workers]:
    """Connect to a scheduler, or start workers on this machine.

    Parameters
    ----------
    scheduler : str
        Address such as ``tcp://10.0.0.5:8786``; empty for workers on this machine.
    workers : int
        How many of those; 0 for one a core.

    Yields
    ------
    Workers
        Each has this version of the package.

    Raises
    ------
    FederationError
        When nobody answers, no worker comes or starts, or a worker has another version.
    """
    with dask.config.set(SETTINGS):
        _quieten()
        if scheduler:
            with closing(_connect(scheduler)) as client:
                _check_workers(client, scheduler)
                yield Workers(client)
            return
        count = workers or cores()
        with _start_here(count) as cluster, Client(cluster) as client:
            yield Workers(client, cluster, count)


def _start_here(count: int) -> LocalCluster:
    """Start workers on this machine."""
    try:
        return LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        cause = error.__cause__ or error
        raise FederationError(
            f"{count} workers did not start on this machine: {cause}; is there memory for them, or was one "
            "killed? The same command starts again, with fewer by --workers"
        ) from None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _connect(address: str) -> Client:
    try:
        client = Client(address, timeout=JOIN_S)
        client.wait_for_workers(1, timeout=JOIN_S)
    except TimeoutError as error:
        what = "has no worker" if "worker" in str(error).lower() else "does not answer"
        raise FederationError(
            f"the scheduler {address} {what} within {JOIN_S:g} s; "
            "expected one as `dask scheduler` starts it, with workers"
        ) from None
    except (OSError, ValueError) as error:
        raise FederationError(
            f"there is no scheduler at {address}: {error}; expected an address such as tcp://127.0.0.1:8786"
        ) from None
    return client


def own_version() -> str:
    """Version of the package in this process."""
    return importlib.metadata.version(PACKAGE)


def _check_workers(client: Client, address: str) -> None:
    """Hold every worker's version against ours, by a call that needs no package of ours there."""
    ours = own_version()
    answers: dict[str, Any] = client.run(importlib.metadata.version, PACKAGE, on_error="return")
    for worker, theirs in answers.items():
        if theirs != ours:
            has = f"version {theirs}" if isinstance(theirs, str) else "no version"
            raise FederationError(
                f"worker {worker} of {address} has {has} of {PACKAGE}; expected {ours}, as here"
            )


def _quieten() -> None:
    """Keep Dask's own reports of lost workers out of a terminal: a sweep says what matters of them."""
    for name in (
        "distributed",
        "distributed.scheduler",
        "distributed.nanny",
        "distributed.core",
        "distributed.client",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL)
