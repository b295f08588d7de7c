"""How far a negotiation is from its reference, on clearings and answers that are told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge import gaps as module
from dlmp_cosim.runners.judge.gaps import (
    COST_GAP,
    EXACT_PU,
    PRICE_GAP,
    Gaps,
    gather,
    negotiated,
    verify_model,
)


def ours(cost: float = 100.0, price: float = 40.0, kw: float = 5.0, **more: Any) -> Any:
    prices = SimpleNamespace(real=np.array([price, price]))
    told = {"rounds": 10, "limits": (), "status": "solved"} | more
    return SimpleNamespace(cost=cost, prices=prices, dispatch=np.array([kw + 0j]), **told)


def theirs(cost: float = 100.0, price: float = 40.0, kw: float = 5.0, slack: float = 0.0) -> Any:
    return SimpleNamespace(
        cost=cost, price_real=np.array([price, 40.0]), award=np.array([kw + 1j]), slack=slack
    )


def test_equal_answers_leave_no_gap() -> None:
    found = gather([(ours(), theirs()), (ours(), theirs())], [10])
    assert (found.cost_gap_max, found.dlmp_gap_max, found.dispatch_gap_max_kw) == (0.0, 0.0, 0.0)
    assert found.passed


@pytest.mark.parametrize(
    ("cost", "reference", "gap"),
    [(101.0, 100.0, 0.01), (99.0, 100.0, 0.01), (-101.0, -100.0, 0.01), (0.5, 0.0, 0.5), (0.2, 0.1, 0.1)],
)
def test_costs_differ_by_a_share_of_the_reference_or_of_a_dollar(
    cost: float, reference: float, gap: float
) -> None:
    assert gather([(ours(cost), theirs(reference))], []).cost_gap_max == pytest.approx(gap)


def test_prices_and_awards_differ_by_their_largest_difference() -> None:
    found = gather([(ours(price=41.0, kw=5.0), theirs(kw=8.0)), (ours(), theirs(price=37.5))], [])
    assert (found.dlmp_gap_max, found.dispatch_gap_max_kw) == (2.5, 3.0)


def test_a_feeder_without_resources_has_no_difference_of_awards() -> None:
    none = np.zeros(0, dtype=complex)
    pair = (
        SimpleNamespace(**vars(ours()) | {"dispatch": none}),
        SimpleNamespace(**vars(theirs()) | {"award": none}),
    )
    assert gather([pair], []).dispatch_gap_max_kw == 0.0  # type: ignore[list-item]


def test_intervals_whose_relaxation_is_not_exact_are_counted_apart() -> None:
    loose = theirs(50.0, 0.0, 99.0, slack=2 * EXACT_PU)
    found = gather([(ours(), theirs()), (ours(), loose)], [])
    assert (found.intervals, found.inexact, found.exactness_gap_max) == (2, 1, 2 * EXACT_PU)
    assert (found.cost_gap_max, found.dlmp_gap_max) == (0.0, 0.0)
    assert found.inexact_cost_gap_max == pytest.approx(1.0)
    assert found.passed


def test_a_slack_that_just_counts_as_exact() -> None:
    assert gather([(ours(), theirs(slack=EXACT_PU))], []).inexact == 0


@pytest.mark.parametrize(
    ("rounds", "median", "most"),
    [([9], 0.0, 0), ([9, 4], 4.0, 4), ([9, 4, 8], 6.0, 8), ([1, 4, 8, 5], 5.0, 8)],
)
def test_the_first_clearing_is_cold_and_counts_for_no_warm_one(
    rounds: list[int], median: float, most: int
) -> None:
    found = gather([(ours(rounds=k), theirs()) for k in rounds], [50, 70])
    assert (found.rounds_warm_median, found.rounds_warm_max, found.rounds_cold) == (median, most, 70)


def test_rounds_are_told_apart_where_a_limit_has_a_price() -> None:
    limits = ("voltage",)
    rows = [
        ours(rounds=99, limits=limits),
        ours(rounds=2),
        ours(rounds=8, limits=limits),
        ours(rounds=6, limits=limits),
    ]
    found = gather([(row, theirs()) for row in rows], [])
    assert (found.binding, found.rounds_binding_median) == (2, 7.0)


def test_a_day_of_no_intervals_has_no_gaps() -> None:
    found = gather([], [])
    assert (found.intervals, found.cost_gap_max, found.rounds_warm_max, found.rounds_cold) == (0, 0.0, 0, 0)


FINE = gather([(ours(), theirs())], [])


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({}, True),
        ({"cost_gap_max": COST_GAP, "dlmp_gap_max": PRICE_GAP}, True),
        ({"cost_gap_max": 1.01 * COST_GAP}, False),
        ({"dlmp_gap_max": 1.01 * PRICE_GAP}, False),
        ({"not_converged": 1}, False),
        ({"cost_gap_max": float("nan")}, False),
        ({"inexact": 5, "inexact_cost_gap_max": 9.0}, True),
        ({"dispatch_gap_max_kw": 100.0}, True),
    ],
)
def test_cost_prices_and_convergence_decide(changes: dict[str, Any], passed: bool) -> None:
    """A flat optimum may be dispatched in many ways."""
    found: Gaps = replace(FINE, **changes)
    assert found.passed is passed


@pytest.mark.parametrize("status", ["not_converged", "failed"])
def test_a_clearing_that_did_not_converge_is_counted(status: str) -> None:
    assert gather([(ours(status=status), theirs()), (ours(), theirs())], []).not_converged == 1


@pytest.mark.parametrize(("method", "used"), [("central", "interior-point"), ("pac", "pac")])
def test_what_clears_centrally_is_made_to_negotiate(method: Any, used: str) -> None:
    assert negotiated(MarketSettings(method=method)).method == used


class Bar:
    """A progress bar that counts."""

    def __init__(self) -> None:
        self.total, self.done = 0, 0

    def add_task(self, name: str, total: int) -> str:
        self.total = total
        return name

    def advance(self, _: str) -> None:
        self.done += 1


@pytest.mark.parametrize(
    ("every", "cold_every", "cleared", "cold"), [(1, 3, 6, 2), (2, 4, 3, 2), (5, 1, 2, 2)]
)
def test_a_day_is_cleared_warm_and_now_and_then_cold(
    monkeypatch: pytest.MonkeyPatch, every: int, cold_every: int, cleared: int, cold: int
) -> None:
    made: list[list[int]] = []

    class Market:
        def __init__(self) -> None:
            self.seen: list[int] = []
            made.append(self.seen)

        def clear(self, state: int, *_: Any) -> Any:
            self.seen.append(state)
            return ours(rounds=len(self.seen))

    def forecasts(dispatches: list[Any], step: int) -> Any:
        for k in range(0, 6, step):
            assert len(dispatches) == (0 if k == 0 else 1), "of the interval before"
            yield SimpleNamespace(interval=k, demand=None, offers=None, price=None), k

    monkeypatch.setattr(module, "make_market", lambda *_: Market())
    monkeypatch.setattr(module, "make_reference", lambda *_: SimpleNamespace(answer=lambda *_: theirs()))
    day: Any = SimpleNamespace(network=None, intervals=6, forecasts=forecasts)
    bar: Any = Bar()
    found = verify_model(day, MarketSettings(), every, cold_every, bar)
    assert (found.intervals, bar.total, bar.done) == (cleared, cleared, cleared)
    assert made[0] == list(range(0, 6, every)), "one market goes through the day"
    assert len(made) - 1 == cold
