"""The example studies that come with the package, and copies of them that run wherever they are put."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlmp_cosim.federates.study.checked_file import read_toml, validate
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.study import SCENARIO_FILE
from dlmp_cosim.federates.study.substation import FEEDERS, SubstationScenario
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.runners.run.runner_file import RUNNER_FILE
from dlmp_cosim.runners.start.edits import read_setting, set_value

HOME = Path(__file__).parents[2]
"""Where `configs/` and `runners/` are: the package as installed, or the top of the repository."""
DEMO = "ieee123_day"
RESULTS = "results/results.h5"
"""Results of a copy, beside its scenario."""
NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Example:
    """An example study.

    Attributes
    ----------
    name : str
        Its name.
    title : str
        What it shows, in a sentence.
    verdict : str
        What `dlmp verdict` says of its run.
    """

    name: str
    title: str
    verdict: str

    @property
    def folder(self) -> Path:
        """Folder of the study."""
        return HOME / "configs" / self.name

    @property
    def runner(self) -> Path:
        """Runner file that starts it."""
        return HOME / "runners" / f"{self.name}.json"


def examples() -> dict[str, Example]:
    """Find every example study, by name."""
    names = (path.stem for path in sorted((HOME / "runners").glob("*.json")))
    return {name: _read(name) for name in names if (HOME / "configs" / name / SCENARIO_FILE).is_file()}


def _read(name: str) -> Example:
    """Take title and verdict from the comment that a scenario begins with."""
    lines = (HOME / "configs" / name / SCENARIO_FILE).read_text(encoding="utf-8").splitlines()
    head = " ".join(
        line.lstrip("# ") for line in lines[: next(k for k, line in enumerate(lines) if not line)]
    )
    verdict = re.search(r"Verdict: (\w+)", head)
    return Example(name, f"{head.partition('. ')[0].rstrip('.')}.", verdict[1] if verdict else "")


def find_example(name: str) -> Example:
    """Find an example study by its name.

    Raises
    ------
    InputError
        When there is none.
    """
    known = examples()
    if name not in known:
        raise unknown_name("example study", name, known, where="--like")
    return known[name]


def copy_example(example: Example, folder: Path, name: str, settings: Sequence[str] = ()) -> None:
    """Write a study like an example, with all that it needs, into a new folder.

    Parameters
    ----------
    example : Example
        What to copy.
    folder : Path
        Folder of the study, new or empty.
    name : str
        Name of the study.
    settings : sequence of str
        Values of its scenario to change, each as ``time.intervals=24``.

    Raises
    ------
    InputError
        When the folder holds something, the name cannot be one, or a setting cannot be used.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a study",
            where="--name",
            expected="letters, digits, _ and -",
        )
    changes = [read_setting(setting) for setting in settings]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("there is something already", where=str(folder), expected="a new or an empty folder")
    text, foreign = _own_scenario(example, folder, name, changes)
    shutil.copytree(
        example.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "results")
    )
    for path in foreign:
        (folder / "data").mkdir(exist_ok=True)
        shutil.copy(example.folder / path, folder / "data")
    (folder / SCENARIO_FILE).write_text(text, encoding="utf-8")
    _own_runner(example, folder, name)


def _own_scenario(
    example: Example, folder: Path, name: str, changes: list[tuple[str, str]]
) -> tuple[str, list[str]]:
    """Write the copy's scenario, with its own name and results; list the files of others that it reads."""
    source = example.folder / SCENARIO_FILE
    table = read_toml(source)
    text, foreign = source.read_text(encoding="utf-8"), _foreign_files(table)
    for path in foreign:
        text = text.replace(f'"{path}"', f'"data/{Path(path).name}"')
    for key, value in (("study.name", f'"{name}"'), ("results.file", f'"{RESULTS}"'), *changes):
        text = set_value(text, key, value)
    model = SubstationScenario if FEEDERS in table else Scenario
    validate(model, tomllib.loads(text), folder / SCENARIO_FILE)
    return text.replace(f"runners/{example.name}.json", str(folder)), foreign


def _foreign_files(table: object) -> list[str]:
    """Paths in a scenario that lead out of its folder."""
    inner: Iterable[object] = ()
    if isinstance(table, dict):
        inner = table.values()
    elif isinstance(table, list):
        inner = table
    found = [path for item in inner for path in _foreign_files(item)]
    return [table] if isinstance(table, str) and table.startswith("../") else found


def _own_runner(example: Example, folder: Path, name: str) -> None:
    """Write the copy's runner file; processes run in the study's own folder."""
    content = json.loads(example.runner.read_text(encoding="utf-8"))
    content["name"] = name
    for member in content["federates"]:
        member["directory"] = "."
        words = member["exec"].replace(f"configs/{example.name}/", "").replace(f"configs/{example.name}", ".")
        member["exec"] = " ".join(_own_script(word, folder) for word in words.split(" "))
        if "env" in member:
            member["env"] = {key: value.replace(example.name, name) for key, value in member["env"].items()}
    (folder / RUNNER_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _own_script(word: str, folder: Path) -> str:
    """Bring a program that lies outside the example's folder along."""
    if not word.endswith(".py") or not (HOME / word).is_file():
        return word
    shutil.copy(HOME / word, folder)
    return Path(word).name
