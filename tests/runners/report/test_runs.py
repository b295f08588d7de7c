"""Runs beside each other: names of their own, what must be the same, and where buses are drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import Bus
from dlmp_cosim.runners.report import runs as module
from dlmp_cosim.runners.report.runs import (
    RunView,
    check_comparable,
    differences,
    has_places,
    known_mean,
    load_views,
    positions,
)
from tests.handmade import chain
from tests.runners.report.small import small_view

VIEW = small_view()


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (["a.h5"], ["paper"]),
        (["a.h5", "b.h5"], ["paper (a)", "paper (b)"]),
        (["a/results.h5", "b/results.h5"], ["paper (a/results)", "paper (b/results)"]),
        (["a/x.h5", "b/x.h5", "c/y.h5"], ["paper (a/x)", "paper (b/x)", "paper (y)"]),
        (["1/a/x.h5", "2/a/x.h5"], ["paper (1/a/x.h5)", "paper (2/a/x.h5)"]),
    ],
)
def test_runs_of_one_study_are_told_apart_by_their_files(
    monkeypatch: pytest.MonkeyPatch, files: list[str], labels: list[str]
) -> None:
    monkeypatch.setattr(module, "load_view", lambda path: replace(VIEW, path=path))
    assert [view.label for view in load_views([Path(file) for file in files])] == labels


def test_runs_of_different_studies_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_view", lambda path: replace(VIEW, path=path, label=path.stem))
    assert [view.label for view in load_views([Path("one.h5"), Path("two.h5")])] == ["one", "two"]


FEEDERS = "they are different feeders, hand with 6 nodes and hand with 9 nodes"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"network": chain("a", "b", "c")}, FEEDERS),
        ({"hours": 0.25}, "their intervals last 1800 s and 900 s"),
        (
            {"times": tuple(time + timedelta(days=1) for time in VIEW.times)},
            "they start at different times, 2020-08-25 12:00 and 2020-08-26 12:00",
        ),
    ],
)
def test_runs_that_cannot_be_compared_name_both_files(other: dict[str, Any], reason: str) -> None:
    with pytest.raises(ResultsError) as failure:
        check_comparable(VIEW, replace(VIEW, path=Path("other.h5"), **other))
    assert str(failure.value) == f"small/results.h5 and other.h5 cannot be compared: {reason}"


@pytest.mark.parametrize("other", [{}, {"times": VIEW.times[:1]}, {"label": "x"}])
def test_a_run_cut_short_and_another_name_do_not_matter(other: dict[str, Any]) -> None:
    check_comparable(VIEW, replace(VIEW, **other))


def scenario(**tables: Any) -> RunView:
    return replace(VIEW, scenario={"study": {"name": str(tables)}, **tables})


def test_settings_that_differ_stand_side_by_side() -> None:
    one = scenario(market={"model": "nodal", "rounds": 4}, feeder={"load_scale": 1.0}, results={"file": "a"})
    two = scenario(market={"model": "none", "rounds": 4}, results={"file": "b"}, owner=[{"name": "pv"}])
    assert differences([one, two]) == [
        ("feeder.load_scale", ["1.0", "not set"]),
        ("market.model", ["nodal", "none"]),
        ("owner", ["not set", "[{'name': 'pv'}]"]),
    ]


@pytest.mark.parametrize("views", [[], [VIEW], [VIEW, VIEW]])
def test_equal_runs_differ_in_nothing(views: list[RunView]) -> None:
    assert differences(views) == []


def test_a_mean_is_of_the_numbers_that_are_there() -> None:
    table = np.array([[1.0, np.nan, 3.0], [np.nan] * 3])
    assert known_mean(table) == 2.0
    rows = known_mean(table, axis=1)
    assert rows[0] == 2.0
    assert np.isnan(rows[1])


def placed(*places: tuple[float, float] | None) -> Any:
    """Buses in a row, some with coordinates."""
    network = chain(*(f"b{k}" for k in range(len(places))))
    buses = [
        Bus(bus.name, bus.phases, bus.kv_base, *(place or ()))
        for bus, place in zip(network.buses, places, strict=True)
    ]
    return replace(network, buses=tuple(buses))


@pytest.mark.parametrize(
    ("places", "drawn"),
    [
        ([(5.0, 6.0), None, (7.0, 8.0)], [(5.0, 6.0), (5.0, 6.0), (7.0, 8.0)]),
        ([None, (9e5, 8e5), (9e5, 7e5)], [(9e5, 8e5), (9e5, 8e5), (9e5, 7e5)]),
        ([None, None, (3.0, 4.0)], [(3.0, 4.0), (3.0, 4.0), (3.0, 4.0)]),
        ([(0.0, 0.0), None, (7.0, 8.0)], [(0.0, 0.0), (0.0, 0.0), (7.0, 8.0)]),
    ],
    ids=["in between", "a source", "all but the last", "at the origin"],
)
def test_a_bus_without_coordinates_is_drawn_beside_one_that_has_them(places: Any, drawn: Any) -> None:
    """A source drawn far from its feeder would leave of the feeder a dot."""
    network = placed(*places)
    assert has_places(network)
    assert positions(network) == drawn


@settings(max_examples=20)
@given(st.lists(st.none() | st.tuples(st.floats(1.0, 9.0), st.floats(1.0, 9.0)), min_size=1, max_size=6))
def test_all_are_drawn_within_the_places_that_there_are(places: list[Any]) -> None:
    network, known = placed(*places), {place for place in places if place}
    assert not known or set(positions(network)) == known


def test_without_coordinates_the_tree_goes_to_the_right() -> None:
    assert positions(chain("a", "b", "c")) == [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]
