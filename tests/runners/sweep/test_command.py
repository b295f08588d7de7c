"""`dlmp sweep`: resumes, records failures, survives killed workers, and gives the same whoever works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result
from distributed import LocalCluster, Worker

from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.runners.sweep import cluster, command
from dlmp_cosim.runners.sweep.cluster import Workers, open_cluster
from dlmp_cosim.runners.sweep.command import INTERRUPTED, SOME_FAILED, sweep_command
from dlmp_cosim.runners.sweep.engine import run_jobs
from dlmp_cosim.runners.sweep.job import Outcome, do_job
from dlmp_cosim.runners.sweep.plan import load_plan

pytestmark = [pytest.mark.federation, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[3]


def sweep(file: Path, output: Path, workers: Workers, *more: str) -> Result:
    address = workers.client.scheduler.address
    arguments = [str(file), "-o", str(output), "--scheduler", address, *more]
    return CliRunner().invoke(sweep_command, arguments)


def no_failures(file: Path) -> Path:
    kept = [line for line in file.read_text().splitlines() if "Helpless" not in line]
    file.write_text("\n".join(kept))
    return file


def test_failures_are_recorded_and_stop_nothing(sweep_file: Path, tmp_path: Path, workers: Workers) -> None:
    out = tmp_path / "out"
    done = sweep(sweep_file, out, workers)
    assert done.exit_code == SOME_FAILED, done.output
    assert "3 runs finished, 3 failed" in done.output
    table = pyarrow.parquet.read_table(out / "summary.parquet").to_pandas()
    assert table["status"].tolist() == ["finished", "failed"] * 3
    assert table.loc[table["market"] == "broken", "error"].str.contains("no numbers today").all()
    assert table.loc[table["market"] == "none", "violations"].notna().all()
    assert table["feeder.load_scale"].is_monotonic_increasing or table["feeder.load_scale"].nunique() == 3
    assert len(list((out / "topics" / "market.dlmp_real-mean").glob("*.parquet"))) == 3


def test_the_same_command_does_only_what_is_left(sweep_file: Path, tmp_path: Path, workers: Workers) -> None:
    out, file = tmp_path / "out", no_failures(sweep_file)
    whole = sweep(file, tmp_path / "whole", workers)
    assert whole.exit_code == 0, whole.output
    assert sweep(file, out, workers, "--draws", "1").exit_code == 0
    journal = (out / "runs.jsonl").read_text()
    more = sweep(file, out, workers)
    assert more.exit_code == 0, more.output
    assert (out / "runs.jsonl").read_text().startswith(journal)
    assert "1 of them done before" in more.output
    assert (out / "summary.parquet").read_bytes() == (tmp_path / "whole" / "summary.parquet").read_bytes()


def test_one_process_gives_what_a_cluster_gives(sweep_file: Path, tmp_path: Path, workers: Workers) -> None:
    file = no_failures(sweep_file)
    assert sweep(file, tmp_path / "out", workers).exit_code == 0
    lines = map(json.loads, (tmp_path / "out" / "runs.jsonl").read_text().splitlines())
    plan = load_plan(file)
    for line in sorted(lines, key=lambda item: -item["run"]):
        assert do_job(plan.job(line["run"])).row == line["row"]


def test_another_sweep_is_refused(sweep_file: Path, tmp_path: Path, workers: Workers) -> None:
    file = no_failures(sweep_file)
    assert sweep(file, tmp_path / "out", workers, "--draws", "1").exit_code == 0
    file.write_text(file.read_text().replace("seed = 4", "seed = 5"))
    done = sweep(file, tmp_path / "out", workers)
    assert done.exit_code == 1
    assert "holds another sweep: sweep.seed is 4 there and 5 here" in done.output


@pytest.mark.parametrize("over", [KeyboardInterrupt, TimeoutError])
def test_an_interrupt_is_one_whatever_comes_over_it(
    sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: type[BaseException]
) -> None:
    """Workers that do not end in time raise an error of their own."""

    def interrupted(*_: Any, **__: Any) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise over

    monkeypatch.setattr(command, "run_here", interrupted)
    done = CliRunner().invoke(sweep_command, [str(sweep_file), "-o", str(tmp_path / "out")])
    assert done.exit_code == INTERRUPTED
    assert "interrupted: 0 of 6 runs are kept" in done.stderr


def test_an_error_among_workers_is_no_interrupt(
    sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise TimeoutError("no answer")

    monkeypatch.setattr(command, "run_here", failing)
    done = CliRunner().invoke(sweep_command, [str(sweep_file), "-o", str(tmp_path / "out")])
    assert isinstance(done.exception, TimeoutError)


def test_a_check_starts_nothing(sweep_file: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(sweep_command, [str(sweep_file), "-o", str(tmp_path / "out"), "--check"])
    assert (done.exit_code, done.output) == (0, "small: sound. 6 runs\n")
    assert not (tmp_path / "out").exists()


def test_a_scheduler_that_is_not_there(
    sweep_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "JOIN_S", 1.0)
    arguments = [str(sweep_file), "-o", str(tmp_path / "out"), "--scheduler", "tcp://127.0.0.1:9"]
    done = CliRunner().invoke(sweep_command, arguments)
    assert done.exit_code == 1
    assert "tcp://127.0.0.1:9" in done.output
    assert "expected" in done.output
    assert not isinstance(done.exception, OSError)


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "JOIN_S", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None) as alone,
        pytest.raises(FederationError, match=r"has no worker within 0.5 s"),
        open_cluster(alone.scheduler_address),
    ):
        pass


def test_workers_that_do_not_start_are_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**_: object) -> LocalCluster:
        raise RuntimeError("Nanny failed to start.") from RuntimeError("worker process died")

    monkeypatch.setattr(cluster, "LocalCluster", start)
    with (
        pytest.raises(FederationError, match=r"2 workers did not start on this machine: worker process died"),
        open_cluster(workers=2),
    ):
        pass


def test_another_version_at_a_worker(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "own_version", lambda: "0.0.1")
    with (
        pytest.raises(FederationError, match=r"worker tcp://.* has version .* expected 0.0.1, as here"),
        open_cluster(workers.client.scheduler.address),
    ):
        pass


def test_a_killed_worker_costs_nothing_but_time(sweep_file: Path, workers: Workers) -> None:
    """Both are killed in the midst of their next runs: when the first run is told, more are left than fit."""
    plan = load_plan(no_failures(sweep_file), draws=4)
    expected = [do_job(plan.job(number)).row for number in range(4)]
    got: dict[int, Outcome] = {}
    killed: list[int] = []

    def note(outcome: Outcome) -> None:
        got[outcome.number] = outcome
        if not killed:
            killed.extend(workers.client.run(os.getpid).values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    run_jobs(workers, map(plan.job, range(4)), note)
    assert len(killed) == 2
    assert [got[number].row for number in range(4)] == expected


def test_a_worker_keeps_few_runs_in_its_logs(workers: Workers) -> None:
    def room(dask_worker: Worker) -> int | None:
        return dask_worker.state.stimulus_log.maxlen

    assert list(workers.client.run(room).values()) == [20, 20]


def test_ctrl_c_keeps_what_is_done(sweep_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-m", "dlmp_cosim.runners.cli", "sweep", str(no_failures(sweep_file)),
               "-o", str(out), "--draws", "200", "--workers", "1"]  # fmt: skip
    # Where the tests run in the background, their children would ignore the signal.
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, heeded)
    journal = out / "runs.jsonl"
    while running.poll() is None and not (journal.exists() and journal.read_text().count("\n") >= 2):
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == INTERRUPTED, said
    done = journal.read_text().count("\n")
    assert 2 <= done < 200
    assert f"interrupted: {done} of 200 runs are kept; the same command goes on from there" in said
    assert pyarrow.parquet.read_table(out / "summary.parquet").num_rows == done
