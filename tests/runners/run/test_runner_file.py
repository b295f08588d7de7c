from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from toys import ROOT, make_runner, make_study

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.run.runner_file import Member, find_program, find_runner, load_runner


def test_a_runner_file_knows_its_study(tmp_path: Path) -> None:
    runner = load_runner(make_runner(make_study(tmp_path / "study")))
    assert runner.study.name == "toy"
    assert runner.expected == [member.name for member in runner.members]
    assert runner.broker.module == "dlmp_cosim.runners.broker"
    assert runner.folder(runner.broker) == ROOT


@pytest.mark.parametrize(
    ("line", "module", "operands"),
    [
        ("python -u -m dlmp_cosim.federates.feeder configs/x", "dlmp_cosim.federates.feeder", ["configs/x"]),
        (
            "python -m dlmp_cosim.federates.feeder 'a b' --name f",
            "dlmp_cosim.federates.feeder",
            ["a b", "--name", "f"],
        ),
        ("gridlabd model.glm", "", ["model.glm"]),
        ("python -m", "", ["-m"]),
    ],
)
def test_command_lines_are_split_as_a_shell_does(line: str, module: str, operands: list[str]) -> None:
    member = Member(name="x", exec=line, directory=".")
    assert (member.module, member.operands) == (module, operands)


def test_a_host_stands_for_its_federates() -> None:
    hosted = "a=dlmp_cosim.federates.pv:Pv b=dlmp_cosim.federates.assets:Assets"
    member = Member(
        name="both", exec=f"python -u -m dlmp_cosim.federates.host configs/x {hosted}", directory="."
    )
    assert member.federates == {"a": "dlmp_cosim.federates.pv:Pv", "b": "dlmp_cosim.federates.assets:Assets"}
    alone = Member(name="x", exec="python -m dlmp_cosim.federates.feeder configs/x", directory=".")
    assert alone.federates == {"x": "dlmp_cosim.federates.feeder"}


def test_a_federate_is_hosted_once(tmp_path: Path) -> None:
    path = make_runner(make_study(tmp_path / "study"))
    table: dict[str, Any] = json.loads(path.read_text())
    line = "python -m dlmp_cosim.federates.host configs/x assets=dlmp_cosim.federates.assets:Assets"
    table["federates"].append({"name": "host", "exec": line, "directory": "."})
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match="'assets' is listed twice"):
        load_runner(path)


def test_a_study_is_found_by_path_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    path = Path("runners/ieee123_day.json")
    assert find_runner("runners/ieee123_day.json") == path
    assert find_runner("ieee123_day") == path
    assert find_runner("configs/ieee123_day") == path
    assert find_runner("configs/ieee123_day/scenario.toml") == path
    with pytest.raises(InputError, match="did you mean 'ieee123_day'"):
        find_runner("iee123_day")


def test_a_study_elsewhere_is_not_one_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    copy = tmp_path / "ieee123_day"
    shutil.copytree(ROOT / "configs" / "ieee123_day", copy)
    with pytest.raises(InputError, match=f"there is no study '{copy}'"):
        find_runner(str(copy))
    shutil.copy(ROOT / "runners" / "ieee123_day.json", copy / "runner.json")
    assert find_runner(str(copy)) == copy / "runner.json"
    monkeypatch.chdir(copy)
    assert find_runner("scenario.toml") == Path("runner.json")


def test_a_study_folder_without_scenario_is_refused(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "study"))
    (tmp_path / "study" / "scenario.toml").unlink()
    with pytest.raises(InputError, match="is no study"):
        _ = load_runner(runner).study


def test_a_broker_without_study_is_refused(tmp_path: Path) -> None:
    path = make_runner(make_study(tmp_path / "study"))
    table: dict[str, Any] = json.loads(path.read_text())
    table["federates"][0]["exec"] = "python -u -m dlmp_cosim.runners.broker --federates a"
    path.write_text(json.dumps(table))
    with pytest.raises(InputError, match="the broker names no study"):
        _ = load_runner(path).study


def test_python_is_this_one() -> None:
    assert find_program("python") == sys.executable
    assert find_program("no-such-program-anywhere") is None
    assert find_program("helics_player") == str(Path(sys.executable).parent / "helics_player")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('python "broken', "federates[0].exec: 'python \"broken' has no closing quotation"),
        ("python broken\\", "federates[0].exec: 'python broken\\\\' has no escaped character"),
        ("  ", "federates[0].exec: is blank"),
    ],
)
def test_what_is_no_command_line_is_told(tmp_path: Path, line: str, says: str) -> None:
    path = make_runner(make_study(tmp_path / "study"))
    table: dict[str, Any] = json.loads(path.read_text())
    table["federates"][0]["exec"] = line
    path.write_text(json.dumps(table))
    with pytest.raises(InputError) as caught:
        load_runner(path)
    assert str(caught.value) == f"{path} {says}; expected a command line"
