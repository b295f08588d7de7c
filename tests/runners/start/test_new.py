"""`dlmp new`: what it writes, what it says next, and what it will not do."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.start.examples import DEMO, examples


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*words: str) -> Result:
    return CliRunner().invoke(main, ["new", *words])


def scenario(folder: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads((folder / "scenario.toml").read_text())


def test_a_study_is_called_like_its_folder_and_says_what_is_next(home: Path) -> None:
    result = new("my_study")
    assert result.output.splitlines() == [
        f"my_study is a study like {DEMO}. Next:",
        "  edit my_study/scenario.toml",
        "  dlmp check my_study",
        "  dlmp run my_study",
    ]
    assert scenario(home / "my_study")["study"]["name"] == "my_study"
    assert json.loads((home / "my_study" / "runner.json").read_text())["name"] == "my_study"


def test_a_name_of_its_own_stands_above_the_folders(home: Path) -> None:
    new("some/where", "--name", "other")
    assert scenario(home / "some" / "where")["study"]["name"] == "other"


def test_in_the_folder_itself_it_is_called_like_that(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "here").mkdir()
    monkeypatch.chdir(home / "here")
    assert new(".").exit_code == 0
    assert scenario(home / "here")["study"]["name"] == "here"


def test_values_may_be_changed_at_once(home: Path) -> None:
    new("s", "--set", "time.intervals=12", "--set", "market.model=none", "--set", "market.anchored=false")
    table = scenario(home / "s")
    assert (table["time"]["intervals"], table["market"]["model"]) == (12, "none")
    assert table["market"]["anchored"] is False


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s", "--like", "ieee123_dy"], "--like: unknown example study 'ieee123_dy'"),
        (["my study"], "--name: 'my study' cannot be the name of a study; expected letters, digits, _ and -"),
        (["s", "--name", "a/b"], "--name: 'a/b' cannot be the name of a study"),
        (["s", "--set", "intervals=3"], "--set: 'intervals=3' sets nothing; expected TABLE.KEY=VALUE"),
        (["s", "--set", "time.intervals"], "--set: 'time.intervals' sets nothing"),
        (["s", "--set", "time.interval=3"], "did you mean 'intervals'?"),
        (["s", "--set", "time.intervals=0"], "time.intervals: 0 cannot be used"),
        (["s", "--set", "time.intervals=many"], "time.intervals: 'many' cannot be used"),
        (
            ["s", "--like", "ieee123_pv", "--set", "owner.name=x"],
            "owner.name: cannot be set in this scenario",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(home: Path, words: list[str], said: str) -> None:
    result = new(*words)
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert said in result.output
    assert result.output.count("\n") == 1
    assert list(home.iterdir()) == []


def test_a_folder_with_something_is_left_alone(home: Path) -> None:
    (home / "s").mkdir()
    (home / "s" / "notes").write_text("mine")
    result = new("s")
    assert (result.exit_code, result.output) == (
        1,
        "error: s: there is something already; expected a new or an empty folder\n",
    )
    assert [path.name for path in (home / "s").iterdir()] == ["notes"]


def test_a_file_is_no_folder(home: Path) -> None:
    (home / "s").write_text("mine")
    assert new("s").exit_code == 1
    assert (home / "s").read_text() == "mine"


def test_the_list_names_every_example_with_its_verdict(home: Path) -> None:
    lines = new("--list").output.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(examples())
    assert all(line.endswith((" Verdict: feasible.", " Verdict: violated.")) for line in lines)
    assert list(home.iterdir()) == []


def test_the_same_command_writes_the_same_bytes(home: Path) -> None:
    for name in ("one", "two"):
        (home / name).mkdir()
        new(f"{name}/s")
    files = [
        {
            path.relative_to(home / name): path.read_bytes()
            for path in (home / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    ]
    changed = {path for path in files[0] if files[0][path] != files[1][path]}
    assert files[0].keys() == files[1].keys()
    assert changed <= {Path("s/scenario.toml")}, "whose remark says how to run it"
