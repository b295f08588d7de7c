"""Which steps an interval clears, and what is expected of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from dlmp_cosim.federates.study.outlook import Forecaster, horizon_spans, intervals_seen
from dlmp_cosim.federates.study.scenario import Scenario
from dlmp_cosim.federates.study.series import load_series
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.isone import read_series, resample
from dlmp_cosim.market.models import find_ahead
from dlmp_cosim.market.offers import WholesalePrice

FOLDER = Path(__file__).parents[3] / "configs" / "ieee123_battery"
HOURS = {"horizon": [{"minutes": 60}]}
NOW = WholesalePrice(20.0)


def study(**changes: dict[str, Any]) -> Study:
    """The battery's study, hours of one day, with tables of its scenario changed."""
    base = load_study(FOLDER)
    table = base.scenario.model_dump()
    for name, values in changes.items():
        table[name] |= values
    return Study(FOLDER, Scenario.model_validate(table))


def test_a_study_without_a_horizon_clears_the_interval_alone() -> None:
    assert [span.after for span in horizon_spans(load_study(FOLDER).scenario, 3)] == [4]


def test_hours_run_to_the_end_of_the_run() -> None:
    at = study(market=HOURS)
    assert [span.after for span in horizon_spans(at.scenario, 20)] == [21, 22, 23, 24]
    assert intervals_seen(at.scenario) == 24


def test_midnight_is_local_and_ends_the_horizon() -> None:
    at = study(market=HOURS | {"horizon_end": "midnight"}, time={"start": "2020-08-25T12:00:00"})
    assert len(horizon_spans(at.scenario, 0)) == 12
    assert len(horizon_spans(at.scenario, 13)) == 23


def test_perfect_foresight_is_what_comes() -> None:
    at = study(market=HOURS, forecast={"price": "perfect", "demand": "perfect"})
    ahead, came = Forecaster(at).outlook(at.network, 4, NOW, 0.6), load_series(at)
    assert ahead.steps[0].price is NOW
    np.testing.assert_allclose([step.price.lmp for step in ahead.steps[1:]], came.lmp[5:])
    expected = [at.network.listed_demand * ratio for ratio in came.demand_ratio[5:]]
    np.testing.assert_allclose([step.demand for step in ahead.steps[1:]], expected)


def test_persistence_is_what_is_now() -> None:
    at = study(market=HOURS, forecast={"price": "persistence", "demand": "persistence"})
    ahead = Forecaster(at).outlook(at.network, 4, NOW, 0.6)
    assert {step.price.lmp for step in ahead.steps} == {20.0}
    np.testing.assert_allclose([step.demand[0] for step in ahead.steps], 0.6 * at.network.listed_demand[0])


def test_the_day_ahead_market_is_another_forecast() -> None:
    at = study(market=HOURS)
    ahead = Forecaster(at).outlook(at.network, 0, NOW, 0.6)
    file = FOLDER.parent / "ieee123_day" / "data" / "smd_hourly_NEMA_20200824-20200826.csv"
    series = read_series([file], location=".Z.NEMASSBOST", market="day_ahead")
    published = resample(series, 3600, at.clock.start_utc, 24).values
    np.testing.assert_allclose([step.price.lmp for step in ahead.steps[1:]], published[1:])


def test_forecasts_are_scaled_as_prices_are() -> None:
    plain, scaled = (study(market=HOURS, wholesale={"scale_to_mean": mean}) for mean in (0.0, 60.0))
    ratio = load_series(scaled).lmp[3] / load_series(plain).lmp[3]
    prices = [Forecaster(at).outlook(at.network, 0, NOW, 0.6).steps[5].price.lmp for at in (plain, scaled)]
    assert prices[1] / prices[0] == pytest.approx(ratio)


def test_a_file_holds_from_row_to_row(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("minutes,value\n0,10\n120,50\n600,20\n")
    at = study(market=HOURS, forecast={"price": str(file)})
    ahead = Forecaster(at).outlook(at.network, 0, NOW, 0.6)
    assert [step.price.lmp for step in ahead.steps] == [20.0, 10.0, *[50.0] * 8, *[20.0] * 14]


def test_a_longer_step_expects_the_mean_of_its_intervals() -> None:
    horizon = {"horizon": [{"minutes": 60, "steps": 2}, {"minutes": 240}]}
    at = study(market=horizon, forecast={"price": "perfect"})
    ahead, came = Forecaster(at).outlook(at.network, 0, NOW, 0.6), load_series(at)
    assert ahead.steps[2].hours == 4.0
    assert ahead.steps[2].price.lmp == pytest.approx(came.lmp[2:6].mean())


def test_beyond_the_run_peak_and_scale_stay_those_of_the_run() -> None:
    counted = {"horizon": [{"minutes": 60, "steps": 24}], "horizon_end": "none"}
    at = study(market=counted, forecast={"demand": "perfect"})
    ahead = Forecaster(at).outlook(at.network, 23, NOW, 0.6)
    next_day = study(time={"start": "2020-08-26T00:00:00"})
    ours, theirs = ahead.steps[5].demand[0].real, load_series(next_day).demand_ratio[4]
    peaks = [load_series(s).demand_ratio.max() for s in (at, next_day)]
    assert peaks == pytest.approx([1.0, 1.0])
    assert ours / at.network.listed_demand[0].real < theirs


WRONG = {
    "beyond": (
        {"market": {"horizon": [{"minutes": 60, "steps": 90}], "horizon_end": "none"}},
        "market.horizon: the horizon reaches beyond the data",
    ),
    "name": ({"market": HOURS, "forecast": {"price": "perfct"}}, "did you mean 'perfect'?"),
    "table": ({"market": HOURS, "forecast": {"demand": "scenario.toml"}}, "is no table of values over time"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_expected_is_named_before_the_run(case: str) -> None:
    changes, says = WRONG[case]
    with pytest.raises(InputError) as caught:
        Forecaster(study(**changes))
    assert says in str(caught.value)


def test_a_table_of_minutes_has_to_begin_and_rise(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("minutes,value\n5,10\n3,50\n")
    with pytest.raises(InputError, match="does not begin at 0 minutes and rise"):
        Forecaster(study(market=HOURS, forecast={"price": str(file)}))


@pytest.mark.parametrize(
    ("horizon", "says"),
    [
        ([{"minutes": 90}], "steps of 90 min do not divide into intervals of 60 min"),
        ([{"minutes": 120}], "the first step is the interval; expected minutes = 60"),
        ([{"minutes": 60}, {"minutes": 120, "steps": 2}], "a table without steps that is not the last"),
    ],
)
def test_steps_that_do_not_fit_are_named(horizon: list[dict[str, int]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        study(market={"horizon": horizon})


def test_a_model_that_cannot_look_ahead_says_so() -> None:
    for name in ("branch_flow", "uniform", "none"):
        with pytest.raises(InputError, match="clears one interval at a time"):
            find_ahead(name, where="market.model")
    assert find_ahead("nodal", where="").__name__ == "HorizonMarket"
