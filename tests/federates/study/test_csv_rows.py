"""Tables of a study, and values over time in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.csv_rows import read_numbers, read_rows
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.feeders.errors import InputError


def table(folder: Path, *lines: str) -> Path:
    file = folder / "t.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_remarks_are_no_rows(tmp_path: Path) -> None:
    file = table(tmp_path, "# from a meter", "name,kw", "# of yesterday", "a,1", "b,2")
    assert read_rows(file) == [{"name": "a", "kw": "1"}, {"name": "b", "kw": "2"}]


def test_numbers_come_in_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    file = table(tmp_path, "kw,name,minutes", "1.5,a,0", "-2,b,5")
    assert read_numbers(file, ("minutes", "kw"), "key", "table").tolist() == [[0.0, 1.5], [5.0, -2.0]]


def test_a_heading_alone_has_no_rows(tmp_path: Path) -> None:
    assert read_numbers(table(tmp_path, "a,b"), ("a", "b"), "key", "table").shape == (0, 2)


@pytest.mark.parametrize("lines", [["a,c", "1,2"], ["a,b", "1"], ["a,b", "1,x"], ["a,b", ",2"]])
def test_what_is_no_such_table_is_told_by_its_key(tmp_path: Path, lines: list[str]) -> None:
    file = table(tmp_path, *lines)
    with pytest.raises(InputError) as caught:
        read_numbers(file, ("a", "b"), "scenario.toml x.y", "table of knots")
    assert str(caught.value) == f"scenario.toml x.y: {file} is no table of knots; expected a,b"


@pytest.mark.parametrize("where", ["", "scenario.toml x.y"])
def test_what_cannot_be_read_is_told(tmp_path: Path, where: str) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"a\n\xff\n")
    with pytest.raises(InputError) as caught:
        read_rows(file, where)
    start = f"{where}: {file} cannot be read: 'utf-8'" if where else f"{file}: cannot be read: 'utf-8'"
    assert str(caught.value).startswith(start)


def steps(file: Path, intervals: int = 4, period_s: int = 300) -> list[float]:
    return read_steps(file, Clock(0, period_s, intervals), "key").tolist()


def test_a_value_holds_until_the_next(tmp_path: Path) -> None:
    file = table(tmp_path, "minutes,value", "0,1", "5,2", "14.9,3")
    assert steps(file) == [1.0, 2.0, 2.0, 3.0]
    assert steps(file, 2, 900) == [1.0, 3.0]


@pytest.mark.parametrize(
    "rows",
    [[], ["5,1"], ["-5,1", "0,2"], ["0,1", "0,2"], ["0,1", "9,2", "5,3"]],
)
def test_times_begin_and_rise(tmp_path: Path, rows: list[str]) -> None:
    file = table(tmp_path, "minutes,value", *rows)
    with pytest.raises(InputError) as caught:
        steps(file)
    assert str(caught.value) == (
        f"key: {file} does not begin at 0 minutes and rise; expected minutes from 0, ascending"
    )


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(-9, 9)), min_size=1, max_size=6),
    st.sampled_from([60, 100, 300]),
)
def test_every_interval_has_the_last_value_before_it(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, float]], period_s: int
) -> None:
    """By brute force over the rows."""
    minutes, rows = 0, []
    for gap, value in drawn:
        rows.append((minutes, value))
        minutes += gap
    folder = tmp_path_factory.mktemp("steps")
    file = table(folder, "minutes,value", *(f"{minute},{value!r}" for minute, value in rows))
    found = steps(file, 20, period_s)
    for k, value in enumerate(found):
        assert value == [mine for minute, mine in rows if 60 * minute <= k * period_s][-1]
