"""What holds for all tests: order, no deadlines of single examples, and starts of processes for less."""

from __future__ import annotations

import gc
import os
import shlex
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import dask
import pyarrow.lib  # noqa: F401 - before HELICS, as in runners/tables
import pytest
from hypothesis import settings
from quick_server import HEAVY

settings.register_profile("project", deadline=None)
settings.load_profile("project")

ROOT = Path(__file__).parents[1]
TOYS = Path(__file__).parent / "toys"
WORKERS_NEED = ("distributed.nanny", "distributed.worker", "dlmp_cosim.runners.sweep.job", *HEAVY)
"""What a worker of Dask imports before it has done its first run."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Look for no garbage in what stays to the end: all modules, and thousands of tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that start federations: the longest, begun last, would keep one worker of two."""
    long = {item.path for item in items if item.get_closest_marker("federation")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A program to start instead of Python, for modules: it forks what has imported ours already."""
    folder = tmp_path_factory.mktemp("quick")
    door, program = folder / "door", folder / "python"
    client = [sys.executable, "-IS", TOYS / "quick_client.py", door, program, sys.executable]
    modules = {"helics": ["-m", "helics.cli"], "dlmp": ["-m", "dlmp_cosim.runners.cli"], program.name: []}
    for name, module in modules.items():
        words = [*client, *module]
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
        (folder / name).chmod(0o755)
    serve = [sys.executable, "-u", TOYS / "quick_server.py", door]
    variables = os.environ | {"PYTHONPATH": f"{ROOT}:{TOYS}"}
    with subprocess.Popen(serve, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        # What is imported may have something to say.
        assert b"open\n" in iter(server.stdout.readline, b"")
        yield program
        server.stdin.close()


@contextmanager
def starting_by(program: Path) -> Iterator[None]:
    """Start Python modules by another program than Python."""
    with pytest.MonkeyPatch.context() as patch:
        own = Path(sys.executable).parent
        patch.setenv("PATH", f"{program.parent}:{own}:{os.environ['PATH']}")
        patch.setattr(sys, "executable", str(program))
        yield


@pytest.fixture
def quick_starts(quick_python: Path) -> Iterator[None]:
    """Fork what a test starts as ``python -m``, where not the start is tested but what comes of it."""
    with starting_by(quick_python):
        yield


@pytest.fixture(scope="session")
def quick_workers() -> Iterator[None]:
    """Fork Dask's workers from one process that has imported what they need, instead of starting each."""
    forkserver.set_forkserver_preload(list(WORKERS_NEED))
    with pytest.MonkeyPatch.context() as patch:
        # Python gives that process no path of this one.
        patch.setenv("PYTHONPATH", f"{ROOT}:{TOYS}")
        forkserver.ensure_running()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield
