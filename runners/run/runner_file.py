"""Runner files: which processes a federation consists of, as `helics run` reads them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from dlmp_cosim.federates.runtime.hosting import all_hosted
from dlmp_cosim.federates.study.checked_file import read_json, validate
from dlmp_cosim.federates.study.section import Section
from dlmp_cosim.federates.study.study import SCENARIO_FILE, Study
from dlmp_cosim.federates.study.substation import SubstationStudy, load_any
from dlmp_cosim.feeders.errors import InputError, nearest_name, unknown_name

BROKER_MODULE, HOST_MODULE = "dlmp_cosim.runners.broker", "dlmp_cosim.federates.host"
RUNNERS = Path("runners")
"""Folder in which a study's name is looked up."""
RUNNER_FILE = "runner.json"
"""Runner file of a study that has it in its own folder."""


class Member(Section):
    """One process of a federation."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        description="unique name, also of its log"
    )
    exec: Annotated[str, Field(min_length=1)] = Field(description="command line, without a shell")
    directory: str = Field(description="working folder, relative to the runner file")
    host: str = Field(
        default="localhost", description="name or address of the host that `dlmp run --host` starts it on"
    )
    env: dict[str, str] = Field(default_factory=dict, description="environment variables, all texts")

    @field_validator("exec")
    @classmethod
    def _splits(cls, line: str) -> str:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise ValueError(f"{line!r} has {str(error).lower()}; expected a command line") from None
        if not words:
            raise ValueError("is blank; expected a command line")
        return line

    @property
    def arguments(self) -> list[str]:
        """Command line as a list."""
        return shlex.split(self.exec)

    @property
    def module(self) -> str:
        """Python module that runs, or an empty string."""
        words = self.arguments
        return words[words.index("-m") + 1] if "-m" in words[:-1] else ""

    @property
    def operands(self) -> list[str]:
        """What follows the module on the command line."""
        words = self.arguments
        return words[words.index("-m") + 2 :] if self.module else words[1:]

    @property
    def federates(self) -> dict[str, str]:
        """What runs every federate that the process is, a module, or hosts, ``module:Class``."""
        if self.module != HOST_MODULE:
            return {self.name: self.module}
        return all_hosted(self.operands)


class RunnerFile(Section):
    """A runner file."""

    name: str = Field(description="name of the federation")
    federates: Annotated[tuple[Member, ...], Field(min_length=1, description="processes, broker first")]
    broker: Literal[False] = Field(default=False, description="false: a broker is listed as a federate")
    logging_path: str = Field(default="", description="folder of the logs, relative to the caller")


@dataclass(frozen=True)
class Runner:
    """A runner file and where it is.

    Attributes
    ----------
    path : Path
        The file.
    content : RunnerFile
        What it says.
    """

    path: Path
    content: RunnerFile

    @property
    def broker(self) -> Member:
        """The process that holds the federation together.

        Raises
        ------
        InputError
            When it is not the first.
        """
        first = self.content.federates[0]
        if first.module != BROKER_MODULE:
            raise InputError(
                f"the first process is {first.exec!r}",
                where=f"{self.path} federates[0].exec",
                expected=f"python -u -m {BROKER_MODULE} <study folder> --federates <names>",
            )
        return first

    @property
    def members(self) -> tuple[Member, ...]:
        """Every process but the broker."""
        return self.content.federates[1:]

    @property
    def federates(self) -> dict[str, Member]:
        """Process of every federate."""
        return {name: member for member in self.members for name in member.federates}

    @property
    def expected(self) -> list[str]:
        """Names of the federates that the broker waits for."""
        words = self.broker.operands
        names = next((words[k + 1] for k, word in enumerate(words[:-1]) if word == "--federates"), "")
        return [name.strip() for name in names.split(",") if name.strip()]

    @property
    def stall_s(self) -> str:
        """Seconds that the broker lets a federate take for one answer, as its command line says; or empty."""
        words = self.broker.operands
        return next((words[k + 1] for k, word in enumerate(words[:-1]) if word == "--stall"), "")

    def on_host(self, host: str) -> tuple[Member, ...]:
        """Return the processes of one host.

        Raises
        ------
        InputError
            When it has none.
        """
        mine = tuple(member for member in self.content.federates if member.host == host)
        if not mine:
            hosts = list(dict.fromkeys(member.host for member in self.content.federates))
            raise unknown_name("host", host, hosts, where=f"{self.path} federates[].host")
        return mine

    def folder(self, member: Member) -> Path:
        """Working folder of a process."""
        return (self.path.parent / member.directory).resolve()

    @cached_property
    def study(self) -> Study | SubstationStudy:
        """The study that the broker is started for.

        Raises
        ------
        InputError
            When the broker names no study, or its scenario cannot be used.
        """
        words = self.broker.operands
        if not words or words[0].startswith("-"):
            raise InputError(
                "the broker names no study", where=f"{self.path} federates[0].exec", expected="a study folder"
            )
        return load_any(self.study_folder(words[0], self.broker))

    @property
    def single(self) -> Study:
        """The study, which has to be one of a single feeder.

        Raises
        ------
        InputError
            When its scenario lists feeders.
        """
        study = self.study
        if isinstance(study, SubstationStudy):
            folders = (member.folder for member in study.members.values())
            raise InputError(
                "the study has several feeders, and this takes one",
                where=str(study.scenario_file),
                expected="the study of one of them, " + ", ".join(map(str, folders)),
            )
        return study

    def study_folder(self, text: str, member: Member) -> Path:
        """Path of a study folder as this process can use it.

        Parameters
        ----------
        text : str
            Folder as a command of the runner file names it.
        member : Member
            The process whose folder it counts from.

        Raises
        ------
        InputError
            When there is no study, with the nearest folder.
        """
        folder = self.folder(member) / text
        if not (folder / SCENARIO_FILE).is_file():
            siblings = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
            raise InputError(
                f"{text} is no study",
                where=f"{self.path} {member.name}.exec",
                expected=f"a folder with {SCENARIO_FILE}",
                nearest=nearest_name(folder.name, siblings),
            )
        return folder


def find_program(name: str) -> str | None:
    """Path of a program; `python`, and what is installed beside it, is that of this command."""
    if name == "python":
        return sys.executable
    return shutil.which(
        name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )


def load_runner(path: Path) -> Runner:
    """Read a runner file.

    Raises
    ------
    InputError
        Naming file, key, what was expected and the nearest valid key; also for a name given twice.
    """
    content = validate(RunnerFile, read_json(path), path)
    seen: set[str] = set()
    for k, member in enumerate(content.federates):
        for name in dict.fromkeys((member.name, *member.federates)):
            if name in seen:
                where = f"{path} federates[{k}].name"
                raise InputError(f"{name!r} is listed twice", where=where, expected="each name once")
            seen.add(name)
    return Runner(path, content)


def find_runner(text: str, others: Iterable[str] = ()) -> Path:
    """Find the runner file that a user means: its path, a study's folder that holds it, or a study's name.

    A scenario stands for its folder, and a folder for the runner file of its name where that starts the study
    in it, and not one elsewhere.

    Parameters
    ----------
    text : str
        What a user wrote.
    others : iterable of str
        Names that would be studies as well, for the message.

    Raises
    ------
    InputError
        When there is none, with the nearest name.
    """
    folder = Path(text).parent if Path(text).name == SCENARIO_FILE else Path(text)
    named = (RUNNERS / f"{text}.json", RUNNERS / f"{folder.name}.json")
    elsewhere = (folder / SCENARIO_FILE).is_file()
    for path in (folder, folder / RUNNER_FILE, *named):
        if path.is_file() and not (path in named and elsewhere and not _starts(path, folder)):
            return path
    raise InputError(
        f"there is no study {text!r}",
        where=str(Path(text).parent.resolve()),
        expected=f"a folder with {RUNNER_FILE}, a runner file, or the name of one in {RUNNERS}/; "
        "`dlmp new` writes a study",
        nearest=nearest_name(Path(text).stem, [*known_studies(), *others]),
    )


def _starts(path: Path, folder: Path) -> bool:
    """Whether a runner file starts the study of a folder."""
    runner = load_runner(path)
    words = runner.broker.operands
    return bool(words) and (runner.folder(runner.broker) / words[0]).resolve() == folder.resolve()


def known_studies() -> list[str]:
    """Names of the studies that can be run from here."""
    here = [path.parent.name for path in Path().glob(f"*/{RUNNER_FILE}")]
    return sorted({path.stem for path in RUNNERS.glob("*.json")} | set(here))
