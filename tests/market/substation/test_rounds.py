"""Rounds of several feeders at one head, with feeders that answer a price along a line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.substation.limits import SharedLimit
from dlmp_cosim.market.substation.rounds import AdderRound, Said, Tolerances

IMPORT = (SharedLimit("import", 1000.0, 500.0),)
CLOSE = Tolerances(1.0, 1e-4)


class Feeder:
    """Draws so much less for every $/MWh that power costs more, within what it has."""

    def __init__(self, kw: float, slope: float, least: float = -1e6) -> None:
        self.kw, self.slope, self.least = kw, slope, least

    def at(self, adder: float) -> float:
        return max(self.kw - self.slope * adder, self.least)


def settle(feeders: list[Feeder], adder: float = 0.0, limits: tuple[SharedLimit, ...] = IMPORT) -> AdderRound:
    """Exchange until nothing is asked for."""
    agreed, asked = AdderRound(limits, adder, CLOSE), (adder,)
    for _ in range(60):
        said = [Said(f.at(adder), {a: f.at(a) for a in asked}, None) for f in feeders]
        asked = agreed.hear(said, last=False)
        if not asked:
            return agreed
    raise AssertionError("sixty exchanges find no adder")


def test_room_for_all_needs_no_adder() -> None:
    agreed = settle([Feeder(300.0, 1.0), Feeder(600.0, 1.0)])
    assert (agreed.adder, agreed.held) == (0.0, True)


def test_too_much_is_priced_until_it_is_held() -> None:
    """1300 kW, less 6 kW for every $/MWh: 50 $/MWh bring it to 1000 kW."""
    agreed = settle([Feeder(800.0, 2.0), Feeder(500.0, 4.0)])
    assert not agreed.held
    assert agreed.adder == pytest.approx(50.0, abs=0.05)


def test_an_adder_of_the_round_before_that_still_fits_is_kept() -> None:
    agreed = settle([Feeder(800.0, 2.0), Feeder(500.0, 4.0)], adder=50.0)
    assert (agreed.adder, agreed.held) == (50.0, True)


def test_an_adder_that_is_not_needed_any_more_goes() -> None:
    agreed = settle([Feeder(400.0, 2.0), Feeder(500.0, 4.0)], adder=50.0)
    assert agreed.adder == pytest.approx(0.0, abs=1e-3)


def test_feeders_that_cannot_give_way_pay_the_cap() -> None:
    agreed = settle([Feeder(1300.0, 1.0, least=1200.0)])
    assert agreed.adder == pytest.approx(500.0)


def test_power_that_is_fed_back_is_paid_less() -> None:
    export = (SharedLimit("export", -200.0, 80.0, above=False),)
    agreed = settle([Feeder(-350.0, 5.0)], limits=export)
    assert agreed.adder == pytest.approx(-30.0, abs=0.1)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(200.0, 900.0), st.floats(1.0, 9.0)), min_size=1, max_size=4))
def test_any_feeders_hold_the_limit_or_need_no_adder(drawn: list[tuple[float, float]]) -> None:
    feeders = [Feeder(kw, slope) for kw, slope in drawn]
    agreed = settle(feeders)
    total = sum(feeder.at(agreed.adder) for feeder in feeders)
    if agreed.adder > 1e-3 and agreed.adder < 500.0 - 1e-3:
        assert total == pytest.approx(1000.0, abs=CLOSE.kw)
    else:
        assert total <= 1000.0 + CLOSE.kw


def test_a_last_exchange_takes_what_is_known() -> None:
    agreed = AdderRound(IMPORT, 0.0, CLOSE)
    assert agreed.hear([Said(1300.0, {}, None)], last=True) == ()
    assert (agreed.adder, agreed.held) == (0.0, False)


def test_adders_that_one_feeder_did_not_answer_do_not_count() -> None:
    feeders = [Feeder(800.0, 2.0), Feeder(500.0, 4.0)]
    agreed = AdderRound(IMPORT, 0.0, CLOSE)
    asked = agreed.hear([Said(f.at(0.0), {}, None) for f in feeders], last=False)
    heads = [{adder: f.at(adder) for adder in asked} for f in feeders]
    heads[1] = {asked[0]: heads[1][asked[0]]}
    agreed.hear([Said(0.0, mine, None) for mine in heads], last=True)
    assert agreed.adder in (0.0, asked[0])
