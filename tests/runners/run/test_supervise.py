"""Who is at fault and how a run is ended, on processes that are told."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toys import ROOT, make_runner, make_study

from dlmp_cosim.federates.runtime.heartbeat import BROKER, CULPRIT, Heartbeat, Stage
from dlmp_cosim.federates.runtime.hosts import ADDRESS_VARIABLE, BROKER_VARIABLE, STALL_VARIABLE
from dlmp_cosim.federates.runtime.ports import PORT_VARIABLE
from dlmp_cosim.feeders.errors import FederationError, InputError
from dlmp_cosim.runners.run import supervise as module
from dlmp_cosim.runners.run.runner_file import Runner, load_runner
from dlmp_cosim.runners.run.supervise import (
    INTERRUPTED,
    LOG_LINES,
    Failure,
    _Job,
    _Stop,
    across_hosts,
    run_folder_of,
    tail,
)


class Process:
    """A process that ends by a code after some looks, or when it is asked to."""

    def __init__(self, code: int | None, looks: int = 0) -> None:
        self._code, self._looks = code, looks
        self.pid, self.asked = 4_000_000, False

    def poll(self) -> int | None:
        self._looks -= 1
        return self._code if self.asked or self._looks < 0 else None

    def terminate(self) -> None:
        self.asked = True
        self._code = -signal.SIGTERM if self._code is None else self._code


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time passes by waiting alone."""
    now = [0.0]
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now[0])
        patch.setattr(time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def job(folder: Path) -> Callable[..., _Job]:
    """A process, the federates in it, and what its log says."""

    def make(name: str, code: int | None = None, *federates: str, looks: int = 0, log: str = "") -> _Job:
        path = folder / f"{name}.log"
        path.write_text(log)
        process: Any = Process(code, looks)
        return _Job(name, federates or (name,), process, path)

    return make


Make = Callable[..., _Job]


def say(folder: Path, federate: str, stage: Stage, error: str = "", culprit: str = "") -> None:
    beat = Heartbeat(folder, federate)
    beat.tell(stage, error=error, figures={CULPRIT: culprit} if culprit else {})
    beat.close()


def follow(jobs: list[_Job], folder: Path, *, stop: bool = False, limit: float | None = None) -> Any:
    return module._follow(jobs, folder, _Stop(asked=stop), limit, None)


def test_when_all_end_well_nobody_failed(job: Make, folder: Path) -> None:
    assert follow([job(BROKER, 0, looks=3), job("feeder", 0, looks=1)], folder) is None


def test_whom_the_broker_names_is_at_fault(job: Make, folder: Path) -> None:
    say(folder, BROKER, "failed", "market stalled", culprit="market")
    say(folder, "feeder", "failed", "heard of the error")
    jobs = [job(BROKER, 1), job("feeder", 1), job("market", None, log="one\ntwo\n")]
    assert follow(jobs, folder) == Failure("market", "market stalled", 1, ("one", "two"))


def test_a_federate_in_a_shared_process_is_found_by_its_name(job: Make, folder: Path) -> None:
    say(folder, BROKER, "failed", "pv stalled", culprit="pv")
    found = follow([job(BROKER, 1), job("host", 3, "pv", "ev", log="x")], folder)
    assert (found.culprit, found.exit_code, found.log) == ("host", 3, ("x",))


def test_without_the_brokers_word_it_is_who_failed_by_itself(job: Make, folder: Path) -> None:
    say(folder, "assets", "stopped", "the federation ended")
    say(folder, "market", "failed", "no optimum")
    jobs = [job(BROKER), job("assets", 1), job("market", 1)]
    assert follow(jobs, folder) == Failure("market", "no optimum", 1, ())


@pytest.mark.parametrize(
    ("code", "said", "exit_code"),
    [
        (3, "ended with exit code 3", 3),
        (-9, "ended without a word", 137),
        (-15, "ended without a word", 143),
    ],
)
def test_one_that_says_nothing_is_told_by_its_end(
    job: Make, folder: Path, code: int, said: str, exit_code: int
) -> None:
    found = follow([job(BROKER), job("feeder", code, looks=2)], folder)
    assert found == Failure("feeder", said, exit_code, ())


def test_a_culprit_that_is_no_process_is_the_first_that_ended(job: Make, folder: Path) -> None:
    say(folder, BROKER, "failed", "a stranger joined", culprit="stranger")
    found = follow([job(BROKER, 1), job("feeder")], folder)
    assert (found.culprit, found.message) == (BROKER, "a stranger joined")


def test_who_is_asked_to_stop_asks_the_broker_alone(job: Make, folder: Path) -> None:
    jobs = [job(BROKER), job("feeder")]
    assert follow(jobs, folder, stop=True) == Failure("", "interrupted", INTERRUPTED)
    assert [item.process.asked for item in jobs] == [True, False]  # type: ignore[attr-defined]


def test_without_a_broker_here_all_are_asked(job: Make, folder: Path) -> None:
    jobs = [job("feeder"), job("market")]
    follow(jobs, folder, stop=True)
    assert all(item.process.asked for item in jobs)  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", [0.0, 2.5])
def test_a_run_that_takes_too_long_is_ended(job: Make, folder: Path, limit: float) -> None:
    found = follow([job(BROKER), job("feeder")], folder, limit=limit)
    assert found == Failure("", f"the run took longer than {limit:g} s", 1)


def test_a_failure_is_told_before_a_limit(job: Make, folder: Path) -> None:
    assert follow([job(BROKER), job("feeder", 7)], folder, limit=0.0).culprit == "feeder"


def test_what_federates_say_is_handed_on(job: Make, folder: Path) -> None:
    seen: list[Any] = []
    say(folder, "feeder", "working")
    module._follow([job(BROKER, 0), job("feeder", 0)], folder, _Stop(), None, seen.append)
    assert [{name: beat.stage for name, beat in beats.items()} for beats in seen] == [{"feeder": "working"}]


def test_the_last_lines_of_a_log_are_told(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"\n".join(b"%d" % k for k in range(30)) + b"\nodd \xff\n")
    assert tail(log) == (*(str(k) for k in range(31 - LOG_LINES, 30)), "odd �")
    log.write_text("")
    assert tail(log) == ()


def test_ctrl_c_asks_to_stop_and_is_ctrl_c_again_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with module._listening() as stop:
        told = [stop.asked]
        os.kill(os.getpid(), signal.SIGINT)
        assert [*told, stop.asked] == [False, True]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return load_runner(make_runner(make_study(tmp_path / "study")))


def test_logs_lie_beside_the_results(runner: Runner, tmp_path: Path) -> None:
    assert run_folder_of(runner, None) == tmp_path / "out" / "results.run"
    assert run_folder_of(runner, tmp_path / "other") == tmp_path / "other" / "results.run"


def test_a_run_begins_without_the_words_of_the_last(runner: Runner) -> None:
    folder = run_folder_of(runner, None)
    say(folder, "feeder", "failed", "long ago")
    (folder / "feeder.log").write_text("old")
    (folder / "notes.txt").write_text("kept")
    assert module._fresh_run_folder(runner, None) == folder
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_run_that_goes_on_keeps_its_folder(runner: Runner) -> None:
    beat = Heartbeat(run_folder_of(runner, None), "feeder")
    with pytest.raises(
        FederationError, match=r"another run is writing to .*or choose another folder \(-o\)$"
    ):
        module._fresh_run_folder(runner, None)
    beat.close()


def test_processes_of_a_host_learn_where_they_are(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostbyname", {"here": "10.0.0.2", "localhost": "10.0.0.1"}.__getitem__)
    monkeypatch.setenv(PORT_VARIABLE, "23500")
    assert across_hosts(runner, "here") == {
        PORT_VARIABLE: "23500",
        ADDRESS_VARIABLE: "10.0.0.2",
        BROKER_VARIABLE: "tcp://10.0.0.1",
        STALL_VARIABLE: "5.0",
    }


def test_a_host_without_an_address_is_named(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_host: str) -> str:
        raise OSError("not known")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    with pytest.raises(InputError) as failure:
        across_hosts(runner, "far")
    assert str(failure.value) == f"{runner.path} federates[].host: host 'far' has no address: not known"


def test_a_program_that_is_not_there_is_named(runner: Runner, tmp_path: Path) -> None:
    member = runner.members[0].model_copy(update={"exec": "no_such_program --x"})
    with pytest.raises(FederationError, match=r"^wholesale: there is no program 'no_such_program'$"):
        module._start(runner, member, {}, tmp_path / "x.log")
    assert runner.folder(member) == ROOT


def test_groups_that_are_gone_are_no_error(job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def gone(_: int, number: int) -> None:
        tried.append(number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", gone)
    module._end([job("feeder", 0)])
    assert tried == [signal.SIGTERM, signal.SIGKILL]
