"""`dlmp conform` without starting anything: what follows from a command line, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import make_study

from dlmp_cosim.federates.conformance.judgement import Finding, Trial
from dlmp_cosim.federates.conformance.partners import Trouble
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.conform import command as module
from dlmp_cosim.runners.conform import pytest_plugin
from dlmp_cosim.runners.conform.command import (
    Candidate,
    conform,
    conform_command,
    find_candidate,
    table,
)

FINE = Finding("a/offer", "published")
LATE = Finding("a/offer", "in time", "came 3 s late")
LEFT = Finding("a federate fails", "clean end", "it went on")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study", intervals=2)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "-m", "dlmp_cosim.federates.battery", "STUDY"], "battery"),
        (["python", "-m", "battery", "STUDY", "--name", "cell"], "cell"),
        (["python", "-m", "battery", "STUDY", "--name=cell"], "cell"),
        (["python", "here/my_pv.py", "STUDY"], "my_pv"),
        (["./build/battery", "STUDY"], "battery"),
        (["battery", "STUDY", "--name"], "battery"),
        (["python", "STUDY", "-m"], "python"),
    ],
)
def test_the_name_is_what_the_command_calls_it(study: Path, words: list[str], name: str) -> None:
    command = [str(study) if word == "STUDY" else word for word in words]
    found = find_candidate(command, None, None, 3)
    assert found == Candidate(name, study, tuple(command), 3)
    assert find_candidate(command, None, "own", 3).name == "own"


def test_a_study_that_is_given_stands_above_the_one_in_the_command(study: Path, tmp_path: Path) -> None:
    other = make_study(tmp_path / "other")
    assert find_candidate(["battery", str(study)], other, None, 3).study == other


@pytest.mark.parametrize("given", [None, Path("nowhere")])
def test_without_a_study_nothing_can_be_tried(given: Path | None) -> None:
    with pytest.raises(InputError) as failure:
        find_candidate(["battery", "x"], given, None, 3)
    assert str(failure.value) == (
        "dlmp conform: no study is named; expected --study FOLDER, or the folder in the command"
    )


def test_words_in_the_study_point_at_its_copy(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    moved = [module._moved(word, study, copy) for word in (str(study), f"{study}/assets.csv", "--stall")]
    assert moved == [str(copy), str(copy / "assets.csv"), "--stall"]
    assert module._moved(f"{study}/none.csv", study, copy) == f"{study}/none.csv"


def test_a_topic_has_a_line_and_a_problem_another() -> None:
    assert table([FINE, LATE, LEFT, Finding("b/offer", "published")]) == [
        "no   a/offer: published",
        "       in time: came 3 s late",
        "no   a federate fails",
        "       clean end: it went on",
        "yes  b/offer: published",
        "2 of the above are not honoured",
    ]
    assert table([FINE]) == ["yes  a/offer: published", "honours the contract"]
    assert table([]) == ["honours the contract"]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch, study: Path) -> Any:
    """Try a federate by some name in trials that are told; return findings and what each trial was."""

    def call(name: str, *, clean: bool = True) -> tuple[list[Finding], list[Trouble]]:
        trials: list[Trouble] = []

        def one(_candidate: Any, _study: Any, trouble: Trouble, limit_s: float) -> Trial:
            assert limit_s == 7.0
            trials.append(trouble)
            return Trial({}, 0, "", "")  # type: ignore[arg-type]

        end = Finding("undisturbed", "clean end", "" if clean else "exit code 1")
        monkeypatch.setattr(module, "stage_study", lambda *_: study)
        monkeypatch.setattr(module, "_try", one)
        monkeypatch.setattr(module, "judge_normal", lambda *_: [end])
        monkeypatch.setattr(module, "judge_not_a_number", lambda *_: [Finding("NaN", "refused")])
        monkeypatch.setattr(module, "judge_failure", lambda *_: [Finding("failure", "left")])
        return conform(Candidate(name, study, ("x",)), 7.0), trials

    return call


def test_three_trials_are_run_in_order(tried: Any) -> None:
    findings, trials = tried("battery")
    assert [finding.topic for finding in findings] == ["undisturbed", "NaN", "failure"]
    assert trials == [Trouble(), Trouble(not_a_number=True), Trouble(failure="feeder")]


@pytest.mark.parametrize("name", ["feeder", "market"])
def test_a_feeder_and_a_market_are_left_by_the_price(tried: Any, name: str) -> None:
    assert tried(name)[1][-1] == Trouble(failure="wholesale")


def test_who_reads_nothing_is_not_given_nonsense(tried: Any) -> None:
    assert tried("wholesale")[1] == [Trouble(), Trouble(failure="feeder")]


def test_one_that_does_not_end_by_itself_is_tried_no_further(tried: Any) -> None:
    findings, trials = tried("battery", clean=False)
    assert [finding.problem for finding in findings] == ["exit code 1"]
    assert len(trials) == 1


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [([FINE], 0, "honours the contract"), ([FINE, LATE], 2, "1 of the above are not honoured")],
)
def test_the_exit_code_is_the_answer(
    monkeypatch: pytest.MonkeyPatch, study: Path, findings: list[Finding], code: int, last: str
) -> None:
    monkeypatch.setattr(module, "conform", lambda _candidate, _limit: findings)
    result = CliRunner().invoke(conform_command, ["--", "battery", str(study)])
    assert (result.exit_code, result.output.splitlines()[-1]) == (code, last)


def test_what_cannot_be_tried_is_one_line() -> None:
    result: Result = CliRunner().invoke(conform_command, ["--", "battery"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: dlmp conform: no study is named")


@pytest.fixture
def try_federate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The function of the fixture, in front of trials that are told."""

    def call(findings: list[Finding], text: str, **options: Any) -> Any:
        asked: list[Candidate] = []

        def told(candidate: Candidate, limit_s: float) -> list[Finding]:
            asked.append(candidate)
            assert limit_s == options.get("limit_s", 60.0)
            return findings

        monkeypatch.setattr(module, "conform", told)
        return pytest_plugin.try_federate(text, **options), asked

    return call


def test_the_fixture_reads_a_command_line_as_a_shell_does(
    try_federate: Callable[..., Any], study: Path
) -> None:
    found, (candidate,) = try_federate([FINE], f"battery '{study}' --say 'two words'", limit_s=5.0)
    assert found == [FINE]
    assert candidate.command == ("battery", str(study), "--say", "two words")


def test_the_fixture_fails_with_the_table(try_federate: Callable[..., Any], study: Path) -> None:
    with pytest.raises(pytest.fail.Exception) as failure:
        try_federate([FINE, LATE], "battery", study=study)
    assert str(failure.value) == "\n".join(table([FINE, LATE]))
