"""Tables of a scenario: no key but those listed, no number that is none, nothing changed afterwards."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from dlmp_cosim.federates.study.performance_sections import EmissionsSection, GroupSection
from dlmp_cosim.federates.study.section import NotNegative, Positive, Section
from dlmp_cosim.federates.study.series_sections import FORECASTS, ForecastSection, ProfileSection


class Table(Section):
    size: Positive = 1.0
    least: NotNegative = 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 0.0},
        {"size": -1.0},
        {"size": math.nan},
        {"size": math.inf},
        {"least": -1e-9},
        {"least": math.nan},
        {"least": math.inf},
        {"size": "big"},
        {"size": None},
        {"sise": 1.0},
    ],
    ids=repr,
)
def test_what_is_no_such_number_or_key_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Table(**changes)


def test_the_least_that_may_be() -> None:
    found = Table(size=5e-324, least=0.0)
    assert (found.size, found.least) == (5e-324, 0.0)


def test_nothing_is_changed_after_reading() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Table().size = 2.0


@pytest.mark.parametrize(
    ("kind", "table", "said"),
    [
        (EmissionsSection, {"rate": 1.0, "rates": "r.csv"}, "both rate and rates are given"),
        (EmissionsSection, {"own": {"dg": -1.0}}, "greater than or equal to 0"),
        (EmissionsSection, {"price": -40.0}, "greater than or equal to 0"),
        (GroupSection, {"name": "a b", "loads": ["x"]}, "should match pattern"),
        (GroupSection, {"name": "a", "loads": []}, "at least 1 item"),
        (GroupSection, {"name": "a", "loads": ["x"], "customers": 0}, "greater than or equal to 1"),
        (GroupSection, {"name": "a", "loads": ["x"], "income": 0.0}, "greater than 0"),
        (ProfileSection, {"name": "a", "loads": ["x"], "file": ""}, "at least 1 character"),
        (ProfileSection, {"name": "a", "loads": [], "file": "f"}, "at least 1 item"),
        (ProfileSection, {"name": "a/b", "loads": ["x"], "file": "f"}, "should match pattern"),
    ],
)
def test_what_cannot_be_meant_is_refused(kind: type[Section], table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        kind.model_validate(table)


@pytest.mark.parametrize(
    ("table", "known"),
    [({}, False), ({"price": 40.0}, False), ({"rate": 300.0}, True), ({"rates": "r.csv"}, True)],
)
def test_a_rate_is_known_where_it_is_stated(table: dict[str, Any], known: bool) -> None:
    assert EmissionsSection.model_validate(table).known == known


def test_forecasts_are_those_that_have_a_name() -> None:
    usual = ForecastSection()
    assert {usual.price, usual.demand, usual.pv} <= set(FORECASTS)
    assert ForecastSection(price="mine.csv").price == "mine.csv"


def test_a_group_is_one_customer_without_income_unless_it_says_so() -> None:
    found = GroupSection(name="homes", loads=["x"])
    assert (found.customers, found.income) == (1, None)
