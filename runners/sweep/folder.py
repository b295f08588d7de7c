"""The output folder of a sweep: which sweep it is, what is done, and the tables made of that.

Every finished run is a line of ``runs.jsonl``, on disk before the next is taken: whatever is killed, no
finished run is lost. ``summary.parquet`` is made of those lines, in order of the runs.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dlmp_cosim.feeders.errors import InputError, ResultsError
from dlmp_cosim.runners.sweep.design import Design
from dlmp_cosim.runners.sweep.job import RESULTS, Outcome
from dlmp_cosim.runners.sweep.measures import MEASURES
from dlmp_cosim.runners.sweep.units import axis_columns
from dlmp_cosim.runners.tables.columns import Column, table_of_rows, write_table

IDENTITY, JOURNAL, SUMMARY, TOPICS = "sweep.json", "runs.jsonl", "summary.parquet", "topics"
HEADS = (
    Column("run", "integer", "", "number of the run"),
    Column("draw", "integer", "", "number of its draw"),
    Column("status", "text", "", "finished or failed"),
    Column("error", "text", "", "why it failed"),
)


@dataclass(frozen=True)
class Folder:
    """An output folder that is ours while it is open.

    Attributes
    ----------
    path : Path
        The folder.
    done : dict of int to dict
        What the journal says of every run that ended.
    journal : file
        Open for more lines.
    """

    path: Path
    done: dict[int, dict[str, Any]]
    journal: IO[str]

    def record(self, outcome: Outcome) -> None:
        """Write down what became of a run; its files first, then its line.

        Raises
        ------
        ResultsError
            When the disk does not take it.
        """
        line = {
            "run": outcome.number,
            "status": "failed" if outcome.error else "finished",
            "error": outcome.error,
            "row": dict(outcome.row),
            "seconds": round(outcome.seconds, 3),
            "trace": outcome.trace,
        }
        try:
            for wanted, content in outcome.files.items():
                write_whole(self.path / kept_file(wanted, outcome.number), content)
            self.journal.write(json.dumps(line) + "\n")
            self.journal.flush()
            os.fsync(self.journal.fileno())
        except OSError as error:
            raise ResultsError(
                f"{self.path}: cannot be written: {error.strerror}; {len(self.done)} runs are kept, "
                "and the same command goes on from there"
            ) from None
        self.done[outcome.number] = line

    def read_again(self) -> None:
        """Take what is done from the journal, after an interruption in the middle of writing it."""
        self.done.clear()
        self.done.update(_read(self.journal))

    def write_summary(self, design: Design) -> Path:
        """Write the summary of all runs that ended, a row each, and return its path."""
        axes = axis_columns(design)
        rows = [self._row(design, axes, number) for number in sorted(self.done) if number < len(design)]
        table = table_of_rows([*HEADS, *axes, *MEASURES], rows, {"sweep": design.sweep.name})
        path = self.path / SUMMARY
        write_table(table, path)
        return path

    def _row(self, design: Design, axes: Sequence[Column], number: int) -> dict[str, Any]:
        line, sample = self.done[number], design.sample(number)
        values = {column.name: _cell(column, sample.values[column.name]) for column in axes}
        head = {"run": number, "draw": sample.draw, "status": line["status"], "error": line["error"] or None}
        return {**line["row"], **values, **head}


def _cell(column: Column, value: Any) -> Any:
    """Write a value as its column holds it."""
    return str(value) if column.kind == "text" else value


def kept_file(wanted: str, number: int) -> Path:
    """Where what was kept of a run goes, below the output folder.

    Parameters
    ----------
    wanted : str
        What is kept: whole results, or a topic with its reduction.
    number : int
        Number of the run.
    """
    if wanted == RESULTS:
        return Path(RESULTS) / f"{number:06d}.h5"
    return Path(TOPICS) / wanted.replace("/", ".").replace(":", "-") / f"{number:06d}.parquet"


@contextmanager
def open_folder(path: Path, identity: Mapping[str, Any]) -> Iterator[Folder]:
    """Begin a sweep in a folder, or go on with it.

    Parameters
    ----------
    path : Path
        The folder.
    identity : mapping
        What makes the sweep itself, as plain JSON.

    Raises
    ------
    InputError
        When the folder holds another sweep, or something else.
    ResultsError
        When it cannot be written, or another command is writing it.
    """
    _claim(path, identity)
    with _written(path / JOURNAL):
        journal = (path / JOURNAL).open("a+", encoding="utf-8")
    try:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResultsError(f"{path}: another command is running this sweep; wait for it") from None
        with _written(path / JOURNAL):
            done = _read(journal)
        # What goes wrong among workers, which may be an OSError too, is no fault of the journal.
        yield Folder(path, done, journal)
    finally:
        with _written(path / JOURNAL):
            journal.close()


@contextmanager
def _written(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{file}: cannot be written: {error.strerror}") from None


def _claim(path: Path, identity: Mapping[str, Any]) -> None:
    """Write down whose folder it is, or make sure that it is this sweep's."""
    file, text = path / IDENTITY, json.dumps(identity, indent=1, sort_keys=True)
    if file.is_file():
        there, here = json.loads(file.read_text(encoding="utf-8")), json.loads(text)
        if there != here:
            raise InputError(
                f"holds another sweep: {_difference(there, here)}",
                where=str(path),
                expected="the folder of this sweep, or an empty one",
            )
        return
    if path.is_dir() and any(path.iterdir()):
        raise InputError(
            "holds something else", where=str(path), expected="the folder of this sweep, or an empty one"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_whole(file, text.encode())
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror}") from None


def _difference(there: Any, here: Any, place: Sequence[str] = ()) -> str:
    """Name the first place at which two identities differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            if there.get(key) != here.get(key):
                return _difference(there.get(key), here.get(key), (*place, key))
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for k, pair in enumerate(zip(there, here, strict=True)):
            if pair[0] != pair[1]:
                return _difference(*pair, (*place, str(k)))
    return f"{'.'.join(place)} is {_brief(there)} there and {_brief(here)} here"


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read(journal: IO[str]) -> dict[int, dict[str, Any]]:
    """Read whole lines and cut off one that was not finished."""
    journal.seek(0)
    text = journal.read()
    whole = text[: text.rfind("\n") + 1]
    if len(whole) < len(text):
        journal.truncate(len(whole.encode()))
    lines = [json.loads(line) for line in whole.splitlines()]
    return {line["run"]: line for line in lines}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all; OSError when it cannot be written.

    Parameters
    ----------
    path : Path
        The file; its folder is made when it is not there.
    content : bytes
        What it is to hold.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
