"""Good runs, one after another and side by side, leave nothing behind."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from toy_federate import GO
from toys import ROOT, all_but, environment, make_study, processes
from toys import make_runner as make_toy_runner

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.runtime.ports import check_ports, reserve_block

pytestmark = [pytest.mark.federation, pytest.mark.timeout(900)]
QUICK = pytest.mark.usefixtures("quick_starts")
FEW = 3
PATIENT_S = 90.0
"""Stall after which a good run is given up: none here is judged by how fast the machine is."""


def make_runner(study: Path, **options: Any) -> Path:
    return make_toy_runner(study, stall_s=PATIENT_S, start_s=PATIENT_S, **options)


def complete(folder: Path) -> bool:
    with Results(folder / "out" / "results.h5") as results:
        return results.complete


@pytest.mark.parametrize("runs", [FEW, pytest.param(30, marks=pytest.mark.slow)])
def test_runs_on_one_port_leave_no_orphan(tmp_path: Path, request: pytest.FixtureRequest, runs: int) -> None:
    """Thirty as a user starts them, three for less."""
    if runs == FEW:
        request.getfixturevalue("quick_starts")
    port, guard = reserve_block()
    with guard:
        for k in range(runs):
            folder = tmp_path / str(k)
            words = ["helics", "run", f"--path={make_runner(make_study(folder / 'study', intervals=2))}"]
            variables = environment(HELICS_BROKER_PORT=str(port))
            done = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout
            assert complete(folder)
            assert processes(folder) == []
            check_ports(port)


@QUICK
def test_two_of_helics_run_at_once(tmp_path: Path) -> None:
    blocks = [reserve_block() for _ in range(2)]
    running = []
    for k, (port, _) in enumerate(blocks):
        words = [
            "helics",
            "run",
            f"--path={make_runner(make_study(tmp_path / str(k) / 'study'))}",
        ]
        variables = environment(HELICS_BROKER_PORT=str(port))
        running.append(subprocess.Popen(words, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL))
    assert [process.wait() for process in running] == [0, 0]
    for k, (_, guard) in enumerate(blocks):
        guard.close()
        assert complete(tmp_path / str(k))


@QUICK
def test_four_of_dlmp_run_at_once_and_are_silent_where_nobody_watches(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "toy"), hosted=all_but("market"))
    words = [sys.executable, "-m", "dlmp_cosim.runners.cli", "run", str(runner), "-o"]
    pipes = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = []
    for k in range(4):
        quiet = ["--quiet"] if k else []
        running.append(subprocess.Popen([*words, str(tmp_path / str(k) / "out"), *quiet], **pipes))
    for k, process in enumerate(running):
        said, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        assert said == "" if k else re.fullmatch(r"toy: 6 intervals in [\d.]+ s -> \S+results.h5\n", said)
        assert complete(tmp_path / str(k))
    assert processes(tmp_path) == []


@QUICK
def test_a_run_shows_its_progress_on_a_terminal(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "toy", intervals=60), hosted=all_but("market"))
    words = [sys.executable, "-m", "dlmp_cosim.runners.cli", "run", str(runner)]
    ours, theirs = pty.openpty()
    variables = environment(TERM="xterm", COLUMNS="160")
    with subprocess.Popen(
        words, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = b"".join(iter(lambda: read_some(ours), b""))
    assert running.returncode == 0
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown)
    assert re.search(rb"/60 .*LMP \d\d.00, d-LMP \d\d.00 \$/MWh, \d rounds, lowest voltage", plain)


def read_some(terminal: int) -> bytes:
    """Read what is there; nothing once the other side has closed."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


@QUICK
def test_a_second_run_into_the_same_folder_disturbs_nobody(tmp_path: Path) -> None:
    """The first waits in its third interval until both ways of starting a second were refused."""
    study = make_study(tmp_path / "toy")
    runner = make_runner(study, faults={"assets": "wait@2"}, hosted=all_but("assets"))
    port, guard = reserve_block()
    dlmp = [sys.executable, "-m", "dlmp_cosim.runners.cli", "run", str(runner)]
    with guard, subprocess.Popen(dlmp, cwd=ROOT, stdout=subprocess.DEVNULL) as first:
        while not (tmp_path / "out" / "results.h5").exists():
            assert first.poll() is None
            time.sleep(0.05)
        variables = environment(HELICS_BROKER_PORT=str(port))
        for other in (dlmp, ["helics", "run", f"--path={runner}"]):
            second = subprocess.run(
                other, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
            )
            assert second.returncode != 0
            assert "another run is writing to" in second.stdout + second.stderr
            assert first.poll() is None
        (tmp_path / GO).touch()
        assert first.wait() == 0
    assert complete(tmp_path)
