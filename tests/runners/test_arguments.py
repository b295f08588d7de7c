"""Results files and studies as users name them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.arguments import ResultsFile, StudyName
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.run.find import find_study
from dlmp_cosim.runners.run.runner_file import find_runner


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with one study of the user's own."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["new", "mine"]).exit_code == 0
    return tmp_path


def test_a_folder_stands_for_the_results_in_it(place: Path) -> None:
    file = place / "mine" / "results" / "results.h5"
    file.parent.mkdir()
    file.touch()
    for text in ("mine", "mine/results", "mine/results/results.h5"):
        assert ResultsFile().convert(text, None, None).resolve() == file


def test_a_missing_results_file_is_named_in_words(place: Path) -> None:
    (place / "mine" / "results").mkdir()
    (place / "mine" / "results" / "results.h5").touch()
    with pytest.raises(
        click.ClickException, match=r"there is no such file; .* did you mean 'mine/results/results.h5'"
    ):
        ResultsFile().convert("mine/results/result.h5", None, None)
    (place / "other").mkdir()
    with pytest.raises(click.ClickException, match="other: holds no results"):
        ResultsFile().convert("other", None, None)


@pytest.mark.parametrize("command", ["summary", "verdict", "settle", "tariffs", "report"])
def test_every_command_on_results_says_so(command: str, place: Path) -> None:
    del place
    shown = CliRunner().invoke(main, [command, "nowhere.h5"])
    assert shown.exit_code == 1
    assert shown.output.startswith("error: nowhere.h5: there is no such file")


@pytest.mark.parametrize(
    "words",
    [
        ["scenarios", "mine", "-o", "out", "--retail", "nan"],
        ["scenarios", "mine", "-o", "out", "--purchase", "inf"],
        ["run", "mine", "--time-limit", "nan"],
        ["conform", "--limit", "-inf", "--", "true"],
    ],
)
def test_what_is_no_finite_number_is_refused(words: list[str], place: Path) -> None:
    del place
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 2
    assert "is not a finite number" in shown.output


def test_a_study_is_found_by_its_folder(place: Path) -> None:
    assert find_runner("mine").resolve() == place / "mine" / "runner.json"
    assert find_study("mine").name == "mine"
    assert [item.value for item in StudyName().shell_complete(None, None, "m")] == ["mine", "m"]  # type: ignore[arg-type]


def test_a_study_that_comes_with_the_package_is_read_anywhere(place: Path) -> None:
    del place
    assert find_study("ieee123_day").name == "ieee123_day"
    with pytest.raises(InputError, match="`dlmp new` writes a study"):
        find_study("ieee123_day", own=True)
    with pytest.raises(InputError, match="did you mean 'mine'"):
        find_study("mime")
