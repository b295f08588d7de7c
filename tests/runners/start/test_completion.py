"""`dlmp completion`: lines that a shell reads."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.start import completion as module
from dlmp_cosim.runners.start.completion import FILES


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "_DLMP_COMPLETE=bash_complete"), ("zsh", "#compdef dlmp"), ("fish", "--command dlmp")],
)
def test_a_shell_gets_what_it_reads(shell: str, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.shell_completion import BashComplete

    monkeypatch.setattr(BashComplete, "_check_version", lambda *_: None)
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert mark in result.output


def test_every_shell_that_is_offered_has_a_file_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(main, ["completion", "--help"]).output
    assert all(file.rsplit("/", 1)[-1] in said for file in FILES.values())
    monkeypatch.setattr(module, "get_completion_class", lambda _: None)
    result = CliRunner().invoke(main, ["completion", "fish"])
    assert result.exit_code == 1
    assert "click does not know how to complete in fish" in result.output


def test_another_shell_is_refused() -> None:
    result = CliRunner().invoke(main, ["completion", "csh"])
    assert result.exit_code == 2
    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in result.output
