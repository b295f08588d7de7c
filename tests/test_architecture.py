"""The house rules that a machine can hold: who imports whom, where a library lives, how long things are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("feeders", "market", "federates", "runners")
"""Each may import itself and those before it."""
INSTALLED = "dlmp_cosim."
"""What the four go under where they are imported."""
ROOMS = {
    "helics": ("federates/", "runners/broker.py"),
    "dss": ("feeders/opendss/library.py",),
    "opendssdirect": (),
    "cvxpy": ("market/central",),
    "clarabel": ("market/ancillary/program.py", "runners/measure/clarabel_direct.py"),
    "power_grid_model": ("feeders/power_grid_model.py",),
    "click": ("runners/",),
    "rich": ("runners/",),
    "pydantic": ("feeders/", "federates/", "runners/"),
    "h5py": ("federates/", "runners/"),
    "distributed": ("runners/sweep/",),
    "dask": ("runners/sweep/cluster.py",),
    "pyarrow": ("runners/",),
}
"""Libraries that live in one place."""
FUNCTION_LINES, MODULE_LINES = 60, 400
SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=\n\n[A-Z]\w+\n---|\Z)", re.DOTALL | re.MULTILINE)
"""What a numpydoc docstring says of parameters."""
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(INSTALLED) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield (node.module or "").removeprefix(INSTALLED)


@cache
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


SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nobody_imports_by_a_name_that_others_have(path: Path) -> None:
    """A module that is imported by two names exists twice, and its errors are not caught."""
    for node in ast.walk(parsed(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        bare = [name for name in names if name.split(".", maxsplit=1)[0] in PACKAGES]
        assert not bare, f"imports {bare} without {INSTALLED}"


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


def public_functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """Functions and methods that other modules call; commands of the shell explain their options there."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not is_command(node):
            yield node


def is_command(node: ast.FunctionDef) -> bool:
    made_by = [item.func if isinstance(item, ast.Call) else item for item in node.decorator_list]
    return any(isinstance(maker, ast.Attribute) and maker.attr in ("command", "group") for maker in made_by)


def parameters(node: ast.FunctionDef) -> list[str]:
    taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [item.arg for item in taken if item.arg not in ("self", "cls")]


def explained(node: ast.FunctionDef) -> list[str]:
    """Names that the docstring has a line for; a name of ``*args`` has stars there."""
    section = SECTION.search(ast.get_docstring(node) or "")
    heads = [line for line in section[1].split("\n") if line and line[0] != " "] if section else []
    return [name.strip() for head in heads for name in head.split(" : ")[0].split(",")]


def test_parameters_are_explained() -> None:
    """In at least two thirds of public docstrings that take two or more."""
    functions = [node for path in MODULES for node in public_functions(parsed(path).body)]
    several = [node for node in functions if len(parameters(node)) >= 2]
    told = [node for node in several if explained(node)]
    assert 3 * len(told) >= 2 * len(several), f"{len(told)} of {len(several)} explain their parameters"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_explained_parameters_are_those_of_the_function(path: Path) -> None:
    for node in public_functions(parsed(path).body):
        names = [name for name in explained(node) if not name.startswith("*")]
        assert not names or sorted(names) == sorted(parameters(node)), f"{node.name} explains {names}"
