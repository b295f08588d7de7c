"""The broker's judgement in its loop, and its words, on signs of life that are told."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from toys import NAMES, make_study, make_substation

from dlmp_cosim.federates.runtime.door import Stranger
from dlmp_cosim.federates.runtime.heartbeat import Beat, Heartbeat, Sign, Stage
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.federates.study.substation import load_substation
from dlmp_cosim.feeders.errors import FederationError
from dlmp_cosim.runners import broker as module
from dlmp_cosim.runners.broker import main, progress, read_signs
from dlmp_cosim.runners.run.watch import Finding, Patience

FIGURES: dict[str, float | str] = {
    "interval": 7.0,
    "time": "2020-08-25 16:00",
    "lmp": 31.239,
    "dlmp_mean": -3.5,
    "rounds": 2.0,
    "voltage_min": 0.95126,
    "voltage_min_node": "b.1",
}
HERE = os.getpid()


def sign(name: str, stage: Stage, age: float = 0.0, pid: int = HERE, **more: Any) -> Sign:
    return Sign(Beat(name, pid, stage, **more), age)


def test_progress_is_what_the_recorder_shows() -> None:
    signs = {"feeder": sign("feeder", "working"), "recorder": sign("recorder", "working", figures=FIGURES)}
    assert progress(signs, 288) == (
        "7 of 288 intervals, 2020-08-25 16:00: LMP 31.24, d-LMP -3.50 $/MWh, 2 rounds, "
        "lowest voltage 0.9513 pu at b.1"
    )


@pytest.mark.parametrize("signs", [{}, {"recorder": None}, {"recorder": sign("recorder", "joining")}])
def test_before_the_first_interval_there_is_none(signs: Any) -> None:
    assert progress(signs, 6) == "0 of 6 intervals"


@pytest.mark.parametrize(
    ("stages", "inside"),
    [
        (("working", "waiting"), True),
        (("working", "joining"), False),
        (("working", "starting"), False),
        (("waiting", "waiting"), False),
        (("working", None), True),
        ((None, None), False),
        (("working", "failed"), True),
    ],
)
def test_all_are_in_when_none_is_on_its_way(stages: Any, inside: bool) -> None:
    signs = {str(k): None if stage is None else sign(str(k), stage) for k, stage in enumerate(stages)}
    assert module._all_in(signs) == inside


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load_study(make_study(tmp_path / "study", intervals=6))


def test_signs_of_an_earlier_run_do_not_count(study: Study) -> None:
    for name in ("feeder", "market"):
        beat = Heartbeat(study.run_folder, name)
        beat.tell("working")
        beat.close()
    old = module.STARTED - 60.0
    os.utime(study.run_folder / "market.beat", (old, old))
    signs = read_signs(study, ["feeder", "market", "recorder"])
    assert signs["feeder"] is not None
    assert (signs["market"], signs["recorder"]) == (None, None)


class Door:
    """A door at which a test says who stands."""

    def __init__(self, stranger: Stranger | None = None, *, when_broken: bool = False) -> None:
        self._stranger, self._when_broken = stranger, when_broken
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    def stranger(self, *, broken: bool) -> Stranger | None:
        return self._stranger if broken or not self._when_broken else None


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch, study: Any) -> Iterator[Callable[..., Finding | None]]:
    """Watch federates whose signs are told look by look; the last stay."""

    def call(*looks: dict[str, Sign | None], door: Door | None = None, of: Any = study) -> Finding | None:
        rest = list(looks)

        def read(_study: Any, _names: list[str]) -> dict[str, Sign | None]:
            return rest.pop(0) if len(rest) > 1 else rest[0]

        monkeypatch.setattr(module, "read_signs", read)
        monkeypatch.setattr(time, "sleep", lambda _: None)
        found: Any = door or Door()
        return module._watch(of, list(looks[0]), Patience(), found)

    before = signal.getsignal(signal.SIGTERM)
    yield call
    signal.signal(signal.SIGTERM, before)


Watch = Callable[..., Finding | None]


def both(stage: Stage, **more: Any) -> dict[str, Sign | None]:
    return {name: sign(name, stage, **more) for name in ("feeder", "market")}


def test_a_run_is_watched_until_all_have_finished(watch: Watch) -> None:
    door = Door()
    assert watch(both("joining"), both("working"), both("working"), both("finished"), door=door) is None
    assert door.closed == 1, "once everybody was in"


def test_who_fails_is_named(watch: Watch) -> None:
    failed = both("working") | {"market": sign("market", "failed", age=5.0, error="no optimum")}
    found = watch(both("working"), failed)
    assert found is not None
    assert found.culprit == "market"
    assert found.message.endswith("no optimum")


def test_a_stranger_is_named_while_members_join(watch: Watch) -> None:
    door = Door(Stranger("spy", "spy joined"))
    assert watch(both("joining"), door=door) == Finding("spy", "spy joined")


def test_one_who_was_refused_is_named_in_place_of_who_broke(watch: Watch) -> None:
    failed = both("joining") | {"market": sign("market", "failed", age=5.0, error="lost")}
    door = Door(Stranger("double", "double was refused"), when_broken=True)
    assert watch(both("joining"), failed, door=door) == Finding("double", "double was refused")


def test_nobody_listens_at_the_door_once_all_are_in(watch: Watch) -> None:
    late = Door(Stranger("spy", "spy joined"))
    assert watch(both("working"), both("finished"), door=late) is None


def test_a_signal_interrupts_the_run(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "all_finished", lambda _: os.kill(HERE, signal.SIGTERM))
    assert watch(both("working")) == Finding("broker", "the run was interrupted")


def feeders(north: Sign, south: Sign) -> dict[str, Sign | None]:
    return {"north.feeder": north, "south.feeder": south}


def test_a_feeder_that_stops_is_told_once_where_the_others_go_on(
    watch: Watch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    together = load_substation(make_substation(tmp_path / "all", "north", "south", on_stop="go_on"))
    failed = sign("south.feeder", "failed", age=5.0, error="tripped")
    on, over = (sign("north.feeder", stage) for stage in ("working", "finished"))
    with caplog.at_level(logging.INFO):
        assert watch(feeders(on, failed), feeders(on, failed), feeders(over, failed), of=together) is None
    assert caplog.messages == ["south has stopped, the others go on: south.feeder: tripped"]


def test_where_all_end_with_one_it_is_a_fault(watch: Watch, tmp_path: Path) -> None:
    together = load_substation(make_substation(tmp_path / "all", "north", "south"))
    failed = sign("south.feeder", "failed", age=5.0, error="tripped")
    found = watch(feeders(sign("north.feeder", "working"), failed), of=together)
    assert found is not None
    assert found.culprit == "south.feeder"


def test_progress_is_told_now_and_then(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO):
        watch(*[both("working")] * 5, both("finished"))
    assert set(caplog.messages) == {"0 of 6 intervals"}
    assert len(caplog.messages) < 5


@pytest.mark.parametrize(
    ("others", "looks"), [(both("stopped"), 1), (both("working", pid=2**30), 1), (both("working"), 5)]
)
def test_others_get_time_to_leave(
    monkeypatch: pytest.MonkeyPatch, study: Study, others: Any, looks: int
) -> None:
    """Until they have, or are gone; and no longer than there is."""
    clock, seen = iter(range(100)), list[int]()

    def read(*_: Any) -> Any:
        seen.append(1)
        return others

    monkeypatch.setattr(module, "GRACE_S", 4.5)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(module, "read_signs", read)
    module._wait_for(study, list(others))
    assert len(seen) == min(looks, 4)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("feeder,market", ["feeder", "market"]),
        (" feeder , market ,", ["feeder", "market"]),
        ("feeder,,market", ["feeder", "market"]),
    ],
)
def test_names_are_read_as_a_check_reads_them(
    monkeypatch: pytest.MonkeyPatch, study: Study, text: str, names: list[str]
) -> None:
    """A comma too many is nobody to wait for."""
    asked: list[Any] = []
    monkeypatch.setattr(module, "run", lambda *arguments: asked.append(arguments))
    words = [str(study.folder), "--federates", text, "--stall", "5", "--start", "7.5"]
    assert CliRunner().invoke(main, words).exit_code == 0
    ((found, listed, patience),) = asked
    assert (found.name, listed, patience) == ("toy", names, Patience(7.5, 5.0))


def test_what_cannot_be_watched_is_one_line(
    monkeypatch: pytest.MonkeyPatch, study: Study, tmp_path: Path
) -> None:
    def taken(*_: Any) -> None:
        raise FederationError("port 23404 is taken")

    monkeypatch.setattr(module, "run", taken)
    names = ["--federates", ",".join(NAMES)]
    result = CliRunner().invoke(main, [str(study.folder), *names])
    assert (result.exit_code, result.output.strip()) == (1, "broker: port 23404 is taken")
    assert CliRunner().invoke(main, [str(tmp_path / "none"), *names]).output.startswith("broker: ")
