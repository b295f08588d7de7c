"""What a clearing's sensitivities say of the head, against clearings at other prices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlmp_cosim.federates.study.study import load_study
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.substation.curve import LADDER, flexibility, head_curve
from dlmp_cosim.runners.judge.walk import Case, Day

VILLAGE = Path(__file__).parents[3] / "configs" / "substation_day" / "village"


@pytest.fixture(scope="module")
def day() -> Day:
    return Day(load_study(VILLAGE))


def case_of(day: Day) -> Case:
    return day.case(100)


@pytest.mark.parametrize("adder", [0.0, 25.0])
def test_the_curve_falls_and_meets_the_clearing(day: Day, adder: float) -> None:
    case = case_of(day)
    nothing = np.zeros(len(day.network.resources), dtype=np.complex128)
    market = NodalMarket(day.network, load_study(VILLAGE).scenario.market.settings)
    state, price = day.answer(case, nothing, controls=True), case.price.plus(adder)
    found = market.clear(state, case.demand, case.offers, price)
    curve = head_curve(day.network, found, case.offers, price)
    assert np.allclose(curve.adder, adder + np.array(LADDER))
    assert (np.diff(curve.kw) <= 0.0).all()
    assert curve.at(adder) == pytest.approx(float(found.head.real.sum()))
    for step in (3.0, 10.0):
        told = market.clear(state, case.demand, case.offers, case.price.plus(adder + step))
        moved = float(found.head.real.sum() - told.head.real.sum())
        assert found.head.real.sum() - curve.at(adder + step) == pytest.approx(moved, abs=0.2 * moved + 15.0)


def test_flexibility_is_what_offers_leave(day: Day) -> None:
    case = case_of(day)
    nothing = np.zeros(len(day.network.resources), dtype=np.complex128)
    market = NodalMarket(day.network, load_study(VILLAGE).scenario.market.settings)
    found = market.clear(day.answer(case, nothing, controls=True), case.demand, case.offers, case.price)
    room = flexibility(day.network, found, case.offers, 0.25)
    most = sum(offer.p_max_kw for offer in case.offers)
    assert room.up_kw + room.down_kw == pytest.approx(most)
    assert room.down_kw == pytest.approx(float(found.dispatch.real.sum()), abs=1e-6)
    assert room.up_price > case.price.lmp
    assert room.hours == 0.25
