from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from toys import CONFIGS, ROOT, make_runner, make_study, write_configs

from dlmp_cosim.feeders.errors import DlmpError
from dlmp_cosim.runners.run.preflight import Report, check_study
from dlmp_cosim.runners.run.runner_file import load_runner

TABLE = ROOT / "tests" / "cases" / "wrong_studies" / "cases.toml"
CASES: list[dict[str, Any]] = tomllib.loads(TABLE.read_text())["case"]
STUDIES = sorted(path.stem for path in (ROOT / "runners").glob("*.json"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The shipped study in a tree of its own."""
    shutil.copytree(CONFIGS, tmp_path / "configs" / "ieee123_day")
    write_configs(tmp_path / "configs" / "ieee123_day")
    (tmp_path / "runners").mkdir()
    shutil.copy(ROOT / "runners" / "ieee123_day.json", tmp_path / "runners" / "runner.json")
    return tmp_path


def check(tree: Path) -> Report:
    try:
        return check_study(load_runner(tree / "runners" / "runner.json"))
    except DlmpError as error:
        return Report((error,))


def test_there_are_enough_wrong_studies() -> None:
    assert len(CASES) >= 25
    assert len({case["name"] for case in CASES}) == len(CASES)


def test_the_tree_itself_is_sound(tree: Path) -> None:
    assert check(tree).errors == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_wrong_study_is_refused_with_its_message(tree: Path, case: dict[str, Any]) -> None:
    folder = tree / "runners" if case["file"] == "runner.json" else tree / "configs" / "ieee123_day"
    file = folder / case["file"]
    before = file.read_text()
    assert case["find"] in before, "the case changes nothing"
    file.write_text(before.replace(case["find"], case["put"], 1))
    messages = [str(error) for error in check(tree).errors]
    assert any(all(part in message for part in case["says"]) for message in messages), messages


@pytest.mark.parametrize("study", STUDIES)
def test_every_shipped_study_is_sound(study: str) -> None:
    report = check_study(load_runner(ROOT / "runners" / f"{study}.json"))
    assert report.errors == ()
    assert report.federates >= 5


def test_all_that_is_wrong_is_said_at_once(tree: Path) -> None:
    folder = tree / "configs" / "ieee123_day"
    for name, old, new in (
        ("feeder.json", '"period": 1.0', '"period": 2.0'),
        ("market.json", '"period": 1.0', '"period": 2.0'),
        ("scenario.toml", 'case = "ieee123"', 'case = "ieee124"'),
    ):
        (folder / name).write_text((folder / name).read_text().replace(old, new))
    assert len(check(tree).errors) == 3


def test_a_port_in_use_is_named(tree: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        report = check_study(load_runner(tree / "runners" / "runner.json"), port=port)
    assert [f"port {port} is in use" in str(error) for error in report.errors] == [True]


def test_a_federate_of_others_is_noted_and_not_refused(tree: Path) -> None:
    runner = tree / "runners" / "runner.json"
    text = runner.read_text().replace(
        "python -u -m dlmp_cosim.federates.assets configs/ieee123_day", "python -u assets.py"
    )
    runner.write_text(text)
    (tree / "configs" / "ieee123_day" / "assets.json").unlink()
    report = check(tree)
    assert report.errors == ()
    assert "assets brings its own HELICS configuration" in report.notes[0]


def test_a_toy_study_is_sound(tmp_path: Path) -> None:
    runner = make_runner(make_study(tmp_path / "study"))
    assert check_study(load_runner(runner)).errors == ()


def test_the_command_starts_nothing() -> None:
    command = [sys.executable, "-m", "dlmp_cosim.runners.cli", "check", "ieee123_day"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sound. 5 federates" in done.stdout
    seen = "print({'helics', 'dss', 'numba', 'pandas', 'scipy'} & set(sys.modules))"
    heavy = f"import dlmp_cosim.runners.run.preflight, sys\n{seen}"
    found = subprocess.run(
        [sys.executable, "-c", heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"


def test_a_host_of_agents_that_nobody_starts_is_named(tmp_path: Path) -> None:
    content = json.loads((ROOT / "runners" / "ieee123_agents.json").read_text())
    first, *others = content["federates"]
    first["exec"] = first["exec"].replace(",agents_3", "").replace("configs/", f"{ROOT}/configs/")
    kept = [item for item in others if item["name"] != "agents_3"]
    for item in kept:
        item["exec"] = item["exec"].replace("configs/", f"{ROOT}/configs/")
    rows = [item | {"directory": "."} for item in (first, *kept)]
    file = tmp_path / "runner.json"
    file.write_text(json.dumps({"name": "agents", "federates": rows}))
    errors = [str(error) for error in check_study(load_runner(file)).errors]
    assert len(errors) == 1
    assert "'agents_3' is not started, which hosts agents of the market" in errors[0]
