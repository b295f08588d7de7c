"""Which study a user means: a folder, a runner file, a name, or an example that comes along."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import make_runner, make_study

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.run import find as module
from dlmp_cosim.runners.run.find import find_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study")


def test_a_folder_is_its_study(folder: Path) -> None:
    assert find_study(str(folder)).folder == folder


def test_a_runner_file_leads_to_its_study(folder: Path) -> None:
    assert find_study(str(make_runner(folder))).folder == folder


@pytest.mark.parametrize("known", [True, False])
def test_an_example_is_meant_where_the_user_has_none_of_its_name(
    monkeypatch: pytest.MonkeyPatch, folder: Path, known: bool
) -> None:
    monkeypatch.setattr(module, "known_studies", lambda: ["ieee123_day"] if known else [])
    monkeypatch.setattr(module, "find_runner", lambda *_: make_runner(folder))
    assert (find_study("ieee123_day").name == "toy") == known


def test_an_example_is_not_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_study("ieee123_battery").name == "ieee123_battery"
    with pytest.raises(InputError):
        find_study("ieee123_battery", own=True)


def test_a_name_that_is_none_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as failure:
        find_study("ieee123_batery")
    assert str(failure.value).startswith(f"{tmp_path}: there is no study 'ieee123_batery'; expected a folder")


def test_a_folder_without_a_study_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"scenario\.toml"):
        find_study(str(tmp_path))


def test_where_there_is_no_study_the_nearest_example_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"did you mean 'ieee123_battery'\?$"):
        find_study("ieee123_batery")
    with pytest.raises(InputError, match=r"`dlmp new` writes a study$"):
        find_study("ieee123_batery", own=True)
