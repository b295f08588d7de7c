"""Good runs, one after another and side by side, leave nothing behind."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toys import CONFIGS, ROOT, environment, make_runner, make_study, processes

from federates.results.run import Results
from federates.runtime.local import run_local
from federates.runtime.ports import check_ports, reserve_block
from federates.study.study import load_study

pytestmark = [pytest.mark.federation, pytest.mark.timeout(900)]


def complete(folder: Path) -> bool:
    with Results(folder / "out" / "results.h5") as results:
        return results.complete


@pytest.mark.parametrize("runs", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_runs_on_one_port_leave_no_orphan(tmp_path: Path, runs: int) -> None:
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


def test_two_of_helics_run_at_once(tmp_path: Path) -> None:
    blocks = [reserve_block() for _ in range(2)]
    running = []
    for k, (port, _) in enumerate(blocks):
        words = ["helics", "run", f"--path={make_runner(make_study(tmp_path / str(k) / 'study'))}"]
        variables = environment(HELICS_BROKER_PORT=str(port))
        running.append(subprocess.Popen(words, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL))
    assert [process.wait() for process in running] == [0, 0]
    for k, (_, guard) in enumerate(blocks):
        guard.close()
        assert complete(tmp_path / str(k))


def test_four_of_dlmp_run_at_once(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "study"))
    words = [sys.executable, "-m", "runners.cli", "run", "--quiet", str(runner), "-o"]
    pipes = {"cwd": ROOT, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*words, str(tmp_path / str(k) / "out")], **pipes) for k in range(4)]
    for k, process in enumerate(running):
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        assert complete(tmp_path / str(k))
    assert processes(tmp_path) == []


def test_a_run_is_silent_where_nobody_watches(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "study"))
    words = [sys.executable, "-m", "runners.cli", "run", str(runner)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert re.fullmatch(r"toy: 6 intervals in [\d.]+ s -> \S+results.h5\n", done.stdout)


def test_a_run_shows_its_progress_on_a_terminal(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "study", intervals=60))
    words = [sys.executable, "-m", "runners.cli", "run", str(runner)]
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


def test_threads_and_processes_agree_on_the_shipped_study(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs" / "ieee123_day")
    scenario = tmp_path / "configs" / "ieee123_day" / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("intervals = 288", "intervals = 12"))
    runner = tmp_path / "runners" / "day.json"
    runner.parent.mkdir()
    text = (ROOT / "runners" / "ieee123_day.json").read_text()
    text = text.replace('"directory": ".."', f'"directory": "{ROOT}"')
    runner.write_text(text.replace("configs/ieee123_day", str(scenario.parent)))
    port, guard = reserve_block()
    variables = environment(HELICS_BROKER_PORT=str(port), DLMP_RESULTS_DIR=str(tmp_path / "processes"))
    with guard:
        subprocess.run(["helics", "run", f"--path={runner}", "--silent"], env=variables, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLMP_RESULTS_DIR", str(tmp_path / "threads"))
        run_local(load_study(scenario.parent))
    one, other = ((tmp_path / way / "results.h5").read_bytes() for way in ("processes", "threads"))
    assert one == other


@pytest.mark.parametrize("way", ["dlmp", "helics"])
def test_a_second_run_into_the_same_folder_disturbs_nobody(tmp_path: Path, way: str) -> None:
    runner = make_runner(make_study(tmp_path / "study", intervals=200))
    port, guard = reserve_block()
    dlmp = [sys.executable, "-m", "runners.cli", "run", str(runner)]
    other = dlmp if way == "dlmp" else ["helics", "run", f"--path={runner}"]
    with guard, subprocess.Popen(dlmp, cwd=ROOT, stdout=subprocess.DEVNULL) as first:
        while not (tmp_path / "out" / "results.h5").exists():
            assert first.poll() is None
            time.sleep(0.05)
        variables = environment(HELICS_BROKER_PORT=str(port))
        second = subprocess.run(other, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
        assert second.returncode != 0
        assert "another run is writing to" in second.stdout + second.stderr
        assert first.wait() == 0
    assert complete(tmp_path)
