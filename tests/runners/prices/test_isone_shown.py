"""What `dlmp isone` prints and draws of series that are made by hand."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dlmp_cosim.market.isone import Series, Survey
from dlmp_cosim.market.isone.clock import HOUR, day_start
from dlmp_cosim.market.isone.series import Quantity, find_gaps
from dlmp_cosim.market.isone.survey import FileNote
from dlmp_cosim.runners.prices.isone import GAPS_SHOWN, _counts, _gap_lines, _steps, draw, show

MIDNIGHT = day_start(date(2020, 8, 25))


def series(
    hours: list[int], values: list[float] | None = None, quantity: Quantity = "lmp", place: str = "hub"
) -> Series:
    start = MIDNIGHT + HOUR * np.array(hours, dtype=np.int64)
    numbers = np.array(values if values is not None else [30.0] * len(hours))
    gaps = find_gaps(start, HOUR, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    unit = {"lmp": "$/MWh", "load": "MW"}[quantity]
    return Series(quantity, unit, place, "", "real_time", HOUR, start, numbers, gaps=gaps)


def lines(*found: Series, files: tuple[FileNote, ...] = (), hidden: int = 0) -> list[str]:
    out = io.StringIO()
    show(Survey(files, found, hidden), Console(file=out, width=300))
    return out.getvalue().splitlines()


def test_a_file_and_its_series_are_a_row_each() -> None:
    found = lines(series(list(range(24))), files=(FileNote("a.csv", "table", 24, 1, ()),))
    assert found[:3] == ["Files", "file\tkind\trows\tlocations", "a.csv\ttable\t24\t1"]
    assert found[-1].split("\t") == [
        "lmp $/MWh",
        "hub",
        "real_time",
        "2020-08-25 00:00-04:00 2020-08-26 00:00-04:00",
        "60 min",
        "24",
        "30.00",
        "30.00",
        "30.00",
        "complete",
    ]


@pytest.mark.parametrize(
    ("location_id", "location", "told"),
    [
        ("4008", ".Z.NEMASSBOST", "4008 .Z.NEMASSBOST"),
        ("77", "", "77"),
        ("", "a", "a"),
        ("", "", "not stated"),
    ],
)
def test_a_place_is_told_by_what_is_known_of_it(location_id: str, location: str, told: str) -> None:
    made = replace(series(list(range(24))), location=location, location_id=location_id)
    assert lines(made)[-1].split("\t")[1] == told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "complete"),
        ({"duplicates": 2}, "2 duplicates dropped"),
        ({"superseded": 3}, "3 preliminary replaced"),
        ({"values": np.array([-1.0] * 2 + [2e3] * 22)}, "2 negative\n22 above 1000 $/MWh"),
        ({"gaps": ((0, 2 * HOUR), (5 * HOUR, 6 * HOUR))}, "3 missing in 2 gaps"),
    ],
)
def test_what_is_unusual_is_counted(changes: dict[str, object], said: str) -> None:
    assert _counts(replace(series(list(range(24))), **changes)) == said  # type: ignore[arg-type]


def test_demand_has_no_high_prices() -> None:
    assert _counts(series(list(range(24)), [2e4] * 24, "load")) == "complete"


def test_a_gap_is_told_from_when_to_when() -> None:
    assert _gap_lines([series([0, 1, *range(4, 24)])]) == [
        "gap in lmp hub real_time: 2020-08-25 02:00-04:00 to 2020-08-25 04:00-04:00"
    ]


@pytest.mark.parametrize(("gaps", "more"), [(GAPS_SHOWN, 0), (GAPS_SHOWN + 1, 1), (11, 11 - GAPS_SHOWN)])
def test_of_many_gaps_the_first_are_told_and_the_others_counted(gaps: int, more: int) -> None:
    told = _gap_lines([series([*range(0, 2 * gaps, 2), *range(2 * gaps, 24)])])
    assert len(told) == min(gaps, GAPS_SHOWN) + bool(more)
    assert not more or told[-1] == f"gap in lmp hub real_time: {more} more"


def test_a_complete_series_has_no_gap() -> None:
    assert _gap_lines([series(list(range(24)))]) == []


def test_notes_are_told_once_and_warnings_with_their_file() -> None:
    made = replace(series(list(range(24))), derived=("scaled",), warnings=("odd",))
    note = FileNote("a.csv", "table", 24, 1, ("cut",))
    found = lines(made, made, files=(note,), hidden=7)
    assert found[-4:] == [
        "7 more locations; name one with --location",
        "derived: scaled",
        "warning: odd",
        "warning: a.csv: cut",
    ]


@pytest.mark.parametrize("name", ["[red]a[/red].csv", ":tada:.csv", "a<b>&.csv"])
def test_names_are_told_as_they_are(name: str) -> None:
    note = FileNote(name, "table", 1, 1, ("cut",))
    found = lines(series(list(range(24))), files=(note,))
    assert found[2].startswith(f"{name}\t")
    assert found[-1] == f"warning: {name}: cut"


def test_a_curve_holds_to_the_end_of_its_last_interval_and_breaks_at_gaps() -> None:
    when, values = _steps(series([0, 1, 4], [1.0, 2.0, 3.0]))
    assert [(at.hour, value) for at, value in zip(when, values, strict=True) if not math.isnan(value)] == [
        (0, 1.0),
        (1, 2.0),
        (4, 3.0),
        (5, 3.0),
    ]
    assert [at.hour for at, value in zip(when, values, strict=True) if math.isnan(value)] == [2]


def test_a_complete_day_has_one_corner_more_than_intervals() -> None:
    when, values = _steps(series(list(range(24)), [float(k) for k in range(24)]))
    assert len(when) == 25
    assert values[-2:] == [23.0, 23.0]
    assert (when[-1] - when[0]).total_seconds() == 24 * HOUR


@pytest.mark.parametrize("place", ["", "hub", "$\\frac$", "$a_b$", "é ☃"])
def test_a_picture_takes_any_name_of_a_place(tmp_path: Path, place: str) -> None:
    draw([series([0, 1], [1.0, 2.0], place=place)], tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
