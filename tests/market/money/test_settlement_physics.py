"""The operator's surplus against the slope of the AC power flow: what all loads together cost at the margin.

With no limit in the way, the sum of price times load is the LMP times the slope of the head power when all
loads grow in proportion. OpenDSS gives that slope by differences; it knows nothing of prices.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import ComplexArray
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.money.settlement import NodalPrices, Readings, Settlement, settle
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.settings import MarketSettings

LMP = 27.0
STEP = 1e-3


def settled(*, constant: bool, ratio: float) -> tuple[Settlement, float]:
    """Settle one hour without limits; returns it with the slope of the head power [kW per unit of growth]."""
    network = ieee123.load()
    case = ieee123.case()
    if constant:
        more = [f"edit load.{name} model=1" for name in network.load_ids]
        case = replace(case, commands=(*case.commands, *more))
        network = replace(network, loads=tuple(replace(item, model=1) for item in network.loads))
    engine = OpenDssFeeder(case, network, regulators="held", tolerance=1e-10)
    idle = np.zeros(len(network.resources), dtype=np.complex128)
    demand = network.listed_demand * ratio

    def solve(asked: ComplexArray) -> AcState:
        return engine.solve(asked, idle, controls=False)

    heads = [float(solve(demand * factor).head.real.sum()) for factor in (1 + STEP, 1 - STEP)]
    state = solve(demand)
    wide = MarketSettings(voltage_min_pu=0.5, voltage_max_pu=1.5, rating_scale=10.0)
    prices = NodalMarket(network, wide).clear(state, demand, [], WholesalePrice(LMP)).prices
    read = Readings(
        hours=1.0,
        lmp=np.array([LMP]),
        voltage=state.voltage[None, :],
        load=state.load[None, :],
        curtailed=0 * state.load[None, :],
        injection=state.injection[None, :],
        machine=state.machine[None, :],
        head=state.head[None, :],
        losses=np.array([state.losses.real]),
    )
    table = NodalPrices(
        prices.real[None, :],
        prices.reactive[None, :],
        prices.real_loss[None, :],
        prices.real_voltage[None, :],
        prices.real_congestion[None, :],
    )
    return settle(network, read, table), (heads[0] - heads[1]) / (2 * STEP)


@pytest.mark.parametrize("ratio", [0.6, 1.0])
@pytest.mark.parametrize("constant", [False, True])
def test_load_revenue_is_the_slope_of_the_head_power_at_the_lmp(constant: bool, ratio: float) -> None:
    found, slope = settled(constant=constant, ratio=ratio)
    revenue = float(found.load.usd.sum())
    assert revenue == pytest.approx(slope * LMP / 1e3, rel=5e-5)
    surplus = slope * LMP / 1e3 - float(found.wholesale_usd.sum())
    assert float(found.parts.net.sum()) == pytest.approx(surplus, abs=5e-5 * revenue)
    assert abs(found.imbalance_usd) < 1e-6


def test_constant_power_loads_pay_for_losses_about_twice() -> None:
    found, _ = settled(constant=True, ratio=1.0)
    collected = float((found.parts.loss_collected + found.parts.reactive).sum())
    assert 2.0 < collected / float(found.parts.loss_cost.sum()) < 2.6


def test_loads_that_follow_the_voltage_pay_less_than_twice() -> None:
    constant, _ = settled(constant=True, ratio=1.0)
    listed, _ = settled(constant=False, ratio=1.0)
    ratios = [
        float((found.parts.loss_collected + found.parts.reactive).sum() / found.parts.loss_cost.sum())
        for found in (listed, constant)
    ]
    assert ratios[0] < ratios[1]
