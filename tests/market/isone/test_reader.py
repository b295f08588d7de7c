"""One series out of any files: which place, market and day, and what is said where there is none."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.reader import read_series
from tests.market.isone.test_envelope import HEADER, TYPES
from tests.market.isone.test_sources import PLAIN, written

BY_NUMBER = "Time,Location ID,LMP\n2025-03-01 {}:00,{},7\n2025-03-01 {}:00,{},8\n"


def report(folder: Path, *rows: tuple[str, str, str, float], title: str = "Day Ahead Hourly LMP") -> Path:
    """A report of rows: hour ending, number, name, price."""
    lines = [f'"D","03/17/2026","{hour}","{number}","{name}",{price}' for hour, number, name, price in rows]
    text = "\n".join([f'"C","{title}"', HEADER, TYPES, *lines, f'"T","{len(lines)} lines"'])
    return written(folder, text, f"{len(list(folder.iterdir()))}.csv")


def two_places(folder: Path) -> Path:
    hours = ("01", "02")
    return report(
        folder,
        *((hour, "4008", ".Z.NEMASSBOST", 10.0 + k) for k, hour in enumerate(hours)),
        *((hour, "321", "UN.NODE 1", 20.0 + k) for k, hour in enumerate(hours)),
    )


@pytest.mark.parametrize(
    ("location", "values", "number"),
    [
        ("NEMA", [10.0, 11.0], "4008"),
        (4008, [10.0, 11.0], "4008"),
        (" .z.nemassbost ", [10.0, 11.0], "4008"),
        ("321", [20.0, 21.0], "321"),
        ("un.node 1", [20.0, 21.0], "321"),
    ],
)
def test_a_place_by_number_or_any_of_its_names(
    tmp_path: Path, location: str | int, values: list[float], number: str
) -> None:
    series = read_series(two_places(tmp_path), location=location)
    assert (series.values.tolist(), series.location_id) == (values, number)


def test_a_node_of_one_file_is_found_by_its_name_in_another(tmp_path: Path) -> None:
    """The second file has numbers alone, and an hour that the first has not."""
    numbers = written(
        tmp_path, BY_NUMBER.format("05", 321, "06", 321).replace("2025-03-01", "2026-03-17"), "n.csv"
    )
    series = read_series([two_places(tmp_path), numbers], location="UN.NODE 1", market="day_ahead")
    assert series.values.tolist() == [20.0, 21.0]
    later = read_series([two_places(tmp_path), numbers], location="UN.NODE 1", market="unstated")
    assert (later.values.tolist(), later.location_id) == ([7.0, 8.0], "321")


def test_a_file_that_says_no_place_is_of_the_place_asked_for(tmp_path: Path) -> None:
    series = read_series(written(tmp_path, PLAIN), location="NEMA")
    assert (series.location, series.derived) == (
        ".Z.NEMASSBOST",
        ("location stated by the request, not by the file",),
    )


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("NEMAS", "no rows of location 'NEMAS'"),
        (None, "2 locations in the files"),
        ("HUB", "no rows of location '.H.INTERNAL_HUB'"),
    ],
)
def test_a_place_that_is_not_there_or_not_the_only_one_is_named(
    tmp_path: Path, location: str | None, said: str
) -> None:
    with pytest.raises(InputError) as error:
        read_series(two_places(tmp_path), location=location)
    assert said in str(error.value)


@pytest.mark.parametrize("day", [date(2025, 3, 2), "2025-03-02", "03/02/2025"])
def test_a_day_is_kept(tmp_path: Path, day: date | str) -> None:
    text = "Time,Price\n2025-03-01 23:00,1\n2025-03-02 00:00,2\n2025-03-02 01:00,3\n"
    assert read_series(written(tmp_path, text), day=day).values.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("day", ["", "2025-02-30", "today", 7, 20250301.5])
def test_what_is_no_day_is_named(tmp_path: Path, day: object) -> None:
    with pytest.raises(InputError) as error:
        read_series(written(tmp_path, PLAIN), day=day)  # type: ignore[arg-type]
    assert str(error.value) == f"day: {day!r} is not a date; expected YYYY-MM-DD"


def test_quantities_are_prices_and_demand(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read_series(written(tmp_path, PLAIN), quantity="lmps")  # type: ignore[arg-type]
    assert str(error.value) == "quantity: unknown quantity 'lmps'; expected 'lmp' or 'load'"


def test_a_file_without_rows_of_the_place_is_noted(tmp_path: Path) -> None:
    other = report(tmp_path, ("03", "4007", ".Z.WCMASS", 5.0), ("04", "4007", ".Z.WCMASS", 6.0))
    series = read_series([two_places(tmp_path), other], location="NEMA")
    assert series.values.tolist() == [10.0, 11.0]
    assert series.warnings == (f"{other}: no rows of the location",)


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    first = report(tmp_path, ("01", "4008", "", 1.0), ("02", "4008", "", 2.0))
    second = report(tmp_path, ("03", "4008", "", 3.0), ("04", "4008", "", 4.0))
    one, other = read_series([first, second]), read_series([second, first])
    assert one.values.tolist() == other.values.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert one.gaps == other.gaps


def test_final_prices_come_before_preliminary_ones(tmp_path: Path) -> None:
    rows = [("01", "4008", "", 1.0), ("02", "4008", "", 2.0)]
    early = report(tmp_path, *rows, title="Preliminary Real-Time Hourly LMP")
    final = report(tmp_path, rows[0], ("02", "4008", "", 9.0), title="Final Real-Time Hourly LMP")
    series = read_series([early, final], market="real_time")
    assert (series.values.tolist(), series.superseded) == ([1.0, 9.0], 2)
    assert read_series([early, final], market="real_time_preliminary").values.tolist() == [1.0, 2.0]
