"""Settled prices against physics: what one more kW costs after all have answered, and the AC optimum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dlmp_cosim.federates.anchoring.rounds import RoundRules
from dlmp_cosim.federates.study.study import Study, load_study
from dlmp_cosim.feeders.network import ComplexArray, Network
from dlmp_cosim.feeders.opendss.circuit import read_circuit
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.nodal.market import NodalMarket
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge import verify
from dlmp_cosim.runners.judge.gaps import make_market
from dlmp_cosim.runners.judge.physics import _spread, settle_interval
from dlmp_cosim.runners.judge.walk import Case, Day
from tests.circuits import case as case_of
from tests.market.nodal.test_circuits import offered
from tests.market.support import anchored_rounds, idle, money
from tests.runners.conftest import make_study

DEMO = Path(__file__).parents[3] / "configs" / "ieee123_day"
BINDING = (108, 138, 150, 168, 192, 204, 222, 234)
"""Intervals of the demo day in which a limit has a price, over the whole day."""
TIGHT = {"tolerance": 1e-8, "negotiation_rounds": 200_000}
RULES = RoundRules(rounds_max=15, voltage_pu=1e-7, head_kw=1e-4)
STEP_KW = 0.1


@dataclass(frozen=True)
class Settled:
    """Where market and physics agree: what AC costs [$/h], and the last clearing."""

    cost: float
    clearing: Clearing


def settled(day: Day, settings: MarketSettings, case: Case, state: AcState) -> Settled:
    _, agreed, clearing, answer = settle_interval(day, make_market(day.network, settings), RULES, case, state)
    assert agreed
    return Settled(money(answer, clearing.dispatch, day.network, case.offers, case.price), clearing)


def constant_loads(network: Network) -> Sequence[int]:
    """Loads between one node and the ground that draw what they are asked for at any voltage."""
    return [
        k
        for k, load in enumerate(network.loads)
        if load.model == 1 and len(load.legs) == 1 and not load.legs[0][1]
    ]


def at_power_factor(demand: ComplexArray, k: int) -> ComplexArray:
    """Some more of one load; its curtailment keeps its power factor so."""
    step = np.zeros_like(demand)
    step[k] = STEP_KW * demand[k] / demand[k].real
    return step


def node_of(network: Network, k: int) -> str:
    load = network.loads[k]
    return f"{load.bus}.{load.legs[0][0]}"


def price_of(network: Network, clearing: Clearing, demand: ComplexArray, k: int) -> float:
    """What a kW of a load costs with the reactive power that comes along [$/MWh]."""
    node = network.node_index[node_of(network, k)]
    ratio = demand[k].imag / demand[k].real
    return float(clearing.prices.real[node] + ratio * clearing.prices.reactive[node])


@pytest.fixture(scope="module")
def study() -> Study:
    """The demo day, its prices and its circuit read once."""
    return load_study(DEMO)


@pytest.mark.parametrize("interval", BINDING)
def test_a_price_is_what_one_more_kw_costs_the_demo_day_once_all_have_answered(
    study: Study, interval: int
) -> None:
    """A tenth of a kW more and less at three loads, at their power factor, until both agree."""
    settings = replace(study.scenario.market.settings, **TIGHT)
    day = Day(study)
    case = day.case(interval)
    state = day.answer(case, np.zeros(len(day.network.resources), dtype=np.complex128), controls=True)
    clearing = settled(day, settings, case, state).clearing
    assert clearing.limits
    for k in np.random.default_rng(interval).choice(constant_loads(day.network), 3, replace=False).tolist():
        step = at_power_factor(case.demand, k)
        costs = [
            settled(day, settings, replace(case, demand=case.demand + sign * step), state).cost
            for sign in (1, -1)
        ]
        marginal = 1e3 * (costs[0] - costs[1]) / (2 * STEP_KW)
        assert price_of(day.network, clearing, case.demand, k) == pytest.approx(marginal, abs=0.1)


def test_a_price_is_what_one_more_kw_costs_ieee_13_once_all_have_answered() -> None:
    circuit = case_of("ieee13")
    network, offers = offered(read_circuit(circuit).network)
    feeder = OpenDssFeeder(circuit, network, tolerance=1e-10)
    settings, price = (
        replace(MarketSettings(**TIGHT), voltage_min_pu=0.99, voltage_max_pu=1.06),
        WholesalePrice(40.0, reactive=2.0),
    )
    demand = network.listed_demand
    state = feeder.solve(demand, idle(network), controls=True)

    def settle(asked: ComplexArray) -> Settled:
        market = NodalMarket(network, settings)
        last = anchored_rounds(
            market, feeder, state, asked, offers, price, 15, voltage_pu=1e-8, head_kw=1e-5
        )[-1]
        assert last.voltage_pu < 1e-8
        return Settled(money(last.state, last.clearing.dispatch, network, offers, price), last.clearing)

    clearing = settle(demand).clearing
    assert clearing.limits
    # At more than 1.05 pu a load draws more than it asks for.
    high = {network.node_ids[i] for i in np.flatnonzero(clearing.voltage_magnitude > 1.05)}
    loads = [k for k in constant_loads(network) if node_of(network, k) not in high]
    assert len(loads) >= 9
    for k in loads:
        step = at_power_factor(demand, k)
        costs = [settle(demand + sign * step).cost for sign in (1, -1)]
        marginal = 1e3 * (costs[0] - costs[1]) / (2 * STEP_KW)
        assert price_of(network, clearing, demand, k) == pytest.approx(marginal, abs=0.1)


def test_the_command_holds_prices_to_the_ac_optimum(tmp_path: Path) -> None:
    study = make_study(tmp_path / "mine", intervals="1", start='"2020-08-25T16:00:00"')
    told = CliRunner().invoke(verify.verify_command, [str(study), "--ac", "--json"])
    assert told.exit_code == 0, told.output
    nodes = load_study(study).network.node_ids
    found = json.loads(told.stdout)["nodal"]
    assert (found["intervals"], found["settled"]) == (1, 1)
    assert found["real_median"] < 0.005
    assert found["cost_gap_max"] < 1e-4
    for quantity in ("real", "reactive"):
        interval, node = found[f"{quantity}_max_at"].split(", node ")
        assert interval == "interval 0"
        assert node in nodes


def test_the_largest_difference_is_named_and_nodes_without_a_price_are_none() -> None:
    gaps = np.array([[0.1, 0.3, np.nan], [0.2, 0.0, 0.4]])
    assert _spread(gaps, [7, 9], ["a.1", "b.1", "c.1"])[0] == pytest.approx(0.2)
    assert _spread(gaps, [7, 9], ["a.1", "b.1", "c.1"])[2:] == (0.4, "interval 9, node c.1")
