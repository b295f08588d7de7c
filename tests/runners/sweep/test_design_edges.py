"""Axes and distributions in the corners: ends, one draw, odd shares, days that are skipped, lists of one."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.runners.sweep.design import Design, quantile
from dlmp_cosim.runners.sweep.sweep_file import Axis, Dates, SweepFile, entries, flat, split

KEY = {"key": "feeder.load_scale"}
DRAWN = KEY | {"uniform": [0.5, 1.5]}


def axis(**table: Any) -> Axis:
    return Axis.model_validate(KEY | table)


def sweep(*axes: dict[str, Any], **more: Any) -> SweepFile:
    return SweepFile.model_validate({"name": "s", "base": "b", "axis": list(axes), **more})


@pytest.mark.parametrize(
    ("source", "share", "value"),
    [
        ({"uniform": [2.0, 4.0]}, 0.0, 2.0),
        ({"uniform": [2.0, 4.0]}, 0.25, 2.5),
        ({"uniform": [3.0, 3.0]}, 0.9, 3.0),
        ({"uniform": [-4.0, -2.0]}, 0.5, -3.0),
        ({"log_uniform": [0.1, 10.0]}, 0.5, 1.0),
        ({"log_uniform": [5.0, 5.0]}, 0.7, 5.0),
        ({"integers": [1, 3]}, 0.0, 1),
        ({"integers": [1, 3]}, 0.34, 2),
        ({"integers": [1, 3]}, 0.999, 3),
        ({"integers": [-1, -1]}, 0.5, -1),
        ({"choice": ["a", "b", "c"]}, 0.34, "b"),
        ({"choice": [True]}, 0.999, True),
        ({"normal": [10.0, 2.0]}, 0.5, 10.0),
    ],
)
def test_values_of_distributions(source: dict[str, Any], share: float, value: Any) -> None:
    found = quantile(axis(**source), share)
    assert found == (pytest.approx(value) if isinstance(value, float) else value)


def test_the_very_least_share_of_a_normal_distribution_is_finite() -> None:
    assert math.isfinite(quantile(axis(normal=[0.0, 1.0]), 0.0))  # type: ignore[arg-type]


@given(st.floats(0.0, 0.999), st.floats(0.0, 0.999))
def test_a_larger_share_is_never_a_smaller_value(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for source in ({"uniform": [-1.0, 5.0]}, {"integers": [0, 9]}, {"normal": [0.0, 2.0]}):
        made = axis(**source)
        assert quantile(made, low) <= quantile(made, high)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("first", "last", "step", "days"),
    [(1, 1, 1, [1]), (1, 3, 1, [1, 2, 3]), (1, 8, 7, [1, 8]), (1, 7, 7, [1]), (1, 4, 2, [1, 3])],
)
def test_days_follow_each_other_by_their_step(first: int, last: int, step: int, days: list[int]) -> None:
    made = Dates(first=date(2020, 3, first), last=date(2020, 3, last), step_days=step)
    assert made.list() == [date(2020, 3, day) for day in days]


def test_days_run_over_months_and_a_leap_day() -> None:
    assert len(Dates(first=date(2020, 2, 28), last=date(2020, 3, 1)).list()) == 3


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "axis has no values; expected one of values, cases, dates, choice, uniform"),
        ({"values": [1], "choice": [2]}, "axis has values and choice; expected one of"),
        ({"cases": [{"name": "a"}]}, "axis names a key and cases; expected one of both"),
        ({"uniform": [2, 1]}, "uniform has its ends the wrong way round; expected the lower one first"),
        ({"integers": [2, 1]}, "integers has its ends the wrong way round"),
        ({"log_uniform": [0, 1]}, "greater than 0"),
        ({"normal": [0, 0]}, "greater than 0"),
        ({"values": []}, "at least 1 item"),
        ({"values": [1], "how": "total"}, "are for rows of assets; expected a key such as assets.kw_max"),
        ({"values": [1], "where": {"kind": "pv"}}, "are for rows of assets"),
        ({"values": [1], "key": "assets.kw_max", "how": "keep"}, "assets.kw_max does not go with keep"),
        ({"values": [1], "key": "assets", "how": "set"}, "assets does not go with set"),
        (
            {"uniform": [0, 1], "key": "assets.kw_max", "each": True, "how": "total"},
            "each needs a distribution",
        ),
        ({"values": [1], "name": "a b"}, "should match pattern"),
    ],
)
def test_an_axis_that_cannot_be_meant(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        axis(**table)
    assert says in str(caught.value)


@pytest.mark.parametrize(("table", "label"), [({}, "feeder.load_scale"), ({"name": "scale"}, "scale")])
def test_an_axis_is_called_by_its_name_or_its_key(table: dict[str, Any], label: str) -> None:
    assert axis(values=[1], **table).label == label


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"values": [1, "a"]}, [1, "a"]),
        ({"dates": {"first": date(2020, 1, 1), "last": date(2020, 1, 1)}}, [date(2020, 1, 1)]),
    ],
)
def test_entries_of_a_list(source: dict[str, Any], found: list[Any]) -> None:
    assert entries(axis(**source)) == found


@pytest.mark.parametrize(
    ("axes", "more", "length"),
    [
        ([KEY | {"values": [1]}], {}, 1),
        ([KEY | {"values": [1, 2]}, {"key": "study.seed", "values": [1, 2, 3]}], {}, 6),
        ([KEY | {"values": [1, 2]}, {"key": "study.seed", "values": [1, 2]}], {"combine": "list"}, 2),
        ([DRAWN], {"draws": 5}, 5),
        ([DRAWN], {"draws": 5, "combine": "list"}, 5),
        ([DRAWN, {"key": "study.seed", "values": [1, 2]}], {"draws": 3}, 6),
    ],
)
def test_a_design_is_as_long_as_its_combinations_and_draws(
    axes: list[dict[str, Any]], more: dict[str, Any], length: int
) -> None:
    found = Design(sweep(*axes, **more))
    assert len(found) == length
    assert [found.sample(k).number for k in range(length)] == list(range(length))


@pytest.mark.parametrize("sampling", ["random", "latin_hypercube"])
def test_a_run_is_the_same_whatever_was_asked_for_before(sampling: str) -> None:
    made = sweep(DRAWN, {"key": "study.seed", "values": [1, 2]}, draws=4, sampling=sampling)
    backwards = [Design(made).sample(k) for k in reversed(range(8))]
    one = Design(made)
    assert [one.sample(k) for k in range(8)] == backwards[::-1]


def test_axes_of_equal_distributions_are_drawn_apart() -> None:
    found = Design(sweep(DRAWN, {"key": "market.tolerance", "uniform": [0.5, 1.5]})).sample(0).values
    assert len(set(found.values())) == 2


@pytest.mark.parametrize("seed", [0, 1, -1, 10**12])
def test_any_seed_draws(seed: int) -> None:
    assert 0.5 <= Design(sweep(DRAWN, seed=seed)).sample(0).values["feeder.load_scale"] <= 1.5  # type: ignore[operator]


def test_a_case_changes_its_keys_nested_or_dotted() -> None:
    cases = [{"name": "a", "market": {"model": "none"}, "time.intervals": 4}]
    (change,) = Design(sweep({"name": "market", "cases": cases})).sample(0).changes
    assert change.keys == {"market.model": "none", "time.intervals": 4}


def test_an_axis_with_a_name_alone_changes_nothing() -> None:
    found = Design(sweep({"name": "owner", "values": ["pv_1"]})).sample(0)
    assert (found.values, found.changes) == ({"owner": "pv_1"}, ())


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ({}, {}),
        ({"a": {}}, {}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": 1}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}),
    ],
)
def test_tables_become_dotted_keys(table: dict[str, Any], found: dict[str, Any]) -> None:
    assert flat(table) == found


@pytest.mark.parametrize("key", ["", "a", ".", "a.", ".a", "a..b"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(InputError) as caught:
        split(key, "s.toml axis[0]")
    assert str(caught.value) == (
        f"s.toml axis[0]: {key!r} is no key; expected table.key, as in feeder.load_scale or assets.kw_max"
    )


def test_a_key_has_as_many_parts_as_dots_between() -> None:
    assert split("owner.pv.settings.cost", "w") == ("owner", "pv", "settings", "cost")


@pytest.mark.parametrize(
    "source",
    [
        {"uniform": [math.nan, 1.0]},
        {"uniform": [0.0, math.inf]},
        {"log_uniform": [1.0, math.inf]},
        {"normal": [math.nan, 1.0]},
        {"normal": [0.0, math.inf]},
    ],
)
def test_the_ends_of_a_distribution_are_finite(source: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        axis(**source)
