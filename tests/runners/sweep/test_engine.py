"""Jobs through a cluster that is told: how many are out at a time, and what becomes of each."""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import KilledWorker
from rich.console import Console

from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.runners.sweep import engine as module
from dlmp_cosim.runners.sweep.cluster import DEATHS
from dlmp_cosim.runners.sweep.engine import AHEAD, run_here, run_jobs
from dlmp_cosim.runners.sweep.job import Job, Outcome
from dlmp_cosim.runners.sweep.pack import Pack

EMPTY = Pack(".", {})
KILLED = KilledWorker("job", SimpleNamespace(address="tcp://x"), 9)


class Future:
    """What a scheduler knows of one job."""

    def __init__(self, job: Job, status: str = "finished", error: Any = None, **outcome: Any) -> None:
        self.job, self.status, self._error = job, status, error
        self._outcome = Outcome(job.number, **outcome)

    def result(self) -> Outcome:
        return self._outcome

    def exception(self) -> Any:
        return self._error


class Crew:
    """Workers that do one job after another, in the order in which they are submitted."""

    def __init__(self, threads: int = 2, **fates: dict[str, Any]) -> None:
        self.threads, self.dashboard, self.client = threads, "here", self
        self.fates = {int(name.removeprefix("run")): fate for name, fate in fates.items()}
        self.out: deque[Future] = deque()
        self.most_out = self.lost = 0
        self.cancelled: list[int] = []

    def submit(self, _do: Callable[[Job], Outcome], job: Job, *, pure: bool) -> Future:
        assert not pure, "a run that is done again is done again"
        assert job.code, "a worker has to have the same code"
        self.out.append(Future(job, **self.fates.get(job.number, {})))
        self.most_out = max(self.most_out, len(self.out))
        return self.out[-1]

    def wait(self, futures: list[Future], *, timeout: float, return_when: str) -> Any:
        assert timeout > 0.0
        assert return_when == "FIRST_COMPLETED"
        assert set(futures) == set(self.out)
        if not self.threads:
            raise TimeoutError
        return SimpleNamespace(done=[self.out.popleft()])

    def cancel(self, futures: list[Future]) -> None:
        self.cancelled = [future.job.number for future in futures]

    def replace_lost(self) -> None:
        self.lost += 1


def jobs(count: int) -> Iterator[Job]:
    return (Job(number, EMPTY) for number in range(count))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Outcome]]:
    """Do jobs with a crew."""

    def run(crew: Crew, count: int) -> list[Outcome]:
        monkeypatch.setattr(module, "wait", crew.wait)
        found: list[Outcome] = []
        run_jobs(crew, jobs(count), found.append)  # type: ignore[arg-type]
        return found

    return run


Done = Callable[[Crew, int], list[Outcome]]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_few_more_jobs_are_out_than_there_are_workers(done: Done, threads: int) -> None:
    crew = Crew(threads)
    assert [item.number for item in done(crew, 12)] == list(range(12))
    assert crew.most_out == threads + AHEAD
    assert crew.cancelled == []


def test_nothing_to_do_asks_nobody(done: Done) -> None:
    assert done(Crew(0), 0) == []


def test_a_run_that_fails_is_an_outcome_and_the_others_go_on(done: Done) -> None:
    found = done(Crew(run1={"error": None, "status": "finished", "trace": "because"}), 3)
    assert [item.trace for item in found] == ["", "because", ""]


def test_a_run_that_kills_its_workers_fails_by_itself(done: Done) -> None:
    found = done(Crew(run0={"status": "error", "error": KILLED}), 2)
    assert [item.error for item in found] == [f"its worker died, {DEATHS} times in a row", ""]


@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ({"status": "cancelled"}, "the scheduler is gone or gave run 1 up (cancelled)"),
        ({"status": "lost"}, "the scheduler is gone or gave run 1 up (lost)"),
        (
            {"status": "error", "error": ValueError("odd")},
            "the scheduler is gone or gave run 1 up (odd)",
        ),
    ],
)
def test_a_scheduler_that_gives_a_run_up_ends_the_sweep(done: Done, fate: dict[str, Any], said: str) -> None:
    crew = Crew(run1=fate)
    with pytest.raises(FederationError) as failure:
        done(crew, 9)
    assert str(failure.value) == said
    assert crew.cancelled == [2, 3], "what is out is called back"


class Full(Crew):
    """Workers whose disk is full from one job on."""

    def submit(self, _do: Callable[[Job], Outcome], job: Job, *, pure: bool) -> Future:
        future = super().submit(_do, job, pure=pure)
        future._outcome = Outcome(job.number, error="No space left", stops=job.number >= 2)
        return future


def test_a_full_disk_ends_the_sweep(done: Done) -> None:
    with pytest.raises(FederationError) as failure:
        done(Full(), 9)
    assert str(failure.value) == "run 2: No space left"


def test_without_workers_for_too_long_the_sweep_ends(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    crew = Crew(0)
    with pytest.raises(FederationError, match=r"^no worker is left, and none came within 300 s$"):
        done(crew, 3)
    assert crew.lost == 4, "each time it looked, it asked for others"


def test_workers_that_come_back_in_time_go_on(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    class Back(Crew):
        def replace_lost(self) -> None:
            super().replace_lost()
            self.threads = 2 if self.lost >= 3 else 0

    assert len(done(Back(0), 3)) == 3


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Open a told crew where a cluster is asked for; keep which was asked for."""
    asked: list[tuple[str, int]] = []
    crew = Crew()

    @contextmanager
    def open_cluster(scheduler: str, workers: int) -> Iterator[Crew]:
        asked.append((scheduler, workers))
        yield crew

    monkeypatch.setattr(module, "wait", crew.wait)
    monkeypatch.setattr(module, "open_cluster", open_cluster)
    monkeypatch.setattr(module, "cores", lambda: 4)
    crew.dashboard = 'link (empty here: pip install "dlmp-cosim[dashboard]")'
    return asked


@pytest.mark.parametrize(
    ("count", "workers", "started"), [(9, 0, 4), (2, 0, 2), (9, 3, 3), (2, 3, 2), (9, 30, 9)]
)
def test_no_more_workers_are_started_than_there_are_jobs(
    opened: list[tuple[str, int]], count: int, workers: int, started: int
) -> None:
    found: list[Outcome] = []
    run_here(jobs(count), count, found.append, title="s", workers=workers)
    assert opened == [("", started)]
    assert len(found) == count


def test_without_jobs_no_cluster_is_opened(opened: list[tuple[str, int]]) -> None:
    run_here(jobs(0), 0, lambda _: None, title="s")
    assert opened == []


@pytest.mark.usefixtures("opened")
def test_the_dashboard_is_told_with_how_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    run_here(jobs(1), 1, lambda _: None, title="s")
    assert capsys.readouterr().err == 'dashboard: link (empty here: pip install "dlmp-cosim[dashboard]")\n'


def test_the_bar_counts_failures() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None)
    with module._progress(console, "s", 3) as advance:
        for error in ("", "one", "two"):
            advance(Outcome(0, error=error))
    shown = file.getvalue()
    assert "3/3" in shown
    assert "2 failed" in shown
