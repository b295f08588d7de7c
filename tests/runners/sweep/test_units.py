"""What the columns of a sweep's axes say of themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dlmp_cosim.runners.sweep.design import Design
from dlmp_cosim.runners.sweep.sweep_file import SweepFile
from dlmp_cosim.runners.sweep.units import axis_columns, describe


def columns(*axes: dict[str, Any], **more: Any) -> list[tuple[str, str, str, str]]:
    sweep = SweepFile.model_validate({"name": "s", "base": "b", "axis": list(axes), **more})
    return [(c.name, c.kind, c.unit, c.meaning) for c in axis_columns(Design(sweep))]


@pytest.mark.parametrize(
    ("axis", "column"),
    [
        (
            {"key": "market.voltage_min_pu", "values": [0.94, 0.95]},
            ("market.voltage_min_pu", "number", "pu", "lower voltage limit [pu]"),
        ),
        (
            {"key": "market.voltage_penalty", "values": [0.5, 2], "how": "scale"},
            (
                "market.voltage_penalty",
                "number",
                "",
                "scale: price of a voltage excess [$/h per pu and node]",
            ),
        ),
        (
            {"key": "time.intervals", "values": [4, 8], "name": "length"},
            ("length", "integer", "", "market intervals to run"),
        ),
        (
            {"key": "market.anchored", "values": [True, False]},
            ("market.anchored", "flag", "", "clear again at the AC answer until market and physics agree"),
        ),
        (
            {"key": "market.model", "values": ["nodal", "none"]},
            ("market.model", "text", "", describe("market.model")),
        ),
        (
            {"key": "time.start", "dates": {"first": date(2020, 8, 25), "last": date(2020, 8, 26)}},
            ("time.start", "day", "", "start of the first interval, local time (America/New_York)"),
        ),
        (
            {"key": "assets.cost", "values": [0.5, 2.0], "how": "scale"},
            ("assets.cost", "number", "", "scale: cost of assets"),
        ),
        (
            {"key": "assets.rating", "values": [50.0]},
            ("assets.rating", "number", "kW", "rating of assets"),
        ),
        (
            {"key": "assets", "values": [0.5], "how": "keep"},
            ("assets", "number", "", "keep: rows of assets"),
        ),
        (
            {"name": "who", "values": ["pv_1", "pv_2"]},
            ("who", "text", "", "which rows other axes mean"),
        ),
        (
            {"name": "market", "cases": [{"name": "a"}, {"name": "b"}]},
            ("market", "text", "", "case"),
        ),
        (
            {"key": "owner.pv.settings.cost", "values": [1.0]},
            ("owner.pv.settings.cost", "number", "", ""),
        ),
    ],
)
def test_a_column_has_kind_unit_and_meaning(axis: dict[str, Any], column: tuple[str, str, str, str]) -> None:
    assert columns(axis) == [column]


def test_an_axis_that_differs_from_row_to_row_has_no_column() -> None:
    drawn = {"key": "assets.kw_max", "uniform": [1, 2], "each": True}
    assert [name for name, *_ in columns(drawn, {"key": "study.seed", "values": [1]})] == ["study.seed"]


def test_a_column_is_as_wide_as_its_values() -> None:
    assert columns({"key": "feeder.load_scale", "values": [1, 0.5]})[0][1] == "number"
    assert columns({"key": "study.seed", "choice": [1, 2]}, draws=5)[0][1] == "integer"


@pytest.mark.parametrize(
    ("choice", "kind"), [([1, 2.5], "number"), ([1, "a"], "text"), ([True, 1], "text"), ([2, 1], "integer")]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_column_is_as_wide_as_what_may_be_drawn(choice: list[Any], kind: str, seed: int) -> None:
    """Whatever the first draws are."""
    axis = {"key": "feeder.load_scale", "choice": choice}
    assert columns(axis, draws=9, seed=seed)[0][1] == kind


@pytest.mark.parametrize("key", ["feeder.nothing", "nothing", "feeder.load_scale.more"])
def test_a_key_that_no_scenario_knows_says_nothing(key: str) -> None:
    assert describe(key) == ""
