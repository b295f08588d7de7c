"""`dlmp report`: what it writes where, and what it says beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dlmp_cosim.runners.report import command as module
from dlmp_cosim.runners.report import page, pictures
from dlmp_cosim.runners.report.command import report_command
from tests.runners.report.small import small_view

Told = Callable[..., Result]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Call the command on runs that are told; its page is a few words."""

    def call(*options: str, missing: str = "") -> Result:
        (tmp_path / "one.h5").touch()
        view = replace(small_view(), missing=missing)
        monkeypatch.setattr(module, "load_views", lambda paths: [replace(view, path=path) for path in paths])
        monkeypatch.setattr(page, "build_page", lambda views: f"é of {len(views)}")
        monkeypatch.chdir(tmp_path)
        return CliRunner().invoke(report_command, ["one.h5", *options])

    return call


def test_a_page_goes_where_it_is_wanted_in_utf_8(told: Told, tmp_path: Path) -> None:
    result = told("-o", "new/folder/page.html")
    assert (result.exit_code, result.output) == (0, "new/folder/page.html (0.0 MB)\n")
    assert (tmp_path / "new/folder/page.html").read_bytes() == "é of 1".encode()


def test_without_a_place_it_is_report_html(told: Told, tmp_path: Path) -> None:
    told()
    assert (tmp_path / "report.html").exists()


def test_several_runs_are_on_one_page(told: Told, tmp_path: Path) -> None:
    told("one.h5")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "é of 2"


def test_a_run_cut_short_is_shown_and_told(told: Told) -> None:
    result = told(missing="the run stopped")
    assert result.exit_code == 0
    assert result.stderr == "one.h5: the run stopped\n"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_pictures_go_into_a_folder(
    told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    asked: list[Any] = []

    def draw(_views: Any, folder: Path, format_: str) -> list[Path]:
        asked.append((folder, format_))
        file = folder / f"day.{format_}"
        file.write_bytes(b"0" * 200_000)
        return [file]

    monkeypatch.setattr(pictures, "draw_all", draw)
    assert told("--format", kind).output == f"day.{kind} (0.2 MB)\n"
    assert asked == [(Path(), kind)]
    assert not (tmp_path / "report.html").exists()


def test_a_page_where_a_file_stands_for_the_folder_is_refused(told: Told, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = told("-o", "file/report.html")
    assert (result.exit_code, result.output) == (
        1,
        "Error: file/report.html: cannot be written: File exists; expected a writable path\n",
    )


def test_a_page_where_a_folder_stands_is_refused(told: Told, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    result = told("-o", "there")
    assert result.exit_code == 1
    assert result.output == "Error: there: cannot be written: Is a directory; expected a writable path\n"


@pytest.mark.parametrize("words", [["--format", "gif"], ["--formt", "png"]])
def test_a_wrong_command_line_is_one(told: Told, words: list[str]) -> None:
    assert told(*words).exit_code == 2
