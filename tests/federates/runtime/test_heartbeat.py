from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dlmp_cosim.federates.runtime.heartbeat import (
    Heartbeat,
    beat_file,
    process_alive,
    read_sign,
    refuse_if_held,
    wait_for_end,
)
from dlmp_cosim.feeders.errors import FederationError


def test_a_sign_of_life_is_read_as_it_was_told(tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path / "run", "feeder")
    first = read_sign(tmp_path / "run", "feeder")
    assert first is not None
    assert (first.beat.stage, first.beat.pid) == ("starting", os.getpid())
    beat.tell("waiting", wanted=301.0)
    beat.tell("working", time=301.0, figures={"lmp": 20.5})
    sign = read_sign(tmp_path / "run", "feeder")
    assert sign is not None
    assert (sign.beat.stage, sign.beat.time, sign.beat.wanted, sign.beat.figures) == (
        "working",
        301.0,
        301.0,
        {"lmp": 20.5},
    )
    assert 0.0 <= sign.age_s < 60.0


def test_a_long_error_is_cut_and_stays_readable(tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path, "feeder")
    beat.tell("failed", error="x" * 100_000)
    beat.tell("failed")
    sign = read_sign(tmp_path, "feeder")
    assert sign is not None
    assert sign.beat.error == "x" * 1000


def test_a_failure_is_dated_by_its_first_word(tmp_path: Path) -> None:
    first, second = (Heartbeat(tmp_path, name) for name in ("market", "feeder"))
    first.tell("failed", error="no clearing")
    failed_at = first.failed_at
    os.utime(beat_file(tmp_path, "market"), (1e9, 1e9))
    second.tell("failed", error="market has left")
    first.tell("failed", error="no clearing, once more")
    market, feeder = (read_sign(tmp_path, name) for name in ("market", "feeder"))
    assert market is not None
    assert feeder is not None
    assert market.age_s > feeder.age_s
    assert market.beat.error == "no clearing"
    assert first.failed_at == failed_at


def test_nothing_is_known_of_a_federate_that_said_nothing(tmp_path: Path) -> None:
    assert read_sign(tmp_path, "feeder") is None
    beat_file(tmp_path, "feeder").write_text("{half a")
    assert read_sign(tmp_path, "feeder") is None


def test_what_was_said_in_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    Heartbeat(tmp_path, "feeder")
    assert read_sign(tmp_path, "feeder", since=time.time() + 10.0) is None


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    beat = Heartbeat(None, "feeder")
    beat.tell("finished")
    beat.close()
    assert list(tmp_path.iterdir()) == []


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    refuse_if_held(tmp_path)
    beat = Heartbeat(tmp_path, "feeder")
    for attempt in (lambda: Heartbeat(tmp_path, "feeder"), lambda: refuse_if_held(tmp_path)):
        with pytest.raises(FederationError, match="another run is writing to"):
            attempt()
    beat.close()
    refuse_if_held(tmp_path)
    Heartbeat(tmp_path, "feeder").close()


def test_a_reader_never_sees_half_a_sign(tmp_path: Path) -> None:
    beat = Heartbeat(tmp_path, "feeder")
    done = threading.Event()

    def write() -> None:
        for k in range(2000):
            beat.tell("working", time=float(k), error="e" * (k % 500))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = [read_sign(tmp_path, "feeder") for _ in iter(done.is_set, True)]
    thread.join()
    assert all(sign is not None for sign in seen)


@pytest.mark.parametrize("told", [True, False])
def test_waiting_for_an_end_ends_with_it(monkeypatch: pytest.MonkeyPatch, told: bool) -> None:
    if not told:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])
    began = time.monotonic()
    wait_for_end(process.pid, poll_s=0.01)
    assert 0.2 < time.monotonic() - began < 10.0
    process.wait()
    wait_for_end(process.pid)


def test_an_ended_process_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    assert process_alive(os.getpid())
    limit = time.monotonic() + 10.0
    while process_alive(process.pid) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not process_alive(process.pid), "ended, though nobody collected it yet"
    process.wait()
    assert not process_alive(process.pid)


@pytest.mark.parametrize(
    "content",
    [
        b'{"federate":"feeder","pid":1,"stage":"working","mood":"good"}',
        b'{"federate":"feeder","pid":1}',
        b"[]",
        b"7",
        b"\xff\xfe",
        b"",
    ],
)
def test_a_sign_of_another_version_is_none(tmp_path: Path, content: bytes) -> None:
    beat_file(tmp_path, "feeder").write_bytes(content)
    assert read_sign(tmp_path, "feeder") is None
