"""Which keys of a scenario name files, beside the circuit and the settings of owners."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlmp_cosim.federates.study.series_sections import FORECASTS

FILE_KEYS = (
    ("feeder", "assets"),
    ("wholesale", "files"),
    ("wholesale", "demand_files"),
    ("wholesale", "supply"),
    ("emissions", "rates"),
    ("forecast", "price"),
    ("forecast", "demand"),
    ("forecast", "pv"),
    ("profile", "file"),
)
"""Table and key; a file, or a list of files."""


def names_files(section: str, key: str, value: Any) -> bool:
    """Tell whether a value of a key is a file or a list of files: a forecast may be a name instead.

    Parameters
    ----------
    section : str
        Table of the scenario.
    key : str
        Key in it.
    value : object
        What the scenario says there.
    """
    return (section, key) in FILE_KEYS and bool(value) and value not in FORECASTS


def file_values(scenario: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Find where a scenario names files.

    Parameters
    ----------
    scenario : mapping
        The scenario as read from its file.

    Yields
    ------
    tuple of dict and str
        A table, and the key in it that names a file or a list of files.
    """
    for name, key in FILE_KEYS:
        found = scenario.get(name, {})
        for table in found if isinstance(found, list) else [found]:
            if names_files(name, key, table.get(key)):
                yield table, key


def hashes_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file, by its path as given from a folder.

    Parameters
    ----------
    folder : Path
        Where paths start.
    names : iterable of str
        Paths; each counts once.
    """
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in dict.fromkeys(names)}


def files_named(scenario: Mapping[str, Any]) -> list[str]:
    """List the files that a scenario names, as it writes them."""
    named = [table[key] for table, key in file_values(scenario)]
    return [name for value in named for name in ([value] if isinstance(value, str) else value)]
