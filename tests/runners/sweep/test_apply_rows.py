"""Rows of an asset table that an axis changes: which are meant, what becomes of them, and what is refused."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.sweep.apply import AssetTable, set_key
from dlmp_cosim.runners.sweep.design import Change
from dlmp_cosim.runners.sweep.sweep_file import Axis

TABLE = """resource,kind,kw_max,kva_max,cost_linear,owner
pv_1,generator,10,12,5,sun
pv_2,generator,30,30,7,sun
"a, b",storage,20,25,9,cells
flex,flexible_load,,,40,
"""


def change(value: Any, key: str, seed: tuple[int, ...] = (1, 2, 3), **table: Any) -> tuple[Change, str, str]:
    axis = Axis.model_validate({"uniform": [0, 1], "key": key, **table})
    return Change(axis, {key: value}, seed), key.partition(".")[2], "s.toml run 0: key"


def rows(*changes: tuple[Change, str, str], text: str = TABLE, **labels: object) -> list[dict[str, str]]:
    return list(csv.DictReader(AssetTable(text).changed(changes, labels).splitlines()))


def refusal(*changes: tuple[Change, str, str]) -> str:
    with pytest.raises(InputError) as caught:
        rows(*changes)
    return str(caught.value).removeprefix("s.toml run 0: key")


def test_a_table_without_changes_is_the_same_table() -> None:
    assert rows() == list(csv.DictReader(TABLE.splitlines()))


def test_remarks_and_blank_lines_are_not_kept() -> None:
    text = "# by hand\n\n  # more\n" + TABLE
    assert AssetTable(text).changed([]) == AssetTable(TABLE).changed([])


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ({}, ["pv_1", "pv_2", "a, b", "flex"]),
        ({"resource": "pv_*"}, ["pv_1", "pv_2"]),
        ({"resource": ["pv_1", "flex"]}, ["pv_1", "flex"]),
        ({"kind": "generator", "resource": "*_2"}, ["pv_2"]),
        ({"owner": ""}, ["flex"]),
        ({"owner": "?*"}, ["pv_1", "pv_2", "a, b"]),
        ({"resource": "PV_*"}, None),
        ({"resource": "pv_[13]"}, ["pv_1"]),
        ({"resource": "{who}"}, ["pv_2"]),
        ({"resource": "{nobody}"}, None),
    ],
)
def test_rows_are_meant_by_their_cells(where: dict[str, Any], meant: list[str] | None) -> None:
    made = change("99", "assets.cost_linear", where=where)
    if meant is None:
        assert refusal(made).startswith(" where: no row of the asset table is meant; expected rows with ")
    else:
        found = rows(made, who="pv_2")
        assert [row["resource"] for row in found if row["cost_linear"] == "99"] == meant


def test_a_pattern_of_a_column_that_there_is_not() -> None:
    message = refusal(change(1, "assets.cost_linear", where={"kin": "generator"}))
    assert message.startswith(" where: unknown column 'kin'; expected one of resource, kind, ")
    assert message.endswith("did you mean 'kind'?")


def test_a_column_that_no_table_has() -> None:
    assert "unknown column 'kw_min'" in refusal(change(1, "assets.kw_min"))


@pytest.mark.parametrize(
    ("key", "columns"), [("assets.rating", ("kw_max", "kva_max")), ("assets.cost_linear", ("cost_linear",))]
)
def test_columns_that_belong_together_are_scaled_alike(key: str, columns: tuple[str, ...]) -> None:
    found = rows(change(2.0, key, how="scale", where={"kind": "generator"}))
    for before, after in zip(list(csv.DictReader(TABLE.splitlines()))[:2], found, strict=False):
        for column in columns:
            assert float(after[column]) == 2.0 * float(before[column])


@pytest.mark.parametrize("total", [4.0, 40.0, 100.0, 0.0])
def test_a_total_keeps_the_shares(total: float) -> None:
    found = rows(change(total, "assets.kw_max", how="total", where={"kind": "generator"}))
    power = [float(row["kw_max"]) for row in found[:2]]
    assert power == pytest.approx([total / 4, 3 * total / 4])
    assert found[2]["kw_max"] == "20"


def test_cells_that_sum_to_nothing_cannot_be_brought_to_a_total() -> None:
    nothing = change(0.0, "assets.kw_max", how="scale", where={"kind": "generator"})
    total = change(5.0, "assets.kw_max", how="total", where={"kind": "generator"})
    assert refusal(nothing, total) == (
        ": the cells of kw_max sum to 0; expected some that can be scaled to a total of 5"
    )
    assert rows(nothing, change(0.0, "assets.kw_max", how="total", where={"kind": "generator"}))


def test_a_cell_without_a_number_says_whose_it_is() -> None:
    assert refusal(change(2.0, "assets.kw_max", how="scale")) == (
        ": kw_max of flex is ''; expected rows with a number there; say which with where"
    )


def test_changes_are_made_in_their_order() -> None:
    scale = change(2.0, "assets.cost_linear", how="scale", where={"resource": "pv_1"})
    fix = change(3.0, "assets.cost_linear", where={"resource": "pv_1"})
    assert [rows(scale, fix)[0]["cost_linear"], rows(fix, scale)[0]["cost_linear"]] == ["3.0", "6.0"]


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01])
def test_a_share_that_is_none(share: float) -> None:
    assert (
        refusal(change(share, "assets", how="keep"))
        == f": {share:g} is no share; expected more than 0, at most 1"
    )


def test_all_are_kept_where_all_are_asked_for() -> None:
    assert rows(change(1.0, "assets", how="keep")) == rows()


@given(st.integers(0, 30))
def test_more_of_the_same_draw_keeps_those_kept_before(draw: int) -> None:
    few, many = (
        {row["resource"] for row in rows(change(share, "assets", (1, 2, draw), how="keep"))}
        for share in (0.5, 0.75)
    )
    assert (len(few), len(many)) == (2, 3)
    assert few < many


def test_names_with_commas_stay_whole() -> None:
    assert rows(change("x", "assets.owner", where={"resource": "a, b"}))[2]["resource"] == "a, b"


@pytest.mark.parametrize(
    ("key", "value", "table"),
    [
        ("a.b", 1, {"a": {"b": 1}}),
        ("a.b.c", 1, {"a": {"b": {"c": 1}}}),
        ("time.intervals", 9, {"time": {"intervals": 9}}),
    ],
)
def test_a_key_is_set_and_its_tables_are_made(key: str, value: Any, table: dict[str, Any]) -> None:
    found: dict[str, Any] = {"time": {"intervals": 4}} if key.startswith("time") else {}
    set_key(found, key, value, None, "w")
    assert found == table


@pytest.mark.parametrize(("there", "factor", "after"), [(4, 2, 8), (0.5, 3, 1.5), (0, 5, 0), (-2, 0.5, -1.0)])
def test_a_number_is_scaled(there: float, factor: float, after: float) -> None:
    axis = Axis.model_validate({"key": "a.b", "values": [factor], "how": "scale"})
    table = {"a": {"b": there}}
    set_key(table, "a.b", factor, axis, "w")
    assert table["a"]["b"] == after


@pytest.mark.parametrize("there", ["4", True, None, [1]])
def test_what_is_no_number_cannot_be_scaled(there: Any) -> None:
    axis = Axis.model_validate({"key": "a.b", "values": [2], "how": "scale"})
    with pytest.raises(InputError) as caught:
        set_key({"a": {"b": there}}, "a.b", 2, axis, "w")
    assert str(caught.value) == f"w: a.b is {there!r} in the base study; expected a number there to scale"
