"""`dlmp check` and `dlmp run`: words, exit codes and places, before runs that are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import make_runner, make_study

from dlmp_cosim.feeders.errors import FederationError, InputError
from dlmp_cosim.runners.run import commands as module
from dlmp_cosim.runners.run.commands import check_command, results_of, run_command
from dlmp_cosim.runners.run.preflight import Report
from dlmp_cosim.runners.run.runner_file import load_runner
from dlmp_cosim.runners.run.supervise import Failure

SOUND = Report((), (), 5, 40, ())
WRONG = Report(
    (InputError("is unknown", where="market.model"), InputError("is missing", where="feeder")),
    ("prices were not read",),
    5,
    40,
    ("costs are hardly meant",),
)
Told = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make_runner(make_study(tmp_path / "study", intervals=6))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, file: Path) -> Told:
    """Call a command; what a check finds and how a run ends is told, and what it was asked is kept."""

    def call(
        command: Any, *options: str, report: Report = SOUND, end: Failure | Exception | None = None
    ) -> Result:
        def supervise(_runner: Any, **asked: Any) -> Failure | None:
            call_.asked.append(asked)
            if isinstance(end, Exception):
                raise end
            return end

        @contextmanager
        def shown(_name: str, intervals: int) -> Iterator[str]:
            assert intervals == 6
            yield "bar"

        monkeypatch.setattr(module, "check_study", lambda *_, **__: report)
        monkeypatch.setattr(module, "supervise", supervise)
        monkeypatch.setattr(module, "show_progress", shown)
        monkeypatch.setattr(module, "broker_port", lambda: 23404)
        return CliRunner().invoke(command, [str(file), *options])

    call_: Any = call
    call_.asked = []
    return call


def test_a_sound_study_is_told_in_a_line(told: Told) -> None:
    result = told(check_command)
    assert (result.exit_code, result.output) == (
        0,
        "toy: sound. 5 federates, 40 topics, 6 intervals of 60 s\n",
    )


@pytest.mark.parametrize("command", [check_command, run_command])
def test_a_study_that_is_not_is_told_line_by_line_and_not_started(told: Told, command: Any) -> None:
    result = told(command, report=WRONG)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "note: prices were not read",
        "warning: costs are hardly meant",
        "error: market.model: is unknown",
        "error: feeder: is missing",
        "toy: 2 errors, nothing was started",
    ]
    assert result.stdout == ""
    assert told.asked == []  # type: ignore[attr-defined]


def test_one_error_is_one(told: Told) -> None:
    report = Report(WRONG.errors[:1], (), 5, 40, ())
    assert told(check_command, report=report).stderr.endswith("toy: 1 error, nothing was started\n")


def test_a_run_says_how_long_and_where(told: Told, tmp_path: Path) -> None:
    result = told(run_command)
    assert result.exit_code == 0
    begin, _, place = result.output.partition(" s -> ")
    assert begin.startswith("toy: 6 intervals in ")
    assert place == f"{tmp_path / 'out' / 'results.h5'}\n"
    assert told.asked == [  # type: ignore[attr-defined]
        {"results_folder": None, "time_limit_s": None, "watch": "bar", "host": ""}
    ]


def test_options_reach_the_run(told: Told, tmp_path: Path) -> None:
    result = told(run_command, "-o", str(tmp_path / "x"), "--quiet", "--time-limit", "9", "--host", "far")
    assert (result.exit_code, result.output) == (0, "")
    assert told.asked == [  # type: ignore[attr-defined]
        {"results_folder": tmp_path / "x", "time_limit_s": 9.0, "watch": None, "host": "far"}
    ]


def test_the_culprits_code_and_its_last_words_are_the_commands(told: Told, tmp_path: Path) -> None:
    end = Failure("feeder", "did not converge", 137, ("solving", "gave up"))
    result = told(run_command, end=end)
    assert result.exit_code == 137
    assert result.stderr.splitlines() == [
        "error: feeder: did not converge",
        f"last lines of {tmp_path / 'out' / 'results.run' / 'feeder'}.log:",
        "  solving",
        "  gave up",
    ]


def test_a_run_that_somebody_ended_has_no_culprit(told: Told) -> None:
    result = told(run_command, end=Failure("", "interrupted", 130))
    assert (result.exit_code, result.stderr) == (130, "error: interrupted\n")


def test_a_run_that_could_not_start_is_an_error(told: Told) -> None:
    result = told(run_command, end=FederationError("no port is free"))
    assert (result.exit_code, result.stderr) == (1, "error: no port is free\n")


def test_a_study_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(check_command, [str(tmp_path / "none.json")])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_what_is_no_results_file_is_kept_unless_told_otherwise(told: Told, tmp_path: Path) -> None:
    place = tmp_path / "out" / "results.h5"
    place.parent.mkdir()
    place.write_text("my notes")
    refused = told(run_command)
    assert refused.exit_code == 2
    assert refused.stderr.endswith("it is kept: expected another folder, or `dlmp run --overwrite`\n")
    assert place.read_text() == "my notes"
    assert told(run_command, "--overwrite").exit_code == 0
    assert not place.exists()


def test_results_are_named_from_where_the_user_is(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = load_runner(file)
    monkeypatch.chdir(tmp_path)
    assert results_of(runner) == Path("out/results.h5")
    assert results_of(runner, Path("second")) == Path("second/results.h5")
    monkeypatch.chdir("/")
    assert results_of(runner, tmp_path) == tmp_path.relative_to("/") / "results.h5"
