"""Bringing a series to a period keeps its energy; derived steps are recorded."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import Series, demand_ratio, fill_gaps, read_series, resample, scale_to_mean
from dlmp_cosim.market.isone.clock import day_length, day_start
from dlmp_cosim.market.isone.series import find_gaps

DATA = Path(__file__).parents[3] / "configs" / "ieee123_day" / "data"
DAY = day_start(date(2020, 8, 25))
STEPS = (60, 300, 900, 3600)


def series(values: list[float], quantity: str = "load", step_s: int = 3600, start: int = DAY) -> Series:
    data = np.array(values, dtype=np.float64)
    begin = start + step_s * np.arange(data.size, dtype=np.int64)
    parts = {"energy": data * 0.9, "congestion": data * 0.0, "loss": data * 0.1} if quantity == "lmp" else {}
    unit = "$/MWh" if quantity == "lmp" else "MW"
    return Series(quantity, unit, "X", "1", "real_time", step_s, begin, data, **parts)  # type: ignore[arg-type]


def embedded(quantity: str) -> Series:
    if quantity == "lmp":
        return read_series(
            DATA / "smd_hourly_NEMA_20200824-20200826.csv", location="NEMA", market="real_time"
        )
    return read_series(DATA / "2020_eei_loads_excerpt_20200823-20200829.txt", quantity="load")


def test_embedded_day_at_five_minutes() -> None:
    price = resample(embedded("lmp"), 300, DAY, 288)
    assert price.values.mean() == pytest.approx(27.441, abs=0.001)
    assert price.values.max() == 94.99
    assert (price.values.reshape(24, 12) == price.values[::12, None]).all()
    assert price.derived[-1] == "held from 60 min to 5 min"
    np.testing.assert_allclose(sum(price.parts), price.values, atol=0.015 + 1e-9)
    demand = resample(embedded("load"), 300, DAY, 288)
    hourly = read_series(
        DATA / "2020_eei_loads_excerpt_20200823-20200829.txt", quantity="load", day="2020-08-25"
    )
    np.testing.assert_allclose(demand.values.reshape(24, 12).mean(axis=1), hourly.values, rtol=1e-12)
    assert demand.values.sum() / 12 == pytest.approx(419126, rel=1e-12)
    assert demand.derived[-1] == "interpolated with every mean kept from 60 min to 5 min"
    assert np.abs(np.diff(demand.values)).max() < 250.0


positive = st.lists(st.floats(0, 3e4, width=32), min_size=3, max_size=30)
prices = st.lists(st.floats(-150, 3e3, width=32), min_size=3, max_size=30)


@given(positive, st.sampled_from(STEPS), st.sampled_from(STEPS))
def test_demand_keeps_its_energy_and_sign(values: list[float], old: int, new: int) -> None:
    one = series(values, step_s=old)
    span = len(values) * old // 3600 * 3600 or len(values) * old // new * new
    if not span or DAY % new:
        return
    out = resample(one, new, DAY, span // new)
    kept = one.values[: span // old]
    assert out.values.sum() * new == pytest.approx(kept.sum() * old, rel=1e-9, abs=1e-3)
    assert out.values.min() >= -1e-7
    if new < old:
        np.testing.assert_allclose(
            out.values.reshape(-1, old // new).mean(axis=1), kept, rtol=1e-9, atol=1e-6
        )


@given(prices, st.sampled_from(STEPS), st.sampled_from(STEPS))
def test_prices_are_held_or_averaged(values: list[float], old: int, new: int) -> None:
    one = series(values, "lmp", step_s=old)
    count = len(values) * old // new
    if not count:
        return
    out = resample(one, new, DAY, count)
    if new <= old:
        np.testing.assert_array_equal(out.values, np.repeat(one.values, old // new))
    else:
        whole = one.values[: count * (new // old)].reshape(count, -1)
        np.testing.assert_allclose(out.values, whole.mean(axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(sum(out.parts), out.values, rtol=1e-9, atol=1e-9)


@given(positive.filter(lambda v: min(v) >= 1.0))
def test_interpolated_demand_is_continuous(values: list[float]) -> None:
    """Neighbouring minutes differ by at most six times the steepest straight line between hours."""
    out = resample(series(values), 60, DAY, 60 * len(values))
    steepest = np.abs(np.diff(values)).max()
    assert np.abs(np.diff(out.values)).max() <= 6 * max(steepest, 1e-6) / 60 + 1e-6


def test_constant_demand_stays_constant() -> None:
    out = resample(series([100.0] * 5), 300, DAY, 60)
    np.testing.assert_allclose(out.values, 100.0, rtol=1e-13)


def test_periods_that_do_not_nest() -> None:
    one = series([10.0, 20.0, 30.0, 40.0, 50.0, 60.0], "lmp", step_s=600)
    out = resample(one, 900, DAY, 4)
    np.testing.assert_allclose(out.values, [40 / 3, 80 / 3, 130 / 3, 170 / 3])


def test_the_same_period_is_passed_through() -> None:
    one = series([1.0, 2.0, 3.0], "lmp")
    out = resample(one, 3600, DAY + 3600, 2)
    np.testing.assert_array_equal(out.values, [2.0, 3.0])
    assert out.derived == ()


def test_daylight_saving_days_have_their_intervals() -> None:
    for day, count in ((date(2024, 3, 10), 276), (date(2024, 11, 3), 300)):
        start, hours = day_start(day), day_length(day) // 3600
        out = resample(series(list(range(hours)), "lmp", start=start), 300, start, count)
        np.testing.assert_array_equal(out.values[::12], np.arange(hours))


@pytest.mark.parametrize(
    ("period", "start", "count", "message"),
    [
        (0, DAY, 1, "period of 0 s"),
        (30, DAY, 1, "period of 30 s"),
        (420, DAY, 1, "period of 420 s"),
        (7200, DAY, 1, "period of 7200 s"),
        (300, DAY + 60, 1, "not a multiple of 300 s"),
        (300, DAY, 0, "0 intervals"),
        (300, DAY, 37, "no load of X for 2020-08-25 03:00"),
        (300, DAY - 300, 2, "no load of X for 2020-08-24 23:00"),
    ],
)
def test_what_cannot_be_resampled(period: int, start: int, count: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resample(series([1.0, 2.0, 3.0]), period, start, count)


def with_hole() -> Series:
    whole = series([float(at) for at in range(24)])
    keep = np.array([at not in (5, 6) for at in range(24)])
    start = whole.start[keep]
    gaps = find_gaps(start, 3600, DAY, DAY + 24 * 3600)
    return Series("load", "MW", "X", "1", "total", 3600, start, whole.values[keep], gaps=gaps)


def test_gaps_are_filled_only_on_request() -> None:
    hole = with_hole()
    assert (hole.missing, hole.gaps) == (2, ((DAY + 5 * 3600, DAY + 7 * 3600),))
    with pytest.raises(InputError, match="no load of X for 2020-08-25 05:00-04:00 to 2020-08-25 07:00-04:00"):
        resample(hole, 300, DAY, 288)
    assert len(resample(hole, 300, DAY + 7 * 3600, 12)) == 12
    with pytest.raises(InputError, match="gap of 120 min"):
        fill_gaps(hole)
    filled = fill_gaps(hole, 7200)
    np.testing.assert_allclose(filled.values, np.arange(24.0))
    assert filled.gaps == ()
    assert filled.derived == ("2 missing intervals filled with a straight line",)
    assert fill_gaps(filled) is filled


def test_a_price_gap_keeps_the_price_before() -> None:
    hole = with_hole()
    price = Series("lmp", "$/MWh", "X", "1", "real_time", 3600, hole.start, hole.values, gaps=hole.gaps)
    np.testing.assert_array_equal(fill_gaps(price, 7200).values[4:8], [4, 4, 4, 7])


def test_gaps_at_the_ends_stay() -> None:
    one = series([1.0, 2.0], start=DAY + 3600)
    gaps = find_gaps(one.start, 3600, DAY, DAY + 4 * 3600)
    assert gaps == ((DAY, DAY + 3600), (DAY + 3 * 3600, DAY + 4 * 3600))
    open_ended = Series("load", "MW", "X", "1", "total", 3600, one.start, one.values, gaps=gaps)
    assert fill_gaps(open_ended) is open_ended


def test_interpolation_uses_only_the_run_without_gaps() -> None:
    hole = with_hole()
    short = series(hole.values[5:].tolist(), start=int(hole.start[5]))
    np.testing.assert_array_equal(
        resample(hole, 300, DAY + 8 * 3600, 24).values, resample(short, 300, DAY + 8 * 3600, 24).values
    )


def test_scale_to_mean_is_recorded() -> None:
    price = read_series(
        DATA / "smd_hourly_NEMA_20200824-20200826.csv", location="NEMA", market="real_time", day="2020-08-25"
    )
    scaled = scale_to_mean(price, 26.7)
    assert scaled.values.mean() == pytest.approx(26.7, rel=1e-12)
    assert scaled.derived[-1] == "scaled by 0.972988 from mean 27.441 to mean 26.7 $/MWh"
    np.testing.assert_allclose(sum(scaled.parts), scaled.values, atol=0.015)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="cannot be scaled"):
            scale_to_mean(price, bad)
    with pytest.raises(InputError, match="mean 0"):
        scale_to_mean(series([1.0, -1.0], "lmp"), 5.0)


def test_demand_ratio_is_one_at_the_peak() -> None:
    day = resample(embedded("load"), 3600, DAY, 24)
    ratio = demand_ratio(day)
    assert ratio.unit == "pu"
    assert ratio.values.max() == 1.0
    assert ratio.values[16] == 1.0
    assert ratio.values.min() == pytest.approx(13102 / 21784)
    assert ratio.derived[-1] == "divided by the peak of 21784.000 MW at 2020-08-25 16:00-04:00"
    with pytest.raises(InputError, match="only demand"):
        demand_ratio(series([1.0], "lmp"))
    with pytest.raises(InputError, match="peak is 0 MW"):
        demand_ratio(series([0.0]))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_resampling_is_repeatable(seed: int) -> None:
    values = np.random.default_rng(seed).uniform(1, 2, 30).tolist()
    one, two = (resample(series(values), 300, DAY, 300) for _ in range(2))
    assert one.values.tobytes() == two.values.tobytes()


def test_counts_of_unusual_prices() -> None:
    one = series([-120.0, 0.0, 1000.0, 2400.0], "lmp")
    assert (one.negative, one.high) == (1, 1)
    assert series([5000.0]).high == 0
