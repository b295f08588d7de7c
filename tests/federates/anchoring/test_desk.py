"""The ancillary desk: what it keeps account of, and what it calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.anchoring.desk import Desk, called_by, held_by
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.ancillary import AncillarySection, ProductSection, read_plan
from dlmp_cosim.market.ancillary.products import Awards, Capacity
from dlmp_cosim.market.ancillary.quotes import Seller

AWARDS: Awards = {"a": {"dg": {"reserve": 400.0}}, "b": {"dg": {"regulation_down": 200.0}}}
CLOCK = Clock(0, 300, 12)


def desk(**changes: float) -> Desk:
    product = ProductSection(requirement_kw=400.0, minutes=10.0)
    section = AncillarySection(
        reserve=product, regulation_down=product, **({"band_kw": 10.0, "gate_minutes": 30.0} | changes)
    )
    return Desk(read_plan(section, Path("scenario.toml"), CLOCK))


def play(
    found: Desk, expected: list[float], drawn: list[float], given: list[float] | None = None
) -> list[float]:
    """Play intervals; what is called of the reserve less what is called downwards in each."""
    calls = []
    for k, (markets, feeders) in enumerate(zip(expected, drawn, strict=True)):
        called = called_by(found.calls(k, AWARDS, markets))
        calls.append(sum(kw for feeder in called.values() for kw in feeder.values()))
        response = given[k] if given is not None else 0.0
        rows, _ = found.close(k, (feeders, markets), (AWARDS, {}), {}, {"a": {"dg": response}})
        assert rows["substation/schedule"] == expected[k - k % 6]
    return calls


def test_what_is_drawn_beyond_what_was_bought_is_called_an_interval_later() -> None:
    drawn = [1000.0, 1300.0, 1200.0, 700.0, 1005.0, 1000.0]
    assert play(desk(), [1000.0] * 6, drawn) == [0.0, 0.0, 300.0, 200.0, -200.0, 0.0]


def test_what_resources_give_does_not_hide_what_is_missing() -> None:
    drawn, given = [1000.0, 1300.0, 1150.0, 1000.0], [0.0, 0.0, 150.0, 300.0]
    assert play(desk(), [1000.0] * 4, drawn, given) == [0.0, 0.0, 300.0, 300.0]


def test_what_markets_learn_of_is_not_called_twice() -> None:
    """Markets buy for a generator that they know to be out: the schedule is that of the gate all the same."""
    drawn = [1000.0, 1700.0, 1700.0, 1700.0]
    assert play(desk(), [1000.0, 1000.0, 1700.0, 1700.0], drawn) == [0.0, 0.0, 400.0, 400.0]


def test_a_generator_that_is_back_ends_the_call_at_once() -> None:
    expected = [1000.0, 1000.0, 1300.0, 1005.0]
    assert play(desk(), expected, [1000.0, 1300.0, 1000.0, 1000.0], [0.0, 0.0, 300.0, 0.0])[3] == 0.0
    low = [1000.0, 1000.0, 800.0, 995.0]
    assert play(desk(), low, [1000.0, 800.0, 800.0, 1000.0]) == [0.0, 0.0, -200.0, 0.0]


def test_at_a_gate_it_is_bought_anew() -> None:
    drawn = [1300.0] * 8
    expected = [1000.0] * 6 + [1300.0] * 2
    assert play(desk(), expected, drawn)[5:] == [300.0, 0.0, 0.0]


def test_within_the_band_nothing_is_called() -> None:
    assert not any(play(desk(band_kw=50.0), [1000.0] * 3, [1049.0, 951.0, 1040.0]))


def test_room_is_kept_above_for_what_is_upwards_and_below_for_what_is_not() -> None:
    sellers = {name: [Seller("dg", 0.0, 0.0, -9e3, 9e3, 0.0, 0.0, Capacity())] for name in AWARDS}
    assert held_by(AWARDS, sellers, []) == {"a": {"dg": (400.0, 0.0)}, "b": {"dg": (0.0, 200.0)}}


def test_a_gate_is_a_whole_number_of_intervals() -> None:
    assert desk(gate_minutes=5.0).needs(0)[0].kw == 400.0
    plan = read_plan(AncillarySection(gate_minutes=60.0), Path("x.toml"), CLOCK)
    assert (plan.gate, plan.needs(3), plan.signal(3)) == (12, (), {})


def test_a_called_product_is_told_in_its_own_row() -> None:
    found = desk()
    play(found, [1000.0] * 2, [1000.0, 1200.0])
    found.calls(2, AWARDS, 1000.0)
    given = {"a": {"dg": 150.0}}
    rows, record = found.close(2, (1050.0, 1000.0), (AWARDS, {"reserve": 7.0}), {}, given)
    shown = {key: float(np.asarray(value)) for key, value in rows.items()}
    assert shown["reserve/called"] == pytest.approx(200.0)
    assert shown["reserve/delivered"] == pytest.approx(150.0)
    assert shown["reserve/price"] == 7.0
    assert shown["substation/deviation"] == pytest.approx(50.0)
    assert record["delivered"] == {"a": {"dg": {"reserve": 150.0}}}
