"""Tables lose nothing: folded on a narrow terminal, turned where they do not fit, plain rows for programs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dlmp_cosim.runners.plain_table import Rows, say

HEADS = ("quantity", "period", "first", "counts")
ROWS = [("real-time LMP", "5 min", "2020-08-25", "288 of 288 intervals"), ("[demand]", "1 h", "x", "24")]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Rows:
    found = Rows(*heads, title="Series")
    for row in rows:
        found.add_row(*row)
    return found


def printed(width: int, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return what stands on a terminal of some width."""
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO(), record=True)
    table(heads, rows).print(console)
    return console.export_text()


@pytest.mark.parametrize("width", [200, 80, 60, 40, 25])
def test_nothing_is_cut_on_any_width(width: int) -> None:
    text = printed(width, HEADS, ROWS)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for word in " ".join((*HEADS, *(cell for row in ROWS for cell in row))).split():
        assert word in text, word


def test_a_row_becomes_a_block_where_columns_do_not_fit() -> None:
    wide = printed(80, HEADS, ROWS)
    narrow = printed(30, HEADS, ROWS)
    assert sum("quantity" in line for line in wide.splitlines()) == 1
    assert sum("quantity" in line for line in narrow.splitlines()) == len(ROWS)


def test_programs_read_plain_rows() -> None:
    console = Console(width=20, file=io.StringIO())
    found = table(HEADS, [*ROWS, ("two\nlines", "", "", "")])
    found.print(console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "Series"
    rows = [list(HEADS), *map(list, ROWS), ["two lines", "", "", ""]]
    assert [line.split("\t") for line in lines[1:]] == rows


def test_a_cell_ends_no_cell_and_no_row() -> None:
    console = Console(file=io.StringIO())
    table(["name", "kW"], [("odd\tname\r\n", "1")]).print(console)
    assert console.file.getvalue().splitlines()[-1] == "odd name  \t1"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    ["its scenario has no [market] horizon", "[/tmp/x] is full", "dg[b] of :on: :smile:", "word " * 40],
)
def test_what_others_wrote_is_said_as_it_is(text: str) -> None:
    console = Console(width=40, file=io.StringIO())
    say(console, text)
    assert console.file.getvalue() == f"{text}\n"  # type: ignore[attr-defined]


WORDS = st.text(st.characters(categories=["L", "N"], max_codepoint=0x24F), max_size=12)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5), st.integers(20, 120))
def test_every_word_survives_every_width(rows: list[tuple[str, str, str]], width: int) -> None:
    text = printed(width, ("one", "two", "three"), rows)
    if width >= 40:
        assert all(cell in text for row in rows for cell in row)


def test_columns_that_fit_break_between_words_only() -> None:
    heads = (
        "tariff",
        "all bills $",
        "rates $/MWh",
        "gains most",
        "loses most",
        "swing $/MWh",
        "customers bear",
    )
    row = ("hourly real-time", "1,789.53", "9.3 to 48.2", "s66c -4.35 $", "s76ab +6.51 $", "8.9", "100 %")
    text = printed(80, heads, [row])
    assert {line[-1] for line in text.splitlines()[1:] if line} <= set("┓┃┩│┘")
    assert max(map(len, text.splitlines())) <= 80
    for word in " ".join((*heads, *row)).split():
        assert word in text, word
