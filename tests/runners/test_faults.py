"""Whatever a federate does, a run ends, says who did it, and leaves nothing behind but its results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from toys import NAMES, ROOT, all_but, environment, make_runner, make_study, processes

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.ports import BLOCK, check_ports, reserve_block
from tests.conftest import starting_by

# What waits begins with the first test, whichever it is.
pytestmark = [pytest.mark.federation, pytest.mark.usefixtures("waiting")]
QUICK = pytest.mark.usefixtures("quick_starts")

FAULTY_INTERVAL = 3
ENDS_WITHIN_S = 10.0
STRANGER_NAMED_S = 5.0
FAULTS = ("start", "raise", "exit", "kill", "hang")
WAYS = ("helics", "dlmp")
SAYS = {
    "start": "a fault on purpose",
    "raise": "a fault on purpose",
    "exit": "ended without a word",
    "kill": "ended without a word",
    "hang": "has not answered for 5 s",
}

HANG, NEVER_S = f"hang@{FAULTY_INTERVAL}", 8.0
WAITS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "helics-market": ("helics", {"market": HANG}, {"hosted": all_but("market")}),
    "dlmp-recorder": ("dlmp", {"recorder": HANG}, {"hosted": all_but("recorder")}),
    "stopped": ("dlmp", {"assets": "stop@2"}, {"stall_s": 3.0, "hosted": all_but("assets")}),
    "never": ("dlmp", {}, {"start_s": NEVER_S, "hosted": all_but("recorder")}),
    "too-long": ("dlmp", {"feeder": "hang@1"}, {"stall_s": 60.0, "hosted": all_but("feeder")}),
}
"""Runs that wait for seconds and do nothing: how each is started, its faults, and other options."""

STRANGER = """
import json, os, sys, time
from pathlib import Path
import helics as h

while not any('"joining"' in file.read_text() for file in Path(sys.argv[1]).glob("*.beat")):
    time.sleep(0.05)
time.sleep(1.0)
(Path(sys.argv[1]).parents[1] / "came.time").touch()
try:
    key = os.path.expandvars(sys.argv[2])
    table = {"name": "stranger", "core_type": "zmq", "core_init_string": f"--brokerkey={key}"}
    h.helicsCreateValueFederateFromConfig(json.dumps(table))
except h.HelicsException as error:
    print(error)
time.sleep(60.0)
"""
"""A federate without signs of life, which comes when others have joined, with a key."""


@dataclass(frozen=True)
class Ended:
    """A run that is over."""

    code: int
    text: str
    took_s: float
    folder: Path
    at: float = 0.0


@contextmanager
def command(
    folder: Path, way: str, faults: dict[str, str], **options: Any
) -> Iterator[tuple[list[str], dict[str, str], int]]:
    """Write a toy study; give the command that runs it, its environment and its port, reserved meanwhile."""
    runner = make_runner(make_study(folder / "study"), faults=faults, **options)
    if way == "dlmp":
        yield [sys.executable, "-m", "dlmp_cosim.runners.cli", "run", str(runner)], environment(), 0
        return
    port, guard = reserve_block()
    with guard:
        yield ["helics", "run", f"--path={runner}"], environment(HELICS_BROKER_PORT=str(port)), port


@contextmanager
def member(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Change how the runner file of a toy study starts one of its members."""
    file = folder / "toy.json"
    table = json.loads(file.read_text())
    yield next(row for row in table["federates"] if row["name"] == name)
    file.write_text(json.dumps(table))


def run(folder: Path, way: str, faults: dict[str, str], **options: Any) -> Ended:
    """Run a toy study and time its end from the moment of the fault."""
    with command(folder, way, faults, **options) as (words, variables, port):
        return end(folder, words, variables, port)


def end(folder: Path, words: list[str], variables: dict[str, str], port: int) -> Ended:
    """Start a command and wait for its end."""
    done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    ended = time.time()
    if port:
        check_ports(port)
    mark = folder / "fault.time"
    began = float(mark.read_text()) if mark.exists() else ended
    return Ended(done.returncode, done.stdout + done.stderr, ended - began, folder, ended)


@pytest.fixture(scope="module")
def waiting(
    tmp_path_factory: pytest.TempPathFactory, quick_python: Path
) -> Iterator[dict[str, Future[Ended]]]:
    """Runs that wait for what never comes, all at the same time: they work for a second and idle for many."""
    folder, found = tmp_path_factory.mktemp("waiting"), {}
    with ExitStack() as open_ports, ThreadPoolExecutor(len(WAITS)) as pool:
        for name, (way, faults, options) in WAITS.items():
            with starting_by(quick_python):
                place = folder / name
                words, variables, port = open_ports.enter_context(command(place, way, faults, **options))
            if name == "never":
                with member(place, "recorder") as recorder:
                    recorder["exec"] = "python -c 'import time; time.sleep(60)'"
            limit = ["--time-limit", "4"] if name == "too-long" else []
            found[name] = pool.submit(end, place, words + limit, variables, port)
        yield found
        # Who is left by a failure would keep the threads.
        end_all(folder)


@pytest.fixture(autouse=True)
def _clean_up(tmp_path: Path) -> Iterator[None]:
    """End what a failed test left, so that it cannot disturb the next."""
    yield
    end_all(tmp_path)


def end_all(folder: Path) -> None:
    """Kill every process of the runs in a folder."""
    for pid in processes(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leaves_nothing(ended: Ended) -> None:
    """No process of the run is left; its port was looked at when it ended."""
    limit = time.monotonic() + 2.0
    while processes(ended.folder) and time.monotonic() < limit:
        time.sleep(0.05)
    assert processes(ended.folder) == []


def finished_intervals(ended: Ended) -> int:
    with Results(ended.folder / "out" / "results.h5") as results:
        for key in results.keys:
            rows = (
                results.texts(key)
                if key.endswith(("status", "clearing", "offer", "verdict"))
                else results.values(key)
            )
            assert len(rows) == results.intervals
        return results.intervals


def tried() -> Iterator[Any]:
    """Every fault of every federate, started either way; a few stand for all: the same code ends each run.

    Each fault comes both ways and each federate twice, and the recorder is killed besides, for it alone has
    a file open. The others are tried by `make proof`.
    """
    few = {("dlmp", "recorder", "kill")}
    few |= {
        (way, NAMES[(2 * k + w) % len(NAMES)], fault)
        for (k, fault), (w, way) in product(enumerate(FAULTS), enumerate(WAYS))
    }
    # Those that wait come last: they are over by then.
    for case in sorted(product(WAYS, NAMES, FAULTS), key=lambda case: case[2] == "hang"):
        yield pytest.param(*case, marks=() if case in few else pytest.mark.slow)


@pytest.mark.parametrize(("way", "name", "fault"), list(tried()))
def test_a_fault_ends_the_run_and_is_named(
    tmp_path: Path, request: pytest.FixtureRequest, way: str, name: str, fault: str
) -> None:
    """When the recorder is killed, Python starts each alone; else the others share a process, for less."""
    if fault == "hang" and f"{way}-{name}" in WAITS:
        ended = request.getfixturevalue("waiting")[f"{way}-{name}"].result()
    else:
        hosted: tuple[str, ...] = ()
        if (name, fault) != ("recorder", "kill"):
            request.getfixturevalue("quick_starts")
            hosted = all_but(name)
        ended = run(tmp_path, way, {name: f"{fault}@{FAULTY_INTERVAL}"}, hosted=hosted)
    assert ended.code != 0
    assert ended.took_s < ENDS_WITHIN_S
    broker = ended.folder / ("broker.log" if way == "helics" else "out/results.run/broker.log")
    said = ended.text + broker.read_text(errors="replace")
    assert any(name in line and SAYS[fault] in line for line in said.splitlines()), said
    leaves_nothing(ended)
    if fault != "start":
        assert finished_intervals(ended) == FAULTY_INTERVAL
    if way == "dlmp":
        assert ended.code == (137 if fault == "kill" else 1), "the culprit's"
        assert f"error: {name}: {name}" in ended.text
        assert "last lines of" in ended.text


def test_a_stopped_process_is_named(waiting: dict[str, Future[Ended]]) -> None:
    ended = waiting["stopped"].result()
    assert "assets has not answered for 3 s" in ended.text
    assert "waiting for it: " in ended.text
    leaves_nothing(ended)


def test_one_that_never_joins_is_named(waiting: dict[str, Future[Ended]]) -> None:
    ended = waiting["never"].result()
    assert ended.code != 0
    assert "recorder did not join within 8 s" in ended.text
    started = (ended.folder / "out" / "results.run" / "recorder.log").stat().st_mtime
    assert ended.at - started < NEVER_S + ENDS_WITHIN_S


@QUICK
def test_a_federate_with_another_key_stays_out(tmp_path: Path) -> None:
    with command(tmp_path, "helics", {}, hosted=all_but("assets")) as (words, variables, _):
        with member(tmp_path, "assets") as assets:
            assets["env"]["HELICS_BROKER_KEY"] = "of-another-run"
        done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "assets could not join the federation: broker responded with error: broker key" in done.stdout


@QUICK
@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("of-another-run", "the stranger 'stranger' (core stranger_core_"),
        ("$HELICS_BROKER_KEY", "'stranger' joined, which nobody expects"),
    ],
)
def test_a_stranger_who_comes_while_others_join_ends_the_run_and_is_named(
    tmp_path: Path, key: str, says: str
) -> None:
    stranger = tmp_path / "stranger.py"
    stranger.write_text(STRANGER)
    with command(tmp_path, "dlmp", {}, start_s=60.0, hosted=all_but("recorder")) as (words, variables, _):
        with member(tmp_path, "recorder") as recorder:
            recorder["exec"] = f"python {stranger} {tmp_path / 'out' / 'results.run'} {key}"
        done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert says in done.stderr
    assert time.time() - (tmp_path / "came.time").stat().st_mtime < STRANGER_NAMED_S
    assert processes(tmp_path) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_broker_ends_everybody_and_only_this_host_could_connect(
    tmp_path: Path, request: pytest.FixtureRequest, way: str
) -> None:
    if way == "dlmp":
        request.getfixturevalue("quick_starts")
    with (
        command(tmp_path, way, {"feeder": "hang@2"}, stall_s=60.0) as (words, variables, port),
        subprocess.Popen(words, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL) as running,
    ):
        wait_for(tmp_path / "fault.time")
        listeners = addresses(port) if port else []
        os.kill(processes(tmp_path, "dlmp_cosim.runners.broker")[0], signal.SIGKILL)
        code = running.wait(ENDS_WITHIN_S)
    assert processes(tmp_path) == []
    if way == "dlmp":
        assert code != 0, "helics run counts no killed process as an error, so its code cannot be relied on"
    else:
        assert len(listeners) > 5
        assert set(listeners) == {"0100007F"}


def addresses(port: int) -> list[str]:
    """Addresses, as Linux writes them, at which the processes of a run listen."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [row[1].split(":") for row in rows if row[3] == "0A"]
    return [host for host, number in listening if port <= int(number, 16) < port + BLOCK]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everybody_cleanly(
    tmp_path: Path, request: pytest.FixtureRequest, number: signal.Signals
) -> None:
    if number == signal.SIGTERM:
        request.getfixturevalue("quick_starts")
    hang = {"feeder": "hang@3"}
    with (
        command(tmp_path, "dlmp", hang, stall_s=60.0, hosted=all_but("feeder")) as (words, variables, _),
        subprocess.Popen(words, cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True) as running,
    ):
        wait_for(tmp_path / "fault.time")
        running.send_signal(number)
        assert running.wait(ENDS_WITHIN_S) == 130
        assert running.stderr is not None
        assert "interrupted" in running.stderr.read()
    ended = Ended(130, "", 0.0, tmp_path)
    leaves_nothing(ended)
    assert finished_intervals(ended) == 3


def test_a_time_limit_ends_a_run(waiting: dict[str, Future[Ended]]) -> None:
    ended = waiting["too-long"].result()
    assert ended.code == 1
    assert "took longer than 4 s" in ended.text
    leaves_nothing(ended)


def wait_for(file: Path) -> None:
    limit = time.monotonic() + 30.0
    while not file.exists():
        assert time.monotonic() < limit
        time.sleep(0.05)
