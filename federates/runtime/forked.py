"""Processes forked from one that has imported all: a process for each federate, for the start of one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

from dlmp_cosim.federates.runtime.watching import STOPPED

PASSED_ON = (signal.SIGINT, signal.SIGTERM)
"""Signals that reach every child by way of this process."""
BY_SIGNAL = 128
"""What shells add to the number of a signal that ended a process."""


def live_apart(lives: Sequence[Callable[[], int]]) -> int:
    """Live each life in a process forked from this one, which has one thread, and wait for all.

    Signals that would end this process end its children instead, and it by their end.

    Parameters
    ----------
    lives : sequence of callable
        What each child does; it returns an exit code.

    Returns
    -------
    int
        In a child its own exit code. Here 0 when all have that; otherwise that of one that was not merely
        stopped because of another, the least first, where a signal has the number that shells give it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    children: list[int] = []
    for life in lives:
        child = os.fork()
        if not child:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return life()
        children.append(child)
    _pass_on(children)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return _await_all(children)


def _pass_on(children: Sequence[int]) -> None:
    """Send signals on to those of the children that have not been waited for."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)


def _await_all(children: list[int]) -> int:
    """Wait for children, who leave the list, and sum up their exit codes."""
    codes = []
    for child in tuple(children):
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        children.remove(child)
        codes.append(BY_SIGNAL - status if status < 0 else status)
    return min((code for code in codes if code), key=lambda code: (code == STOPPED, code), default=0)
