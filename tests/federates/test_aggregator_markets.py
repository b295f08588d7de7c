"""Where an aggregator takes part over time: the table, and what one that cannot be meant says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlmp_cosim.federates.aggregator import read_markets
from dlmp_cosim.feeders.errors import InputError

KEY = "s.toml owner.homes.settings.markets"


def table(folder: Path, *rows: str, head: str = "minutes,market", mark: str = "") -> Path:
    file = folder / "markets.csv"
    file.write_text(mark + "\n".join([head, *rows]) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["0,retail"], [(0.0, "retail")]),
        (["0,out", "7.5,wholesale"], [(0.0, "out"), (7.5, "wholesale")]),
        (["0.0,retail", "60,retail"], [(0.0, "retail"), (60.0, "retail")]),
        (["# night", "0,out"], [(0.0, "out")]),
    ],
)
def test_a_market_holds_from_its_minute_on(
    tmp_path: Path, rows: list[str], found: list[tuple[float, str]]
) -> None:
    assert read_markets(table(tmp_path, *rows), KEY) == found


def test_a_table_as_a_spreadsheet_saves_it_is_read(tmp_path: Path) -> None:
    file = table(tmp_path, "retail,0", head="market,minutes", mark="\ufeff")
    assert read_markets(file, KEY) == [(0.0, "retail")]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["5,retail"],
        ["-5,retail", "0,out"],
        ["0,retail", "0,out"],
        ["0,retail", "9,out", "5,retail"],
    ],
)
def test_minutes_begin_at_nothing_and_rise(tmp_path: Path, rows: list[str]) -> None:
    file = table(tmp_path, *rows)
    with pytest.raises(InputError) as caught:
        read_markets(file, KEY)
    assert str(caught.value) == (
        f"{KEY}: {file} does not begin at 0 minutes and rise; expected minutes from 0, ascending"
    )


@pytest.mark.parametrize(
    ("rows", "head"),
    [
        (["0"], "minutes"),
        (["x,out"], "minutes,market"),
        (["0,out", "nan,out"], "minutes,market"),
        (["0,out"], "min,market"),
    ],
)
def test_what_is_no_such_table(tmp_path: Path, rows: list[str], head: str) -> None:
    file = table(tmp_path, *rows, head=head)
    with pytest.raises(InputError) as caught:
        read_markets(file, KEY)
    assert str(caught.value) == f"{KEY}: {file} is no table of markets; expected minutes,market"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("wholsale", "; did you mean 'wholesale'?"), ("Retail", "; did you mean 'retail'?"), ("", "")],
)
def test_a_market_that_there_is_not(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read_markets(table(tmp_path, f"0,{name}"), KEY)
    assert (
        str(caught.value) == f"{KEY}: unknown market {name!r}; expected one of retail, wholesale, out{hint}"
    )


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^{KEY}: .*none\.csv cannot be read: "):
        read_markets(tmp_path / "none.csv", KEY)
