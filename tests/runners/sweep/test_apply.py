"""Changes: keys of a scenario, columns and rows of an asset table."""

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

TABLE = """# a comment
resource,kind,kw_max,cost_linear
pv_1,generator,10,5
pv_2,generator,30,7
flex,flexible_load,,40
"""


def changed(value: Any, seed: tuple[int, ...] = (1, 2, 3), **axis: Any) -> list[dict[str, str]]:
    made = Axis.model_validate({"uniform": [0, 1], **axis})
    text = AssetTable(TABLE).changed(
        [(Change(made, {made.key: value}, seed), made.key.partition(".")[2], "w")]
    )
    return list(csv.DictReader(text.splitlines()))


def test_a_column_is_set_where_it_is_meant() -> None:
    rows = changed(3.5, key="assets.cost_linear", where={"resource": "pv_*"})
    assert [row["cost_linear"] for row in rows] == ["3.5", "3.5", "40"]


def test_a_column_is_scaled() -> None:
    rows = changed(2.0, key="assets.cost_linear", where={"kind": ["generator"]}, how="scale")
    assert [float(row["cost_linear"]) for row in rows] == [10.0, 14.0, 40.0]


def test_a_column_is_brought_to_a_total() -> None:
    rows = changed(100.0, key="assets.kw_max", where={"kind": "generator"}, how="total")
    assert [float(row["kw_max"] or 0) for row in rows] == [25.0, 75.0, 0.0]


def test_rating_and_cost_move_together() -> None:
    table = AssetTable("resource,kw_max,kva_max\npv,10,12\n")
    axis = Axis.model_validate({"key": "assets.rating", "values": [3], "how": "total"})
    (row,) = csv.DictReader(table.changed([(Change(axis, {axis.key: 3}), "rating", "w")]).splitlines())
    assert float(row["kw_max"]) == 3.0
    assert float(row["kva_max"]) == pytest.approx(3.6)


def test_rows_may_be_named_by_another_axis() -> None:
    axis = Axis.model_validate({"key": "assets.cost_linear", "values": [1], "where": {"resource": "{owner}"}})
    change = Change(axis, {axis.key: 1})
    rows = csv.DictReader(
        AssetTable(TABLE).changed([(change, "cost_linear", "w")], {"owner": "pv_2"}).splitlines()
    )
    assert [row["cost_linear"] for row in rows] == ["5", "1", "40"]


def test_each_row_draws_for_itself_and_again_the_same() -> None:
    asked = {"key": "assets.cost_linear", "where": {"kind": "generator"}, "how": "scale", "each": True}
    once, again = changed(0.0, **asked), changed(0.0, **asked)
    other = changed(0.0, seed=(1, 2, 4), **asked)
    assert once == again != other
    factors = [float(row["cost_linear"]) / cost for row, cost in zip(once[:2], (5, 7), strict=True)]
    assert factors[0] != factors[1]
    assert all(0 <= factor <= 1 for factor in factors)


@given(st.floats(0.01, 1.0), st.integers(0, 20))
def test_a_share_of_rows_is_kept_and_others_are_not_touched(share: float, draw: int) -> None:
    rows = changed(share, seed=(1, 2, draw), key="assets", where={"resource": "pv_*"}, how="keep")
    kept = [row["resource"] for row in rows]
    assert "flex" in kept
    assert len(kept) - 1 == max(1, round(2 * share))


def test_a_missing_column_of_the_format_is_added() -> None:
    assert {row["owner"] for row in changed("pv", key="assets.owner", where={"resource": "pv_*"})} == {
        "pv",
        "",
    }


def test_a_cell_without_a_number_cannot_be_scaled() -> None:
    with pytest.raises(InputError, match="kw_max of flex is ''"):
        changed(2.0, key="assets.kw_max", how="scale")


def test_keys_reach_into_tables_with_a_name() -> None:
    table = {"owner": [{"name": "pv", "settings": {"cost": 1.0}}]}
    set_key(table, "owner.pv.settings.cost", 2.5, None, "w")
    assert table["owner"][0]["settings"] == {"cost": 2.5}
    with pytest.raises(InputError, match="did you mean 'pv'"):
        set_key(table, "owner.pw.settings.cost", 2.5, None, "w")
    with pytest.raises(InputError, match="leads into a list"):
        set_key(table, "owner.pv", 2.5, None, "w")


@pytest.mark.parametrize("key", ["time.intervals.often", "time.intervals.very.often"])
@pytest.mark.parametrize("how", ["set", "scale"])
def test_a_key_that_leads_beyond_a_value_is_told(key: str, how: str) -> None:
    axis = Axis.model_validate({"key": key, "values": [2], "how": how})
    with pytest.raises(InputError, match=r"^w: ") as caught:
        set_key({"time": {"intervals": 4}}, key, 2, axis, "w")
    scaled = how == "scale" and key.endswith("intervals.often")
    assert ("is None in the base study" if scaled else "leads beyond a value") in str(caught.value)
