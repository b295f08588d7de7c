from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlmp_cosim.feeders.errors import FeederError
from dlmp_cosim.feeders.opendss import library as opendss_library
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from tests import circuits

LOAD = """
import ctypes, os, subprocess, sys, threading
os.environ["BEFORE"] = "set"
from dlmp_cosim.feeders.opendss.library import engine_for
"""
"""A variable set before loading makes the C library own the table that OpenDSS is loaded with."""

OUTGROW = """
libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
for number in range(200):
    os.environ[f"AFTER_{number}"] = "x" * 50
for size in 4 * list(range(200, 4000, 8)):
    ctypes.memset(libc.malloc(size), 0x41, size)
"""
"""Leave the table behind, then fill what was freed with an address that nobody has."""

USE = """
owner = type("Owner", (), {})()
engine = engine_for(owner)
def work():
    engine.Text.Command = "clear"
    print("alive")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def python(script: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, env=env)


@pytest.mark.skipif(sys.platform != "linux", reason="other C libraries keep the table elsewhere")
def test_a_thread_outlives_the_environment_the_library_was_loaded_with() -> None:
    done = python(LOAD + OUTGROW + USE)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_children_see_what_is_set_and_unset_after_loading() -> None:
    show = """
os.environ["AFTER"] = "new"
os.environ["PATH"] = "/changed"
del os.environ["BEFORE"]
print(sorted(subprocess.run([sys.executable, "-c", "import os; print(*os.environ)"],
    capture_output=True, text=True, check=True).stdout.split()) == sorted(os.environ))
print(libc.getenv(b"AFTER"), libc.getenv(b"PATH"), libc.getenv(b"BEFORE"))
"""
    done = python(LOAD + "libc = ctypes.CDLL(None)\nlibc.getenv.restype = ctypes.c_char_p\n" + show)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True", "b'new' b'/changed' None"]


def test_an_empty_environment_is_no_trouble() -> None:
    empty = python("import dlmp_cosim.feeders.opendss.library; print('loaded')", env={})
    assert (empty.returncode, empty.stdout) == (0, "loaded\n"), empty.stderr


def opened(name: str, **options: Any) -> OpenDssFeeder:
    return OpenDssFeeder(circuits.case(name), circuits.circuit(name).network, **options)


def solved(engine: OpenDssFeeder, load: float) -> AcState:
    return engine.solve(load * engine.network.listed_demand, circuits.idle(engine.network), controls=True)


def test_owners_never_share_an_engine_while_they_live() -> None:
    feeders = [opened("meshed") for _ in range(3)]
    assert len({id(feeder._engine) for feeder in feeders}) == 3


def test_an_engine_is_used_again_and_remembers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mixed", "delta"):
        circuits.circuit(name)
    idle: list[Any] = []
    monkeypatch.setattr(opendss_library, "_idle", idle)
    first = opened("mixed")
    engine, new = first._engine, solved(first, 1.0)
    assert solved(first, 0.4).tap.tolist() != new.tap.tolist()
    del first
    assert idle == [engine]
    other = opened("delta", regulators="neutral", control_mode="off", tolerance=1e-4)
    assert other._engine is engine
    assert solved(other, 1.0).converged
    del other
    again = opened("mixed")
    assert again._engine is engine
    used = solved(again, 1.0)
    assert used.voltage.tobytes() == new.voltage.tobytes()
    assert used.tap.tolist() == new.tap.tolist()
    assert (used.losses, used.iterations) == (new.losses, new.iterations)


def test_a_refused_circuit_gives_its_engine_back(monkeypatch: pytest.MonkeyPatch) -> None:
    network = circuits.circuit("delta").network
    idle: list[Any] = []
    monkeypatch.setattr(opendss_library, "_idle", idle)
    with pytest.raises(FeederError, match="OpenDSS refused nonsense"):
        OpenDssFeeder(circuits.written("new nonsense.x", "nonsense"), network)
    gc.collect()
    assert len(idle) == 1
