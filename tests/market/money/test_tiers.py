"""One ledger of two tiers, on numbers that fit on paper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.market.money.tiers import FeederAccount, Metered, two_tiers

METERED = Metered(
    hours=0.5,
    adder=np.array([0.0, 10.0]),
    head_kw={"north": np.array([1000.0, 800.0]), "south": np.array([-200.0, 400.0])},
    lmp={"north": np.array([40.0, 50.0]), "south": np.array([40.0, 50.0])},
)
"""Half an hour each: 800 kW at 40 $/MWh, then 1200 kW at 50 $/MWh and 10 of adder."""


def test_wholesale_is_paid_the_lmp_for_what_all_draw() -> None:
    assert METERED.wholesale_usd == pytest.approx(0.4 * 40.0 + 0.6 * 50.0)


def test_the_rent_is_the_adder_on_what_all_draw() -> None:
    assert METERED.rent_usd == pytest.approx(0.6 * 10.0)


def test_feeders_at_different_prices_pay_their_own() -> None:
    apart = replace(METERED, lmp=METERED.lmp | {"south": np.array([0.0, 0.0])})
    assert apart.wholesale_usd == pytest.approx(0.5 * 40.0 + 0.4 * 50.0)


def account(bought: float, operator: float = 3.0) -> FeederAccount:
    """Customers pay what generators, the operator and the substation get."""
    paid = -(20.0 + 5.0 + operator + bought)
    return FeederAccount({"x": paid / 4, "y": 3 * paid / 4}, {"dg": 20.0}, 5.0, operator, bought)


def closed() -> dict[str, FeederAccount]:
    """What both feeders pay by their own meters: the LMP and the adder."""
    north = 0.5 * 40.0 + 0.4 * 60.0
    south = -0.1 * 40.0 + 0.2 * 60.0
    return {"north": account(north), "south": account(south)}


def test_a_ledger_of_one_feeder_closes() -> None:
    assert account(17.0).balance == pytest.approx(0.0)
    assert replace(account(17.0), machines=6.0).balance == pytest.approx(1.0)


def test_both_tiers_close_where_their_meters_agree() -> None:
    tiers = two_tiers(closed(), METERED)
    assert tiers.bought == pytest.approx(52.0)
    assert (tiers.substation, tiers.wholesale) == pytest.approx((6.0, 46.0))
    assert tiers.imbalance_usd == pytest.approx(0.0)


@settings(max_examples=40)
@given(st.floats(-100.0, 100.0))
def test_a_head_meter_that_is_off_leaves_an_imbalance(off: float) -> None:
    """What a feeder pays beyond what the substation metered is nobody's."""
    accounts = closed()
    wrong = accounts | {"north": account(accounts["north"].bought + off)}
    assert two_tiers(wrong, METERED).imbalance_usd == pytest.approx(-off, abs=1e-9)


@settings(max_examples=40)
@given(st.lists(st.tuples(*(st.floats(-900, 900) for _ in range(4))), min_size=1, max_size=6))
def test_the_substation_keeps_its_rent_and_no_more(rows: list[tuple[float, ...]]) -> None:
    """What feeders pay for what they draw, less what the wholesale market gets."""
    one, other, lmp, adder = (np.array(column) for column in zip(*rows, strict=True))
    metered = Metered(0.25, adder, {"a": one, "b": other}, {"a": lmp, "b": lmp})
    paid = float(((one + other) * (lmp + adder)).sum()) * 0.25 / 1e3
    assert paid - metered.wholesale_usd == pytest.approx(metered.rent_usd, abs=1e-6)
