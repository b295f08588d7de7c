"""What single agents and whole days are billed under tariffs, in hand-made meters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.market.money.payment_schemes import Metered, Rates, Scenario, agent_bills, bill_tariff

RATES = Rates(retail=0.10, purchase=0.20)
TARIFFS: tuple[Scenario, ...] = ("traditional", "no_export", "retail_m", "retail_b")


def day(load: list[list[float]], generation: list[list[float]], lmp: list[float] | None = None) -> Metered:
    drawn, given_out = np.array(load), np.array(generation)
    prices = np.zeros(len(drawn)) if lmp is None else np.array(lmp)
    head = (drawn - given_out).sum(axis=1)
    return Metered(drawn, given_out, head, np.zeros(len(drawn)), np.zeros(len(drawn)), prices)


TWO = day([[10.0, 6.0], [10.0, 6.0]], [[0.0, 2.0], [0.0, 9.0]])


@pytest.mark.parametrize(
    ("scenario", "bills"),
    [
        ("traditional", [2.0, 0.4]),
        ("no_export", [2.0, 0.4]),
        ("retail_m", [2.0, 0.1]),
        ("retail_b", [2.0, 0.4 - 0.6]),
    ],
)
def test_agents_are_billed_by_their_own_meter(scenario: Scenario, bills: list[float]) -> None:
    assert agent_bills(scenario, TWO, RATES) == pytest.approx(bills)


def test_who_generates_more_than_he_uses_over_the_day_is_paid_the_purchase_rate() -> None:
    rich = day([[1.0], [1.0]], [[4.0], [0.0]])
    assert agent_bills("retail_m", rich, RATES) == pytest.approx([-2.0 * 0.2])
    assert agent_bills("retail_b", rich, RATES) == pytest.approx([0.1 - 3.0 * 0.2])
    assert agent_bills("traditional", rich, RATES) == pytest.approx([0.1])


@pytest.mark.parametrize("scenario", TARIFFS)
@given(power=st.lists(st.floats(0.0, 100.0), min_size=12, max_size=12))
def test_bills_of_all_agents_are_what_the_operator_takes_less_what_it_pays(
    scenario: Scenario, power: list[float]
) -> None:
    load, generation = np.array(power).reshape(2, 3, 2)
    metered = day(load.tolist(), generation.tolist())
    money = bill_tariff(scenario, metered, RATES)
    assert agent_bills(scenario, metered, RATES).sum() == pytest.approx(money.load_usd - money.dg_usd)


@pytest.mark.parametrize("scenario", TARIFFS)
def test_without_generation_every_tariff_is_the_same(scenario: Scenario) -> None:
    plain = day([[10.0, 6.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]])
    assert agent_bills(scenario, plain, RATES) == pytest.approx([1.2, 0.9])
    assert bill_tariff(scenario, plain, RATES).dg_usd == 0.0


@pytest.mark.parametrize("scenario", TARIFFS)
def test_wholesale_energy_is_bought_at_the_lmp_whatever_the_tariff(scenario: Scenario) -> None:
    priced = replace(TWO, lmp=np.array([-20.0, 50.0]))
    money = bill_tariff(scenario, priced, RATES)
    assert money.wholesale_usd == pytest.approx((14.0 * -20.0 + 7.0 * 50.0) / 1e3)
    assert money.wholesale_of_loads_usd == pytest.approx((16.0 * -20.0 + 16.0 * 50.0) / 1e3)
    assert money.flex_usd == 0.0


def test_a_day_of_no_intervals_costs_nothing() -> None:
    empty = Metered(*(np.zeros((0, 2)),) * 2, *(np.zeros(0),) * 4)
    for scenario in TARIFFS:
        assert bill_tariff(scenario, empty, RATES).net_usd == 0.0
        assert agent_bills(scenario, empty, RATES).tolist() == [0.0, 0.0]


def test_no_rates_no_bills() -> None:
    for scenario in TARIFFS:
        assert not agent_bills(scenario, TWO, Rates(0.0, 0.0)).any()


def test_the_published_rates_are_the_default() -> None:
    assert Rates() == Rates(retail=0.114, purchase=0.192)


@given(st.floats(0.0, 50.0))
def test_an_agent_can_only_gain_by_generating_more(more: float) -> None:
    richer = replace(TWO, generation=TWO.generation + np.array([[0.0, more], [0.0, 0.0]]))
    for scenario in TARIFFS:
        before, after = (agent_bills(scenario, metered, RATES)[1] for metered in (TWO, richer))
        assert after <= before + 1e-9
