"""The compiler of the negotiation's loops, with their types kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function to machine code and cache it on disk."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))
