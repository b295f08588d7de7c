"""A runner file under supervision: own ports, own process groups, an end in every case."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from uuid import uuid4

from dlmp_cosim.federates.runtime.heartbeat import BROKER, CULPRIT, Beat, read_sign, refuse_if_held
from dlmp_cosim.federates.runtime.hosts import ADDRESS_VARIABLE, BROKER_VARIABLE, KEY_VARIABLE, STALL_VARIABLE
from dlmp_cosim.federates.runtime.ports import PORT_VARIABLE, broker_port, reserve_block
from dlmp_cosim.federates.study.study import RESULTS_VARIABLE
from dlmp_cosim.feeders.errors import FederationError, InputError
from dlmp_cosim.runners.run.runner_file import Member, Runner, find_program

POLL_S, LEAVE_S, AFTER_BROKER_S, TERM_S = 0.05, 2.5, 0.5, 1.0
LOG_LINES = 12
INTERRUPTED = 130


@dataclass(frozen=True)
class Failure:
    """Why a run ended before its time.

    Attributes
    ----------
    culprit : str
        Process at fault.
    message : str
        One line for a person.
    exit_code : int
        Exit code of the culprit; 128 + n when signal n ended it.
    log : tuple of str
        Last lines of its log.
    """

    culprit: str
    message: str
    exit_code: int
    log: tuple[str, ...] = ()


@dataclass
class _Job:
    """One process and its log."""

    name: str
    federates: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def code(self) -> int | None:
        return self.process.poll()


@dataclass
class _Stop:
    """Set by Ctrl-C or SIGTERM."""

    asked: bool = field(default=False)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


def supervise(
    runner: Runner,
    *,
    results_folder: Path | None = None,
    time_limit_s: float | None = None,
    watch: Callable[[Mapping[str, Beat]], None] | None = None,
    host: str = "",
) -> Failure | None:
    """Run a federation, or one host's part of it, and end it in every case.

    Parameters
    ----------
    runner : Runner
        What to start; checked before.
    results_folder : Path, optional
        Where results and logs go, if not where the scenario says.
    time_limit_s : float, optional
        Wall time after which the run is ended [s].
    watch : callable, optional
        Called several times a second with what every federate last said.
    host : str
        Start the processes of this host alone, which the runner file names; empty: all, on this one.

    Returns
    -------
    Failure or None
        None when every process ended well.

    Raises
    ------
    FederationError
        When a process cannot be started, or no port is free.
    """
    if host:
        guard: AbstractContextManager[object] = nullcontext()
        members = runner.on_host(host)
        environment = across_hosts(runner, host)
    else:
        port, guard = reserve_block()
        environment = {PORT_VARIABLE: str(port), KEY_VARIABLE: uuid4().hex}
        members = runner.content.federates
    if results_folder is not None:
        environment[RESULTS_VARIABLE] = str(results_folder.resolve())
    run_folder = _fresh_run_folder(runner, results_folder)
    with guard, _listening() as stop, _started(runner, members, environment, run_folder) as jobs:
        return _follow(jobs, run_folder, stop, time_limit_s, watch)


def across_hosts(runner: Runner, host: str) -> dict[str, str]:
    """Environment of a host's processes: where they listen, where the broker is, how long silence is borne.

    Parameters
    ----------
    runner : Runner
        The runner file.
    host : str
        Name of the host.

    Raises
    ------
    InputError
        When a host's name leads to no address.
    """
    found = {
        PORT_VARIABLE: str(broker_port()),
        ADDRESS_VARIABLE: _address(runner, host),
        BROKER_VARIABLE: f"tcp://{_address(runner, runner.broker.host)}",
    }
    return found | ({STALL_VARIABLE: runner.stall_s} if runner.stall_s else {})


def _address(runner: Runner, host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        where = f"{runner.path} federates[].host"
        raise InputError(f"host {host!r} has no address: {error}", where=where) from None


def run_folder_of(runner: Runner, results_folder: Path | None) -> Path:
    """Folder of a run's logs and signs of life, beside its results.

    Parameters
    ----------
    runner : Runner
        The runner file.
    results_folder : Path or None
        Folder that a user wants results in; None for that of the scenario.
    """
    file = Path(runner.study.scenario.results.file)
    parent = results_folder.resolve() if results_folder else runner.folder(runner.broker) / file.parent
    return parent / f"{file.stem}.run"


def _fresh_run_folder(runner: Runner, results_folder: Path | None) -> Path:
    folder = run_folder_of(runner, results_folder)
    folder.mkdir(parents=True, exist_ok=True)
    refuse_if_held(folder)
    for old in (*folder.glob("*.beat"), *folder.glob("*.log")):
        old.unlink()
    return folder


@contextmanager
def _listening() -> Iterator[_Stop]:
    """Turn Ctrl-C and SIGTERM into a request to stop."""
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _started(
    runner: Runner, members: Sequence[Member], environment: Mapping[str, str], logs: Path
) -> Iterator[list[_Job]]:
    """Start every process; when left, none of their groups lives on."""
    jobs: list[_Job] = []
    try:
        for member in members:
            jobs.append(_start(runner, member, environment, logs / f"{member.name}.log"))  # noqa: PERF401
        yield jobs
    finally:
        _end(jobs)


def _start(runner: Runner, member: Member, environment: Mapping[str, str], log: Path) -> _Job:
    words = member.arguments
    program = find_program(words[0])
    if program is None:
        raise FederationError(f"{member.name}: there is no program {words[0]!r}")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the user's own runner file, no shell
            [program, *words[1:]],
            cwd=runner.folder(member),
            env={**os.environ, **member.env, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group and no session: Linux shares processors out by session, which costs a third of the time.
            process_group=0,
        )
    return _Job(member.name, tuple(member.federates), process, log)


def _follow(
    jobs: list[_Job],
    run_folder: Path,
    stop: _Stop,
    time_limit_s: float | None,
    watch: Callable[[Mapping[str, Beat]], None] | None,
) -> Failure | None:
    """Wait for the end of every process, or for the first that fails and those it takes along."""
    began = time.monotonic()
    while True:
        codes = {job.name: job.code for job in jobs}
        if watch is not None:
            watch(_beats(jobs, run_folder))
        if all(code == 0 for code in codes.values()):
            return None
        failed = next((job for job in jobs if codes[job.name] not in (None, 0)), None)
        if failed is not None:
            _let_leave(jobs)
            return _explain(jobs, failed, run_folder)
        if stop.asked:
            _interrupt(jobs)
            return Failure("", "interrupted", INTERRUPTED)
        if time_limit_s is not None and time.monotonic() - began > time_limit_s:
            _interrupt(jobs)
            return Failure("", f"the run took longer than {time_limit_s:g} s", 1)
        time.sleep(POLL_S)


def _interrupt(jobs: list[_Job]) -> None:
    """Ask the broker, which is the first where it is, to end the run for everybody."""
    for job in jobs[:1] if jobs[0].name == BROKER else jobs:
        job.process.terminate()
    _let_leave(jobs)


def _let_leave(jobs: list[_Job]) -> None:
    """Give every process time to hear of the error, flush and leave; the broker waits for all that can."""
    limit = time.monotonic() + LEAVE_S
    while time.monotonic() < limit and any(job.code is None for job in jobs):
        if jobs[0].code is not None:
            limit = min(limit, time.monotonic() + AFTER_BROKER_S)
        time.sleep(POLL_S)


def _end(jobs: list[_Job]) -> None:
    """End what is left of every process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for job in jobs:
            _signal_group(job, number)
        limit = time.monotonic() + TERM_S
        while time.monotonic() < limit and any(job.code is None for job in jobs):
            time.sleep(POLL_S)


def _signal_group(job: _Job, number: signal.Signals) -> None:
    try:
        os.killpg(job.process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _beats(jobs: list[_Job], run_folder: Path) -> dict[str, Beat]:
    signs = {name: read_sign(run_folder, name) for job in jobs for name in job.federates}
    return {name: sign.beat for name, sign in signs.items() if sign is not None}


def _explain(jobs: list[_Job], first: _Job, run_folder: Path) -> Failure:
    """Say who is at fault: whom the broker names, else who failed by itself, else who ended first."""
    beats = _beats(jobs, run_folder)
    broker = beats.pop(BROKER, None)
    own = next((beat for beat in beats.values() if beat.stage == "failed"), None)
    culprit, message = first.name, ""
    if broker is not None and broker.stage == "failed":
        culprit, message = str(broker.figures.get(CULPRIT, "")), broker.error
    elif own is not None:
        culprit, message = own.federate, own.error
    job = next((job for job in jobs if culprit in (job.name, *job.federates)), first)
    return Failure(job.name, message or _ended(job), _exit_code(job), tail(job.log))


def _ended(job: _Job) -> str:
    code = job.code
    return "ended without a word" if code is None or code < 0 else f"ended with exit code {code}"


def _exit_code(job: _Job) -> int:
    """Exit code of a process as a shell gives it; 1 when it still runs or claims success."""
    code = job.code or 1
    return 128 - code if code < 0 else code


def tail(log: Path) -> tuple[str, ...]:
    """Last lines of a log."""
    return tuple(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
