"""Every example can be copied anywhere, under any name, and is sound there."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.study.substation import load_any
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.run.preflight import check_study
from dlmp_cosim.runners.run.runner_file import load_runner
from dlmp_cosim.runners.start.examples import copy_example, examples, find_example


def test_there_are_examples_that_say_what_they_show() -> None:
    found = examples()
    assert len(found) >= 9
    for example in found.values():
        assert example.title.endswith(".")
        assert len(example.title) > 20
        assert example.verdict in ("feasible", "violated"), example.name


@pytest.mark.parametrize("name", examples())
def test_a_copy_is_sound_and_its_own(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    copy_example(find_example(name), folder, "copy")
    runner = load_runner(folder / "runner.json")
    report = check_study(runner)
    assert report.errors == ()
    assert not any("study.name" in note for note in report.notes)
    study = load_any(folder)
    assert (study.name, runner.content.name) == ("copy", "copy")
    assert study.scenario.results.file == "results/results.h5"
    text = "".join(path.read_text() for path in (folder / "scenario.toml", folder / "runner.json"))
    assert "../" not in text
    assert f"configs/{name}" not in text


def test_a_copy_changes_nothing_but_names_and_paths(tmp_path: Path) -> None:
    example = find_example("ieee123_day")
    copy_example(example, tmp_path / "mine", "mine")
    before = (example.folder / "scenario.toml").read_text().splitlines()
    after = (tmp_path / "mine" / "scenario.toml").read_text().splitlines()
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert [line.partition("=")[0].strip() for line in changed if not line.startswith("#")] == [
        "name",
        "file",
    ]


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="something already"):
        copy_example(find_example("ieee123_day"), tmp_path / "mine", "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="cannot be the name of a study"):
        copy_example(find_example("ieee123_day"), tmp_path / "a b", "a b")
    assert not (tmp_path / "a b").exists()


def test_new_names_the_nearest_example(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["new", str(tmp_path / "mine"), "--like", "ieee123_dya"])
    assert shown.exit_code == 1
    assert "did you mean 'ieee123_day'?" in shown.output


def test_new_lists_the_examples() -> None:
    shown = CliRunner().invoke(main, ["new", "--list"])
    assert shown.exit_code == 0
    assert all(f"{name}: " in shown.output for name in examples())


def test_check_says_when_a_copied_folder_keeps_another_name(tmp_path: Path) -> None:
    copy_example(find_example("ieee123_uniform"), tmp_path / "mine", "other")
    shown = CliRunner().invoke(main, ["check", str(tmp_path / "mine")])
    assert shown.exit_code == 0
    assert "note: the folder is 'mine' and study.name is 'other'" in shown.output
