"""A process that was forked behaves, for those who start it, like one that Python started."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import environment

pytestmark = pytest.mark.usefixtures("quick_starts")
LIMIT_S = 20.0


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """A module that says who it is, and does as it is told."""
    (tmp_path / "obedient.py").write_text(
        "import os, sys, time\n"
        "print(os.getpid(), os.getcwd(), sys.argv[1:], os.environ['WORD'], __name__, flush=True)\n"
        "print('oh', file=sys.stderr)\n"
        "exec(sys.argv[1])\n"
    )
    return [sys.executable, "-u", "-m", "obedient"]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('ValueError: no')", 1),
        ("os._exit(4)", 4),
        ("raise ValueError('no')", 1),
        ("os.kill(os.getpid(), 9)", -9),
        ("os.kill(os.getpid(), 15)", -15),
        ("os.kill(os.getpid(), 6)", -6),
    ],
)
def test_it_says_and_returns_the_same(program: list[str], tmp_path: Path, act: str, code: int) -> None:
    done = subprocess.run(
        [*program, act], cwd=tmp_path, env=environment(WORD="by"), capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stdout.split(" ", 1)[1] == f"{tmp_path} [{act!r}] by __main__\n"
    assert done.stderr.startswith("oh\n")
    assert ("ValueError: no" in done.stderr) == (code == 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_it(program: list[str], tmp_path: Path, number: signal.Signals) -> None:
    assert ended_by(number, [*program, "time.sleep(60)"], tmp_path) == -number


def test_one_that_has_stopped_can_be_killed(program: list[str], tmp_path: Path) -> None:
    words = [*program, "os.kill(os.getpid(), 19)"]
    assert ended_by(signal.SIGKILL, words, tmp_path, state="T") == -signal.SIGKILL


def ended_by(number: signal.Signals, words: list[str], folder: Path, state: str = "S") -> int:
    """Start a program, send it a signal in a state, and return its exit code; its fork is gone."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, cwd=folder, env=environment(WORD=""), text=True, **pipes) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline().split()[0])
        assert pid != running.pid
        within(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == state)
        running.send_signal(number)
        code = running.wait(LIMIT_S)
    within(lambda: not Path(f"/proc/{pid}").exists())
    return code


def within(said: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not said():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_one_who_asks_for_nothing_disturbs_nobody(
    quick_python: Path, program: list[str], tmp_path: Path
) -> None:
    for said in (b"", b"100\n{"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(quick_python.parent / "door"))
            client.sendall(said)
    done = subprocess.run([*program, "pass"], cwd=tmp_path, env=environment(WORD=""), check=False)
    assert done.returncode == 0


def test_what_is_no_module_is_left_to_python(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import os, sys; print(os.getpid(), sys.executable)"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as running:
        said, _ = running.communicate()
    assert int(said.split()[0]) == running.pid
