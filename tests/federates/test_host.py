"""Several federates in one process: the command line, and what it makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dlmp_cosim.federates import host as module
from dlmp_cosim.federates.host import find_build, main
from dlmp_cosim.federates.runtime.local import ROLES
from dlmp_cosim.feeders.errors import InputError


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is started: names, folder and feeder."""
    asked: list[tuple[Any, ...]] = []

    def guard(builds: Any, folder: Path, feeder: str) -> int:
        asked.append((tuple(builds), folder, feeder))
        return 7

    monkeypatch.setattr(module, "guard", guard)
    return asked


def test_a_class_gets_the_study_and_the_name() -> None:
    assert find_build("cell", "toys:role").keywords == {"name": "cell"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("toys:rule", "dlmp_cosim.federates.host cell: "),
        ("no_such_module:Pv", "dlmp_cosim.federates.host cell: "),
        ("toys", "dlmp_cosim.federates.host cell: "),
    ],
)
def test_a_class_that_is_not_there_is_named_with_its_federate(path: str, said: str) -> None:
    with pytest.raises(InputError) as failure:
        find_build("cell", path)
    assert str(failure.value).startswith(said)


@pytest.mark.parametrize(
    ("words", "names", "feeder"),
    [
        (["study", "one=toys:role", "two=toys:role"], ("one", "two"), ""),
        (["study", "--feeder", "north"], tuple(ROLES), "north"),
        (["study", "--feeder", "north", "pv=toys:role"], (*ROLES, "pv"), "north"),
        (["--feeder", "north", "study", "pv=toys:role"], (*ROLES, "pv"), "north"),
        (["study", "market=toys:role", "--feeder", "north"], tuple(ROLES), "north"),
    ],
)
def test_federates_are_those_listed_and_a_feeders_own(
    guarded: list[Any], words: list[str], names: tuple[str, ...], feeder: str
) -> None:
    assert main(words) == 7
    assert guarded == [(names, Path("study"), feeder)]


def test_apart_each_has_a_life_of_its_own(guarded: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "live_apart", lambda lives: sum(life() for life in lives))
    assert main(["study", "--apart", "one=toys:role", "two=toys:role"]) == 14
    assert guarded == [(("one",), Path("study"), ""), (("two",), Path("study"), "")]


def test_without_federates_there_is_nothing_to_host(
    guarded: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["study"])
    assert left.value.code == 2
    assert "expected federates to host" in capsys.readouterr().err
    assert guarded == []


@pytest.mark.parametrize("word", ["pv=toys:rule", "pv", "=toys:role"])
def test_what_cannot_be_hosted_is_one_line_in_the_log(
    guarded: list[Any], caplog: pytest.LogCaptureFixture, word: str
) -> None:
    assert main(["study", word]) == 1
    assert len(caplog.messages) == 1
    assert guarded == []
