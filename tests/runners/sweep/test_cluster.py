"""Ways to workers, told without starting any: addresses, versions, and what is said when there are none."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from types import SimpleNamespace
from typing import Any

import dask
import pytest

from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.runners.sweep import cluster as module
from dlmp_cosim.runners.sweep.cluster import PACKAGE, SETTINGS, Workers, cores, open_cluster, own_version

ADDRESS = "tcp://10.0.0.5:8786"
STARTED = "expected one as `dask scheduler` starts it, with workers"
LIKE = "expected an address such as tcp://127.0.0.1:8786"


class Client:
    """A client of a scheduler whose workers answer what a test says."""

    answers: dict[str, Any]
    fails: Exception | None
    waits: Exception | None

    def __init__(self, address: Any, **options: Any) -> None:
        self.address, self.options, self.closed = address, options, False
        if self.fails:
            raise self.fails

    def wait_for_workers(self, count: int, timeout: float) -> None:
        assert (count, timeout) == (1, module.JOIN_S)
        if self.waits:
            raise self.waits

    def run(self, ask: Any, package: str, on_error: str) -> dict[str, Any]:
        assert (ask, package, on_error) == (importlib.metadata.version, PACKAGE, "return")
        return self.answers

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    class Told(Client):
        answers, fails, waits = {"tcp://w": own_version()}, None, None

    monkeypatch.setattr(module, "Client", Told)
    return Told


def test_a_scheduler_is_reached_and_left(client: type[Client]) -> None:
    with open_cluster(ADDRESS) as workers:
        found: Any = workers.client
        assert isinstance(found, client)
        assert found.address == ADDRESS
        assert (workers.cluster, workers.wanted) == (None, 0)
        assert not found.closed
    assert found.closed


def test_settings_hold_while_it_is_open_and_not_after(client: type[Client]) -> None:
    del client
    key = "distributed.scheduler.allowed-failures"
    before = dask.config.get(key)
    with open_cluster(ADDRESS):
        assert dask.config.get(key) == SETTINGS[key] == module.DEATHS - 1
    assert dask.config.get(key) == before


@pytest.mark.parametrize(
    ("fails", "waits", "said"),
    [
        (
            TimeoutError("timed out"),
            None,
            f"the scheduler {ADDRESS} does not answer within 15 s; {STARTED}",
        ),
        (
            None,
            TimeoutError("Only 0/1 workers arrived"),
            f"the scheduler {ADDRESS} has no worker within 15 s; {STARTED}",
        ),
        (
            OSError("refused"),
            None,
            f"there is no scheduler at {ADDRESS}: refused; {LIKE}",
        ),
        (
            ValueError("unknown scheme"),
            None,
            f"there is no scheduler at {ADDRESS}: unknown scheme; {LIKE}",
        ),
    ],
)
def test_what_is_wrong_with_a_scheduler_is_said(
    client: type[Client], fails: Any, waits: Any, said: str
) -> None:
    client.fails, client.waits = fails, waits
    with pytest.raises(FederationError) as failure, open_cluster(ADDRESS):
        pass
    assert str(failure.value) == said


@pytest.mark.parametrize(
    ("answer", "has"),
    [("0.0.1", "version 0.0.1"), (importlib.metadata.PackageNotFoundError(PACKAGE), "no version")],
)
def test_a_worker_with_another_version_is_named(client: type[Client], answer: Any, has: str) -> None:
    client.answers = {"tcp://good": own_version(), "tcp://bad": answer}
    with pytest.raises(FederationError) as failure, open_cluster(ADDRESS):
        pass
    assert str(failure.value) == (
        f"worker tcp://bad of {ADDRESS} has {has} of dlmp-cosim; expected {own_version()}, as here"
    )


def test_the_client_is_closed_when_a_worker_is_refused(
    client: type[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    client.answers = {"tcp://bad": "0.0.1"}
    connect = module._connect

    def kept(address: str) -> Any:
        made.append(connect(address))
        return made[-1]

    monkeypatch.setattr(module, "_connect", kept)
    with pytest.raises(FederationError), open_cluster(ADDRESS):
        pass
    assert made[0].closed


def workers(threads: dict[str, int], link: str | None = None, cluster: Any = None) -> Workers:
    client: Any = SimpleNamespace(nthreads=lambda: threads, dashboard_link=link)
    return Workers(client, cluster, 3)


@pytest.mark.parametrize(("threads", "jobs"), [({}, 0), ({"a": 1}, 1), ({"a": 2, "b": 5}, 7)])
def test_threads_of_all_workers_count(threads: dict[str, int], jobs: int) -> None:
    assert workers(threads).threads == jobs


@pytest.mark.parametrize(
    ("link", "bokeh", "shown"),
    [
        ("http://x", object(), "http://x"),
        ("http://x", None, 'http://x (empty here: pip install "dlmp-cosim[dashboard]")'),
        (None, None, ""),
    ],
)
def test_a_dashboard_that_shows_nothing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, link: str | None, bokeh: object, shown: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: bokeh)
    assert workers({}, link).dashboard == shown


def test_lost_workers_are_replaced_on_this_machine_alone() -> None:
    wanted: list[int] = []
    workers({}, cluster=SimpleNamespace(scale=wanted.append)).replace_lost()
    workers({}).replace_lost()
    assert wanted == [3]


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    assert cores() == 3


@pytest.mark.parametrize(("count", "found"), [(8, 8), (None, 1)])
def test_where_none_are_set_apart_all_cores_count(
    monkeypatch: pytest.MonkeyPatch, count: int | None, found: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert cores() == found
