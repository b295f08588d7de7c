"""A study as bytes that a worker on another machine can lay out and run: it shares no disk with us."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zlib import crc32

import tomli_w

from dlmp_cosim.federates.study.inputs import file_values
from dlmp_cosim.federates.study.study import CASES, SCENARIO_FILE
from dlmp_cosim.feeders.errors import InputError

LEADS_TO = re.compile(
    r"""^\s*(?:redirect|compile|buscoords)\s+["']?([^"'!\s]+)""", re.IGNORECASE | re.MULTILINE
)
"""How one file of a circuit reads another."""


@dataclass(frozen=True)
class Pack:
    """A study folder and every file that it reads.

    Attributes
    ----------
    folder : str
        Folder of the study among the files.
    files : mapping of str to bytes
        Content of every file by its path; paths between files are as they were.
    """

    folder: str
    files: Mapping[str, bytes]

    def unpack(self, into: Path) -> Path:
        """Write all files below a folder and return that of the study."""
        for name, content in self.files.items():
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return into / self.folder


class Packer:
    """Packs variants of one study; reads every file once.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._read: dict[Path, bytes] = {}
        self._moved: dict[Path, Path] = {}
        self._circuits: dict[Path, list[Path]] = {}

    def pack(self, scenario: Mapping[str, Any], extra: Mapping[str, str] | None = None) -> Pack:
        """Pack the study with another scenario.

        Parameters
        ----------
        scenario : mapping
            What goes into the scenario file; absolute paths in it become relative ones.
        extra : mapping of str to str, optional
            Texts of further files, by their name in the study's folder.

        Raises
        ------
        InputError
            When a file cannot be read.
        """
        table = deepcopy(dict(scenario))
        made = {self._folder / name: text.encode() for name, text in (extra or {}).items()}
        wanted = [path for path in self._needed(table) if path not in made]
        made[self._folder / SCENARIO_FILE] = tomli_w.dumps(table).encode()
        contents = {path: self._bytes(path) for path in wanted} | made
        root = Path(os.path.commonpath([self._folder, *(path.parent for path in contents)]))
        return Pack(
            PurePosixPath(self._folder.relative_to(root)).as_posix(),
            {path.relative_to(root).as_posix(): contents[path] for path in sorted(contents)},
        )

    def _needed(self, table: dict[str, Any]) -> list[Path]:
        """Files that a scenario names, which are made relative in it, and the study's own JSON files."""
        found = sorted(self._folder.glob("*.json"))
        for section, key in file_values(table):
            value = section[key]
            names = [self._relative(name) for name in ([value] if isinstance(value, str) else value)]
            section[key] = names[0] if isinstance(value, str) else names
            found += [self._path(name) for name in names]
        case = table.get("feeder", {}).get("case", CASES[0])
        if case not in CASES:
            table["feeder"]["case"] = (
                os.path.relpath(case, self._folder) if Path(case).is_absolute() else case
            )
            found += self._circuit(self._path(table["feeder"]["case"]))
        told = [v for owner in table.get("owner", []) for v in owner.get("settings", {}).values()]
        found += [self._path(v) for v in told if isinstance(v, str) and v and self._path(v).is_file()]
        # A study may read from one beside it, which is known by its scenario.
        beside = [
            path.parents[len(path.relative_to(self._folder.parent).parts) - 2]
            for path in found
            if path.is_relative_to(self._folder.parent) and path not in self._moved
        ]
        found += [
            home / SCENARIO_FILE
            for home in beside
            if home != self._folder and (home / SCENARIO_FILE).is_file()
        ]
        return list(dict.fromkeys(found))

    def _relative(self, name: str) -> str:
        """Name a file from the study; one that is given by an absolute path goes into the study itself."""
        if not Path(name).is_absolute():
            return name
        inside = Path(os.path.normpath(name))
        if inside.is_relative_to(self._folder):
            return inside.relative_to(self._folder).as_posix()
        place = f"inputs/{crc32(str(inside.parent).encode()):08x}/{inside.name}"
        self._moved[self._folder / place] = inside
        return place

    def _path(self, name: str) -> Path:
        return Path(os.path.normpath(self._folder / name))

    def _circuit(self, master: Path) -> list[Path]:
        """All files beside a circuit's master file, and those that it is led to elsewhere."""
        if master not in self._circuits:
            found = [path for path in master.parent.rglob("*") if path.is_file()] if master.is_file() else []
            self._circuits[master] = list(dict.fromkeys([*found, *_followed(master, set())]))
        return self._circuits[master]

    def _bytes(self, path: Path) -> bytes:
        if path not in self._read:
            try:
                self._read[path] = self._moved.get(path, path).read_bytes()
            except OSError as error:
                raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
        return self._read[path]


def _followed(file: Path, seen: set[Path]) -> Iterable[Path]:
    if file in seen or not file.is_file():
        return
    seen.add(file)
    yield file
    for name in LEADS_TO.findall(file.read_text(errors="replace")):
        yield from _followed(Path(os.path.normpath(file.parent / name)), seen)
