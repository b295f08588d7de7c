"""Bodies of web services: wrappings, fields, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.json_bodies import read_json
from dlmp_cosim.market.isone.table import Origin, Table

PRICE = {
    "BeginDate": "2025-08-26T23:40:00.000-04:00",
    "Location": {"@LocId": "4000", "$": ".H.INTERNAL_HUB"},
    "LmpTotal": 41.25,
    "EnergyComponent": None,
}


def read(body: object) -> Table:
    return read_json(json.dumps(body).encode(), Origin("b.json", "b.json", "downloads"))


def test_fields_become_columns() -> None:
    table = read({"FiveMinLmps": {"FiveMinLmp": [PRICE, PRICE]}})
    assert table.columns == ("BeginDate", "Location Id", "Location Name", "LmpTotal", "EnergyComponent")
    assert table.rows == [[PRICE["BeginDate"], "4000", ".H.INTERNAL_HUB", "41.25", ""]] * 2
    assert (list(table.lines), table.seen) == ([1, 2], 2)
    assert (table.layout, table.step_s, table.hints) == ("web-service JSON: FiveMinLmp", 300, "fivemin")
    assert table.source_hints == "downloads/b.json"


@pytest.mark.parametrize(
    ("wrapped", "layout", "step", "place"),
    [
        pytest.param(PRICE, "records", 0, "", id="one bare record"),
        pytest.param([PRICE], "records", 0, "", id="a bare list"),
        pytest.param({"HourlyLmps": {"HourlyLmp": PRICE}}, "HourlyLmp", 3600, "", id="one record, wrapped"),
        pytest.param({"a": {"b": {"c": {"d": [PRICE]}}}}, "d", 0, "", id="wrapped four times"),
        pytest.param(
            {"HourlySystemLoads": {"HourlySystemLoad": {"BeginDate": "x", "Load": 12000}}},
            "HourlySystemLoad", 3600, "32", id="a load of the system",
        ),
        pytest.param(
            {"FiveMinSystemLoad": [{"BeginDate": "x", "Load": 1, "Location": {"@LocId": 32, "$": "N"}}]},
            "FiveMinSystemLoad", 300, "", id="a load that says where it is",
        ),
    ],
)  # fmt: skip
def test_every_wrapping_is_undone(wrapped: Any, layout: str, step: int, place: str) -> None:
    table = read(wrapped)
    assert (table.layout, table.step_s, table.place) == (f"web-service JSON: {layout}", step, place)
    assert len(table.rows) == 1


def test_load_is_total_and_what_is_behind_meters_is_left_out() -> None:
    record = {"BeginDate": "x", "Load": 5.0, "NativeLoad": 4.0, "SystemLoadBtmPv": 9, "NativeLoadBtmPv": 8}
    assert read(record).columns == ("BeginDate", "Total Load", "NativeLoad")


def test_fields_may_come_in_any_order() -> None:
    table = read([{"BeginDate": "a", "Load": 1}, {"Load": 2, "BeginDate": "b"}])
    assert table.rows == [["a", "1"], ["b", "2"]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            [{"BeginDate": "a", "Load": 1}, {"BeginDate": "b", "Mw": 2}],
            "b.json record 2: the fields differ: Mw, Total Load; expected equal fields in all records",
            id="another field",
        ),
        pytest.param(
            {"BeginDate": "a", "Load": {"x": 1}},
            "b.json record 1: Total Load holds dict; expected a number or text",
            id="an object for a number",
        ),
        pytest.param(
            [{"BeginDate": "a", "Load": 1}, {"BeginDate": "a", "Load": True}],
            "b.json record 2: Total Load holds bool; expected a number or text",
            id="a truth for a number",
        ),
    ],
)
def test_records_that_cannot_be_used(body: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(body)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"a": []}, "b.json a: 0 of 0 entries are not records with a begin date"),
        ({"a": [{"x": 1}]}, "b.json a: 1 of 1 entries are not records with a begin date"),
        ([{"BeginDate": "a"}, 7], "b.json: 1 of 2 entries are not records with a begin date"),
        ("text", "b.json: 1 of 1 entries are not records with a begin date"),
    ],
)
def test_what_holds_no_records(body: Any, what: str) -> None:
    with pytest.raises(InputError) as caught:
        read(body)
    assert str(caught.value).startswith(
        f"{what}; expected records with BeginDate or interval_begin_date; or a data file"
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": ', "Expecting value"),
        (b'{"BeginDate": "a", "Load": NaN}', "NaN is not a number of JSON"),
        (b'{"BeginDate": "a", "Load": -Infinity}', "-Infinity is not a number of JSON"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_not_json(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        read_json(data, Origin("b.json", "b.json", ""))
    assert str(caught.value).startswith("b.json: not JSON: ")
    assert str(caught.value).endswith("; expected a whole web-service body")


@settings(max_examples=40)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5), st.integers(0, 4))
def test_numbers_come_back_as_they_were_written(loads: list[float], depth: int) -> None:
    body: Any = [{"BeginDate": "a", "Mw": load} for load in loads]
    for k in range(depth):
        body = {f"level{k}": body}
    assert [float(row[1]) for row in read(body).rows] == loads
