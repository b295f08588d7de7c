"""Cells as numbers, bytes as text, and where errors say that they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.table import Origin, Table, decode, numbers


def table(*cells: str) -> Table:
    """One column of a file whose rows begin in line 2."""
    return Table("a.csv", "table", ("LMP",), [[cell] for cell in cells], range(2, 2 + len(cells)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-0.5", -0.5),
        ("+12.", 12.0),
        (".25", 0.25),
        ("1e+3", 1000.0),
        ("1e3", 1000.0),
        ("2.5E-2", 0.025),
        ("007", 7.0),
    ],
)
def test_plain_numbers(text: str, value: float) -> None:
    assert numbers(table(text), 0).tolist() == [value]


@pytest.mark.parametrize("text", ["", "nan", "NaN", "None", "null"])
def test_what_is_missing_is_nan(text: str) -> None:
    assert np.isnan(numbers(table("1", text), 0)).tolist() == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "1,000",
        "1_000",
        "0x10",
        "inf",
        "-Infinity",
        "NAN",
        "1 000",
        "$5",
        "5%",
        "١٢",
        "1e",
        "e5",
        "--1",
        ".",
        "1.2.3",
    ],
)
def test_what_python_or_a_spreadsheet_might_take_for_a_number_is_none(text: str) -> None:
    with pytest.raises(InputError) as caught:
        numbers(table("1", text), 0)
    assert str(caught.value) == f"a.csv:3 LMP: {text!r} is not a number; expected a finite number"


def test_a_number_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        numbers(table("1", "2", "1e+999"), 0)
    assert str(caught.value) == "a.csv:4 LMP: the number is too large; expected a finite number"


@settings(max_examples=40)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_that_were_written_are_read_back(values: list[float]) -> None:
    assert numbers(table(*map(repr, values)), 0).tolist() == values


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_text(mark: bytes) -> None:
    assert decode(mark + "a,é\n".encode(), Origin("f", "f", "")) == "a,é\n"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(b"\xff\xfea", 1, id="another encoding"),
        pytest.param(b"a\nb\n\xe9\n", 3, id="a letter of another encoding"),
        pytest.param(b"a\nb\x00\n", 2, id="a zero byte"),
    ],
)
def test_what_is_not_text_is_refused_with_its_line(data: bytes, line: int) -> None:
    with pytest.raises(InputError) as caught:
        decode(data, Origin("f.csv", "f.csv", ""))
    assert str(caught.value) == f"f.csv:{line}: not text; expected UTF-8 text"


def test_folder_and_name_tell_in_lower_case() -> None:
    assert Origin("x", "LMP_RT.csv", "Prelim").hints == "prelim/lmp_rt.csv"
