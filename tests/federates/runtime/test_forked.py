"""Processes forked from one: their numbers, their exit codes, and signals that reach them by way of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

PROGRAM = """
import os, signal, sys
from functools import partial
from dlmp_cosim.federates.runtime.forked import live_apart

def life(place):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.write(1, b"child %d\\n" % place)
    {life}

sys.exit(live_apart([partial(life, place) for place in range(3)]))
"""
CHILDREN = ["child 0", "child 1", "child 2"]


def program(life: str) -> Sequence[str]:
    """A process that forks three, each of which does something with its `place`."""
    return [sys.executable, "-c", PROGRAM.format(life=life)]


@pytest.mark.parametrize(
    ("life", "code"),
    [
        ("return 0", 0),
        ("return [0, 3, 1][place]", 1),
        ("return [0, 3, 0][place]", 3),
        ("return os.kill(os.getpid(), signal.SIGKILL) if place == 1 else 0", 137),
        ("return os.kill(os.getpid(), signal.SIGKILL) if place == 1 else 3", 137),
    ],
)
def test_the_exit_code_is_that_of_the_least_good_child(life: str, code: int) -> None:
    done = subprocess.run(program(life), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert sorted(done.stdout.splitlines()) == CHILDREN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_every_child_that_is_left(number: signal.Signals) -> None:
    """The first has ended by then; the others end by the signal, and the process after them."""
    life = "return signal.pause() if place else 0"
    with subprocess.Popen(program(life), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert sorted(parent.stdout.readline().strip() for _ in range(3)) == CHILDREN
        parent.send_signal(number)
        assert parent.wait(30) == 128 + number
