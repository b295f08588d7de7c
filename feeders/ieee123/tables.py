"""Read the tables of the IEEE 123-node test feeder, and name the file, line and column of every mistake.

Closed switches stay as sections of kind "switch". Open switches, and the buses that only they reach (251,
350, 451), are left out. A regulator adds a bus ``rg1`` to ``rg4`` at its secondary; the segment that it sits
on continues from there. The switch to bus 610 leads to a bus ``xf1``, where the transformer XFM-1 begins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from dlmp_cosim.feeders.ieee123.conductors import read_lines, read_ratings
from dlmp_cosim.feeders.ieee123.records import (
    Section,
    Segment,
    ShuntCapacitor,
    SpotLoad,
    StepDown,
    Tables,
    TapChanger,
)
from dlmp_cosim.feeders.radial import Link, walk
from dlmp_cosim.feeders.readers.csv_table import Row, once, read_table

ROOT: Final = "150"

SWITCH_OHM: Final = 1e-5 + 2e-4j
"""Impedance of a closed switch per phase [ohm]: a contact, and the reactance of a foot of line."""

LEFT_OUT: Final = ("251", "350", "451")
"""Buses of the switch table that are not part of the network."""

LOAD_MODELS: Final = {"PQ": 1, "I": 5, "Z": 2}
"""OpenDSS' number of each load model."""

SUBSTATION: Final = "substation"
"""Row of the transformer table that is not part of the published solution."""


def read_tables(folder: Path) -> Tables:
    """Read the tables in a folder.

    Parameters
    ----------
    folder : Path
        Folder with the tables that this package ships, under the same names.

    Returns
    -------
    Tables
        The feeder, with published regulator positions.

    Raises
    ------
    InputError
        When a table cannot be used, with file, line and column.
    """
    ratings = read_ratings(folder)
    lines = read_lines(folder, ratings)
    regulator_rows = read_table(folder / "regulators.csv", REGULATOR_COLUMNS)
    step_downs, transformers = _step_downs(folder)
    switches = _switches(folder, lines, ratings, step_downs)
    segments = _with_regulators(lines + switches, regulator_rows) + transformers
    links = _links(segments)
    phases = _phases(links, segments)
    return Tables(
        sections=tuple(_sections(links, segments)),
        tap_changers=tuple(_tap_changers(regulator_rows)),
        step_downs=step_downs,
        loads=tuple(_loads(folder, phases)),
        capacitors=tuple(_capacitors(folder, phases)),
        phases=phases,
        places=_places(folder, segments, step_downs),
    )


TRANSFORMER_COLUMNS: Final = (
    "name",
    "kva",
    "kv_high",
    "conn_high",
    "kv_low",
    "conn_low",
    "r_pct",
    "x_pct",
    "note",
)
NAME_AND_ENDS: Final = re.compile(r"(?P<name>\S+) \((?P<high>\w+)-(?P<low>\w+)\)")


def _step_downs(folder: Path) -> tuple[tuple[StepDown, ...], list[Segment]]:
    """Read the transformers behind switches; number k begins at a bus ``xfk`` of its own."""
    found: list[StepDown] = []
    segments: list[Segment] = []
    first_line: dict[str, int] = {}
    for row in read_table(folder / "transformers.csv", TRANSFORMER_COLUMNS):
        if row.text("name") == SUBSTATION:
            continue
        named = NAME_AND_ENDS.fullmatch(row.text("name"))
        if named is None:
            raise row.error("name", f"{row.text('name')!r} does not tell its ends", "such as XFM-1 (61-610)")
        once(row, "name", named["name"], first_line)
        step_down = StepDown(
            name=named["name"].lower(),
            from_bus=f"xf{len(found) + 1}",
            to_bus=named["low"],
            kva=row.number("kva", above=0.0),
            kv=(row.number("kv_high", above=0.0), row.number("kv_low", above=0.0)),
            connections=(_connection(row, "conn_high"), _connection(row, "conn_low")),
            r_pct=row.number("r_pct", minimum=0.0),
            x_pct=row.number("x_pct", above=0.0),
        )
        none, amps = np.zeros((3, 3)), step_down.kva / (math.sqrt(3.0) * step_down.kv[0])
        ends = (step_down.from_bus, step_down.to_bus)
        segments.append(Segment(ends, "transformer", (1, 2, 3), none, none, none, amps, row))
        found.append(step_down)
    return tuple(found), segments


def _connection(row: Row, column: str) -> str:
    """Return the connection of a winding."""
    return row.choice(column, ("delta", "wye"), kind="connection")


def _switches(
    folder: Path, lines: list[Segment], ratings: dict[str, float], step_downs: tuple[StepDown, ...]
) -> list[Segment]:
    """Read the closed switches that lead somewhere; one to a transformer's bus ends where that begins."""
    begins = {step_down.to_bus: step_down.from_bus for step_down in step_downs}
    valid = sorted({ROOT, *LEFT_OUT, *begins, *(bus for line in lines for bus in line.ends)})
    resistance, reactance, none = SWITCH_OHM.real * np.eye(3), SWITCH_OHM.imag * np.eye(3), np.zeros((3, 3))
    switches = []
    first_line: dict[str, int] = {}
    for row in read_table(folder / "switches.csv", ("node_a", "node_b", "normal")):
        a, b = (row.choice(column, valid, kind="bus") for column in ("node_a", "node_b"))
        once(row, "node_a", "-".join(sorted((a, b))), first_line)
        closed = row.choice("normal", ("closed", "open"), kind="switch state") == "closed"
        if closed and not {a, b} & set(LEFT_OUT):
            ends = (begins.get(a, a), begins.get(b, b))
            switches.append(
                Segment(ends, "switch", (1, 2, 3), resistance, reactance, none, ratings["switch"], row)
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


def _phases(links: tuple[Link, ...], segments: list[Segment]) -> dict[str, tuple[int, ...]]:
    """Phases of every bus; those of a segment must be there at the end that feeds it."""
    phases: dict[str, tuple[int, ...]] = {ROOT: (1, 2, 3)}
    for link in links:
        segment, there = segments[link.segment], phases[link.from_bus]
        for phase in segment.phases:
            if phase not in there:
                column = "config" if segment.kind == "line" else "node_a"
                raise segment.row.error(
                    column,
                    f"bus {link.from_bus} has no phase {'ABC'[phase - 1]} for {'-'.join(segment.ends)}",
                    f"phases {', '.join('ABC'[p - 1] for p in there)}",
                )
        phases[link.to_bus] = segment.phases
    return phases


def _sections(links: tuple[Link, ...], segments: list[Segment]) -> Iterable[Section]:
    """Direct lines and switches, and keep their own phases' matrices."""
    for link in links:
        segment = segments[link.segment]
        if segment.kind in ("line", "switch"):
            pick = np.ix_(np.array(segment.phases) - 1, np.array(segment.phases) - 1)
            yield Section(
                from_bus=link.from_bus,
                to_bus=link.to_bus,
                kind=segment.kind,
                phases=segment.phases,
                resistance_ohm=segment.resistance[pick],
                reactance_ohm=segment.reactance[pick],
                susceptance_us=segment.susceptance[pick],
                rating_a=segment.rating_a,
            )


def _places(
    folder: Path, segments: list[Segment], step_downs: tuple[StepDown, ...]
) -> dict[str, tuple[float, float]]:
    """Read drawing coordinates, and place the buses that the tables do not name."""
    rows = read_table(folder / "bus_coords.csv", ("node", "x", "y"))
    place: dict[str, tuple[float, float]] = {}
    first_line: dict[str, int] = {}
    for row in rows:
        once(row, "node", row.text("node"), first_line)
        place[row.text("node")] = (row.number("x"), row.number("y"))
    for segment in segments:
        # The drawing names a regulator's secondary after its primary: 9r for rg2.
        if segment.kind == "regulator" and f"{segment.ends[0]}r" in place:
            place[segment.ends[1]] = place[f"{segment.ends[0]}r"]
    for step_down in step_downs:
        if step_down.to_bus in place:
            place[step_down.from_bus] = place[step_down.to_bus]
    return place


def _bus_phases(row: Row, phases: dict[str, tuple[int, ...]], column: str, needed: Iterable[int]) -> str:
    """Return the bus of a row after checking that it has the phases that `column` needs."""
    bus = row.choice("node", phases, kind="bus")
    absent = [p for p in needed if p not in phases[bus]]
    if absent:
        there = ", ".join("ABC"[p - 1] for p in phases[bus])
        raise row.error(column, f"bus {bus} has no phase {'ABC'[absent[0] - 1]}", f"phases {there}")
    return bus


def _loads(folder: Path, phases: dict[str, tuple[int, ...]]) -> Iterable[SpotLoad]:
    """Read the spot loads, one per phase or pair of phases."""
    places = {
        "wye": (((1,), "a"), ((2,), "b"), ((3,), "c")),
        "delta": (((1, 2), "ab"), ((2, 3), "bc"), ((3, 1), "ca")),
    }
    values = tuple(f"ph{k}_{unit}" for k in (1, 2, 3) for unit in ("kw", "kvar"))
    first_line: dict[str, int] = {}
    for row in read_table(folder / "spot_loads.csv", ("node", "model", "connection", "zip", *values)):
        model = LOAD_MODELS[row.choice("zip", LOAD_MODELS, kind="load model")]
        connection = row.choice("connection", places, kind="connection")
        for k, (at, suffix) in enumerate(places[connection], 1):
            kw, kvar = row.number(f"ph{k}_kw", minimum=0.0), row.number(f"ph{k}_kvar")
            if kw or kvar:
                bus = _bus_phases(row, phases, f"ph{k}_kw", at)
                once(row, "node", f"s{bus}{suffix}", first_line)
                yield SpotLoad(f"s{bus}{suffix}", bus, at, model, kw, kvar)


def _capacitors(folder: Path, phases: dict[str, tuple[int, ...]]) -> Iterable[ShuntCapacitor]:
    """Read the capacitors, one per phase."""
    columns = {f"ph_{letter}_kvar": phase for letter, phase in (("a", 1), ("b", 2), ("c", 3))}
    first_line: dict[str, int] = {}
    for row in read_table(folder / "capacitors.csv", ("node", *columns)):
        for column, phase in columns.items():
            kvar = row.number(column, minimum=0.0)
            if kvar:
                bus = _bus_phases(row, phases, column, (phase,))
                once(row, "node", f"c{bus}{'abc'[phase - 1]}", first_line)
                yield ShuntCapacitor(f"c{bus}{'abc'[phase - 1]}", bus, phase, kvar)


def _tap_changers(rows: list[Row]) -> Iterable[TapChanger]:
    """Read the regulator records: one control each, with the phases whose taps it moves."""
    first_line: dict[str, int] = {}
    for row in rows:
        number, phases = row.text("regulator"), row.phases("phase")
        monitored = row.phases("monitored_phase")
        if len(monitored) != 1 or monitored[0] not in phases:
            raise row.error("monitored_phase", "is not one of the regulated phases", row.text("phase"))
        name = f"reg{number}{row.text('phase').lower()}"
        once(row, "phase", name, first_line)
        yield TapChanger(
            name=name,
            from_bus=row.text("node_a"),
            to_bus=f"rg{number}",
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
