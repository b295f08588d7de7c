"""What a user sees when something is wrong: one line, an exit code, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.runners import extras
from dlmp_cosim.runners.cli import COMMANDS, main
from dlmp_cosim.runners.group import TRACEBACK, LazyGroup


def shown(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def group_with(body: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    """Make a group whose one command does what a test wants."""
    monkeypatch.setattr(sys.modules[__name__], "stand_in", click.Command("it", callback=body), raising=False)
    return LazyGroup("dlmp", table={"it": (f"{__name__}:stand_in", "")})


@pytest.mark.parametrize(
    ("wrong", "right"), [("rnu", "run"), ("sumary", "summary"), ("isonefetch", "isone-fetch")]
)
def test_a_misspelt_command_is_answered_with_the_nearest(wrong: str, right: str) -> None:
    found = shown(wrong)
    assert found.exit_code == 2
    assert f"there is no command {wrong!r}; did you mean {right!r}?" in found.output
    assert "error: " in found.output


def test_what_is_near_nothing_gets_no_suggestion() -> None:
    assert "did you mean" not in shown("xyzzy").output


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ResultsError("a.h5: is wrong"), 1, "error: a.h5: is wrong\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a.csv"),
            1,
            "error: a.csv: no such file or directory\n",
        ),
        (OSError("the disk is gone"), 1, "error: the disk is gone\n"),
        (click.ClickException("that is no good"), 1, "error: that is no good\n"),
        (click.BadParameter("not so"), 2, "error: "),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (
            ModuleNotFoundError("No module", name="matplotlib.figure"),
            1,
            'pip install "dlmp-cosim[report]"',
        ),
    ],
)
def test_every_error_is_one_line_and_a_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    found = CliRunner().invoke(group_with(fail, monkeypatch), ["it"])
    assert found.exit_code == code
    assert said in found.output
    assert "Traceback" not in found.output


def test_a_defect_keeps_its_traceback_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by nothing")

    found = CliRunner().invoke(group_with(fail, monkeypatch), ["it"])
    assert found.exit_code == 1
    assert "a defect of dlmp-cosim, ZeroDivisionError: by nothing" in found.output
    log = Path(found.output.split()[-1])
    assert "ZeroDivisionError: by nothing" in log.read_text()
    log.unlink()
    monkeypatch.setenv(TRACEBACK, "1")
    assert isinstance(CliRunner().invoke(group_with(fail, monkeypatch), ["it"]).exception, ZeroDivisionError)


def test_a_command_that_answers_no_keeps_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def no() -> None:
        raise SystemExit(2)

    assert CliRunner().invoke(group_with(no, monkeypatch), ["it"]).exit_code == 2
    assert CliRunner().invoke(group_with(lambda: None, monkeypatch), ["it"]).exit_code == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m dlmp_cosim.runners.cli --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert done.stdout.startswith("Usage:")
    assert done.stderr == ""


def test_commands_complete_without_being_imported() -> None:
    complete = ShellComplete(main, {}, "dlmp", "_DLMP_COMPLETE")
    names = [item.value for item in complete.get_completions([], "")]
    assert names == list(COMMANDS)
    assert [item.value for item in complete.get_completions([], "verd")] == ["verdict"]
    assert "--overwrite" in [item.value for item in complete.get_completions(["run"], "--o")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str) -> None:
    found = shown("completion", shell)
    assert found.exit_code == 0
    assert f"_DLMP_COMPLETE={shell}_complete" in found.output


def test_extras_are_those_of_the_package() -> None:
    assert all(extras.packages_of(extra) for extra in extras.EXTRAS)
    assert extras.extra_with("matplotlib.figure") == "report"
    assert extras.extra_with("power_grid_model") == "power-grid-model"
    assert extras.extra_with("numpy") == ""
