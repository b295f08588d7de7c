"""Sunlight in tables: there and back, clouds by a seed, and what is no such table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.irradiance import passing_clouds, read_irradiance, write_irradiance
from dlmp_cosim.feeders.errors import InputError

NOON = 1598371200
"""2020-08-25T16:00:00Z."""


def clock(intervals: int = 3, period_s: int = 300, start: int = NOON) -> Clock:
    return Clock(start, period_s, intervals)


def written(folder: Path, *rows: str, head: str = "utc,irradiance_wm2") -> Path:
    file = folder / "sun.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sun.csv"
    write_irradiance(file, clock(), np.array([0.0, 512.34, 999.96]), "a clear sky")
    assert file.read_text().splitlines()[:3] == [
        "# a clear sky", "utc,irradiance_wm2", "2020-08-25T16:00:00Z,0.0",
    ]  # fmt: skip
    assert read_irradiance(file, clock()).tolist() == [0.0, 512.3, 1000.0]


@pytest.mark.parametrize(
    ("intervals", "period_s", "start", "values"),
    [
        pytest.param(2, 3600, NOON, [100.0, 200.0], id="step by step"),
        pytest.param(4, 1800, NOON, [100.0, 100.0, 200.0, 200.0], id="two intervals a step"),
        pytest.param(2, 300, NOON + 3300, [100.0, 200.0], id="across an hour"),
        pytest.param(1, 300, NOON + 2 * 3600 - 300, [200.0], id="the last of the table"),
    ],
)
def test_an_interval_takes_the_step_that_it_starts_in(
    tmp_path: Path, intervals: int, period_s: int, start: int, values: list[float]
) -> None:
    file = written(tmp_path, "2020-08-25T16:00:00Z,100", "2020-08-25T13:00:00-04:00,200")
    assert read_irradiance(file, clock(intervals, period_s, start)).tolist() == values


@pytest.mark.parametrize(("start", "intervals"), [(NOON - 300, 2), (NOON + 3 * 3600, 1), (NOON, 25)])
def test_a_table_has_to_cover_the_run(tmp_path: Path, start: int, intervals: int) -> None:
    file = written(tmp_path, "2020-08-25T16:00:00Z,100", "2020-08-25T17:00:00Z,200")
    run = clock(intervals, 300, start)
    with pytest.raises(InputError) as caught:
        read_irradiance(file, run)
    assert str(caught.value) == (
        f"{file}: does not cover the run; expected {run.label(0)} to {run.label(intervals)}"
    )


@pytest.mark.parametrize(
    ("rows", "what", "expected"),
    [
        (["noon,100"], "line 2 is 'noon,100'", "2020-08-25T04:00:00Z,512.3"),
        (["2020-08-25T16:00:00Z"], "line 2 is '2020-08-25T16:00:00Z'", "2020-08-25T04:00:00Z,512.3"),
        (
            ["2020-08-25T16:00:00Z,1", "2020-08-25T17:00:00Z,bright"],
            "line 3 is '2020-08-25T17:00:00Z,bright'",
            "2020-08-25T04:00:00Z,512.3",
        ),
        (
            ["2020-08-25T16:00:00,1"],
            "line 2 is '2020-08-25T16:00:00,1'",
            "ascending UTC and 0 to 2000 W/m2",
        ),
        (
            ["2020-08-25T16:00:00Z,-1"],
            "line 2 is '2020-08-25T16:00:00Z,-1'",
            "ascending UTC and 0 to 2000 W/m2",
        ),
        (
            ["2020-08-25T16:00:00Z,nan"],
            "line 2 is '2020-08-25T16:00:00Z,nan'",
            "2020-08-25T04:00:00Z,512.3",
        ),
        (
            ["2020-08-25T16:00:00Z,1", "# clouds", "2020-08-25T16:00:00Z,1"],
            "line 4 is '2020-08-25T16:00:00Z,1'",
            "ascending UTC and 0 to 2000 W/m2",
        ),
    ],
)
def test_rows_that_cannot_be_used_are_told_by_their_line(
    tmp_path: Path, rows: list[str], what: str, expected: str
) -> None:
    """Lines are those of the file, remarks with them."""
    file = written(tmp_path, *rows)
    with pytest.raises(InputError) as caught:
        read_irradiance(file, clock())
    assert str(caught.value) == f"{file}: {what}; expected {expected}"


def test_blank_lines_and_remarks_are_no_rows(tmp_path: Path) -> None:
    rows = ["", "2020-08-25T16:00:00Z,100", "  ", " # clouds", "2020-08-25T16:05:00Z, 200 ", ""]
    assert read_irradiance(written(tmp_path, *rows), clock(2)).tolist() == [100.0, 200.0]


@pytest.mark.parametrize("head", ["", "utc,value", "utc,irradiance_wm2,more", "irradiance_wm2,utc"])
def test_other_columns_are_refused(tmp_path: Path, head: str) -> None:
    file = written(tmp_path, head=head)
    with pytest.raises(InputError) as caught:
        read_irradiance(file, clock())
    assert str(caught.value) == f"{file}: has other columns; expected utc,irradiance_wm2"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_irradiance(tmp_path / "none.csv", clock())


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0.0, 0.9), st.sampled_from([60, 300, 900]))
def test_clouds_let_a_fifth_through_at_least_and_the_clear_sky_at_most(
    seed: int, cover: float, period_s: int
) -> None:
    share = passing_clouds(200, period_s, seed, cover)
    assert share.shape == (200,)
    assert share.min() >= 0.2
    assert share.max() <= 1.0
    np.testing.assert_array_equal(share, passing_clouds(200, period_s, seed, cover))


def test_a_run_that_goes_on_has_the_same_clouds_before() -> None:
    np.testing.assert_array_equal(passing_clouds(50, 300, 7), passing_clouds(90, 300, 7)[:50])


def test_without_cover_the_sky_stays_clear() -> None:
    assert (passing_clouds(300, 300, 3, cover=0.0) == 1.0).all()


@pytest.mark.parametrize("cover", [0.2, 0.4])
def test_clouds_cover_their_share_of_a_long_time(cover: float) -> None:
    """What gets through is 1 under a clear sky and 0.35 on average under clouds."""
    share = passing_clouds(60_000, 60, 11, cover)
    assert (1.0 - share.mean()) / 0.65 == pytest.approx(cover, abs=0.03)


def test_a_quote_that_never_ends_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, '"2020-08-25T16:00:00Z,1', *["2020-08-25T16:05:00Z,2"] * 9000)
    with pytest.raises(InputError, match=r"sun\.csv: cannot be read: field larger than field limit"):
        read_irradiance(file, clock())
