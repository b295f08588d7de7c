"""Designs: every combination for every draw, the same whatever is asked for first."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.runners.sweep.design import Design, quantile
from dlmp_cosim.runners.sweep.sweep_file import Axis, SweepFile


def design(*axes: dict[str, Any], **more: Any) -> Design:
    return Design(SweepFile.model_validate({"name": "s", "base": "b", "axis": list(axes), **more}))


LOAD = {"key": "feeder.load_scale", "uniform": [0.5, 1.5]}
SEED = {"key": "study.seed", "values": [1, 2, 3]}
MARKET = {"name": "market", "cases": [{"name": "a", "market": {"model": "none"}}, {"name": "b"}]}


def values(found: Design) -> list[dict[str, Any]]:
    return [dict(found.sample(k).values) for k in range(len(found))]


def test_every_combination_meets_every_draw() -> None:
    found = design(LOAD, SEED, MARKET, draws=4)
    rows = values(found)
    assert len(rows) == 4 * 3 * 2
    assert found.combinations == 6
    for draw in range(4):
        block = rows[6 * draw : 6 * draw + 6]
        assert len({row["feeder.load_scale"] for row in block}) == 1
        assert {(row["study.seed"], row["market"]) for row in block} == {
            (s, m) for s in (1, 2, 3) for m in "ab"
        }


def test_lists_go_side_by_side() -> None:
    other = {"key": "time.intervals", "values": [4, 5, 6]}
    rows = values(design(SEED, other, combine="list"))
    assert [tuple(row.values()) for row in rows] == [(1, 4), (2, 5), (3, 6)]


def test_more_random_draws_continue_those_there_are() -> None:
    few, many = design(LOAD, SEED, draws=3), design(LOAD, SEED, draws=30)
    assert values(many)[: len(few)] == values(few)
    drawn = [row["feeder.load_scale"] for row in values(design(LOAD, draws=400))]
    assert np.mean(drawn) == pytest.approx(1.0, abs=0.05)
    assert len(set(drawn)) == 400


def test_another_seed_draws_otherwise() -> None:
    assert values(design(LOAD, seed=1)) != values(design(LOAD, seed=2))


@given(st.integers(1, 40), st.integers(-5, 5))
def test_a_latin_hypercube_has_one_draw_in_each_part(draws: int, seed: int) -> None:
    found = design(LOAD, {"key": "market.tolerance", "uniform": [0, 1]}, draws=draws, seed=seed,
                   sampling="latin_hypercube")  # fmt: skip
    for label, low in (("feeder.load_scale", 0.5), ("market.tolerance", 0.0)):
        parts = sorted(int((row[label] - low) * draws) for row in values(found))
        assert parts == list(range(draws))


@given(st.floats(0, 1, exclude_max=True))
def test_distributions_stay_where_they_belong(share: float) -> None:
    def at(**source: Any) -> Any:
        return quantile(Axis.model_validate({"key": "a.b", **source}), share)

    assert 2 <= at(uniform=[2, 3]) <= 3
    assert 0.1 <= at(log_uniform=[0.1, 10]) <= 10.0000001
    assert at(integers=[4, 6]) in (4, 5, 6)
    assert at(choice=["x", "y"]) in ("x", "y")
    assert np.isfinite(at(normal=[1, 0.1]))


def test_the_normal_distribution_has_its_quantiles() -> None:
    axis = Axis.model_validate({"key": "a.b", "normal": [10.0, 2.0]})
    assert quantile(axis, 0.5) == 10.0
    assert quantile(axis, 0.8413447460685429) == pytest.approx(12.0)


def test_days_start_at_midnight_and_stay_days_in_the_table() -> None:
    found = design({"key": "time.start", "dates": {"first": date(2020, 8, 1), "last": date(2020, 8, 3)}})
    assert [row["time.start"] for row in values(found)] == [date(2020, 8, k) for k in (1, 2, 3)]
    assert found.sample(1).changes[0].keys == {"time.start": datetime(2020, 8, 2)}


def test_an_axis_that_draws_for_each_row_has_no_value_of_its_own() -> None:
    found = design({"key": "assets.cost_linear", "how": "scale", "uniform": [0, 1], "each": True}, draws=2)
    assert values(found) == [{}, {}]
    assert found.sample(0).changes[0].seed != found.sample(1).changes[0].seed
