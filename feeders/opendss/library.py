"""The OpenDSS library: loaded so that every thread may use it, and its engines, which are used again."""

from __future__ import annotations

import ctypes
import sys
import weakref
from itertools import count
from types import ModuleType
from typing import Any, Final


def _keep_environment() -> None:
    """Move this process's table of environment variables to memory that is never freed.

    The library keeps the address of the table it was loaded with and reads it whenever a thread first calls
    in. glibc frees a table of its own making when a later variable does not fit: that read would then crash.
    """
    libc = ctypes.CDLL(None)
    table = ctypes.c_void_p.in_dll(libc, "environ")
    if table.value is None:
        return
    entries = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))
    length = next(k for k in count() if entries[k] is None)
    size = (length + 1) * ctypes.sizeof(ctypes.c_void_p)
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    table.value = ctypes.memmove(libc.malloc(size), table.value, size)


def _load() -> ModuleType:
    # NumPy sets variables of its own while it is imported, which moves the table once more: that comes first.
    import numpy  # noqa: F401

    if sys.platform == "linux":
        _keep_environment()
    # What OpenDSSDirect.py wraps and pins; its own package imports pandas besides, for half a second.
    import dss

    module: ModuleType = dss
    return module


_LIBRARY: Final = _load()

_idle: list[Any] = []
"""Engines whose owner is gone. The library never frees one, about 3 MB with a feeder of 123 buses in it."""

DSSException: type[Exception] = _LIBRARY.DSSException
"""What OpenDSS raises: its error number, then its message."""


def engine_for(owner: object) -> Any:
    """Return an engine that nobody else uses for as long as its owner lives.

    Parameters
    ----------
    owner : object
        Who works with it. Nothing of what an earlier owner built lasts beyond its first ``clear``.

    Returns
    -------
    dss.IDSS
        An OpenDSS engine; it never changes the working directory.
    """
    try:
        engine = _idle.pop()
    except IndexError:
        engine = _LIBRARY.dss.NewContext()
        engine.AllowChangeDir = False
    weakref.finalize(owner, _idle.append, engine).atexit = False
    return engine
