"""Sweep for long, or beside a killer of workers, as a user would: what memory does, and what is lost.

``python long_sweep.py memory RUNS FOLDER`` samples the memory of one worker over so many short runs.
``python long_sweep.py kills KILLS SEED FOLDER`` kills workers at random moments, and compares what the sweep
leaves with that of one that nobody disturbed. Both tell what came of it as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet

BASE = Path(__file__).parents[2] / "configs" / "ieee123_day"
SWEEP = f"""
name = "short"
base = "{BASE}"
draws = 1
seed = 7

[fixed]
time.start = 2020-08-25T16:00:00
time.intervals = 2
time.period_s = 3600
market.method = "interior-point"

[[axis]]
key = "feeder.load_scale"
uniform = [0.8, 1.2]
"""
DRAWS_PER_KILL = 10
WAIT_S = 0.2
LONGEST_S = 4.0
"""Between two kills, at most: a worker is there again within two seconds, and does some runs."""
MEGABYTE = 1e6
TENTHS = 10


def start(folder: Path, name: str, draws: int, workers: int) -> subprocess.Popen[str]:
    """Start a sweep with the command that a user would give."""
    file = folder / "short.toml"
    file.write_text(SWEEP)
    command = [sys.executable, "-m", "dlmp_cosim.runners.cli", "sweep", str(file), "-o", str(folder / name),
               "--draws", str(draws), "--workers", str(workers)]  # fmt: skip
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def workers_of(sweep: subprocess.Popen[str]) -> list[psutil.Process]:
    """Worker processes of a sweep that is running."""
    try:
        found = psutil.Process(sweep.pid).children(recursive=True)
        return [child for child in found if "spawn_main" in " ".join(child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def done(folder: Path) -> int:
    """Runs in the journal."""
    journal = folder / "runs.jsonl"
    return journal.read_text().count("\n") if journal.exists() else 0


def ended(sweep: subprocess.Popen[str]) -> None:
    """Wait for a sweep; one that failed ends this program with its words."""
    _, said = sweep.communicate()
    if sweep.returncode:
        raise SystemExit(said)


def memory(runs: int, folder: Path) -> dict[str, float]:
    """Resident memory of one worker [MB], by how many runs it has done."""
    sweep, found = start(folder, "memory", runs, workers=1), dict[str, float]()
    marks = [50, *(round(runs * tenth / TENTHS) for tenth in range(1, TENTHS))]
    while sweep.poll() is None:
        count = done(folder / "memory")
        if marks and count >= marks[0]:
            worker = max(workers_of(sweep), key=lambda child: child.memory_info().rss, default=None)
            if worker is not None:
                found[str(count)] = round(worker.memory_info().rss / MEGABYTE, 1)
            marks = [mark for mark in marks if mark > count]
        time.sleep(WAIT_S)
    ended(sweep)
    return found


def kills(number: int, seed: int, folder: Path) -> dict[str, int | bool]:
    """How many workers were killed, how many runs there are, and whether they are those of a quiet sweep."""
    chance, draws = np.random.default_rng(seed), number * DRAWS_PER_KILL
    ended(start(folder, "whole", draws, workers=2))
    sweep, killed, lost = start(folder, "killed", draws, workers=2), 0, 0
    before = 0
    while sweep.poll() is None:
        time.sleep(chance.uniform(WAIT_S, LONGEST_S))
        now = done(folder / "killed")
        lost, before = lost + max(before - now, 0), now
        workers = workers_of(sweep) if now else []
        if workers and killed < number:
            workers[chance.integers(len(workers))].kill()
            killed += 1
    ended(sweep)
    whole, other = (
        pyarrow.parquet.read_table(folder / name / "summary.parquet") for name in ("whole", "killed")
    )
    return {"killed": killed, "runs": other.num_rows, "lost": lost, "equal": whole.equals(other)}


def main(what: str, *more: str) -> None:
    """Measure, and tell."""
    *numbers, place = more
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    found = memory(int(numbers[0]), folder) if what == "memory" else kills(*map(int, numbers), folder)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
