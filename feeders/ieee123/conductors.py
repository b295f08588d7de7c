"""Read the line segments of the IEEE 123-node test feeder: matrices and ratings of their conductors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.ieee123.records import Segment
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.feeders.readers.csv_table import Row, once, read_table

FEET_PER_MILE: Final = 5280.0
LETTERS: Final = {"A": 1, "B": 2, "C": 3}
BUS: Final = re.compile(r"[\w-]+")
"""What OpenDSS takes for one name: to it a dot ends a bus, and a blank a parameter."""


@dataclass(frozen=True)
class LineConfig:
    """What a mile of one line configuration is.

    Attributes
    ----------
    phases : tuple of int
        Conductors present.
    resistance, reactance, susceptance : ndarray, shape (3, 3)
        Per mile [ohm, ohm, uS]; rows of absent phases are 0.
    rating_a : float
        Continuous current rating [A].
    """

    phases: tuple[int, ...]
    resistance: FloatArray
    reactance: FloatArray
    susceptance: FloatArray
    rating_a: float


def read_ratings(folder: Path) -> dict[str, float]:
    """Read the current rating of every conductor, and of "switch" [A]."""
    path = folder / "line_ratings.csv"
    rows = read_table(path, ("conductor", "rating_a", "note"))
    ratings: dict[str, float] = {}
    first_line: dict[str, int] = {}
    for row in rows:
        once(row, "conductor", row.text("conductor"), first_line)
        ratings[row.text("conductor")] = row.number("rating_a", above=0.0)
    if "switch" not in ratings:
        raise InputError("no rating for 'switch'", where=f"{path.name} conductor", expected="one line for it")
    return ratings


def _configs(folder: Path, ratings: dict[str, float]) -> dict[str, LineConfig]:
    """Read phases, impedances and rating of every line configuration, by its number."""
    columns = ("config", "type", "phasing", "phase_cond", "neutral_cond", "spacing_id")
    made = read_table(folder / "line_config_construction.csv", columns)
    matrices = _config_matrices(folder, {row.text("config") for row in made})
    configs: dict[str, LineConfig] = {}
    first_line: dict[str, int] = {}
    for row in made:
        name = row.text("config")
        once(row, "config", name, first_line)
        phases = tuple(sorted(LETTERS[row_letter] for row_letter in _phase_letters(row)))
        resistance, reactance, susceptance = matrices[name]
        if any(resistance[p - 1, p - 1] <= 0.0 for p in phases):
            raise row.error("phasing", f"configuration {name} has no impedance for one of its phases")
        conductor = row.choice("phase_cond", ratings, kind="conductor")
        configs[name] = LineConfig(phases, resistance, reactance, susceptance, ratings[conductor])
    return configs


def _phase_letters(row: Row) -> list[str]:
    """Return the phase letters of a construction's phasing, without the neutral."""
    letters = [letter for letter in row.text("phasing").split() if letter != "N"]
    if not letters or any(letter not in LETTERS for letter in letters) or len(set(letters)) != len(letters):
        raise row.error("phasing", f"{row.text('phasing')!r} is not a phasing", "letters out of A B C N")
    return letters


def _config_matrices(folder: Path, configs: set[str]) -> dict[str, tuple[FloatArray, FloatArray, FloatArray]]:
    """Read resistance, reactance and susceptance per mile of every configuration, each 3 x 3."""
    values = ("r_ohm_per_mile", "x_ohm_per_mile", "b_uS_per_mile")
    matrices = {name: (np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 3))) for name in configs}
    first_line: dict[str, int] = {}
    for row in read_table(folder / "line_config_impedance.csv", ("config", "ph_i", "ph_j", *values)):
        name = row.choice("config", sorted(configs), kind="configuration")
        i, j = (LETTERS[row.choice(column, LETTERS, kind="phase")] - 1 for column in ("ph_i", "ph_j"))
        once(row, "ph_j", f"{name} {'-'.join(sorted('ABC'[k] for k in (i, j)))}", first_line)
        for matrix, column in zip(matrices[name], values, strict=True):
            matrix[i, j] = matrix[j, i] = row.number(column)
    return matrices


def read_lines(folder: Path, ratings: dict[str, float]) -> list[Segment]:
    """Read the line segments.

    Parameters
    ----------
    folder : Path
        Folder with the tables.
    ratings : dict of str to float
        Current rating of every conductor [A].
    """
    configs = _configs(folder, ratings)
    rows = read_table(folder / "line_segments.csv", ("node_a", "node_b", "length_ft", "config"))
    lines = []
    for row in rows:
        config = configs[row.choice("config", configs, kind="configuration")]
        miles = row.number("length_ft", above=0.0) / FEET_PER_MILE
        lines.append(
            Segment(
                ends=(_bus(row, "node_a"), _bus(row, "node_b")),
                kind="line",
                phases=config.phases,
                resistance=config.resistance * miles,
                reactance=config.reactance * miles,
                susceptance=config.susceptance * miles,
                rating_a=config.rating_a,
                row=row,
            )
        )
    return lines


def _bus(row: Row, column: str) -> str:
    """Return the name of a bus."""
    name = row.text(column)
    if not BUS.fullmatch(name):
        raise row.error(column, f"{name!r} is no name of a bus", "letters, digits, _ and -")
    return name
