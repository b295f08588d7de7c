"""The house rules that a machine can hold: who imports whom, where a library lives, how long things are."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

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


def imported(path: Path) -> Iterator[str]:
    for node in said(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(INSTALLED) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield (node.module or "").removeprefix(INSTALLED)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def said(path: Path) -> tuple[ast.AST, ...]:
    """What the rules look at; to walk through all files takes longer than to look."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.Call, ast.Assert)
    return tuple(node for node in ast.walk(parsed(path)) if isinstance(node, kinds))


def broken(rule: Callable[[Path], Iterable[str]], paths: Iterable[Path] = MODULES) -> list[str]:
    """Where a rule is broken: one test a rule, as thousands of files as tests cost more than their checks."""
    return [f"{name_of(path)} {fault}" for path in paths for fault in rule(path)]


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 60


def test_imports_point_one_way() -> None:
    def backwards(path: Path) -> Iterator[str]:
        allowed = PACKAGES[: PACKAGES.index(path.relative_to(ROOT).parts[0]) + 1]
        for name in imported(path):
            package = name.split(".", maxsplit=1)[0]
            if package in PACKAGES and package not in allowed:
                yield f"imports {name}"

    assert broken(backwards) == []


SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]
BARE = re.compile(rf"\b(?:import|from)\b[^\n]*(?:[\s,](?:{'|'.join(PACKAGES)})\b|\\$)", re.MULTILINE)
"""A line that may import by a bare name; only files that have one are parsed for it."""


def test_nobody_imports_by_a_name_that_others_have() -> None:
    """A module that is imported by two names exists twice, and its errors are not caught."""

    def bare(path: Path) -> Iterator[str]:
        for node in said(path) if BARE.search(path.read_text()) else ():
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name.split(".", maxsplit=1)[0] in PACKAGES:
                    yield f"imports {name} without {INSTALLED}"

    assert broken(bare, SOURCES) == []


def test_libraries_stay_in_their_rooms() -> None:
    def strayed(path: Path) -> Iterator[str]:
        for name in imported(path):
            rooms = ROOMS.get(name.split(".", maxsplit=1)[0])
            if rooms is not None and not name_of(path).startswith(rooms):
                yield f"imports {name}"

    assert broken(strayed) == []


def test_modules_and_functions_are_short() -> None:
    def long(path: Path) -> Iterator[str]:
        whole = len(path.read_text().splitlines())
        if whole > MODULE_LINES:
            yield f"has {whole} lines"
        for node in said(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{node.name} has {lines} lines"

    assert broken(long) == []


def test_only_runners_print() -> None:
    def prints(path: Path) -> Iterator[str]:
        calls = [node for node in said(path) if isinstance(node, ast.Call)]
        names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
        if "print" in names and not name_of(path).startswith("runners/"):
            yield "prints"

    assert broken(prints) == []


def test_input_is_never_asserted() -> None:
    def asserts(path: Path) -> Iterator[str]:
        nodes = said(path)
        yield from (f"asserts in line {node.lineno}" for node in nodes if isinstance(node, ast.Assert))

    assert broken(asserts) == []


def test_what_is_public_is_documented_and_typed() -> None:
    def silent(path: Path) -> Iterator[str]:
        tree = parsed(path)
        if tree.body and path.name != "__init__.py" and not ast.get_docstring(tree):
            yield "has no docstring"
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                yield f"{node.name} has no docstring"
            if isinstance(node, ast.FunctionDef) and node.returns is None:
                yield f"{node.name} has no return type"

    assert broken(silent) == []


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


def test_explained_parameters_are_those_of_the_function() -> None:
    def others(path: Path) -> Iterator[str]:
        for node in public_functions(parsed(path).body):
            names = [name for name in explained(node) if not name.startswith("*")]
            if names and sorted(names) != sorted(parameters(node)):
                yield f"{node.name} explains {names}"

    assert broken(others) == []
