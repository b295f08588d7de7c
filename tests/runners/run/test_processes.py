"""Whether what a runner file names can be started, and whom its broker waits for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dlmp_cosim.runners.run.processes import check_processes
from dlmp_cosim.runners.run.runner_file import Member

GOOD = "python -m dlmp_cosim.federates.feeder configs/x"


def runner(folder: Path, expected: list[str], **lines: str) -> Any:
    """A runner file with the command line of every federate."""
    members = [Member(name=name, exec=line, directory=".") for name, line in lines.items()]
    return SimpleNamespace(
        path=Path("r.json"),
        federates={member.name: member for member in members},
        expected=expected,
        content=SimpleNamespace(federates=members),
        folder=lambda member: folder / member.directory,
    )


def said(found: Any) -> list[str]:
    return [str(error) for error in check_processes(found)]


def test_what_can_be_started_and_is_waited_for_is_well(tmp_path: Path) -> None:
    assert said(runner(tmp_path, ["feeder"], feeder=GOOD)) == []


@pytest.mark.parametrize(
    ("expected", "messages"),
    [
        (
            ["feder"],
            [
                (
                    "r.json federates[0].exec: the broker waits for 'feder', which is not started; "
                    "expected --federates feeder,market; did you mean 'feeder'?"
                ),
                (
                    "r.json federates[0].exec: the broker does not wait for 'feeder'; "
                    "expected --federates feeder,market"
                ),
                (
                    "r.json federates[0].exec: the broker does not wait for 'market'; "
                    "expected --federates feeder,market"
                ),
            ],
        ),
        (
            ["feeder"],
            [
                (
                    "r.json federates[0].exec: the broker does not wait for 'market'; "
                    "expected --federates feeder,market"
                )
            ],
        ),
    ],
)
def test_the_broker_waits_for_exactly_those_that_are_started(
    tmp_path: Path, expected: list[str], messages: list[str]
) -> None:
    found = runner(tmp_path, expected, feeder=GOOD, market=GOOD.replace("feeder", "market"))
    assert said(found) == messages


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "python -m dlmp_cosim.federates.feder configs/x",
            ("r.json x.exec: there is no module 'dlmp_cosim.federates.feder'; "
            "did you mean 'dlmp_cosim.federates.feeder'?"),
        ),
        (
            "python -m dlmp_cosim.federates.host configs/x pv=dlmp_cosim.federates.pv:Pw",
            "r.json x.exec: there is no class 'Pw' in dlmp_cosim.federates.pv; did you mean 'Pv'?",
        ),
        ("no-such-program model.glm", "r.json x.exec: there is no program 'no-such-program'"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_with_the_nearest(tmp_path: Path, line: str, message: str) -> None:
    assert said(runner(tmp_path, ["x"], x=line)) == [message]


def test_modules_of_others_are_their_own_business(tmp_path: Path) -> None:
    assert said(runner(tmp_path, ["x"], x="python -m somebody.elses.federate configs/x")) == []


def test_a_folder_that_is_not_there_is_told_alone(tmp_path: Path) -> None:
    found = runner(tmp_path, ["x"], x="no-such-program")
    found.folder = lambda _: tmp_path / "nowhere"
    assert said(found) == ["r.json x.directory: '.' is no folder"]
