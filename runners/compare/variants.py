"""Variants of a study: the product of named lists of overrides, each written out as a study of its own."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from dlmp_cosim.federates.study.checked_file import read_toml
from dlmp_cosim.federates.study.study import SCENARIO_FILE, Study, load_study
from dlmp_cosim.feeders.errors import InputError, unknown_name

AXES = ("loading", "regulation", "market")
"""Lists of a cases file, outermost first."""
PATH_KEYS = (
    "feeder.assets",
    "wholesale.files",
    "wholesale.demand_files",
    "wholesale.supply",
    "emissions.rates",
)
"""Keys whose values are files, relative to the file that names them."""


@dataclass(frozen=True)
class Variant:
    """One combination of a cases file.

    Attributes
    ----------
    names, titles : tuple of str
        Name and title on every axis.
    overrides : mapping of str to object
        Scenario keys (``table.key``) and their values.
    """

    names: tuple[str, ...]
    titles: tuple[str, ...]
    overrides: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of its study."""
        return "_".join(self.names)


def read_cases(path: Path) -> tuple[Study, tuple[Variant, ...]]:
    """Read a cases file: the base study, and the product of its lists.

    Raises
    ------
    InputError
        When the file cannot be used.
    """
    table = read_toml(path)
    if not isinstance(table.get("base"), str):
        raise InputError(
            "names no base study", where=f"{path} base", expected="a folder with a scenario.toml"
        )
    for key in table:
        if key not in ("base", *AXES):
            raise unknown_name("key", key, ("base", *AXES), where=str(path))
    base = load_study(path.parent / table["base"])
    lists = [_entries(path, axis, table.get(axis, [])) for axis in AXES if table.get(axis)]
    return base, tuple(_combine(entries) for entries in itertools.product(*lists))


def write_variant(base: Study, variant: Variant, origin: Path, folder: Path) -> Study:
    """Write a variant of `base` into `folder`, with data files named from there, and load it.

    Parameters
    ----------
    base : Study
        Study that is varied.
    variant : Variant
        What differs.
    origin : Path
        Folder of the cases file, which its own files are relative to.
    folder : Path
        Folder of the new study; its results go beside the scenario.

    Raises
    ------
    InputError
        When an override makes no valid scenario.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scenario = read_toml(base.scenario_file)
    for key in PATH_KEYS:
        _set_path(scenario, key, base.folder)
    for key, value in variant.overrides.items():
        section, _, name = key.partition(".")
        table = scenario.setdefault(section, {})
        if not name or not isinstance(table, dict):
            raise InputError(f"{key!r} is no key", where=variant.name, expected="table.key of the scenario")
        table[name] = value
        if key in PATH_KEYS:
            _set_path(scenario, key, origin)
    scenario["study"]["name"] = variant.name
    scenario["results"]["file"] = str(folder / "results.h5")
    (folder / SCENARIO_FILE).write_text(tomli_w.dumps(scenario), encoding="utf-8")
    for config in base.folder.glob("*.json"):
        shutil.copy(config, folder / config.name)
    return load_study(folder)


def _entries(path: Path, axis: str, entries: Any) -> list[dict[str, Any]]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("is no list of tables", where=f"{path} {axis}", expected=f"[[{axis}]]")
    for k, entry in enumerate(entries):
        for key in ("name", "title"):
            if not isinstance(entry.get(key), str):
                raise InputError(f"has no {key}", where=f"{path} {axis}[{k}].{key}", expected="a text")
    return entries


def _combine(entries: tuple[dict[str, Any], ...]) -> Variant:
    overrides = {k: v for entry in entries for k, v in entry.items() if k not in ("name", "title")}
    return Variant(tuple(e["name"] for e in entries), tuple(e["title"] for e in entries), overrides)


def _set_path(scenario: dict[str, Any], key: str, origin: Path) -> None:
    """Name files wherever they are read from that were named from `origin`."""
    section, _, name = key.partition(".")
    value = scenario.get(section, {}).get(name)
    if value:
        moved = [str((origin / item).resolve()) for item in ([value] if isinstance(value, str) else value)]
        scenario[section][name] = moved[0] if isinstance(value, str) else moved
