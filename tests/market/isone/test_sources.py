"""Files are told apart by their content, and DataFrames are read as files are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.places import find_place
from dlmp_cosim.market.isone.reader import read_series, source_names
from dlmp_cosim.market.isone.sources import as_sources, is_frame, read_tables
from tests.market.isone.test_envelope import WHOLE

REPORT = "\n".join(WHOLE)
PLAIN = "Time,Price\n2025-03-01 00:00,1\n2025-03-01 01:00,2\n"
JSON = '{"HourlyLmps":{"HourlyLmp":[{"BeginDate":"2025-08-26T23:00:00.000-04:00","LmpTotal":41.25}]}}'
EEI = "082520201           " + "14738" * 12


def written(folder: Path, content: str | bytes, name: str = "a.bin") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        pytest.param(REPORT, "ISO Express report: Day Ahead Hourly LMP", id="a report"),
        pytest.param(REPORT.replace('"', ""), "ISO Express report: Day Ahead Hourly LMP", id="saved again"),
        pytest.param(f"\n\n{REPORT}", "ISO Express report: Day Ahead Hourly LMP", id="behind empty lines"),
        pytest.param(JSON, "web-service JSON: HourlyLmp", id="an object"),
        pytest.param(f"  \n{JSON}", "web-service JSON: HourlyLmp", id="behind blanks"),
        pytest.param(EEI, "EEI fixed width", id="fixed width"),
        pytest.param(PLAIN, "table", id="a table"),
        pytest.param(PLAIN.replace(",", ";"), "table", id="with semicolons"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "marked"])
def test_the_content_tells_the_layout(tmp_path: Path, content: str, layout: str, mark: bytes) -> None:
    (table,) = read_tables(written(tmp_path, mark + content.encode()))
    assert table.layout == layout


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"<?xml version='1.0'?>", "the file is a web page or XML, not a data file"),
        (b"\n <!doctype HTML>", "the file is a web page or XML, not a data file"),
        (
            b"ERROR: No data exists for this period.",
            "ISO New England answered 'No data exists for this period.'",
        ),
        (b"\xff\xfeT\x00i\x00m\x00e\x00", "the file is not text"),
    ],
)
def test_what_is_no_data_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as error:
        read_tables(path)
    assert str(error.value).startswith(f"{path}: {problem}; expected ")


def test_a_place_is_kept_while_a_report_is_read(tmp_path: Path) -> None:
    (table,) = read_tables(written(tmp_path, REPORT), place=find_place("HUB", "lmp"))
    assert ([row[2] for row in table.rows], table.seen) == (["4000"], 2)


def test_a_folder_and_a_name_are_hints(tmp_path: Path) -> None:
    folder = tmp_path / "5min-RT-Final"
    folder.mkdir()
    (table,) = read_tables(written(folder, PLAIN, "Prices.CSV"))
    assert table.source_hints == "5min-rt-final/prices.csv"


@pytest.mark.parametrize("given", [["a.csv"], ("a.csv", Path("b.csv")), (path for path in ["a.csv"])])
def test_several_sources_keep_their_order(given: list[str]) -> None:
    assert as_sources(given)[0] == "a.csv"


def test_one_source_is_one_whatever_it_is() -> None:
    frame = pd.DataFrame({"LMP": [1.0]})
    assert as_sources("abc.csv") == ("abc.csv",)
    assert as_sources(Path("abc.csv")) == (Path("abc.csv"),)
    assert as_sources(frame)[0] is frame
    assert (is_frame(frame), is_frame("LMP"), is_frame(None)) == (True, False, False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "files: no file given; expected one file or more"),
        (None, "files: None is no file; expected a path or a DataFrame"),
        (7, "files: 7 is no file; expected a path or a DataFrame"),
        (["a.csv", 7], "files: 7 is no file; expected a path or a DataFrame"),
        (b"ab", "files: 97 is no file; expected a path or a DataFrame"),
    ],
)
def test_what_is_no_source_gets_one_clear_error(given: object, said: str) -> None:
    with pytest.raises(InputError) as error:
        as_sources(given)  # type: ignore[arg-type]
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        pytest.param(None, {"Time": ["2025-03-01 00:00", "2025-03-01 01:00"]}, id="a column of times"),
        pytest.param(pd.date_range("2025-03-01", periods=2, freq="h"), {}, id="an index of times"),
        pytest.param(pd.Index(["2025-03-01 00:00", "2025-03-01 01:00"], name="Time"), {}, id="a named index"),
    ],
)
def test_a_frame_says_when_in_a_column_or_its_index(
    index: pd.Index | None, columns: dict[str, list[str]]
) -> None:
    series = read_series(pd.DataFrame(columns | {"LMP": [20.0, -3.5]}, index=index))
    assert series.values.tolist() == [20.0, -3.5]
    assert (series.step_s, series.sources) == (3600, ("DataFrame",))


def test_a_frame_without_rows_is_named() -> None:
    with pytest.raises(InputError, match="DataFrame: the DataFrame is empty; expected"):
        read_tables(pd.DataFrame({"Time": [], "LMP": []}))


def test_what_was_read_is_named_by_its_first_file() -> None:
    frame = pd.DataFrame({"LMP": [1.0]})
    assert source_names(["a.csv"]) == "a.csv"
    assert source_names(["a.csv", "b.csv", "c.csv"]) == "a.csv and 2 more"
    assert source_names([frame, "b.csv"]) == "DataFrame and 1 more"
