"""From tables to checked blocks: markets, locations, parts that add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.blocks import Block, check_parts, market_in, read_blocks
from dlmp_cosim.market.isone.columns import Measure
from dlmp_cosim.market.isone.table import Table


def table(header: str, *rows: str, **more: Any) -> Table:
    cells = [row.split(",") for row in rows]
    made = Table("a.csv", "table", tuple(header.split(",")), cells, range(2, 2 + len(cells)))
    return replace(made, **more)


@pytest.mark.parametrize(
    ("text", "strict", "loose"),
    [
        ("Day-Ahead Energy Market Hourly LMP", "day_ahead", "day_ahead"),
        ("WW_DALMP_ISO_20260317.csv", "day_ahead", "day_ahead"),
        ("Real-Time Hourly LMP Final", "real_time_final", "real_time_final"),
        ("lmp_rt_prelim_20241103.csv", "real_time_preliminary", "real_time_preliminary"),
        ("Preliminary Five-Minute LMP", "real_time_preliminary", "real_time_preliminary"),
        ("5min-rt-final/x.csv", "real_time_final", "real_time_final"),
        ("fivemin", "real_time", "real_time"),
        ("my rt prices", "unstated", "real_time"),
        ("da_2020.csv", "unstated", "day_ahead"),
        ("data.csv", "unstated", "unstated"),
        ("final report of the party", "unstated", "unstated"),
    ],
)
def test_the_market_in_a_text(text: str, strict: str, loose: str) -> None:
    assert market_in(text) == strict
    assert market_in(text, loose=True) == loose


HOURS = ("08/25/2020 13:00", "08/25/2020 14:00")


def blocks(header: str, *rows: str, **more: Any) -> list[Block]:
    return read_blocks(table(header, *rows, **more))


def test_one_price_is_one_block() -> None:
    (found,) = blocks("Timestamp,LMP,Energy,Congestion,Loss", *(f"{at},30,28,1,1" for at in HOURS))
    assert (found.quantity, found.market, found.step_s) == ("lmp", "unstated", 3600)
    assert found.values.tolist() == [[30.0, 28.0, 1.0, 1.0]] * 2
    assert found.keys.tolist() == ["", ""]


def test_a_sheet_of_both_markets_is_a_block_each() -> None:
    found = blocks("Date,Hr_End,DA_LMP,RT_LMP,RT_Demand", "2024-08-25,1,20,25,9000")
    assert [(item.quantity, item.market, item.values[0, 0]) for item in found] == [
        ("lmp", "day_ahead", 20.0), ("lmp", "real_time", 25.0), ("load", "real_time", 9000.0),
    ]  # fmt: skip


def test_rows_of_both_markets_are_told_apart_by_their_column() -> None:
    rows = [
        f"{HOURS[0]},REAL_TIME_5_MIN,1",
        f"{HOURS[0]},DAY_AHEAD_HOURLY,2",
        f"{HOURS[1]},REAL_TIME_5_MIN,3",
    ]
    found = blocks("Timestamp,Market,LMP", *rows)
    assert {item.market: item.values[:, 0].tolist() for item in found} == {
        "real_time": [1.0, 3.0],
        "day_ahead": [2.0],
    }


def test_a_row_without_a_value_is_left_out_and_counted() -> None:
    (found,) = blocks("Timestamp,LMP", f"{HOURS[0]},", f"{HOURS[1]},5", step_s=3600)
    assert found.values[:, 0].tolist() == [5.0]
    assert found.warnings == ("1 rows without LMP left out",)


@pytest.mark.parametrize(
    ("header", "cells", "key", "names"),
    [
        ("Location ID", "4008", "4008", {}),
        ("Location ID", "4008.0", "4008", {}),
        ("Location", ".Z.NEMASSBOST", "4008", {}),
        ("Location", "un.a 1", "UN.A 1", {}),
        ("Location ID,Location Name", "77,UN.A 1", "77", {"77": "UN.A 1"}),
        ("Location ID", "NEMA", "4008", {}),
    ],
)
def test_locations_are_filed_under_their_number_or_name(
    header: str, cells: str, key: str, names: dict[str, str]
) -> None:
    (found,) = blocks(f"Timestamp,{header},LMP", *(f"{at},{cells},1" for at in HOURS))
    assert found.keys.tolist() == [key, key]
    assert found.names == names


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("4001,.Z.NEMASSBOST", "location '4001' is not '.Z.NEMASSBOST'; expected 4008 for '.Z.NEMASSBOST'"),
        ("x1,UN.A 1", "location 'x1' is not 'UN.A 1'; expected a number for 'UN.A 1'"),
    ],
)
def test_a_number_that_is_not_that_of_its_name(cells: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        blocks("Timestamp,Location ID,Location Name,LMP", f"{HOURS[0]},{cells},1")
    assert str(caught.value) == f"a.csv location id: {message}"


def test_a_place_of_the_format_counts_for_prices_and_demand() -> None:
    found = blocks("Date,Hr_End,RT_LMP,RT_Demand", "2024-08-25,1,25,9000", place="ISO NE CA")
    assert [item.keys.tolist() for item in found] == [["4000"], ["32"]]


def test_a_table_without_a_measure_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        blocks("Timestamp,Colour", f"{HOURS[0]},red")
    assert str(caught.value) == (
        "a.csv header: no column holds a price or a demand (table); "
        "expected such as 'Locational Marginal Price', 'LMP', 'Total Load'"
    )


def test_a_table_without_rows_has_no_blocks() -> None:
    assert blocks("Timestamp,LMP") == []


def test_the_market_of_a_name_is_on_record() -> None:
    rows = [f"{at},1" for at in HOURS]
    (found,) = blocks("Timestamp,LMP", *rows, source_hints="downloads/da_lmp.csv")
    assert (found.market, found.derived) == (
        "day_ahead",
        ("market day_ahead taken from the file's name or folder",),
    )
    (told,) = blocks("Timestamp,LMP", *rows, hints="Day-Ahead LMP", source_hints="x/rt.csv")
    assert (told.market, told.derived) == ("day_ahead", ())


MEASURE = Measure("lmp", "", 1, (2, 3, 4))
PRICES = table("Timestamp,LMP,Energy,Congestion,Loss")


@pytest.mark.parametrize(("off", "warns"), [(0.02, False), (-0.02, False), (0.03, True), (5.0, True)])
def test_one_price_in_many_may_differ_from_its_parts(off: float, warns: bool) -> None:
    values = np.tile([30.0, 28.0, 1.0, 1.0], (20, 1))
    values[7, 0] += off
    text = f"1 prices differ from the sum of their parts: up to {abs(off):.2f} $/MWh"
    assert check_parts(values, PRICES, MEASURE) == ((text,) if warns else ())


def test_many_prices_that_differ_are_columns_of_something_else() -> None:
    values = np.tile([30.0, 28.0, 1.0, 1.0], (20, 1))
    values[:3, 0] += 4.0
    with pytest.raises(InputError) as caught:
        check_parts(values, PRICES, MEASURE)
    assert str(caught.value) == (
        "a.csv LMP: 3 of 20 prices differ from the sum of their parts: up to 4.00 $/MWh; "
        "expected at most 0.02 $/MWh"
    )
    assert check_parts(values, PRICES, Measure("lmp", "", 1)) == ()


@pytest.mark.parametrize(("market", "rank"), [("real_time_final", 2), ("real_time", 1),
                                              ("real_time_preliminary", 0), ("day_ahead", 2)])  # fmt: skip
def test_final_goes_before_preliminary(market: str, rank: int) -> None:
    (found,) = blocks("Timestamp,LMP", *(f"{at},1" for at in HOURS))
    assert replace(found, market=market).rank == rank
