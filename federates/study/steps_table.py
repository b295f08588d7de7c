"""Tables of values that hold from some minute of the run on, until the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.csv_rows import read_numbers
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray

COLUMNS = ("minutes", "value")


def read_steps(file: Path, clock: Clock, where: str) -> FloatArray:
    """Read a table of minutes from the start of the run and the value that holds from then on.

    Parameters
    ----------
    file : Path
        A CSV file with the columns ``minutes,value``.
    clock : Clock
        The intervals wanted.
    where : str
        Key of the scenario, for messages.

    Raises
    ------
    InputError
        When it cannot be read, is not in order, or does not begin at 0.
    """
    table = read_numbers(file, COLUMNS, where, "table of values over time")
    minutes = table[:, 0]
    if not len(table) or minutes[0] != 0 or (np.diff(minutes) <= 0).any():
        raise InputError(
            f"{file} does not begin at 0 minutes and rise", where=where, expected="minutes from 0, ascending"
        )
    start = np.arange(clock.intervals) * clock.period_s / 60
    return np.asarray(table[np.searchsorted(minutes, start, side="right") - 1, 1])
