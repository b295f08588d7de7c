"""How times are taken, on a clock and on clearings that are told."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dlmp_cosim.market.models import negotiated_models
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.measure import bench, timing
from dlmp_cosim.runners.measure.timing import machine, seconds, time_clearings, time_day

COST = {"warm": 1.0, "cold": 4.0, "central": 8.0, "make": 16.0}
"""What everything takes on the clock of the tests [s]."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by what is done."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def markets(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> list[str]:
    """Markets whose clearings take a time that is told; what is cleared is kept."""
    cleared: list[str] = []

    class Market:
        def __init__(self) -> None:
            clock[0] += COST["make"]
            self.fresh = True

        def clear(self, state: Any, *_: Any) -> Any:
            clock[0] += COST["cold" if self.fresh else "warm"]
            self.fresh = False
            cleared.append(state)
            return SimpleNamespace(dispatch=None)

    def answer(*_: Any) -> Any:
        clock[0] += COST["central"]
        return SimpleNamespace(seconds=3.0)

    monkeypatch.setattr(timing, "make_market", lambda *_: Market())
    monkeypatch.setattr(timing, "make_reference", lambda *_: SimpleNamespace(answer=answer))
    return cleared


def case(name: str) -> Any:
    return SimpleNamespace(demand=None, offers=None, price=None, name=name)


def sample(name: str) -> Any:
    return SimpleNamespace(
        network=None, settings=None, case=case(name), state=name,
        before=case(f"before {name}"), state_before=f"before {name}",
    )  # fmt: skip


def test_a_cold_clearing_is_timed_with_its_market_made_before(markets: list[str]) -> None:
    found = time_clearings([sample("one"), sample("two")], repeats=2)
    assert found == {"pac_warm": 1.0, "pac_cold": 4.0, "cvxpy": 8.0, "clarabel": 3.0}
    assert markets[:4] == ["one", "before one", "one", "one"], "warm from the interval before, then cold"


def test_a_days_first_clearing_counts_as_its_start(markets: list[str]) -> None:
    day: Any = SimpleNamespace(
        network=None, forecasts=lambda _: ((case(name), name) for name in ("a", "b", "c"))
    )
    assert time_day(day, MarketSettings()) == {"setup": 16.0 + 4.0, "clear": 2.0}
    assert markets == ["a", "b", "c"]


def test_a_call_is_timed_once(clock: list[float]) -> None:
    def work() -> None:
        clock[0] += 2.5

    assert seconds(work) == 2.5
    assert clock[0] == 2.5


def test_a_machine_says_what_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "cpuinfo"
    table.write_text("processor\t: 0\nmodel name\t: Fast: 3 GHz\n\nprocessor\t: 1\nmodel name\t: other\n")
    monkeypatch.setattr(timing, "CPU_TABLE", table)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.51, 1.26, 0.9))
    found = machine()
    assert found["processor"] == "Fast: 3 GHz"
    assert (found["load"], found["python"]) == (1.3, platform.python_version())
    assert found["numpy"]


@pytest.mark.parametrize("text", [None, "", "Hardware : board\n"])
def test_a_machine_without_a_model_has_a_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    table = tmp_path / "cpuinfo"
    if text is not None:
        table.write_text(text)
    monkeypatch.setattr(timing, "CPU_TABLE", table)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert timing._processor() == platform.machine()


def test_a_package_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "PACKAGES", ("numpy", "no_such_package"))
    assert machine()["no_such_package"] is None


def test_a_day_of_one_interval_is_timed_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no interval before one, and no sample to time clearings on."""
    monkeypatch.setattr(bench, "time_distopf", lambda: "not installed")
    monkeypatch.setattr(bench, "time_reading", lambda _: {"reading": 1.0, "reading_pandas": 2.0})
    monkeypatch.setattr(bench, "take_samples", lambda *_, **__: [])
    monkeypatch.setattr(bench, "time_day", lambda *_: {"setup": 5.0, "clear": 0.0})
    with bench._progress(quiet=True) as progress:
        found = bench.measure(None, MarketSettings(), 1, 1, progress)  # type: ignore[arg-type]
    for model in negotiated_models():
        assert found["seconds"][model] == {"day_setup": 5.0, "day_clear": 0.0}
    assert found["ratios"] == {}
