"""Series and the plain arithmetic on them: gaps, scales, ratios, and what is filled."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone.clock import HOUR, day_start
from dlmp_cosim.market.isone.series import (
    Quantity,
    Series,
    demand_ratio,
    fill_gaps,
    find_gaps,
    part_names,
    scale_to_mean,
    with_values,
)

MIDNIGHT = day_start(date(2020, 8, 25))


def series(values: list[float], quantity: Quantity = "lmp", hours: list[int] | None = None) -> Series:
    """Hourly values from midnight on, or at the hours told."""
    start = MIDNIGHT + HOUR * np.array(range(len(values)) if hours is None else hours, dtype=np.int64)
    unit = {"lmp": "$/MWh", "load": "MW"}[quantity]
    gaps = find_gaps(start, HOUR, MIDNIGHT, MIDNIGHT + 24 * HOUR)
    return Series(
        quantity, unit, "", "", "real_time", HOUR, start, np.array(values), sources=("a.csv",), gaps=gaps
    )


def with_parts(values: list[float]) -> Series:
    made = series(values)
    return replace(
        made, energy=made.values - 3.0, congestion=made.values * 0 + 2.0, loss=made.values * 0 + 1.0
    )


def test_what_is_read_is_not_written_to() -> None:
    made = with_parts([1.0, 2.0])
    for array in (made.start, made.values, *made.parts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9


def test_parts_come_together_or_not_at_all() -> None:
    assert part_names(with_parts([1.0])) == ("energy", "congestion", "loss")
    assert part_names(replace(with_parts([1.0]), loss=None)) == ()
    assert series([1.0]).parts == ()


@pytest.mark.parametrize(("quantity", "negative", "high"), [("lmp", 2, 1), ("load", 2, 0)])
def test_unusual_values_are_counted_and_kept(quantity: Quantity, negative: int, high: int) -> None:
    made = series([-5.0, 1000.0, 1000.5, -0.01, 0.0], quantity)
    assert (made.negative, made.high, len(made)) == (negative, high, 5)


@pytest.mark.parametrize(
    ("hours", "gaps"),
    [
        ([0, 1, 2, 3], ()),
        ([1, 2, 3], ((0, 1),)),
        ([0, 3], ((1, 3),)),
        ([0, 1], ((2, 4),)),
        ([], ((0, 4),)),
        ([1, 3], ((0, 1), (2, 3))),
    ],
)
def test_gaps_are_what_is_not_covered(hours: list[int], gaps: tuple[tuple[int, int], ...]) -> None:
    found = find_gaps(np.array(hours, dtype=np.int64) * HOUR, HOUR, 0, 4 * HOUR)
    assert found == tuple((a * HOUR, b * HOUR) for a, b in gaps)


@settings(max_examples=40)
@given(st.sets(st.integers(0, 23)))
def test_hours_and_gaps_make_a_day(hours: set[int]) -> None:
    start = np.array(sorted(hours), dtype=np.int64) * HOUR
    gaps = find_gaps(start, HOUR, 0, 24 * HOUR)
    assert sum(b - a for a, b in gaps) // HOUR == 24 - len(hours)
    assert all(not any(a <= hour * HOUR < b for hour in hours) for a, b in gaps)


def test_days_say_how_much_of_each_is_there() -> None:
    made = series([1.0, 2.0, 3.0], hours=[22, 23, 24])
    assert made.days == (("2020-08-25", 2, 24), ("2020-08-26", 1, 24))
    assert made.missing == 22
    assert replace(made, start=made.start[:0], values=made.values[:0]).days == ()


@settings(max_examples=40)
@given(st.lists(st.floats(1.0, 100.0), min_size=1, max_size=8), st.floats(-200.0, 200.0))
def test_a_scaled_series_has_its_mean_and_its_shape(values: list[float], mean: float) -> None:
    made = with_parts(values)
    scaled = scale_to_mean(made, mean)
    assert scaled.values.mean() == pytest.approx(mean, abs=1e-9)
    np.testing.assert_allclose(scaled.values * made.values.mean(), made.values * mean, atol=1e-6)
    np.testing.assert_allclose(sum(scaled.parts), scaled.values, atol=1e-9)


def test_a_scale_is_on_record() -> None:
    assert scale_to_mean(series([20.0, 40.0]), 45.0).derived == (
        "scaled by 1.500000 from mean 30.000 to mean 45 $/MWh",
    )


@pytest.mark.parametrize(
    ("values", "mean", "told"),
    [([], 5.0, "0"), ([-1.0, 1.0], 5.0, "0"), ([1.0], np.inf, "1"), ([1.0], np.nan, "1")],
)
def test_what_cannot_be_scaled(values: list[float], mean: float, told: str) -> None:
    with pytest.raises(InputError) as caught:
        scale_to_mean(series(values), mean)
    assert str(caught.value) == (
        f"scale_to_mean: a series with mean {told} cannot be scaled to mean {mean:g}; "
        "expected a finite mean and a series whose mean is not zero"
    )


def test_demand_is_a_share_of_its_peak() -> None:
    ratio = demand_ratio(series([5.0, 20.0, 10.0], "load"))
    assert ratio.values.tolist() == [0.25, 1.0, 0.5]
    assert ratio.unit == "pu"
    assert ratio.derived == ("divided by the peak of 20.000 MW at 2020-08-25 01:00-04:00",)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (series([1.0]), "demand_ratio: only demand has a demand ratio; expected quantity 'load'"),
        (series([], "load"), "demand_ratio: the demand peak is 0 MW; expected a positive peak"),
        (series([-2.0, -1.0], "load"), "demand_ratio: the demand peak is -1 MW; expected a positive peak"),
    ],
)
def test_what_has_no_peak(made: Series, message: str) -> None:
    with pytest.raises(InputError) as caught:
        demand_ratio(made)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("quantity", "values", "note"),
    [
        ("lmp", [10.0, 10.0, 40.0], "1 missing intervals filled with the price before"),
        ("load", [10.0, 25.0, 40.0], "1 missing intervals filled with a straight line"),
    ],
)
def test_a_price_holds_and_demand_goes_on(quantity: Quantity, values: list[float], note: str) -> None:
    filled = fill_gaps(series([10.0, 40.0], quantity, hours=[0, 2]))
    assert filled.values.tolist() == values
    assert filled.derived == (note,)
    assert filled.gaps == ((MIDNIGHT + 3 * HOUR, MIDNIGHT + 24 * HOUR),)


def test_parts_are_filled_with_their_price() -> None:
    made = with_parts([10.0, 40.0])
    apart = replace(
        made, start=made.start + np.array([0, HOUR]), gaps=((MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR),)
    )
    filled = fill_gaps(apart)
    np.testing.assert_allclose(sum(filled.parts), filled.values)
    assert len(filled) == 3


def test_without_a_gap_inside_nothing_is_filled() -> None:
    made = series([10.0, 40.0], hours=[5, 6])
    assert fill_gaps(made) is made


def test_a_long_gap_is_not_filled() -> None:
    with pytest.raises(InputError) as caught:
        fill_gaps(series([10.0, 40.0], hours=[0, 3]))
    assert str(caught.value) == (
        "a.csv: gap of 120 min from 2020-08-25 01:00-04:00 to 2020-08-25 03:00-04:00; "
        "expected gaps of at most 60 min, or another file that covers it"
    )
    assert len(fill_gaps(series([10.0, 40.0], hours=[0, 3]), 2 * HOUR)) == 4


def test_another_axis_keeps_all_else() -> None:
    made = replace(with_parts([1.0, 2.0]), location="hub", derived=("x",))
    new = with_values(made, made.start[:1], made.values[:1], [part[:1] for part in made.parts], 300)
    assert (new.location, new.derived, new.step_s, len(new)) == ("hub", ("x",), 300, 1)
    assert [part.tolist() for part in new.parts] == [[-2.0], [2.0], [1.0]]
