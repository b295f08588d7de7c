"""A study in threads: whose error is raised when several end at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import helics as h
import pytest

from dlmp_cosim.federates.runtime import local as module
from dlmp_cosim.federates.runtime.heartbeat import Heartbeat, read_sign
from dlmp_cosim.federates.runtime.link import FederationStopped
from dlmp_cosim.federates.runtime.local import ROLES, run_local
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import ClearingError, FederationError


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How each life ends, and when it failed [s]; `told` is what the broker hears."""
    found: dict[str, Any] = {"told": [], "connections": set()}

    def live(name: str, build: Any, study: Study, connection: Any, beat: Heartbeat) -> None:
        assert build(study) == name
        found["connections"].add(connection)
        when, error = found.get(name, (0.0, None))
        if error is not None:
            if when:
                beat.failed_at = when
            raise error

    @contextmanager
    def broker(federates: int, key: str) -> Iterator[tuple[str, str]]:
        found["broker"] = (federates, key)
        yield "address", "broker"

    monkeypatch.setattr(module, "live", live)
    monkeypatch.setattr(module, "_broker", broker)
    monkeypatch.setattr(
        h, "helicsBrokerGlobalError", lambda _broker, code, text: found["told"].append((code, text))
    )
    return found


def run(study: Study, *names: str, signs: Path | None = None) -> None:
    def role(name: str) -> Any:
        return lambda _: name

    run_local(study, {name: role(name) for name in names}, signs)


def test_all_reach_one_broker_over_one_core_without_ports(ends: dict[str, Any], study: Study) -> None:
    run(study, "a", "b", "c")
    assert ends["broker"] == (3, "toy")
    (connection,) = ends["connections"]
    assert (connection.core_type, connection.options) == ("inproc", "--broker=address --federates=3")
    assert connection.core.startswith("local_"), "one of all"
    assert ends["told"] == []


def test_the_first_that_failed_is_raised(ends: dict[str, Any], study: Study) -> None:
    ends["a"], ends["b"] = (20.0, ClearingError("later")), (10.0, ClearingError("earlier"))
    with pytest.raises(ClearingError, match=r"^earlier$"):
        run(study, "a", "b")
    assert sorted(text for _, text in ends["told"]) == [b"a: later", b"b: earlier"]


def test_who_was_stopped_is_raised_after_who_failed(ends: dict[str, Any], study: Study) -> None:
    ends["a"] = (1.0, FederationStopped("over"))
    ends["b"] = (time.monotonic() + 9.0, FederationError("its own"))
    with pytest.raises(FederationError, match=r"^its own$"):
        run(study, "a", "b")


def test_where_nobody_failed_by_itself_the_first_that_was_stopped_is(
    ends: dict[str, Any], study: Study
) -> None:
    ends["a"], ends["b"] = (2.0, FederationStopped("second")), (1.0, FederationStopped("first"))
    with pytest.raises(FederationStopped, match=r"^first$"):
        run(study, "a", "b")


def test_signs_of_life_lie_where_they_are_wanted(ends: dict[str, Any], study: Study, tmp_path: Path) -> None:
    assert ends["told"] == []
    run(study, "a", "b", signs=tmp_path / "signs")
    for name in ("a", "b"):
        sign = read_sign(tmp_path / "signs", name)
        assert sign is not None
        assert sign.beat.federate == name
    Heartbeat(tmp_path / "signs", "a").close()


def test_a_role_that_cannot_be_made_starts_nobody(ends: dict[str, Any], study: Study) -> None:
    def never(_: Study) -> Any:
        raise ClearingError("no model")

    with pytest.raises(ClearingError):
        run_local(study, {"a": never})
    assert "broker" not in ends


def test_a_built_in_study_has_five_federates() -> None:
    assert tuple(ROLES) == ("wholesale", "feeder", "assets", "market", "recorder")
