"""The supply curve of a study: how its LMP answers what the feeder draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlmp_cosim.federates.study.csv_rows import read_numbers
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.supply import SupplyCurve

COLUMNS = ("kw", "rise")


def supply_curve(study: Study) -> SupplyCurve | None:
    """Return the supply curve that a scenario states; None where the LMP is given.

    Raises
    ------
    InputError
        When its table cannot be used.
    """
    section = study.scenario.wholesale
    if section.supply:
        file = study.data_file(section.supply, "wholesale.supply")
        return read_curve(file, f"{study.scenario_file} wholesale.supply")
    return SupplyCurve.straight(section.slope, section.slope_from_kw) if section.slope else None


def read_curve(file: Path, where: str) -> SupplyCurve:
    """Read a table of powers and the rise of the LMP there.

    Parameters
    ----------
    file : Path
        A CSV file with the columns ``kw,rise`` [kW, $/MWh].
    where : str
        Key of the scenario, for messages.

    Raises
    ------
    InputError
        When it cannot be read, has fewer than two rows, or a row is out of order.
    """
    table = read_numbers(file, COLUMNS, where, "supply curve")
    steps = np.diff(table, axis=0)
    if len(table) < 2 or (steps[:, 0] <= 0).any() or (steps[:, 1] < 0).any():
        raise InputError(
            f"{file} does not rise",
            where=where,
            expected="two rows or more, kw ascending, and a rise that never falls",
        )
    return SupplyCurve(tuple(table[:, 0].tolist()), tuple(table[:, 1].tolist()))
