"""`dlmp conform`: somebody's federate against toy partners, and what it honours of the contract."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dlmp_cosim.federates.conformance.judgement import (
    Finding,
    Trial,
    judge_failure,
    judge_normal,
    judge_not_a_number,
    staged,
)
from dlmp_cosim.federates.conformance.partners import INTERVALS, Trouble, stage_study
from dlmp_cosim.federates.runtime.hosts import KEY_VARIABLE
from dlmp_cosim.federates.runtime.ports import PORT_VARIABLE
from dlmp_cosim.federates.study.study import RESULTS_VARIABLE, SCENARIO_FILE, Study
from dlmp_cosim.feeders.errors import DlmpError, InputError
from dlmp_cosim.runners.arguments import finite
from dlmp_cosim.runners.run.supervise import tail

LIMIT_S = 60.0
"""Wall time that one trial may take [s]."""
LEAVE_S, LEAVE_BROKEN_S = 10.0, 0.5
"""Wall time that partners get to end after the federate: in an undisturbed trial, and in others [s]."""
NOT_HONOURED = 2


@dataclass(frozen=True)
class Candidate:
    """A federate to be tried.

    Attributes
    ----------
    name : str
        Its name in the federation.
    study : Path
        Folder of the study that says what it owns.
    command : tuple of str
        How it is started; the study's folder in it is replaced by that of the trial.
    intervals : int
        Market intervals of each trial.
    """

    name: str
    study: Path
    command: tuple[str, ...]
    intervals: int = INTERVALS


def conform(candidate: Candidate, limit_s: float = LIMIT_S) -> list[Finding]:
    """Try a federate three times: undisturbed, with NaN from a partner, and with a partner that fails.

    Parameters
    ----------
    candidate : Candidate
        The federate.
    limit_s : float
        Wall time that one trial may take [s].

    Returns
    -------
    list of Finding
        In the order of the trials; those with a problem are not honoured.

    Raises
    ------
    InputError
        When the study or the command cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="dlmp_conform_") as text:
        place = Path(text)
        (place / "configs").mkdir()
        study = stage_study(candidate.study, candidate.name, place / "configs", candidate.intervals)
        findings = judge_normal(candidate.name, study, _try(candidate, study, Trouble(), limit_s))
        if any(f.problem and f.check == "clean end" for f in findings):
            return findings
        if candidate.name != "wholesale":
            broken = _try(candidate, study, Trouble(not_a_number=True), limit_s)
            findings += judge_not_a_number(candidate.name, study, broken)
        failing = "wholesale" if candidate.name in ("feeder", "market") else "feeder"
        return findings + judge_failure(_try(candidate, study, Trouble(failure=failing), limit_s))


def _try(candidate: Candidate, study: Study, trouble: Trouble, limit_s: float) -> Trial:
    """Run one trial."""
    log = study.folder.parent.parent / "command.log"
    with staged(candidate.name, study, trouble) as (port, finish):
        process = _start(candidate, study, port, log)
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill(process)
        seen, error = finish(LEAVE_S if code == 0 and trouble == Trouble() else LEAVE_BROKEN_S)
    return Trial(seen, code, error, " | ".join(tail(log)[-3:]))


def _start(candidate: Candidate, study: Study, port: int, log: Path) -> subprocess.Popen[bytes]:
    words = [_moved(word, candidate.study, study.folder) for word in candidate.command]
    program = sys.executable if words[0] == "python" else shutil.which(words[0])
    if program is None:
        raise InputError(f"there is no program {words[0]!r}", where="the command after --")
    environment = {
        **os.environ,
        PORT_VARIABLE: str(port),
        KEY_VARIABLE: study.name,
        RESULTS_VARIABLE: str(log.parent),
    }
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - the user's own command, no shell
            [program, *words[1:]],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _moved(word: str, study: Path, copy: Path) -> str:
    """Point a word of the command at the copy of the study, when it is a path in it."""
    path = Path(word).resolve()
    if study.resolve() in (path, *path.parents) and path.exists():
        return str(copy / path.relative_to(study.resolve()))
    return word


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        process.wait()


def find_candidate(command: Sequence[str], study: Path | None, name: str | None, intervals: int) -> Candidate:
    """Complete what a user leaves out: the study is a folder in the command, the name that of the module.

    Raises
    ------
    InputError
        When no study can be found.
    """
    folders = [Path(word) for word in command if (Path(word) / SCENARIO_FILE).is_file()]
    folder = study or (folders[0] if folders else None)
    if folder is None or not (folder / SCENARIO_FILE).is_file():
        raise InputError(
            "no study is named", where="dlmp conform", expected="--study FOLDER, or the folder in the command"
        )
    words = list(command)
    spelt = next((word.partition("=")[2] for word in words if word.startswith("--name=")), "")
    given = words[words.index("--name") + 1] if "--name" in words[:-1] else spelt
    module = words[words.index("-m") + 1].rsplit(".", 1)[-1] if "-m" in words[:-1] else ""
    scripts = [Path(word).stem for word in words if word.endswith(".py")]
    chosen = name or given or module or (scripts[0] if scripts else Path(words[0]).stem)
    return Candidate(chosen, folder, tuple(words), intervals)


@click.command(
    "conform",
    context_settings={"ignore_unknown_options": True},
    epilog="\b\nExample:\n  dlmp conform -- python -m dlmp_cosim.federates.battery configs/ieee123_battery",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--study", type=click.Path(path_type=Path, file_okay=False), help="Its study, if not in COMMAND."
)
@click.option("--name", help="Its name in the federation, if not that of the module or script.")
@click.option("--intervals", default=INTERVALS, show_default=True, help="Market intervals of each trial.")
@click.option(
    "--limit", default=LIMIT_S, show_default=True, callback=finite, help="Seconds that each trial may take."
)
def conform_command(
    command: tuple[str, ...], study: Path | None, name: str | None, intervals: int, limit: float
) -> None:
    """Say topic by topic whether the federate that COMMAND starts honours the contract.

    It runs against toy partners three times: undisturbed, with prices and demand that are no numbers, and
    with a partner that fails. The broker's address comes by HELICS_BROKER_PORT and HELICS_BROKER_KEY. Exit
    code 0: it honours the contract; 2: it does not.
    """
    try:
        findings = conform(find_candidate(command, study, name, intervals), limit)
    except DlmpError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(NOT_HONOURED) from None
    for line in table(findings):
        click.echo(line)
    if any(finding.problem for finding in findings):
        raise SystemExit(NOT_HONOURED)


def table(findings: Sequence[Finding]) -> list[str]:
    """Return one line a topic, and one more for each problem."""
    lines = []
    for topic in dict.fromkeys(finding.topic for finding in findings):
        mine = [finding for finding in findings if finding.topic == topic]
        wrong = [finding for finding in mine if finding.problem]
        checks = ", ".join(dict.fromkeys(finding.check for finding in mine if not finding.problem))
        lines.append(f"{'no ' if wrong else 'yes'}  {topic}: {checks}".rstrip(": "))
        lines += [f"       {finding.check}: {finding.problem}" for finding in wrong]
    count = len({finding.topic for finding in findings if finding.problem})
    lines.append("honours the contract" if not count else f"{count} of the above are not honoured")
    return lines
