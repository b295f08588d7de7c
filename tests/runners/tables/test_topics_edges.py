"""Tables of runs that have nothing to tell: no interval, no machines, one place; and what labels do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.feeders.errors import InputError, ResultsError
from dlmp_cosim.runners import api
from dlmp_cosim.runners.api import Run
from dlmp_cosim.runners.tables.columns import unit_of
from dlmp_cosim.runners.tables.topics import REDUCTIONS, long_table, read_quantity, scalar_keys, wide_table
from tests.runners.judge.paper import TOLD, paper_run

RUN = paper_run()


def unfinished() -> Any:
    """The run on paper, stopped before its first interval."""
    empty = {key: np.asarray(rows)[:0] for key, rows in TOLD.items()}
    return paper_run(empty, {"market/clearing": [], "assets/offer": []}, expected=2)


@pytest.mark.parametrize(
    ("key", "kind", "ids", "unit"),
    [
        ("wholesale/lmp", "", (), "$/MWh"),
        ("feeder/load_real", "load", ("x",), "kW"),
        ("feeder/machine_real", "machine", (), "kW"),
        ("settlement/load_account", "load", ("x",), "$"),
        ("settlement/net_revenue", "", (), "$"),
    ],
)
def test_a_quantity_knows_its_places_and_its_unit(
    key: str, kind: str, ids: tuple[str, ...], unit: str
) -> None:
    found = read_quantity(RUN, key)
    assert (found.kind, found.ids, found.unit) == (kind, ids, unit)
    assert found.columns.shape == (2, len(ids) if kind else 1)


def test_a_part_of_a_settlement_that_there_is_not() -> None:
    with pytest.raises(InputError) as caught:
        read_quantity(RUN, "settlement/load_acount")
    assert str(caught.value) == (
        "results.h5: no 'settlement/load_acount'; expected a part of the settlement of a market; "
        "did you mean 'settlement/load_account'?"
    )


def test_a_long_table_has_a_row_for_each_interval_and_place() -> None:
    table = long_table(RUN, "market/dlmp_real")
    assert table.column_names == ["time", "node", "value"]
    assert table["node"].to_pylist()[:7] == ["a.1", "a.2", "a.3", "b.1", "b.2", "b.3", "a.1"]
    assert table["value"].to_pylist() == [30.0] * 3 + [36.0] * 3 + [50.0] * 3 + [60.0] * 3
    assert [str(time) for time in table["time"].to_pylist()[5:7]] == [
        "2020-08-25 16:00:00+00:00",
        "2020-08-25 16:30:00+00:00",
    ]


@pytest.mark.parametrize(
    ("how", "values"), [("mean", [40.0]), ("sum", [80.0]), ("min", [30.0]), ("max", [50.0])]
)
def test_a_reduction_leaves_a_row_for_each_place(how: str, values: list[float]) -> None:
    table = long_table(RUN, "wholesale/lmp", how)
    assert table.column_names == ["value"]
    assert table["value"].to_pylist() == values
    assert table.schema.metadata == {b"topic": b"wholesale/lmp", b"reduction": how.encode()}


def test_labels_are_the_same_in_every_row_and_come_first() -> None:
    table = long_table(RUN, "wholesale/lmp", labels={"run": 7, "draw": 2})
    assert table.column_names == ["run", "draw", "time", "value"]
    assert (table["run"].to_pylist(), table["draw"].to_pylist()) == ([7, 7], [2, 2])


def test_a_wide_table_has_a_column_for_each_place_with_its_unit() -> None:
    table = wide_table(RUN, ["wholesale/lmp", "feeder/load_real"])
    assert table.column_names == ["time", "wholesale/lmp", "feeder/load_real/x"]
    assert [unit_of(field) for field in table.schema] == ["", "$/MWh", "kW"]
    assert table["feeder/load_real/x"].to_pylist() == [30.0, 24.0]


@pytest.mark.parametrize("key", ["feeder/machine_real", "feeder/machine_reactive"])
def test_a_topic_of_what_a_feeder_has_not_has_no_columns(key: str) -> None:
    assert wide_table(RUN, [key]).column_names == ["time"]
    table = long_table(RUN, key)
    assert (table.column_names, table.num_rows) == (["time", "machine", "value"], 0)


@pytest.mark.parametrize("key", ["wholesale/lmp", "market/dlmp_real"])
def test_a_run_without_a_finished_interval_has_no_rows(key: str) -> None:
    assert long_table(unfinished(), key).num_rows == 0
    assert wide_table(unfinished(), [key]).num_rows == 0


@pytest.mark.parametrize("how", REDUCTIONS)
def test_nothing_cannot_be_summed_up(how: str) -> None:
    with pytest.raises(ResultsError) as caught:
        long_table(unfinished(), "wholesale/lmp", how)
    assert str(caught.value) == "results.h5: no interval of 2 finished: nothing to sum up"


def test_what_is_one_number_an_interval_is_listed() -> None:
    keys = scalar_keys(RUN)
    assert {"wholesale/lmp", "feeder/losses_real", "settlement/net_revenue"} <= set(keys)
    assert "feeder/load_real" not in keys
    assert len(wide_table(RUN, keys).column_names) == len(keys) + 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(api, "Results", lambda _: RUN)
    return Run(SimpleNamespace())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("topic", "at", "columns"),
    [
        ("wholesale/lmp", (), ["wholesale/lmp"]),
        ("market/dlmp_real", "b", ["b.1", "b.2", "b.3"]),
        ("market/dlmp_real", ["b.2", "a"], ["b.2", "a.1", "a.2", "a.3"]),
        ("feeder/load_real", "x", ["x"]),
        ("feeder/machine_real", (), []),
    ],
)
def test_a_frame_has_the_columns_that_are_asked_for(
    opened: Run, topic: str, at: str | list[str], columns: list[str]
) -> None:
    frame = opened.frame(topic, at)
    assert (list(frame.columns), len(frame)) == (columns, 2)


@pytest.mark.parametrize(
    ("topic", "at", "says"),
    [
        ("market/dlmp_real", "c", "market/dlmp_real: unknown node 'c'; expected one of a.1, a.2"),
        ("feeder/load_real", "X", "feeder/load_real: unknown load 'X'; expected one of x"),
        ("feeder/machine_real", "x", "feeder/machine_real: unknown machine 'x'; expected one of "),
    ],
)
def test_a_place_that_there_is_not(opened: Run, topic: str, at: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        opened.frame(topic, at)
    assert str(caught.value).startswith(says)
