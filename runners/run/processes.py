"""Whether every process of a runner file can be started, and whom the broker waits for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from dlmp_cosim.feeders.errors import DlmpError, InputError, nearest_name
from dlmp_cosim.runners.run.runner_file import Member, Runner, find_program

BUILT_IN = "dlmp_cosim.federates."


def check_processes(runner: Runner) -> Iterator[DlmpError]:
    """Every process can be started, and the broker waits for exactly the others."""
    path, there = runner.path, list(runner.federates)
    for name in runner.expected:
        if name not in there:
            yield InputError(
                f"the broker waits for {name!r}, which is not started",
                where=f"{path} federates[0].exec",
                expected=f"--federates {','.join(there)}",
                nearest=nearest_name(name, there),
            )
    for name in there:
        if name not in runner.expected:
            yield InputError(
                f"the broker does not wait for {name!r}",
                where=f"{path} federates[0].exec",
                expected=f"--federates {','.join(there)}",
            )
    for member in runner.content.federates:
        yield from _startable(runner, member)


def _startable(runner: Runner, member: Member) -> Iterator[DlmpError]:
    where = f"{runner.path} {member.name}"
    if not runner.folder(member).is_dir():
        yield InputError(f"{member.directory!r} is no folder", where=f"{where}.directory")
        return
    program = member.arguments[0]
    if find_program(program) is None:
        yield InputError(f"there is no program {program!r}", where=f"{where}.exec")
    for path in dict.fromkeys((member.module, *member.federates.values())):
        yield from _importable(path, f"{where}.exec")


def _importable(path: str, where: str) -> Iterator[DlmpError]:
    """Hold what is to run to what there is: a module of ours, and a class in it that a host names."""
    module, _, member = path.partition(":")
    if not module.startswith(BUILT_IN):
        return
    if importlib.util.find_spec(module) is None:
        package = importlib.util.find_spec(BUILT_IN.rstrip("."))
        places = package.submodule_search_locations if package else None
        names = [f"{BUILT_IN}{file.stem}" for place in places or [] for file in Path(place).glob("*.py")]
        yield InputError(f"there is no module {module!r}", where=where, nearest=nearest_name(module, names))
    elif member and not hasattr(importlib.import_module(module), member):
        known = vars(importlib.import_module(module))
        classes = [name for name, found in known.items() if isinstance(found, type)]
        near = nearest_name(member, classes)
        yield InputError(f"there is no class {member!r} in {module}", where=where, nearest=near)
