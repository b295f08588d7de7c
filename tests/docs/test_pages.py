"""The documentation as a reader uses it: blocks parse, commands exist, tutorials run as they stand."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from dlmp_cosim.federates.study.checked_file import validate
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.substation import SubstationScenario
from dlmp_cosim.runners.cli import main
from dlmp_cosim.runners.sweep.sweep_file import SweepFile

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
LANGUAGES = ("", "sh", "python", "toml", "json", "text", "math")

RUN = ("start.md", "howto.md", "tutorials/market.md", "tutorials/feeder.md", "tutorials/tariffs.md")
"""Pages whose blocks run from top to bottom in an empty folder."""
ELSEWHERE = (
    "pip install",
    "python3 -m venv",
    "dlmp completion bash",
)
"""Commands of those pages that belong to the reader's shell; tests/test_installed.py installs the wheel."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Fenced blocks of a page, without their indentation."""
    found, lines = [], page.read_text(encoding="utf-8").splitlines()
    opened: tuple[int, str, str] | None = None
    for number, line in enumerate(lines):
        mark = re.match(r"^( *)```(.*)$", line)
        if mark is None:
            continue
        if opened is None:
            opened = (number, mark[1], mark[2])
            continue
        assert not mark[2], f"{page.name}:{number + 1}: a fence opens within the one of line {opened[0] + 1}"
        start, indent, head = opened
        text = "\n".join(item.removeprefix(indent) for item in lines[start + 1 : number])
        title = re.search(r'title="([^"]+)"', head)
        found.append(Block(head.split(" ")[0], title[1] if title else "", text + "\n", start + 1))
        opened = None
    assert opened is None, f"{page.name}: the fence of line {opened and opened[0] + 1} never closes"
    return found


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(text: str) -> Iterator[list[str]]:
    """Commands of a shell block, continued lines joined, comments and what follows a pipe left out."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|]", line):
            words = shlex.split(part, comments=True)
            if ">" in words:
                words = words[: words.index(">")]
            if words:
                yield words


def dlmp_commands(page: Path) -> Iterator[tuple[int, list[str]]]:
    """Every use of `dlmp`: in shell blocks, and in the text between backticks."""
    for block in blocks(page):
        if block.language == "sh":
            yield from ((block.line, words) for words in commands(block.text) if words[0] == "dlmp")
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        for quoted in re.findall(r"`(dlmp [^`]*)`", line):
            yield number, shlex.split(quoted)


def pages_with(pattern: str) -> pytest.MarkDecorator:
    """Pages in which a line matches: a test of others would look at nothing."""
    found = [page for page in PAGES if re.search(pattern, page.read_text(encoding="utf-8"), re.MULTILINE)]
    return pytest.mark.parametrize("page", found, ids=name_of)


@pages_with(r"^ *```")
def test_every_fence_closes_and_has_a_known_language(page: Path) -> None:
    found = blocks(page)
    assert found
    for block in found:
        assert block.language in LANGUAGES, f"{page.name}:{block.line}"


@pages_with(r"^ *dlmp [a-z]|`dlmp [a-z]")
def test_every_command_is_one_with_options_that_it_has(page: Path) -> None:
    context = click.Context(main, info_name="dlmp")
    given = [(line, [word for word in words[1:] if word != "..."]) for line, words in dlmp_commands(page)]
    given = [(line, arguments) for line, arguments in given if arguments and arguments[0][0] != "-"]
    assert given
    for line, arguments in given:
        try:
            _, command, rest = main.resolve_command(context, list(arguments))
            assert command is not None
            command.make_parser(click.Context(command, context)).parse_args(list(rest))
        except click.UsageError as error:
            pytest.fail(f"{page.name}:{line}: dlmp {' '.join(arguments)}: {error.format_message()}")


@pages_with(r"^ *```(toml|json|python)\b")
def test_every_block_of_settings_is_accepted(page: Path) -> None:
    found = [block for block in blocks(page) if block.language in ("toml", "json", "python")]
    assert found
    for block in found:
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "python":
            ast.parse(block.text)
        else:
            accept(tomllib.loads(block.text), page, whole=bool(block.title))


def accept(table: dict[str, Any], page: Path, *, whole: bool) -> None:
    """Hold settings to what they are of; those that are no file of their own change a study's."""
    if "base" in table:
        validate(SweepFile, table, page)
        return
    if whole:
        return
    shared = bool({"ancillary", "disruption"} & set(table))
    example = "substation_trip" if shared else "ieee123_day"
    base = tomllib.loads((ROOT / "configs" / example / "scenario.toml").read_text())
    merged = {key: {**base.get(key, {}), **value} if isinstance(value, dict) else value
              for key, value in table.items()}  # fmt: skip
    validate(SubstationScenario if shared else Scenario, {**base, **merged}, page)


HERE = r"\]\((?![a-z]+:)([^)\s]+)\)"
"""A link to a page, or to a place on one."""


@pages_with(HERE)
def test_every_link_leads_somewhere(page: Path) -> None:
    found = re.findall(HERE, page.read_text(encoding="utf-8"))
    assert found
    for target in found:
        path, _, place = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not place or place in headings(there), f"{page.name}: {target}"


def headings(page: Path) -> set[str]:
    """Places on a page, by the names that its headings give them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text.lower()).strip()) for text in found}


def script(page: Path) -> str:
    """All that a reader types and saves on a page, as one shell script."""
    steps = ["set -e"]
    for block in blocks(page):
        saved = f"<<'END_OF_FILE'\n{block.text}END_OF_FILE"
        if block.title:
            steps.append(f"mkdir -p {Path(block.title).parent}\ncat > {block.title} {saved}")
        elif block.language == "sh":
            lines = block.text.splitlines()
            steps += [line for line in lines if not line.startswith(ELSEWHERE)]
        elif block.language == "python":
            steps.append(f"{sys.executable} - {saved}")
    return "\n".join(steps)


@pytest.mark.slow
@pytest.mark.federation
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", RUN)
def test_a_page_runs_from_top_to_bottom(name: str, tmp_path: Path) -> None:
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", BROWSER="true")
    done = subprocess.run(
        ["bash", "-c", script(DOCS / name)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
