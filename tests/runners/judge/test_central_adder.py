"""Which intervals of a substation are held against one program of all, and what of the run goes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlmp_cosim.market.ancillary.products import Need
from dlmp_cosim.runners.judge import central_adder as module
from dlmp_cosim.runners.judge.central_adder import RESTED_KW, AdderGap, adder_gaps
from tests.runners.judge.meeting import record, substation

DRAWN = [10.0, 20.0, 30.0, 40.0]
RESERVE = {"reserve": {"requirement_kw": 5.0, "minutes": 15.0, "cap": 300.0}}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the program of all feeders is asked: interval, adder, limits and what was held."""
    found: list[Any] = []

    def gap(interval: int, adder: float, limits: Any, feeders: Any, heads: Any, held: Any) -> AdderGap:
        assert set(feeders) == set(heads) == {"north", "south"}
        found.append((interval, adder, limits, held))
        return AdderGap(interval, adder, 0.0, 0.0, 0.0)

    monkeypatch.setattr(module, "_Recorded", lambda path: path)
    monkeypatch.setattr(module, "_gap", gap)
    return found


def run(
    adder: list[float], off: dict[str, list[float]] | None = None, records: Any = None, **more: Any
) -> Any:
    """A substation whose feeders draw what their markets expect, but for what is `off`."""
    values: dict[str, Any] = {"substation/adder": adder}
    for name in ("north", "south"):
        values[f"{name}/head_power_real"] = DRAWN
        values[f"{name}/predicted_head_power_real"] = np.add(DRAWN, (off or {}).get(name, [0.0] * 4))
    return substation(values | more.pop("values", {}), records, **more)


def held(*arguments: Any, every: int = 1, **more: Any) -> list[int]:
    return [item.interval for item in adder_gaps(run(*arguments, **more), every)]


@pytest.mark.parametrize(("every", "intervals"), [(1, [0, 1, 3]), (2, [0, 3]), (3, [0]), (99, [0])])
def test_every_nth_of_those_with_an_adder_is_held(every: int, intervals: list[int]) -> None:
    assert held([1.0, -2.0, 0.0, 3.0], every=every) == intervals


def test_without_an_adder_nothing_is() -> None:
    assert held([0.0] * 4) == []


@pytest.mark.parametrize(
    ("off", "intervals"),
    [
        ({"south": [0.0, RESTED_KW / 2, 0.0, 0.0]}, [0, 1, 2, 3]),
        ({"south": [0.0, 2 * RESTED_KW, 0.0, 0.0]}, [0, 2, 3]),
        ({"south": [0.0, -2 * RESTED_KW, 0.0, 0.0], "north": [1.0, 0.0, 0.0, 0.0]}, [2, 3]),
        ({"north": [np.nan, 0.0, 0.0, 0.0]}, [1, 2, 3]),
    ],
    ids=["within", "beyond", "both", "not known"],
)
def test_where_a_feeder_did_not_come_to_rest_nothing_is_held(off: Any, intervals: list[int]) -> None:
    assert held([1.0] * 4, off) == intervals


def test_where_a_head_was_open_nothing_is_held() -> None:
    records = [record(), record(open=["south"]), record(open=[]), record()]
    assert held([1.0] * 4, None, records) == [0, 2, 3]


SOLD = {"reserve/requirement": [0.0, 5.0, 5.0, 0.0], "reserve/price": [0.0, 2.0, 7.0, 0.0]}


def test_capacity_that_is_bought_counts_as_an_adder() -> None:
    assert held([0.0, 0.0, 0.0, 1.0], values=SOLD, ancillary=RESERVE) == [1, 2, 3]


def test_requirements_awards_and_prices_of_the_interval_go_in(asked: list[Any]) -> None:
    awards = {"north": {"dg": {"reserve": 5.0}}}
    records = [record(), record(ancillary={"awards": awards}), record(), record()]
    held([0.0] * 4, None, records, values=SOLD, ancillary=RESERVE)
    interval, _, _, first = asked[0]
    assert (interval, first.awards, first.prices, first.hours) == (1, awards, {"reserve": 2.0}, 0.25)
    assert [(need.product, need.kw, need.cap) for need in first.needs] == [("reserve", 5.0, 300.0)]
    assert asked[1][3].prices == {"reserve": 7.0}
    assert asked[1][3].awards == {}


def test_limits_are_those_on_record(asked: list[Any]) -> None:
    limit = {"cause": "import", "kw": 50.0, "cap": 1000.0, "above": True}
    held([0.0, 2.5, 0.0, 0.0], None, [record(), record(limits=[limit]), record(), record()])
    assert [(k, adder, limits) for k, adder, limits, _ in asked] == [(1, 2.5, [limit])]


def test_without_an_ancillary_market_nothing_is_needed(asked: list[Any]) -> None:
    held([1.0, 0.0, 0.0, 0.0])
    assert list(asked[0][3].needs) == []
    assert asked[0][3].cost({}) == 0.0


def test_capacity_that_was_missed_costs_its_cap() -> None:
    need = Need("reserve", 5.0, 15.0, 300.0)
    missed = module._Held([need], {}, {"reserve": 300.0}, 0.25)
    assert missed.cost({}) == pytest.approx(5.0 * 300.0 / 1e3)
