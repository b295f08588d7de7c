"""Read the tables of the IEEE 123-node test feeder into a `Network` without resources.

Closed switches stay as branches of kind "switch". Open switches, and the buses that only they reach (251,
350, 451), are left out; so is bus 610 with its delta-delta transformer, which feeds no load. A regulator adds
a bus ``rg1`` to ``rg4`` at its secondary; the segment that it sits on continues from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from feeders.errors import InputError
from feeders.network import (
    Branch,
    BranchKind,
    Bus,
    Capacitor,
    FloatArray,
    Load,
    Network,
    Regulator,
)
from feeders.radial import Link, walk
from feeders.readers.csv_table import Row, once, read_table

ROOT: Final = "150"
NOMINAL_KV: Final = 4.16 / math.sqrt(3.0)
"""Line-to-neutral nominal voltage [kV]."""

SWITCH_OHM: Final = 1e-5 + 2e-4j
"""Impedance of a closed switch per phase [ohm]: a contact, and the reactance of a foot of line."""

LEFT_OUT: Final = ("251", "350", "451", "610")
"""Buses of the switch table that are not part of the network."""

FEET_PER_MILE: Final = 5280.0
LETTERS: Final = {"A": 1, "B": 2, "C": 3}
EXPONENTS: Final[dict[str, Literal[0, 1, 2]]] = {"PQ": 0, "I": 1, "Z": 2}


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


@dataclass(frozen=True)
class Segment:
    """A line, closed switch or regulator before the tree gives it a direction; `row` is where it stands."""

    ends: tuple[str, str]
    kind: BranchKind
    phases: tuple[int, ...]
    resistance: FloatArray
    reactance: FloatArray
    susceptance: FloatArray
    rating_a: float
    row: Row


def read_feeder(folder: Path) -> Network:
    """Read the feeder from the tables in a folder.

    Parameters
    ----------
    folder : Path
        Folder with the tables that this package ships, under the same names.

    Returns
    -------
    Network
        The feeder, with published regulator positions and without resources.

    Raises
    ------
    InputError
        When a table cannot be used, with file, line and column.
    """
    ratings = _ratings(folder)
    lines = _lines(folder, _configs(folder, ratings))
    regulator_rows = read_table(folder / "regulators.csv", REGULATOR_COLUMNS)
    segments = _with_regulators(lines + _switches(folder, lines, ratings), regulator_rows)
    links = _links(segments)
    branches = tuple(_branch(link, segments[link.segment]) for link in links)
    buses = _buses(folder, branches)
    phases = {bus.name: bus.phases for bus in buses}
    return Network(
        name="ieee123",
        buses=buses,
        branches=branches,
        loads=tuple(_loads(folder, phases)),
        capacitors=tuple(_capacitors(folder, phases)),
        regulators=tuple(_regulator(row) for row in regulator_rows),
    )


def _ratings(folder: Path) -> dict[str, float]:
    """Read the current rating of every conductor, and of "switch" [A]."""
    path = folder / "line_ratings.csv"
    rows = read_table(path, ("conductor", "rating_a", "note"))
    ratings = {row.text("conductor"): row.number("rating_a", above=0.0) for row in rows}
    if "switch" not in ratings:
        raise InputError("no rating for 'switch'", where=f"{path.name} conductor", expected="one line for it")
    return ratings


def _configs(folder: Path, ratings: dict[str, float]) -> dict[str, LineConfig]:
    """Read phases, impedances and rating of every line configuration, by its number."""
    columns = ("config", "type", "phasing", "phase_cond", "neutral_cond", "spacing_id")
    made = read_table(folder / "line_config_construction.csv", columns)
    matrices = _config_matrices(folder, {row.text("config") for row in made})
    configs = {}
    for row in made:
        name = row.text("config")
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
    for row in read_table(folder / "line_config_impedance.csv", ("config", "ph_i", "ph_j", *values)):
        name = row.choice("config", sorted(configs), kind="configuration")
        i, j = (LETTERS[row.choice(column, LETTERS, kind="phase")] - 1 for column in ("ph_i", "ph_j"))
        for matrix, column in zip(matrices[name], values, strict=True):
            matrix[i, j] = matrix[j, i] = row.number(column)
    return matrices


def _lines(folder: Path, configs: dict[str, LineConfig]) -> list[Segment]:
    """Read the line segments."""
    rows = read_table(folder / "line_segments.csv", ("node_a", "node_b", "length_ft", "config"))
    lines = []
    for row in rows:
        config = configs[row.choice("config", configs, kind="configuration")]
        miles = row.number("length_ft", above=0.0) / FEET_PER_MILE
        lines.append(
            Segment(
                ends=(row.text("node_a"), row.text("node_b")),
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


def _switches(folder: Path, lines: list[Segment], ratings: dict[str, float]) -> list[Segment]:
    """Read the closed switches that lead somewhere."""
    valid = sorted({ROOT, *LEFT_OUT, *(bus for line in lines for bus in line.ends)})
    resistance, reactance, none = SWITCH_OHM.real * np.eye(3), SWITCH_OHM.imag * np.eye(3), np.zeros((3, 3))
    switches = []
    for row in read_table(folder / "switches.csv", ("node_a", "node_b", "normal")):
        a, b = (row.choice(column, valid, kind="bus") for column in ("node_a", "node_b"))
        closed = row.choice("normal", ("closed", "open"), kind="switch state") == "closed"
        if closed and not {a, b} & set(LEFT_OUT):
            switches.append(
                Segment((a, b), "switch", (1, 2, 3), resistance, reactance, none, ratings["switch"], row)
            )
    return switches


REGULATOR_COLUMNS: Final = (
    "regulator",
    "line_segment",
    "node_a",
    "node_b",
    "phases",
    "connection",
    "phase",
    "monitored_phase",
    "bandwidth_v",
    "pt_ratio",
    "ct_primary_a",
    "R_v",
    "X_v",
    "voltage_level_v",
    "published_tap",
    "note",
)


def _with_regulators(segments: list[Segment], rows: list[Row]) -> list[Segment]:
    """Put each regulator, once, in front of the segment that it sits on."""
    result = list(segments)
    none = np.zeros((3, 3))
    ends_of: dict[str, tuple[str, str]] = {}
    for row in rows:
        name, a, b = row.text("regulator"), row.text("node_a"), row.text("node_b")
        found = [k for k, segment in enumerate(segments) if segment.ends == (a, b)]
        if not found:
            near = ", ".join("-".join(segment.ends) for segment in segments if {a, b} & set(segment.ends))
            raise row.error("node_a", f"no line or closed switch {a}-{b}", near or "the two ends of one")
        behind, phases = segments[found[0]], row.phases("phases")
        if phases != behind.phases:
            there = "".join("ABC"[p - 1] for p in behind.phases)
            raise row.error("phases", f"{row.text('phases')} differs from the phases of {a}-{b}", there)
        if ends_of.setdefault(name, (a, b)) != (a, b):
            raise row.error("node_a", f"{a}-{b} is not where regulator {name} is", "-".join(ends_of[name]))
        if result[found[0]] is behind:
            rating = row.number("ct_primary_a", above=0.0)
            result[found[0]] = replace(behind, ends=(f"rg{name}", b))
            result.append(Segment((a, f"rg{name}"), "regulator", phases, none, none, none, rating, row))
    return result


def _links(segments: list[Segment]) -> tuple[Link, ...]:
    """Order the segments from the root; refuse loops and islands."""
    tree = walk(ROOT, [segment.ends for segment in segments])
    for k in tree.loops:
        raise segments[k].row.error(
            "node_b", f"{'-'.join(segments[k].ends)} closes a loop", "a radial feeder"
        )
    for k in tree.unreached:
        raise segments[k].row.error("node_a", f"{'-'.join(segments[k].ends)} is not connected to bus {ROOT}")
    return tree.links


def _branch(link: Link, segment: Segment) -> Branch:
    """Give a segment its direction and its own phases' matrices."""
    pick = np.array(segment.phases) - 1

    def rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(float(value) for value in line) for line in matrix[np.ix_(pick, pick)])

    return Branch(
        name=f"{link.from_bus}-{link.to_bus}",
        from_bus=link.from_bus,
        to_bus=link.to_bus,
        phases=segment.phases,
        kind=segment.kind,
        resistance_ohm=rows(segment.resistance),
        reactance_ohm=rows(segment.reactance),
        susceptance_us=rows(segment.susceptance),
        rating_a=segment.rating_a,
    )


def _buses(folder: Path, branches: tuple[Branch, ...]) -> tuple[Bus, ...]:
    """List the source, then the far end of every branch, with drawing coordinates where known."""
    rows = read_table(folder / "bus_coords.csv", ("node", "x", "y"))
    place = {row.text("node"): (row.number("x"), row.number("y")) for row in rows}
    for branch in branches:
        # The drawing names a regulator's secondary after its primary: 9r for rg2.
        if branch.kind == "regulator" and f"{branch.from_bus}r" in place:
            place[branch.to_bus] = place[f"{branch.from_bus}r"]
    ends = [(ROOT, (1, 2, 3)), *((branch.to_bus, branch.phases) for branch in branches)]
    return tuple(Bus(name, phases, NOMINAL_KV, *place.get(name, (None, None))) for name, phases in ends)


def _bus_phases(row: Row, phases: dict[str, tuple[int, ...]], column: str, needed: Iterable[int]) -> str:
    """Return the bus of a row after checking that it has the phases that `column` needs."""
    bus = row.choice("node", phases, kind="bus")
    absent = [p for p in needed if p not in phases[bus]]
    if absent:
        there = ", ".join("ABC"[p - 1] for p in phases[bus])
        raise row.error(column, f"bus {bus} has no phase {'ABC'[absent[0] - 1]}", f"phases {there}")
    return bus


def _loads(folder: Path, phases: dict[str, tuple[int, ...]]) -> Iterable[Load]:
    """Read the spot loads, one per phase or pair of phases."""
    places = {
        "wye": (((1,), "a"), ((2,), "b"), ((3,), "c")),
        "delta": (((1, 2), "ab"), ((2, 3), "bc"), ((3, 1), "ca")),
    }
    values = tuple(f"ph{k}_{unit}" for k in (1, 2, 3) for unit in ("kw", "kvar"))
    first_line: dict[str, int] = {}
    for row in read_table(folder / "spot_loads.csv", ("node", "model", "connection", "zip", *values)):
        exponent = EXPONENTS[row.choice("zip", EXPONENTS, kind="load model")]
        connection = row.choice("connection", places, kind="connection")
        for k, (at, suffix) in enumerate(places[connection], 1):
            kw, kvar = row.number(f"ph{k}_kw", minimum=0.0), row.number(f"ph{k}_kvar")
            if kw or kvar:
                bus = _bus_phases(row, phases, f"ph{k}_kw", at)
                once(row, "node", f"s{bus}{suffix}", first_line)
                yield Load(f"s{bus}{suffix}", bus, at, exponent, kw, kvar)


def _capacitors(folder: Path, phases: dict[str, tuple[int, ...]]) -> Iterable[Capacitor]:
    """Read the capacitors, one per phase."""
    columns = {f"ph_{letter}_kvar": phase for letter, phase in (("a", 1), ("b", 2), ("c", 3))}
    first_line: dict[str, int] = {}
    for row in read_table(folder / "capacitors.csv", ("node", *columns)):
        for column, phase in columns.items():
            kvar = row.number(column, minimum=0.0)
            if kvar:
                bus = _bus_phases(row, phases, column, (phase,))
                once(row, "node", f"c{bus}{'abc'[phase - 1]}", first_line)
                yield Capacitor(f"c{bus}{'abc'[phase - 1]}", bus, phase, kvar)


def _regulator(row: Row) -> Regulator:
    """Read one regulator record: one control, and the phases whose taps it moves."""
    number, phases = row.text("regulator"), row.phases("phase")
    monitored = row.phases("monitored_phase")
    if len(monitored) != 1 or monitored[0] not in phases:
        raise row.error("monitored_phase", "is not one of the regulated phases", row.text("phase"))
    return Regulator(
        name=f"reg{number}{row.text('phase').lower()}",
        branch=f"{row.text('node_a')}-rg{number}",
        phases=phases,
        monitored_phase=monitored[0],
        voltage_level_v=row.number("voltage_level_v", above=0.0),
        band_v=row.number("bandwidth_v", above=0.0),
        pt_ratio=row.number("pt_ratio", above=0.0),
        ct_primary_a=row.number("ct_primary_a", above=0.0),
        ldc_r_v=row.number("R_v"),
        ldc_x_v=row.number("X_v"),
        tap=row.integer("published_tap", minimum=-16, maximum=16),
    )
