"""What one run comes to, a column each, on a run that fits on paper."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.runners.sweep import measures as module
from dlmp_cosim.runners.sweep.measures import MEASURES, OF_PERFORMANCE, OF_RUN, measure_run
from tests.runners.judge.paper import FINE, NO_OFFERS, paper_run
from tests.runners.performances import FULL, PLAIN

LOW = {"kind": "voltage_low", "where": "b.1", "value": 0.93, "limit": 0.95, "priced": False}
HOT = {"kind": "rating", "where": "line.a_b:1.2", "value": 130.0, "limit": 100.0, "priced": True}
AUDIT: dict[str, Any] = {
    "audit/settled": [1.0, 0.0],
    "audit/rounds": [2.0, 4.0],
    "audit/trial_voltage_error": [1e-5, math.nan],
    "audit/trial_head_error": [0.1, -0.3],
    "audit/violations": [0.0, 2.0],
    "audit/violations_unpriced": [0.0, 1.0],
}


def study(*resources: str) -> Any:
    """A study as far as its asset table is asked for."""
    terms = [SimpleNamespace(resource=name, cost_linear=20.0, cost_quadratic=0.5) for name in resources]
    return SimpleNamespace(terms=terms)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Measure the run, whose metrics are made up and whose cost is 77 $."""

    def measure(
        *violations: dict[str, Any],
        resources: tuple[str, ...] = ("g", "shed"),
        found: Any = PLAIN,
        **more: Any,
    ) -> dict[str, Any]:
        monkeypatch.setattr(module, "performance", lambda _run, _account: found)
        monkeypatch.setattr(module, "realised_cost", lambda _run, _study: 77.0)
        records = [FINE, FINE | {"violations": list(violations)}]
        texts: dict[str, Any] = {"audit/verdict": records, "market/clearing": [{}, {}]}
        run = paper_run(AUDIT, texts | {"assets/offer": NO_OFFERS}, **more)
        return measure_run(run, study(*resources))

    return measure


def test_every_column_has_a_value_in_order(measured: Any) -> None:
    assert list(measured()) == [column.name for column in MEASURES]


def test_columns_have_names_of_their_own_and_a_meaning() -> None:
    names = [column.name for column in MEASURES]
    assert len(set(names)) == len(names) == len(OF_RUN) + len(OF_PERFORMANCE)
    assert all(column.meaning for column in MEASURES)


def test_kinds_are_those_of_the_values(measured: Any) -> None:
    row, kinds = measured(), {"text": str, "integer": int, "number": float}
    for column in OF_RUN:
        assert isinstance(row[column.name], kinds[column.kind]), column.name


def test_money_is_that_of_the_ledger(measured: Any) -> None:
    row = measured()
    assert row["load_payment"] == pytest.approx(1.2816)
    assert row["generation_payment"] == pytest.approx(0.18)
    assert row["flexible_payment"] == pytest.approx(0.1824)
    assert row["wholesale_payment"] == pytest.approx(0.99)
    assert row["net_revenue"] == pytest.approx(1.2816 - 0.18 - 0.1824 - 0.99)
    assert row["imbalance"] == pytest.approx(0.0, abs=1e-12)


def test_energy_is_that_of_the_summary(measured: Any) -> None:
    row = measured()
    names = ("wholesale", "generation", "curtailed", "served", "losses")
    assert [row[f"{name}_energy"] for name in names] == pytest.approx([24.0, 5.0, 3.0, 27.0, 2.0])


def test_what_was_broken_is_told_by_kind(measured: Any) -> None:
    row = measured(LOW, HOT)
    assert row["verdict"] == "violated"
    assert row["violated_time"] == 30.0, "minutes, however many limits"
    assert row["voltage_excess"] == pytest.approx(0.02)
    assert row["rating_excess"] == pytest.approx(0.3)
    assert (row["violations"], row["violations_unpriced"]) == (2, 1)


@pytest.mark.parametrize(
    ("violation", "voltage", "rating"), [(LOW, 0.02, 0.0), (HOT, 0.0, 0.3), (None, 0.0, 0.0)]
)
def test_a_kind_that_holds_has_no_excess(
    measured: Any, violation: Any, voltage: float, rating: float
) -> None:
    row = measured(*([violation] if violation else []))
    assert (row["voltage_excess"], row["rating_excess"]) == pytest.approx((voltage, rating))


def test_a_run_cut_short_may_be_violated_and_is_not_feasible(measured: Any) -> None:
    assert measured(expected=3)["verdict"] == "unknown"
    assert measured(LOW, expected=3)["verdict"] == "violated"


@pytest.mark.parametrize(("resources", "cost"), [(("g", "shed", "more"), 77.0), (("g",), None), ((), None)])
def test_costs_are_known_where_the_asset_table_states_all(
    measured: Any, resources: tuple[str, ...], cost: float | None
) -> None:
    assert measured(resources=resources)["cost"] == cost


def test_a_part_that_a_run_does_not_have_is_empty(measured: Any) -> None:
    assert measured()["co2"] is None
    assert measured(found=FULL)["co2"] == 23.625


def test_metrics_stand_under_their_names(measured: Any) -> None:
    row = measured()
    assert (row["peak"], row["export_peak"], row["load_factor"]) == (3210.4, 12.6, 0.8125)
    assert (row["tap_steps"], row["priced_time"], row["penalty_time"]) == (17.0, 3.25, 0.25)


def test_what_is_no_number_is_empty(measured: Any) -> None:
    still = replace(PLAIN, peak=replace(PLAIN.peak, load_factor=math.nan))
    assert measured(found=still)["load_factor"] is None


def test_errors_of_intervals_without_a_market_do_not_count(measured: Any) -> None:
    row = measured()
    assert (row["voltage_error"], row["head_error"]) == (1e-5, 0.3)
    assert np.isclose(row["rounds_mean"], 3.0)
