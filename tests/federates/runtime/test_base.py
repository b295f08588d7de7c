"""The life cycle around a role, in front of a HELICS that is told: what is said, closed and returned."""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helics as h
import pytest
from toys import make_study, make_substation

from dlmp_cosim.federates.runtime import base as module
from dlmp_cosim.federates.runtime.base import (
    ERROR_CODE,
    OWN_FAULT,
    Connection,
    broker_key,
    check_publishers,
    guard,
    summary,
    unique_name,
)
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat, read_sign
from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.runtime.watching import STOPPED
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import ClearingError, FederationError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FederationError("it  is\nover"), "it is over"),
        (ValueError("odd\n number"), "ValueError: odd number"),
        (ValueError(), "ValueError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (KeyError("bus"), "KeyError: 'bus'"),
    ],
)
def test_an_error_is_one_line(error: BaseException, line: str) -> None:
    assert summary(error) == line


def test_cores_of_one_process_have_names_of_their_own() -> None:
    names = {unique_name("feeder") for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("feeder_") for name in names)


def test_the_key_of_a_run_keeps_others_out(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELICS_BROKER_KEY", raising=False)
    assert broker_key(study) == study.federation == "toy"
    monkeypatch.setenv("HELICS_BROKER_KEY", "secret")
    assert broker_key(study) == "secret"


def asked(patch: pytest.MonkeyPatch, members: Any, publications: Mapping[str, Any]) -> None:
    """Answer queries: who is there, and what each publishes."""
    answers = {("root", "federates"): members}
    answers |= {(name, "publications"): keys for name, keys in publications.items()}
    patch.setattr(h, "helicsCreateQuery", lambda target, question: (target, question))
    patch.setattr(h, "helicsQueryExecute", lambda query, _federate: answers[query])


def test_members_that_publish_their_own_are_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(
        monkeypatch,
        ["feeder", "recorder", "player"],
        {"feeder": ["feeder/status"], "recorder": ["audit/verdict"], "player": {"error": "it has left"}},
    )
    check_publishers(None)


def test_one_that_publishes_anothers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, ["feeder", "spy"], {"feeder": ["feeder/status"], "spy": ["spy/x", "market/clearing"]})
    with pytest.raises(FederationError) as failure:
        check_publishers(None)
    assert str(failure.value) == "'spy' publishes market/clearing, which only 'market' may"


@pytest.mark.parametrize(("members", "feeder"), [({"error": "gone"}, []), (["feeder"], None)])
def test_a_federation_that_does_not_answer_has_ended(
    monkeypatch: pytest.MonkeyPatch, members: Any, feeder: Any
) -> None:
    asked(monkeypatch, members, {"feeder": feeder})
    with pytest.raises(FederationStopped, match=r"^the federation ended before '(root|feeder)' was known$"):
        check_publishers(None)


class Role:
    """A role that a test lets fail."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error, self.closed = error, 0

    def initial(self) -> Mapping[str, Any]:
        return {}

    def run(self, link: Any) -> None:
        del link
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What HELICS is told of the end."""
    said: list[tuple[Any, ...]] = []
    monkeypatch.setattr(h, "helicsFederateGlobalError", lambda *words: said.append(words[1:]))
    monkeypatch.setattr(h, "helicsFederateDisconnect", lambda _: said.append(("left",)))
    return said


def leave(role: Role, beat: Heartbeat, *, alone: bool = False) -> None:
    """Take part, and leave as the role's error asks."""
    with module._Membership(None, "feeder", role, beat, alone=alone):
        role.run(None)


def test_who_ends_well_just_leaves(told: list[Any], tmp_path: Path) -> None:
    role = Role()
    leave(role, Heartbeat(tmp_path, "feeder"))
    assert (told, role.closed) == ([("left",)], 0)


@pytest.mark.parametrize("error", [ClearingError("no optimum"), ValueError("odd"), KeyboardInterrupt()])
def test_who_fails_flushes_first_and_tells_everybody(
    told: list[Any], tmp_path: Path, error: BaseException
) -> None:
    role, beat = Role(error), Heartbeat(tmp_path, "feeder")
    with pytest.raises(type(error)):
        leave(role, beat)
    assert told == [(ERROR_CODE, f"feeder: {summary(error)}"), ("left",)]
    assert role.closed == 1
    sign = read_sign(tmp_path, "feeder")
    assert sign is not None
    assert (sign.beat.stage, sign.beat.error) == ("failed", summary(error))


def test_who_is_stopped_accuses_nobody(told: list[Any], tmp_path: Path) -> None:
    with pytest.raises(FederationStopped):
        leave(Role(FederationStopped("over")), Heartbeat(tmp_path, "feeder"))
    assert told == [("left",)]


def test_who_stops_alone_leaves_without_a_word(told: list[Any], tmp_path: Path) -> None:
    role = Role(ClearingError("no optimum"))
    with pytest.raises(ClearingError):
        leave(role, Heartbeat(tmp_path, "feeder"), alone=True)
    assert (told, role.closed) == ([("left",)], 1)


@pytest.fixture
def lives(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the life of each federate ends, by its name; nothing is watched, and no library is closed."""
    ends: dict[str, Any] = {"connections": {}, "verdicts": []}

    def live(name: str, _build: Any, _study: Any, connection: Connection, _beat: Heartbeat) -> None:
        ends["connections"][name] = connection
        if ends.get(name) is not None:
            raise ends[name]

    monkeypatch.setattr(module, "live", live)
    monkeypatch.setattr(module, "watch_broker", lambda *_: None)
    monkeypatch.setattr(module, "await_verdict", lambda beat: ends["verdicts"].append(beat))
    monkeypatch.setattr(h, "helicsCloseLibrary", lambda: None)
    return ends


def run(study: Study | Path, *names: str, feeder: str = "") -> int:
    folder = study if isinstance(study, Path) else study.folder
    return guard(dict.fromkeys(names, lambda _: Role()), folder, feeder)


def test_a_process_ends_without_a_last_look_for_cycles(
    lives: dict[str, Any], study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    del lives
    asked_for: list[object] = []
    monkeypatch.setattr(module.atexit, "register", asked_for.append)
    run(study, "feeder")
    assert asked_for == [gc.freeze]


def test_a_life_that_ends_well_is_exit_code_0(lives: dict[str, Any], study: Study) -> None:
    assert run(study, "feeder") == 0
    assert lives["connections"]["feeder"] == Connection()
    sign = read_sign(study.run_folder, "feeder")
    assert sign is not None
    assert sign.beat.stage == "finished"


@pytest.mark.parametrize(
    ("error", "code", "stage"),
    [
        (ClearingError("no optimum"), OWN_FAULT, "failed"),
        (RuntimeError("a bug"), OWN_FAULT, "failed"),
        (KeyboardInterrupt(), OWN_FAULT, "failed"),
        (FederationStopped("over"), STOPPED, "stopped"),
    ],
)
def test_the_exit_code_says_whose_fault_it_was(
    lives: dict[str, Any], study: Study, error: BaseException, code: int, stage: str
) -> None:
    lives["feeder"] = error
    assert run(study, "feeder") == code
    sign = read_sign(study.run_folder, "feeder")
    assert sign is not None
    assert (sign.beat.stage, sign.beat.error) == (stage, summary(error))
    assert len(lives["verdicts"]) == (code == STOPPED), "only who was stopped waits for a verdict"


def test_an_error_after_the_end_of_the_run_is_no_fault(lives: dict[str, Any], study: Study) -> None:
    Heartbeat(study.run_folder, "broker").tell("failed")
    lives["feeder"] = FederationError("could not join")
    assert run(study, "feeder") == STOPPED


def test_a_bug_is_told_with_its_trace_and_an_error_of_ours_without(
    lives: dict[str, Any], study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    lives["feeder"] = RuntimeError("a bug")
    run(study, "feeder")
    assert caplog.messages == ["feeder failed", "feeder: RuntimeError: a bug"]
    assert caplog.records[0].exc_info is not None
    caplog.clear()
    lives["market"] = ClearingError("no optimum")
    run(study, "market")
    assert [(record.message, record.exc_info) for record in caplog.records] == [("market: no optimum", None)]


def test_federates_of_one_process_share_a_core(lives: dict[str, Any], study: Study) -> None:
    assert run(study, "feeder", "market") == 0
    one, other = (lives["connections"][name] for name in ("feeder", "market"))
    assert one == other
    assert one.options == "--federates=2"
    assert one.core.startswith("host_")


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ({"feeder": ClearingError("x"), "market": FederationStopped("over")}, OWN_FAULT),
        ({"market": FederationStopped("over")}, STOPPED),
        ({}, 0),
    ],
)
def test_of_several_the_culprits_code_is_the_processs(
    lives: dict[str, Any], study: Study, ends: dict[str, Any], code: int
) -> None:
    lives |= ends
    assert run(study, "feeder", "market", "assets") == code


@pytest.mark.parametrize(("on_stop", "code"), [("end", OWN_FAULT), ("go_on", 0)])
def test_where_the_others_go_on_a_feeder_that_stops_is_no_failure(
    lives: dict[str, Any], tmp_path: Path, on_stop: str, code: int
) -> None:
    folder = make_substation(tmp_path / "all", "north", "south", on_stop=on_stop)
    lives["feeder"] = ClearingError("x")
    assert run(folder, "feeder", feeder="north") == code


def test_a_study_that_cannot_be_read_is_a_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert run(tmp_path / "none", "feeder", "market") == OWN_FAULT
    (said,) = caplog.messages
    assert said.startswith(f"feeder, market: {tmp_path / 'none' / 'scenario.toml'}: no such file")


def test_the_command_line_may_give_another_name(lives: dict[str, Any], tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", intervals=1)
    assert module.main("battery", lambda _: Role(), [str(folder), "--name", "cell"]) == 0
    assert list(lives["connections"]) == ["cell"]
