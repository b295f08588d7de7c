"""What a federate's process makes of the broker's silence, on signs of life that are told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from dlmp_cosim.federates.runtime import watching as module
from dlmp_cosim.federates.runtime.heartbeat import BROKER, Beat, Heartbeat, Sign, Stage
from dlmp_cosim.federates.runtime.hosts import ADDRESS_VARIABLE, BROKER_VARIABLE, STALL_VARIABLE
from dlmp_cosim.federates.runtime.watching import (
    JOIN_S,
    RECENT_S,
    STOPPED,
    VERDICT_S,
    await_broker,
    await_verdict,
    is_over,
    watch_broker,
)

GONE = 2**30
"""No process has this number."""


class Left(BaseException):
    """The process ended, with its exit code."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes by waiting alone; leaving is an exception."""
    now = [0.0]

    def leave(code: int) -> NoReturn:
        raise Left(code)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    monkeypatch.setattr(os, "_exit", leave)
    return now


Say = Callable[..., None]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """Leave a sign of life of the broker, by a process, or by this one, and some time ago."""

    def told(stage: Stage | None, pid: int | None = None, age: float = 0.0) -> None:
        if stage is None:
            return
        beat = Heartbeat(tmp_path, BROKER)
        beat._beat["pid"] = pid or os.getpid()
        beat.tell(stage)
        beat.close()
        when = time.time() - age
        os.utime(tmp_path / f"{BROKER}.beat", (when, when))

    return told


@pytest.fixture
def own(tmp_path: Path) -> Heartbeat:
    return Heartbeat(tmp_path, "feeder")


@pytest.mark.parametrize(
    ("stage", "age", "over"),
    [
        ("failed", 0.0, True),
        ("failed", RECENT_S / 2, True),
        ("failed", 2 * RECENT_S, False),
        ("working", 0.0, False),
        ("finished", 0.0, False),
        (None, 0.0, False),
    ],
)
def test_a_run_is_over_when_its_broker_has_just_failed(
    say: Say, own: Heartbeat, stage: Any, age: float, over: bool
) -> None:
    say(stage, age=age)
    assert is_over(own) == over


def test_without_signs_nothing_is_known() -> None:
    assert not is_over(None)
    assert not is_over(Heartbeat(None, "feeder"))


@pytest.mark.parametrize(
    ("stage", "pid", "waits"),
    [
        ("working", None, True),
        ("working", GONE, False),
        ("failed", None, False),
        ("finished", None, False),
        (None, None, False),
    ],
)
def test_a_verdict_is_awaited_while_the_broker_may_give_one(
    say: Say, own: Heartbeat, clock: list[float], stage: Any, pid: int | None, waits: bool
) -> None:
    say(stage, pid)
    await_verdict(own)
    assert (clock[0] >= VERDICT_S) == waits
    assert clock[0] < VERDICT_S + 0.1, "and no longer"


def test_a_verdict_that_comes_ends_the_wait(
    say: Say, own: Heartbeat, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    say("working")

    def wait(seconds: float) -> None:
        clock[0] += seconds
        say("failed")

    monkeypatch.setattr(time, "sleep", wait)
    await_verdict(own)
    assert clock[0] == pytest.approx(module.VERDICT_POLL_S)


def test_one_joins_once_the_broker_of_its_run_is_there(
    say: Say, own: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while there is a sign of an earlier run, whose broker is gone: another run may hold the port."""
    words: list[tuple[Stage, int | None]] = [("failed", None), ("working", GONE), ("starting", None)]
    say(*words.pop(0))
    monkeypatch.setattr(time, "sleep", lambda _: say(*words.pop(0)))
    await_broker(own)
    assert words == []


def test_a_broker_that_gives_no_sign_is_not_waited_for_long(own: Heartbeat, clock: list[float]) -> None:
    await_broker(own)
    assert module.BROKER_S <= clock[0] < module.BROKER_S + 0.1
    await_broker(Heartbeat(None, "feeder"))


@pytest.mark.parametrize(("stage", "ends"), [("finished", False), ("failed", False), ("working", True)])
def test_a_broker_that_goes_without_a_word_ends_the_process(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    stage: Stage, ends: bool,
) -> None:  # fmt: skip
    say(stage, pid=77)
    monkeypatch.setattr(module, "_find_broker", lambda _: 77)
    monkeypatch.setattr(module, "wait_for_end", lambda pid: None if pid == 77 else pytest.fail("another"))
    if ends:
        with pytest.raises(Left) as left:
            watch_broker(tmp_path, "feeder")
        assert left.value.args == (STOPPED,)
        assert caplog.messages == ["feeder: the broker is gone (process 77)"]
    else:
        watch_broker(tmp_path, "feeder")


def test_a_broker_of_an_earlier_run_is_not_the_one_that_is_waited_for(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[tuple[Stage, int | None]] = [("failed", None), ("working", GONE), ("working", None)]
    say(*words.pop(0))

    def wait(_: float) -> None:
        say(*words.pop(0))

    monkeypatch.setattr(time, "sleep", wait)
    assert module._find_broker(tmp_path) == os.getpid()
    assert words == []


@pytest.mark.parametrize(
    ("stage", "age", "vain"),
    [
        ("waiting", 119.0, False),
        ("waiting", 121.0, True),
        ("working", 999.0, False),
        ("joining", 121.0, True),
        ("finished", 999.0, False),
    ],
)
def test_silence_counts_while_one_waits(stage: Stage, age: float, vain: bool) -> None:
    assert module._waits_in_vain(Sign(Beat("feeder", 1, stage), age), 120.0) == vain


def test_joining_is_given_time_however_short_the_limit() -> None:
    sign = Sign(Beat("feeder", 1, "joining"), JOIN_S - 1.0)
    assert not module._waits_in_vain(sign, 5.0)
    assert module._waits_in_vain(Sign(sign.beat, JOIN_S + 1.0), 5.0)


def test_a_link_that_is_down_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "10.0.0.2")
    monkeypatch.setenv(BROKER_VARIABLE, "tcp://10.0.0.1")
    monkeypatch.setenv(STALL_VARIABLE, "30")
    beat = Heartbeat(tmp_path, "feeder")
    beat.tell("waiting", time=600.0)
    when = time.time() - 31.0
    os.utime(tmp_path / "feeder.beat", (when, when))
    with pytest.raises(Left) as left:
        watch_broker(tmp_path, "feeder")
    assert left.value.args == (STOPPED,)
    (said,) = caplog.messages
    assert said.startswith("feeder: stopped at 600 s: nothing was heard for 30 s: the link to the broker at")
    assert said.endswith("at tcp://10.0.0.1 is down, or somebody there does not answer")
