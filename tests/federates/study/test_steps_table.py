"""Values that hold from a minute on, at intervals of any length."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.feeders.errors import InputError


def steps(folder: Path, rows: str, period_s: int = 300, intervals: int = 4, mark: str = "") -> list[float]:
    file = folder / "t.csv"
    file.write_text(f"{mark}minutes,value\n{rows}", encoding="utf-8")
    found: list[float] = read_steps(file, Clock(0, period_s, intervals), "key").tolist()
    return found


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        ("0,7\n", [7.0, 7.0, 7.0, 7.0]),
        ("0,1\n5,2\n10,3\n", [1.0, 2.0, 3.0, 3.0]),
        ("0,1\n4.9,2\n", [1.0, 2.0, 2.0, 2.0]),
        ("0,1\n5.1,2\n", [1.0, 1.0, 2.0, 2.0]),
        ("0,-3\n15,0\n999,5\n", [-3.0, -3.0, -3.0, 0.0]),
        ("0,1\n1,2\n2,3\n", [1.0, 3.0, 3.0, 3.0]),
    ],
)
def test_an_interval_has_what_holds_at_its_start(tmp_path: Path, rows: str, values: list[float]) -> None:
    assert steps(tmp_path, rows) == values


def test_minutes_count_whatever_an_interval_lasts(tmp_path: Path) -> None:
    assert steps(tmp_path, "0,1\n2,5\n", period_s=60) == [1.0, 1.0, 5.0, 5.0]
    assert steps(tmp_path, "0,1\n2,5\n", period_s=90) == [1.0, 1.0, 5.0, 5.0]
    assert steps(tmp_path, "0,1\n2,5\n", period_s=3600) == [1.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    "rows",
    [
        "",
        "1,7\n",
        "0,1\n5,2\n5,3\n",
        "0,1\n9,2\n5,3\n",
        "-1,1\n0,2\n",
    ],
)
def test_what_does_not_begin_at_0_and_rise_is_refused(tmp_path: Path, rows: str) -> None:
    with pytest.raises(InputError) as failure:
        steps(tmp_path, rows)
    assert str(failure.value) == (
        f"key: {tmp_path / 't.csv'} does not begin at 0 minutes and rise; expected minutes from 0, ascending"
    )


def test_a_table_as_a_spreadsheet_saves_it_is_read(tmp_path: Path) -> None:
    assert steps(tmp_path, "0,7\n", mark="\ufeff") == [7.0] * 4
