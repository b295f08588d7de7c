"""Tariffs by hand on two agents, and as dispatch rules on the 123-node feeder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import Network
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.baselines.none import (
    RETAIL_RATE,
    Export,
    NetBilling,
    NetMetering,
    NoExport,
    Traditional,
)
from dlmp_cosim.market.money.payment_schemes import (
    MODELS,
    TITLES,
    Metered,
    Rates,
    Scenario,
    bill_tariff,
    scenario_of,
)
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.settings import MarketSettings

RATES = Rates(retail=0.10, purchase=0.20)


def day() -> Metered:
    """One agent that only consumes, one that generates more than it uses in the second interval alone."""
    load = np.array([[10.0, 6.0], [10.0, 6.0]])
    generation = np.array([[0.0, 2.0], [0.0, 9.0]])
    return Metered(load, generation, np.array([14.0, 8.0]), np.zeros(2), np.zeros(2), np.array([50.0, 100.0]))


@pytest.mark.parametrize(
    ("scenario", "load", "dg"),
    [
        ("traditional", (10 + 4 + 10 + 0) * 0.1, 0.0),
        ("no_export", (10 + 4 + 10 + 0) * 0.1, 0.0),
        ("retail_m", (20 + 1) * 0.1, 0.0),
        ("retail_b", (20 + 4) * 0.1, 3 * 0.2),
    ],
)
def test_bills_by_hand(scenario: Scenario, load: float, dg: float) -> None:
    money = bill_tariff(scenario, day(), RATES)
    assert money.load_usd == pytest.approx(load)
    assert money.dg_usd == pytest.approx(dg)
    assert money.wholesale_usd == pytest.approx((14 * 50 + 8 * 100) / 1e3)
    assert money.wholesale_of_loads_usd == pytest.approx((16 * 50 + 16 * 100) / 1e3)
    assert money.net_usd == pytest.approx(load - dg - 1.5)


def test_the_printed_formulas_pay_every_kwh_gross() -> None:
    money = bill_tariff("retail_m", day(), RATES)
    assert (money.load_gross_usd, money.dg_gross_usd) == pytest.approx((32 * 0.1, 11 * 0.2))
    assert money.net_printed_usd == pytest.approx(3.2 - 2.2 - 2.4)


@given(st.lists(st.floats(0.0, 100.0), min_size=4, max_size=4), st.floats(0.01, 0.3))
def test_metering_and_billing_agree_when_both_rates_are_equal(power: list[float], rate: float) -> None:
    generation = np.array(power).reshape(2, 2)
    flat = Metered(day().load, generation, np.ones(2), np.zeros(2), np.zeros(2), np.ones(2))
    monthly, hourly = (bill_tariff(name, flat, Rates(rate, rate)) for name in ("retail_m", "retail_b"))
    assert monthly.net_usd == pytest.approx(hourly.net_usd)
    assert monthly.dg_usd <= hourly.dg_usd + 1e-9


def test_every_scenario_has_a_model_of_its_own() -> None:
    assert [scenario_of(model) for model in MODELS.values()] == list(MODELS)
    assert set(TITLES) == set(MODELS)
    assert scenario_of("somebody.elses:Market") == "market"


@pytest.fixture(scope="module")
def solved() -> tuple[Network, AcState]:
    network = ieee123.load()
    engine = OpenDssFeeder(ieee123.case(), network, regulators="held")
    return network, engine.solve(
        network.listed_demand, np.zeros(len(network.resources), complex), controls=False
    )


def offers(network: Network) -> list[Offer]:
    return [Offer(r.name, 0.0, r.kw_max, 30.0) for r in network.resources]


def dispatch(model: type[Traditional], solved: tuple[Network, AcState]) -> dict[str, float]:
    network, state = solved
    market = model(network, MarketSettings())
    clearing = market.clear(state, network.listed_demand, offers(network), WholesalePrice(40.0))
    assert clearing.prices.real == pytest.approx(np.full(len(network.node_ids), RETAIL_RATE))
    assert clearing.head == pytest.approx(state.head)
    return dict(zip(network.resource_ids, clearing.dispatch.real.tolist(), strict=True))


def test_traditional_runs_nothing(solved: tuple[Network, AcState]) -> None:
    assert not any(dispatch(Traditional, solved).values())


@pytest.mark.parametrize("model", [Export, NetMetering, NetBilling])
def test_retail_runs_every_generator_and_no_curtailment(
    model: type[Traditional], solved: tuple[Network, AcState]
) -> None:
    power = dispatch(model, solved)
    for resource in solved[0].resources:
        expected = resource.kw_max if resource.kind == "generator" else 0.0
        assert power[resource.name] == expected


def test_no_export_serves_the_own_bus_and_no_more(solved: tuple[Network, AcState]) -> None:
    network, state = solved
    power = dispatch(NoExport, solved)
    served = dict.fromkeys((bus.name for bus in network.buses), 0.0)
    for load, kva in zip(network.loads, state.load, strict=True):
        served[load.bus] += kva.real
    for resource in network.resources:
        if resource.kind == "generator":
            assert power[resource.name] == pytest.approx(min(resource.kw_max, served[resource.bus]))
    assert power["dg_13"] == 0.0
    assert power["dg_48"] == pytest.approx(served["48"])
