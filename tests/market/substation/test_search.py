from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.substation.curve import HeadCurve
from dlmp_cosim.market.substation.limits import SharedLimit, excess
from dlmp_cosim.market.substation.rounds import AdderRound, Said, Tolerances

CLOSE = Tolerances(0.1, 1e-4)
LIMITS = (SharedLimit("import", 1000.0, 500.0), SharedLimit("export", -200.0, 500.0, above=False))


def feeder(base: float, steps: list[tuple[float, float, float]]) -> Callable[[float], float]:
    """Head power of a feeder whose resources answer from a price on, over a width, by so much."""

    def head(adder: float) -> float:
        given = sum(kw * float(np.clip((adder - price) / width, 0.0, 1.0)) for price, width, kw in steps)
        return base - given

    return head


def play(
    heads: list[Callable[[float], float]], start: float, exchanges: int, *, curve: bool = True
) -> tuple[float, int]:
    """Play a round; the adder found, and the exchanges it took."""
    found = AdderRound(LIMITS, start, CLOSE)
    ladder = start + np.array([-100.0, -10.0, 0.0, 10.0, 100.0])
    asked: tuple[float, ...] = ()
    for exchange in range(exchanges):
        said = [
            Said(
                head(start),
                {adder: head(adder) for adder in asked},
                HeadCurve(ladder, np.array([head(a) for a in ladder])) if curve else None,
            )
            for head in heads
        ]
        asked = found.hear(said, last=exchange == exchanges - 1)
        if not asked:
            return found.adder, exchange + 1
    raise AssertionError("a round ends with its last exchange")


THREE = [
    feeder(600.0, [(5.0, 20.0, 200.0), (40.0, 0.1, 150.0)]),
    feeder(500.0, [(12.0, 3.0, 80.0)]),
    feeder(200.0, [(-30.0, 60.0, 500.0)]),
]


def total(heads: list[Callable[[float], float]], adder: float) -> float:
    return sum(head(adder) for head in heads)


def test_without_a_limit_in_the_way_one_exchange_does() -> None:
    assert play([feeder(400.0, [(5.0, 1.0, 50.0)])], 0.0, 8) == (0.0, 1)


@pytest.mark.parametrize("curve", [True, False])
def test_finds_where_the_aggregate_meets_the_limit(curve: bool) -> None:
    heads = [feeder(700.0, [(5.0, 20.0, 200.0)]), feeder(500.0, [(12.0, 3.0, 80.0)])]
    adder, exchanges = play(heads, 0.0, 8, curve=curve)
    assert abs(total(heads, adder) - 1000.0) <= 0.1
    assert exchanges <= 5


def test_a_step_is_found_as_far_as_prices_tell() -> None:
    heads = [feeder(1200.0, [(40.0, 1e-3, 400.0)])]
    adder, exchanges = play(heads, 0.0, 12)
    assert 40.0 <= adder <= 40.0 + 1e-3
    assert exchanges <= 9


def test_an_adder_that_is_no_longer_needed_goes_to_nothing() -> None:
    heads = [feeder(900.0, [(5.0, 20.0, 200.0)])]
    assert play(heads, 37.0, 8) == (0.0, 2)


def test_feeding_back_too_much_has_a_negative_adder() -> None:
    heads = [feeder(100.0, [(-50.0, 40.0, 500.0)])]
    adder, _ = play(heads, 0.0, 8)
    assert adder < 0.0
    assert abs(total(heads, adder) + 200.0) <= 0.1


def test_from_too_little_to_too_much_it_crosses_nothing() -> None:
    heads = [feeder(100.0, [(-50.0, 40.0, 500.0)])]
    adder, _ = play(heads, 60.0, 8)
    assert abs(total(heads, adder) + 200.0) <= 0.1


def test_what_cannot_be_held_ends_at_the_cap() -> None:
    adder, exchanges = play([feeder(1500.0, [(5.0, 20.0, 100.0)])], 0.0, 8)
    assert adder == 500.0
    assert exchanges <= 6


def test_the_last_exchange_takes_the_best_there_is() -> None:
    heads = [feeder(700.0, [(5.0, 20.0, 200.0)]), feeder(500.0, [(12.0, 3.0, 80.0)])]
    adder, exchanges = play(heads, 0.0, 2)
    assert exchanges == 2
    assert adder > 0.0


@given(
    st.lists(st.tuples(st.floats(-60, 200), st.floats(0.05, 80), st.floats(1, 400)), min_size=1, max_size=8),
    st.floats(-500, 2500),
    st.floats(-100, 200),
)
def test_any_aggregate_is_held_or_capped(
    steps: list[tuple[float, float, float]], base: float, start: float
) -> None:
    heads = [feeder(base, steps)]
    adder, _ = play(heads, start, 40)
    beyond = excess(LIMITS, adder, total(heads, adder))
    steepest = sum(kw / width for _, width, kw in steps)
    held = abs(beyond) <= max(0.1, steepest * 2e-4)
    assert held or (adder == 500.0 and beyond > 0.0) or (adder == -500.0 and beyond < 0.0)
