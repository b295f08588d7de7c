"""The numbers of a page: codes of 16 bits, a header that any browser reads, equal bytes for equal runs."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.runners.report.pack import LEVELS, NOTHING, Columns, pack
from dlmp_cosim.runners.report.runs import RunView
from tests.runners.judge.paper import paper_run
from tests.runners.report.small import small_view

VIEW = small_view()


def header(*views: RunView) -> dict[str, Any]:
    """The header as a browser reads it, which knows no NaN."""
    data = gzip.decompress(base64.b64decode(pack(views)))
    text = data[4 : 4 + int.from_bytes(data[:4], "little")].decode()
    table: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return table


def only(view: RunView = VIEW) -> dict[str, Any]:
    run: dict[str, Any] = header(view)["runs"][0]
    return run


@pytest.mark.parametrize(
    ("values", "low", "step"),
    [
        ([5.0, 5.0], 5.0, 1.0),
        ([np.nan, np.nan], 0.0, 1.0),
        ([0.0, float(LEVELS)], 0.0, 1.0),
        ([-1.0, np.inf, 1.0], -1.0, 2.0 / LEVELS),
    ],
)
def test_a_column_begins_at_its_lowest_and_has_equal_steps(
    values: list[float], low: float, step: float
) -> None:
    entry = Columns().add(np.array(values, dtype=np.float64).reshape(-1, 1))
    assert (entry["low"], entry["step"]) == (low, pytest.approx(step))


def test_steps_are_no_finer_than_the_resolution() -> None:
    assert Columns().add(np.array([0.0, 1.0]), 0.25)["step"] == 0.25


def test_missing_numbers_have_a_code_of_their_own() -> None:
    columns = Columns()
    columns.add(np.array([np.nan, 0.0]))
    low, high = np.frombuffer(columns.bytes(), np.uint8).reshape(2, 2).astype(np.uint16)
    assert np.cumsum(low + 256 * high, dtype=np.uint16).tolist() == [NOTHING, 0]


def test_columns_follow_each_other() -> None:
    columns = Columns()
    sizes = [columns.add(np.zeros(shape))["at"] for shape in ((3, 2), (3,), (1, 5))]
    assert sizes == [0, 12, 18]
    assert len(columns.bytes()) == 28


def test_equal_runs_give_equal_bytes() -> None:
    assert pack([VIEW]) == pack([small_view()])


def test_a_run_says_when_it_is() -> None:
    run = only()
    assert run["times"] == ["2020-08-25T12:00:00", "2020-08-25T12:30:00"]
    assert (run["until"], run["period"], run["start"]) == ("2020-08-25T13:00:00", 1800, 1_598_371_200)


def test_the_feeder_is_drawn_by_numbers_of_its_buses() -> None:
    run = only()
    assert [(bus["name"], bus["x"]) for bus in run["buses"]] == [("a", 0.0), ("b", 1.0)]
    assert run["branches"] == [{"name": "line.a_b", "kind": "line", "ends": [0, 1], "rating": 100.0}]
    assert [item["bus"] for item in run["loads"]] == [1]
    assert [item["name"] for item in run["resources"]] == ["g", "shed"]
    assert run["substation"] == 0


def test_a_branch_without_a_rating_has_none_in_the_header() -> None:
    branch = replace(VIEW.network.branches[0], rating_a=(np.inf, np.inf))
    unrated = replace(VIEW, network=replace(VIEW.network, elements=(branch,)))
    assert only(unrated)["branches"][0]["rating"] is None


def test_money_and_figures_are_those_of_the_account() -> None:
    run = only()
    assert run["account"]["load_usd"] == pytest.approx(1.2816)
    assert {item["title"]: item["value"] for item in run["headline"]}["losses"] == 2.0
    assert run["sentence"].startswith("Feasible: in every one of 2 intervals")


@pytest.mark.parametrize("name", ['</script><b>"x"&', "é ☃", "a\\b\n"])
def test_any_name_comes_back_as_it_was(name: str) -> None:
    assert only(replace(VIEW, label=name))["label"] == name


def test_of_many_broken_limits_the_worst_hundred_are_told() -> None:
    broken = [{"kind": "rating", "where": f"l{k}", "worst": object(), "value": 1.0} for k in range(150)]
    verdict = dict(VIEW.verdict) | {"status": "unknown"}
    told = only(replace(VIEW, broken=broken, verdict=verdict))["broken"]
    assert [row["where"] for row in told] == [f"l{k}" for k in range(100)]
    assert {row["worst"] for row in told} == {None}


def test_runs_stand_in_order_with_their_differences() -> None:
    other = replace(VIEW, label="other", scenario={**VIEW.scenario, "feeder": {"load_scale": 2.0}})
    table = header(VIEW, other)
    assert [run["label"] for run in table["runs"]] == ["paper", "other"]
    assert table["differences"] == [["feeder.load_scale", ["not set", "2.0"]]]


def test_losses_of_a_feeder_that_serves_nobody_are_no_share() -> None:
    still = {
        f"feeder/{name}_{part}": [[0.0], [0.0]]
        for name in ("load", "demand")
        for part in ("real", "reactive")
    }
    notes = {item["title"]: item["note"] for item in only(small_view(paper_run(still)))["headline"]}
    assert notes["losses"] == ""
    assert notes["average d-LMP"] == "from 30.00 to 60.00; LMP 40.00"
