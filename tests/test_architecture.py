"""The house: which way imports go, where each library lives, and how long things may get."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("feeders", "market", "federates", "runners")
"""In the order in which they may import each other."""
LIBRARIES = {
    "helics": ("federates/", "runners/broker.py"),
    "opendssdirect": ("feeders/opendss.py",),
    "cvxpy": ("market/central",),
    "power_grid_model": ("feeders/pgm.py",),
    "click": ("runners/",),
    "rich": ("runners/",),
    "h5py": ("federates/", "runners/"),
}
"""Where a library may be imported."""
LONGEST_FUNCTION, LONGEST_MODULE = 60, 400

FILES = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def tree_of(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text())


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            yield node.module or ""


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_go_one_way_and_libraries_stay_in_their_rooms(file: Path) -> None:
    room = ROOMS.index(file.parts[0])
    for module in imported(tree_of(file)):
        head = module.partition(".")[0]
        if head in ROOMS:
            assert ROOMS.index(head) <= room, f"{file} imports {module}"
        if head in LIBRARIES:
            assert str(file).startswith(LIBRARIES[head]), f"{file} imports {module}"
        assert head != "tests", f"{file} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=str)
def test_functions_and_modules_are_short(file: Path) -> None:
    text = (ROOT / file).read_text()
    assert text.count("\n") <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{file}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("file", FILES, ids=str)
def test_nothing_is_asserted_or_printed_and_no_data_is_run(file: Path) -> None:
    for node in ast.walk(tree_of(file)):
        assert not isinstance(node, ast.Assert), f"{file}:{node.lineno} asserts"
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            assert name not in ("eval", "exec"), f"{file}:{node.lineno} runs data"
            assert name != "print" or file.parts[0] == "runners", f"{file}:{node.lineno} prints"
    assert not {"pickle", "marshal", "shelve"} & {name.partition(".")[0] for name in imported(tree_of(file))}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_whatever_is_public_says_what_it_is(file: Path) -> None:
    tree = tree_of(file)
    assert ast.get_docstring(tree), f"{file} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{file}:{node.lineno} {node.name} has no docstring"
