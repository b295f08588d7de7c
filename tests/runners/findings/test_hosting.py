"""Hosting capacity from runs made up, where a sweep was ended before all were done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from dlmp_cosim.runners.findings import hosting
from dlmp_cosim.runners.findings.drawing import quantiles


def sweep(*runs: dict[str, Any], first: dict[int, int] | None = None) -> Any:
    """Runs of 3490 kW, the listed load, whose limits break from an interval on; 0 for never."""
    rows = [
        {"run": k, "draw": 0, "place": "far", "market": "none", "installed": 3490.0, "status": "finished",
         "generation_energy": 3490.0 * 21 / 2 / 60.0} | run
        for k, run in enumerate(runs)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    times = pd.date_range("2020-08-25T16:00", periods=hosting.STEPS, freq="min", tz="UTC")
    broken = [
        {"run": run, "time": time, "value": float(0 < at <= k)}
        for run, at in (first or {}).items()
        for k, time in enumerate(times, 1)
    ]
    topic = pd.DataFrame(broken, columns=["run", "time", "value"]).merge(table, on="run")
    return SimpleNamespace(summary=table, topic=lambda _: topic)


@pytest.mark.parametrize(("at", "percent"), [(1, 5.0), (10, 50.0), (20, 100.0), (0, 105.0)])
def test_capacity_is_the_step_at_which_a_limit_breaks(at: int, percent: float) -> None:
    """Where none breaks it is one step beyond all that was installed."""
    found = hosting.capacities(sweep({}, first={0: at}))
    assert found["penetration"].tolist() == pytest.approx([percent])
    assert found["curtailed"].tolist() == pytest.approx([0.0])


def test_what_was_not_taken_of_the_sun_was_curtailed() -> None:
    found = hosting.capacities(sweep({"generation_energy": 3490.0 * 21 / 2 / 60.0 * 0.8}, first={0: 0}))
    assert found["curtailed"].tolist() == pytest.approx([20.0])


def test_only_draws_that_are_whole_count_whichever_they_are() -> None:
    """The second of three was cut short: the first and the third can be compared."""
    runs = [{"draw": draw, "market": market} for draw in range(3) for market in ("none", "anchored")]
    found = hosting.capacities(sweep(*runs[:2], *runs[3:], first=dict.fromkeys(range(5), 4)))
    assert found["draw"].tolist() == [0, 0, 2, 2]


def test_a_run_that_failed_has_no_capacity() -> None:
    found = hosting.capacities(sweep({}, {"market": "anchored", "status": "failed"}, first={0: 4, 1: 4}))
    assert found["market"].tolist() == ["none"]


def test_order_of_the_rows_does_not_matter() -> None:
    made = sweep({}, {"market": "anchored"}, first={0: 3, 1: 7})
    other = SimpleNamespace(summary=made.summary, topic=lambda key: made.topic(key).iloc[::-1])
    pd.testing.assert_frame_equal(hosting.capacities(made), hosting.capacities(other))  # type: ignore[arg-type]


def test_quantiles_have_a_row_a_group_and_a_column_a_share() -> None:
    table = pd.DataFrame({"group": [*"aaab"], "value": [1.0, 2.0, 3.0, 9.0]})
    found = quantiles(table.groupby("group")["value"], (0.0, 0.5))
    assert found.to_dict("index") == {"a": {0.0: 1.0, 0.5: 2.0}, "b": {0.0: 9.0, 0.5: 9.0}}
