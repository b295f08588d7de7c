"""The house rules that a machine can hold: who imports whom, where a library lives, how long things are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("feeders", "market", "federates", "runners")
"""Each may import itself and those before it."""
ROOMS = {
    "helics": ("federates/", "runners/broker.py"),
    "opendssdirect": ("feeders/opendss/library.py",),
    "cvxpy": ("market/central",),
    "power_grid_model": ("feeders/power_grid_model.py",),
    "click": ("runners/",),
    "rich": ("runners/",),
    "pydantic": ("feeders/", "federates/", "runners/"),
    "h5py": ("federates/", "runners/"),
}
"""Libraries that live in one place."""
FUNCTION_LINES, MODULE_LINES = 60, 400
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield node.module or ""


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 60


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    allowed = PACKAGES[: PACKAGES.index(path.relative_to(ROOT).parts[0]) + 1]
    for name in imported(parsed(path)):
        package = name.split(".", maxsplit=1)[0]
        assert package not in PACKAGES or package in allowed, f"imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    for name in imported(parsed(path)):
        rooms = ROOMS.get(name.split(".", maxsplit=1)[0])
        assert rooms is None or name_of(path).startswith(rooms), f"imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_runners_print(path: Path) -> None:
    calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    prints = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not prints or name_of(path).startswith("runners/")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_input_is_never_asserted(path: Path) -> None:
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(parsed(path)))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_public_is_documented_and_typed(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree) or not tree.body or path.name == "__init__.py"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.FunctionDef):
            assert node.returns is not None, f"{node.name} has no return type"
