from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.readers.csv_table import Row, read_table


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def row(**cells: str) -> Row:
    return Row("table.csv", 7, cells)


def test_comments_blank_lines_and_spaces_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path, '# why\n\n a , b \n1, x \n  # more\n"2,5",y\n')
    rows = read_table(path, ("b", "a"))
    assert [(item.line, item.cells) for item in rows] == [
        (4, {"a": "1", "b": "x"}),
        (6, {"a": "2,5", "b": "y"}),
    ]


def test_optional_columns_read_as_empty(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path, "a\n1\n"), ("a",), ("b",))
    assert rows[0].cells == {"a": "1", "b": ""}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table.csv: no header line; expected a, b"),
        ("# only this\n", r"no header line"),
        ("a\n1\n", r"table.csv:1: column 'b' is missing"),
        ("a,bb\n1,2\n", r"column 'b' is missing; did you mean 'bb'\?"),
        ("a,b,c\n1,2,3\n", r"table.csv:1: unknown column 'c'"),
        ("a,b,a\n1,2,3\n", r"column 'a' appears twice"),
        ("a,b\n1,2\n1\n", r"table.csv:3: 1 cells; expected 2, as in the header"),
        ("a,b\n1,2,3\n", r"table.csv:2: 3 cells"),
        ('a,b\n1,"2\n', r"table.csv:2: not a comma-separated table"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path, text), ("a", "b"))


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, "a\n")
    with pytest.raises(InputError, match=r"tables.csv: no such file; did you mean 'table.csv'\?"):
        read_table(tmp_path / "tables.csv", ("a",))
    with pytest.raises(InputError, match=r"no such file$"):
        read_table(tmp_path / "nowhere" / "table.csv", ("a",))


def test_a_folder_or_a_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path, ("a",))
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected a UTF-8 text file"):
        read_table(tmp_path / "x.csv", ("a",))


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "-inf", "1e999", "1 2", "1_000"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"table.csv:7 kw: "):
        row(kw=text).number("kw")


def test_limits_of_numbers() -> None:
    assert row(kw="0").number("kw", minimum=0.0) == 0.0
    with pytest.raises(InputError, match="-1 is too small; expected at least 0"):
        row(kw="-1").number("kw", minimum=0.0)
    with pytest.raises(InputError, match="0 is too small; expected more than 0"):
        row(kw="0").number("kw", above=0.0)
    assert row(tap="-16").integer("tap", minimum=-16, maximum=16) == -16
    for text in ("17", "0.5"):
        with pytest.raises(InputError, match="expected a whole number -16 to 16"):
            row(tap=text).integer("tap", minimum=-16, maximum=16)


def test_choices_name_the_nearest() -> None:
    assert row(zip="PQ").choice("zip", ("PQ", "I", "Z"), kind="load model") == "PQ"
    with pytest.raises(InputError, match=r"unknown bus '11a'; expected one of 11, 12; did you mean '11'\?"):
        row(node="11a").choice("node", ("11", "12"), kind="bus")


@pytest.mark.parametrize(("text", "phases"), [("A", (1,)), ("ca", (1, 3)), ("CBA", (1, 2, 3))])
def test_phase_letters(text: str, phases: tuple[int, ...]) -> None:
    assert row(phases=text).phases("phases") == phases


@pytest.mark.parametrize("text", ["", "aa", "abd", "1"])
def test_wrong_phase_letters(text: str) -> None:
    with pytest.raises(InputError, match=r"table.csv:7 phases"):
        row(phases=text).phases("phases")


CELL = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=8).map(
    str.strip
)


@given(st.lists(st.tuples(CELL.filter(lambda text: not text.startswith("#")), CELL), max_size=6))
def test_any_cells_come_back(tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *cells])
    path = write(tmp_path_factory.mktemp("cells"), text.getvalue())
    assert [(item.cells["a"], item.cells["b"]) for item in read_table(path, ("a", "b"))] == cells


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_number_comes_back(number: float) -> None:
    assert row(kw=repr(number)).number("kw") == number
