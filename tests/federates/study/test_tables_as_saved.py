"""Tables of a study as editors and spreadsheets save them: marks, line ends, quotes, blanks, odd numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.csv_rows import read_numbers, read_rows
from dlmp_cosim.federates.study.steps_table import read_steps
from dlmp_cosim.federates.study.supply import read_curve
from dlmp_cosim.feeders.errors import InputError

ROWS = [{"name": "a", "kw": "1"}, {"name": "b", "kw": "2"}]


def saved(folder: Path, content: bytes) -> Path:
    file = folder / "t.csv"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    "content",
    [
        b"name,kw\na,1\nb,2\n",
        b"name,kw\na,1\nb,2",
        b"\xef\xbb\xbfname,kw\na,1\nb,2\n",
        b"name,kw\r\na,1\r\nb,2\r\n",
        b"name,kw\ra,1\rb,2\r",
        b"name,kw\n\na,1\n\n  \nb,2\n",
        b"# by hand\nname,kw\na,1\n #a,9\nb,2\n",
        b'"name","kw"\n"a","1"\n"b","2"\n',
    ],
)
def test_the_same_table_reads_the_same_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    assert read_rows(saved(tmp_path, content)) == ROWS


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"a, b"', "a, b"),
        ('"say ""so"""', 'say "so"'),
        ("\u00e9\u2603", "\u00e9\u2603"),
        ("a\u2028b\x0cc\x85d", "a\u2028b\x0cc\x85d"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("", ""),
    ],
)
def test_a_cell_keeps_its_letters(tmp_path: Path, cell: str, text: str) -> None:
    assert read_rows(saved(tmp_path, f"name,kw\n{cell},1\n".encode()))[0]["name"] == text


@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_rows(tmp_path: Path, content: bytes) -> None:
    assert read_rows(saved(tmp_path, content)) == []


def test_a_table_in_another_encoding_is_told_by_its_key(tmp_path: Path) -> None:
    file = saved(tmp_path, "name,kw\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"^s\.toml a\.b: .*t\.csv cannot be read: 'utf-8' codec"):
        read_rows(file, "s.toml a.b")


def test_a_quote_that_never_ends_is_told_and_not_a_crash(tmp_path: Path) -> None:
    file = saved(tmp_path, b'name,kw\n"a,1\n' + b"b,2\n" * 50_000)
    with pytest.raises(InputError, match="cannot be read: field larger than field limit"):
        read_rows(file)


@pytest.mark.parametrize(("text", "value"), [("1e3", 1000.0), (" 2 ", 2.0), ("-.5", -0.5), ("+7", 7.0)])
def test_numbers_are_read_as_they_are_written(tmp_path: Path, text: str, value: float) -> None:
    file = saved(tmp_path, f"kw\n{text}\n".encode())
    assert read_numbers(file, ("kw",), "w", "table").tolist() == [[value]]


NO_NUMBERS = (
    "", "x", "1 2", "1;2", "0x10", "None", "--1", "1_000", "\u0661\u0662", "nan", "inf", "1e999",
)  # fmt: skip
"""Python reads some of them as numbers."""


@pytest.mark.parametrize("row", NO_NUMBERS)
def test_what_is_no_number_makes_no_table(tmp_path: Path, row: str) -> None:
    file = saved(tmp_path, f"a,kw\n1,{row}\n".encode())
    with pytest.raises(InputError) as caught:
        read_numbers(file, ("kw",), "s.toml a.b", "table of powers")
    assert str(caught.value) == f"s.toml a.b: {file} is no table of powers; expected kw"


def test_columns_that_nobody_asks_for_may_hold_anything(tmp_path: Path) -> None:
    file = saved(tmp_path, b"note,kw,more\nx,1,y\n,2,\n")
    assert read_numbers(file, ("kw",), "w", "table")[:, 0].tolist() == [1.0, 2.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_what_was_written_in_full_is_read_in_full(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    file = saved(tmp_path_factory.mktemp("t"), ("kw\n" + "".join(f"{v!r}\n" for v in values)).encode())
    assert read_numbers(file, ("kw",), "w", "table")[:, 0].tolist() == values


@pytest.mark.parametrize(
    ("minutes", "period_s", "values"),
    [
        (["0"], 300, [1, 1, 1, 1]),
        (["0", "0.5"], 60, [1, 2, 2, 2]),
        (["0", "15"], 300, [1, 1, 1, 2]),
        (["0", "15.0001"], 300, [1, 1, 1, 1]),
        (["0", "60", "61"], 3600, [1, 2, 3, 3]),
        (["0", "2.5"], 150, [1, 2, 2, 2]),
    ],
)
def test_steps_hold_from_their_minute_on(
    tmp_path: Path, minutes: list[str], period_s: int, values: list[float]
) -> None:
    rows = "".join(f"{minute},{k}\n" for k, minute in enumerate(minutes, 1))
    file = saved(tmp_path, f"minutes,value\n{rows}".encode())
    assert read_steps(file, Clock(0, period_s, 4), "w").tolist() == values


def curve(folder: Path, *rows: str) -> Path:
    return saved(folder, ("kw,rise\n" + "".join(f"{row}\n" for row in rows)).encode())


@pytest.mark.parametrize(
    ("kw", "rise"), [(-200.0, -2.0), (-100.0, -1.0), (0.0, 0.0), (50.0, 0.0), (100.0, 0.0), (150.0, 5.0)]
)
def test_a_supply_curve_goes_on_straight_beyond_its_ends(tmp_path: Path, kw: float, rise: float) -> None:
    found = read_curve(curve(tmp_path, "-100,-1", "0,0", "100,0", "200,10"), "w")
    assert found.rise_at(kw) == pytest.approx(rise)


@pytest.mark.parametrize(
    "rows",
    [(), ("0,0",), ("0,0", "0,1"), ("1,0", "0,1"), ("0,1", "1,0")],
)
def test_a_supply_curve_rises(tmp_path: Path, rows: tuple[str, ...]) -> None:
    file = curve(tmp_path, *rows)
    with pytest.raises(InputError) as caught:
        read_curve(file, "s.toml wholesale.supply")
    assert str(caught.value) == (
        f"s.toml wholesale.supply: {file} does not rise; "
        "expected two rows or more, kw ascending, and a rise that never falls"
    )


@given(
    st.lists(st.tuples(st.floats(1.0, 50.0), st.floats(0.0, 5.0)), min_size=2, max_size=5),
    st.floats(-100.0, 300.0),
    st.floats(0.0, 50.0),
)
def test_the_price_never_falls_with_what_is_drawn(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, float]], kw: float, more: float
) -> None:
    knots = np.cumsum(np.array(steps), axis=0).tolist()
    file = curve(tmp_path_factory.mktemp("s"), *(f"{a!r},{b!r}" for a, b in knots))
    found = read_curve(file, "w")
    assert found.rise_at(kw + more) >= found.rise_at(kw) - 1e-9
