"""Who is paid for ancillary services, and by whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.ancillary.money import Rule, Sold, cost_shares, settle_ancillary

HOURS = 0.5


def sold(feeder: str, product: str = "reserve", **changes: float | list[float]) -> Sold:
    base = {
        "award": 100.0,
        "called": 0.0,
        "given": 0.0,
        "missed": 0.0,
        "price": 8.0,
        "dlmp": 30.0,
        "asked": np.nan,
    }
    arrays = {
        key: np.broadcast_to(np.array(value, dtype=float), 2).copy()
        for key, value in (base | changes).items()
    }
    return Sold(feeder, f"dg_{feeder}", product, **arrays)  # type: ignore[arg-type]


def test_capacity_is_paid_its_price_less_what_did_not_come() -> None:
    assert sold("a").capacity_usd(HOURS).tolist() == [0.4, 0.4]
    assert sold("a", missed=[0.0, 25.0]).capacity_usd(HOURS) == pytest.approx([0.4, 0.3])
    assert sold("a", missed=500.0).capacity_usd(HOURS).tolist() == [0.0, 0.0]


def test_called_energy_is_paid_what_it_asks_beside_the_dlmp() -> None:
    assert sold("a", given=40.0).called_usd(HOURS).tolist() == [0.0, 0.0]
    assert sold("a", given=40.0, asked=80.0).called_usd(HOURS) == pytest.approx([1.0, 1.0])
    down = sold("a", "regulation_down", given=40.0, asked=10.0)
    # It lost 0.6 $ at the d-LMP and owes 0.2 $ for energy that it did not have to produce.
    assert down.called_usd(HOURS) == pytest.approx([0.4, 0.4])


HEADS = {"a": np.array([300.0, -100.0]), "b": np.array([100.0, 100.0])}
EXPECTED = {"a": np.array([290.0, -100.0]), "b": np.array([130.0, 100.0])}


@pytest.mark.parametrize(
    ("rule", "share"),
    [("energy", [0.75, 0.5]), ("peak", [0.75, 0.75]), ("deviation", [0.25, 0.5])],
)
def test_the_cost_is_shared_by_the_stated_rule(rule: Rule, share: list[float]) -> None:
    found = cost_shares(rule, HEADS, EXPECTED)
    assert found["a"] == pytest.approx(share)
    assert found["a"] + found["b"] == pytest.approx([1.0, 1.0])


def test_where_nobody_draws_all_pay_the_same() -> None:
    nothing = {"a": np.zeros(2), "b": np.zeros(2)}
    assert cost_shares("energy", nothing, nothing)["b"].tolist() == [0.5, 0.5]


@given(
    st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(-200, 200)), min_size=1, max_size=8)
)
def test_all_that_is_paid_is_collected(rows: list[tuple[float, float, float]]) -> None:
    table = [
        sold(
            "ab"[k % 2],
            ("reserve", "regulation_down")[k // 2 % 2],
            award=award,
            missed=missed,
            given=missed,
            asked=asked,
        )
        for k, (award, missed, asked) in enumerate(rows)
    ]
    ledger = settle_ancillary(table, cost_shares("energy", HEADS, EXPECTED), HOURS, 2)
    assert abs(ledger.imbalance_usd) <= 1e-6
    assert sum(ledger.of_feeder(name) for name in "ab") == pytest.approx(ledger.paid, abs=1e-6)
    assert sum(ledger.products.values()) == pytest.approx(ledger.collected, abs=1e-6)


def test_a_seller_that_is_left_out_does_not_balance() -> None:
    ledger = settle_ancillary([sold("a"), sold("b")], cost_shares("energy", HEADS, EXPECTED), HOURS, 2)
    short = replace(ledger, sellers=ledger.sellers[:1])
    assert short.imbalance_usd == pytest.approx(0.8)
