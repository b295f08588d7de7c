"""Clearings at ever tighter tolerances, on markets that are told: which level counts, and where to stop."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.gaps import COST_GAP, EXACT_PU, PRICE_GAP
from dlmp_cosim.runners.measure import tolerances as module
from dlmp_cosim.runners.measure.tolerances import (
    STAYS,
    TOLERANCES,
    Choice,
    Level,
    Sample,
    cold_levels,
    rounds_to_pass,
    take_samples,
    warm_levels,
)


def level(rounds: int = 10, cost: float = 0.0, price: float = 0.0, *, converged: bool = True) -> Level:
    return Level(0.1, rounds, 6, 30, cost, price, converged)


NEAR, FAR = level(), level(cost=1.0)


@pytest.mark.parametrize(
    ("found", "near", "passes"),
    [
        (level(), True, True),
        (level(cost=COST_GAP, price=PRICE_GAP), True, True),
        (level(cost=1.01 * COST_GAP), False, False),
        (level(price=1.01 * PRICE_GAP), False, False),
        (level(cost=math.nan), False, False),
        (level(cost=math.inf, price=math.inf), False, False),
        (level(converged=False), True, False),
    ],
)
def test_a_level_passes_near_the_optimum_when_agents_knew_when_to_stop(
    found: Level, near: bool, passes: bool
) -> None:
    assert (found.near, found.passes) == (near, passes)


@pytest.mark.parametrize(
    ("levels", "rounds"),
    [
        ([], None),
        ([FAR], None),
        ([level(7)], 7),
        ([FAR, level(7), level(9)], 7),
        ([level(3), FAR, level(9)], 9),
        ([level(3), level(9), FAR], None),
        ([level(3, converged=False), level(9)], 9),
        ([level(3), level(99, converged=False)], 3),
        ([level(3, converged=False)], None),
    ],
)
def test_the_loosest_level_from_which_on_all_are_near_counts(levels: list[Level], rounds: int | None) -> None:
    assert rounds_to_pass(levels) == rounds


@given(st.lists(st.booleans(), max_size=12))
def test_whatever_came_before_the_last_miss_does_not_count(near: list[bool]) -> None:
    levels = [level(k, cost=0.0 if ok else 1.0) for k, ok in enumerate(near)]
    last = max((k for k, ok in enumerate(near) if not ok), default=-1)
    assert rounds_to_pass(levels) == (last + 1 if last + 1 < len(near) else None)


def test_tolerances_tighten() -> None:
    assert sorted(TOLERANCES, reverse=True) == list(TOLERANCES)
    assert len(set(TOLERANCES)) == len(TOLERANCES)


class Market:
    """A market that is nearer to the optimum the tighter its tolerance; `script` says how near, by level."""

    made: list[Market]

    def __init__(self, settings: MarketSettings) -> None:
        self.settings, self.tuning = settings, None
        self.warmth: str | None = None
        self.seen: list[str] = []
        Market.made.append(self)

    def clear(self, state: str, *_: Any) -> Any:
        self.seen.append(state)
        entry = script[self.settings.tolerance] if state == "now" else level()
        self.warmth = f"after {state}"
        if entry is None:
            raise ClearingError("no way")
        prices = SimpleNamespace(real=np.array([40.0 + entry.price]))
        status = "solved" if entry.converged else "not_converged"
        return SimpleNamespace(
            cost=100.0 * (1 + entry.cost),
            prices=prices,
            rounds=entry.rounds,
            messages=6,
            scalars=30,
            status=status,
        )


script: dict[float, Level | None] = {}
ANSWER: Any = SimpleNamespace(cost=100.0, price_real=np.array([40.0]), slack=0.0)


@pytest.fixture(autouse=True)
def market(monkeypatch: pytest.MonkeyPatch) -> None:
    Market.made = []
    script.clear()
    script.update(dict.fromkeys(TOLERANCES, level()))
    monkeypatch.setattr(module, "make_market", lambda _, settings: Market(settings))


def sample(rounds: int = 1000) -> Sample:
    case: Any = SimpleNamespace(demand=None, offers=None, price=None)
    settings = MarketSettings(negotiation_rounds=rounds)
    return Sample(None, settings, case, "now", case, "before", ANSWER)  # type: ignore[arg-type]


def test_it_stops_once_enough_levels_in_a_row_pass() -> None:
    found = cold_levels(sample(), Choice("g", "c"))
    assert [item.tolerance for item in found] == list(TOLERANCES[:STAYS])


def test_one_miss_begins_the_count_anew() -> None:
    script[TOLERANCES[1]] = level(cost=1.0)
    assert len(cold_levels(sample(), Choice("g", "c"))) == 2 + STAYS


def test_all_levels_are_tried_where_that_is_asked_for() -> None:
    assert len(cold_levels(sample(), Choice("g", "c"), stop=False)) == len(TOLERANCES)


@pytest.mark.parametrize(("rounds", "levels"), [(499, STAYS + 1), (500, 1), (1000, 1)])
def test_a_budget_that_is_half_spent_without_agreement_ends_it(rounds: int, levels: int) -> None:
    script[TOLERANCES[0]] = level(rounds, converged=False)
    assert len(cold_levels(sample(), Choice("g", "c"))) == levels


def test_a_market_that_cannot_clear_has_spent_its_budget() -> None:
    script[TOLERANCES[0]] = None
    (found,) = cold_levels(sample(), Choice("g", "c"))
    assert (found.rounds, found.messages, found.converged) == (1000, 0, False)
    assert (found.cost, found.price) == (math.inf, math.inf)


def test_a_level_says_how_far_cost_and_price_are_off() -> None:
    script[TOLERANCES[0]] = level(7, cost=-0.02, price=-1.5)
    first = cold_levels(sample(), Choice("g", "c"))[0]
    assert (first.rounds, first.messages, first.scalars) == (7, 6, 30)
    assert (first.cost, first.price) == pytest.approx((0.02, 1.5))


def test_a_cold_clearing_begins_with_nothing() -> None:
    cold_levels(sample(), Choice("g", "c"))
    assert [made.seen for made in Market.made] == [["now"]] * STAYS


def test_a_warm_one_begins_where_the_interval_before_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    warmths: list[Any] = []

    class Noting(Market):
        def clear(self, state: str, *args: Any) -> Any:
            warmths.append(self.warmth)
            return super().clear(state, *args)

    monkeypatch.setattr(module, "make_market", lambda _, settings: Noting(settings))
    warm_levels(sample(), Choice("g", "c"))
    assert warmths == [None, *["after before"] * STAYS]


def test_a_choice_changes_what_it_names_and_nothing_else() -> None:
    choice = Choice("agents", "8", settings=(("agents", 8), ("method", "pac")))
    made: Any = choice.market(sample(), 1e-3)
    assert made.settings == MarketSettings(agents=8, method="pac", tolerance=1e-3, negotiation_rounds=1000)
    assert made.tuning is choice.tuning


def day(binding: list[bool], slack: list[float], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A day whose intervals have limits or none, and references that are exact or not."""

    class Told:
        def clear(self, state: int, *_: Any) -> Any:
            return SimpleNamespace(dispatch=state, limits=("x",) if binding[state] else ())

    def forecasts(_: list[Any]) -> Any:
        for k in range(len(binding)):
            yield SimpleNamespace(demand=None, offers=None, price=None, interval=k), k

    answers = SimpleNamespace(answer=lambda state, *_: SimpleNamespace(slack=slack[state]))
    monkeypatch.setattr(module, "make_market", lambda *_: Told())
    monkeypatch.setattr(module, "make_reference", lambda *_: answers)
    return SimpleNamespace(network=None, forecasts=forecasts)


@pytest.mark.parametrize(
    ("count", "binding", "taken"),
    [
        (1, False, [1]),
        (2, False, [1, 5]),
        (3, False, [1, 3, 5]),
        (99, False, [1, 2, 3, 4, 5]),
        (2, True, [2, 5]),
        (9, True, [2, 4, 5]),
    ],
)
def test_samples_are_spread_over_the_day_each_with_the_interval_before(
    monkeypatch: pytest.MonkeyPatch, count: int, binding: bool, taken: list[int]
) -> None:
    limits = [True, False, True, False, True, True]
    found = take_samples(day(limits, [0.0] * 6, monkeypatch), MarketSettings(), count, binding=binding)
    assert [one.case.interval for one in found] == taken
    assert [one.before.interval for one in found] == [k - 1 for k in taken]


def test_an_interval_without_an_exact_reference_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = day([True] * 3, [0.0, 2 * EXACT_PU, EXACT_PU], monkeypatch)
    assert [one.case.interval for one in take_samples(made, MarketSettings(), 9)] == [2]


@pytest.mark.parametrize("intervals", [1, 3])
def test_a_day_on_which_nothing_binds_has_no_samples(monkeypatch: pytest.MonkeyPatch, intervals: int) -> None:
    made = day([False] * intervals, [0.0] * intervals, monkeypatch)
    assert take_samples(made, MarketSettings(), 9, binding=True) == []
