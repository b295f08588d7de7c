"""One number of a run, with what a reader needs to read it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number of a run.

    Attributes
    ----------
    title, unit : str
        What it is.
    digits : int
        Decimal places that mean something.
    value : float
        The number; NaN where the run has none.
    note : str
        Where, when, or beside what.
    """

    title: str
    unit: str
    digits: int
    value: float
    note: str = ""


def known(note: str, *numbers: float) -> str:
    """Keep a note whose numbers are there, and leave it out where one is not.

    Parameters
    ----------
    note : str
        The note.
    *numbers : float
        What it tells; NaN where the run has none.
    """
    return note if all(map(math.isfinite, numbers)) else ""
