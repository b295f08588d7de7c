"""CO2 of a run and the answer of its LMP, worked out on paper."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dlmp_cosim.runners.judge.outside import over, read_answer, read_emissions
from tests.handmade import chain, generator, load
from tests.runners.told import ToldResults

NETWORK = chain("a", "b", loads=[load("x", "b")], resources=[generator("g", "b"), generator("sun", "b")])
HEAD = [[40.0, 40.0, 20.0], [-30.0, 20.0, 0.0]]
"""100 kW drawn, then 10 kW given back; half an hour each."""


def run(**changes: Any) -> Any:
    values = {
        "wholesale/emission_rate": [400.0, 300.0],
        "feeder/head_power_real": HEAD,
        "feeder/injection_real": [[20.0, 5.0], [10.0, 8.0]],
    }
    return ToldResults(
        NETWORK, values | changes, scenario={"emissions": {"own": {"g": 700.0}, "price": 50.0}}
    )


def test_what_is_given_back_counts_against_what_is_drawn() -> None:
    found = read_emissions(run(), 40.0)
    assert found is not None
    bought = (100.0 * 400.0 - 10.0 * 300.0) * 0.5 / 1e3
    own = (20.0 + 10.0) * 700.0 * 0.5 / 1e3
    assert found.wholesale_t == pytest.approx(bought / 1e3)
    assert found.own_t == pytest.approx(own / 1e3)
    assert found.total_t == pytest.approx((bought + own) / 1e3)
    assert found.intensity_kg_per_mwh == pytest.approx((bought + own) / 0.04)
    assert found.price_usd_per_t == 50.0
    assert found.cost_usd == pytest.approx((bought + own) / 1e3 * 50.0)


def test_where_nothing_was_served_there_is_no_intensity() -> None:
    found = read_emissions(run(), 0.0)
    assert found is not None
    assert math.isnan(found.intensity_kg_per_mwh)


def test_without_a_rate_nothing_is_known() -> None:
    assert read_emissions(ToldResults(NETWORK, {"feeder/head_power_real": HEAD}), 1.0) is None  # type: ignore[arg-type]


def test_the_answer_is_held_against_its_curve() -> None:
    """A rise of 5 $/MWh for each MW: 0.5 at 100 kW; the market expected 120 kW and the physics drew 100."""
    values = {
        "wholesale/lmp_answer": [0.6, 0.1],
        "market/predicted_head_power_real": [[60.0, 60.0, 0.0], [0.0, 20.0, 0.0]],
        "feeder/head_power_real": HEAD,
    }
    told: Any = ToldResults(NETWORK, values, source={"supply": {"kw": [0.0, 1000.0], "rise": [0.0, 5.0]}})
    found = read_answer(told)
    assert found is not None
    assert (found.rise_mean, found.rise_max) == pytest.approx((0.35, 0.6))
    assert found.gap_cleared == pytest.approx(0.0, abs=1e-12)
    assert found.gap_realised == pytest.approx(0.15)


def test_a_price_that_was_given_answers_nothing() -> None:
    assert read_answer(run()) is None


@pytest.mark.parametrize(
    ("part", "whole", "ratio"),
    [(1.0, 4.0, 0.25), (0.0, 4.0, 0.0), (1.0, 0.0, math.nan), (1.0, -4.0, math.nan)],
)
def test_nothing_is_divided_by_nothing(part: float, whole: float, ratio: float) -> None:
    assert over(part, whole) == pytest.approx(ratio, nan_ok=True)
