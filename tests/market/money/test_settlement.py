"""Who pays whom, by hand on two buses and by the conservation of energy on the 123-node feeder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders import ieee123
from dlmp_cosim.feeders.network import Machine, Network, Resource, wye
from dlmp_cosim.feeders.opendss.feeder import OpenDssFeeder
from dlmp_cosim.feeders.terminals import injection_terminals
from dlmp_cosim.market.money.settlement import (
    NodalPrices,
    Readings,
    Settlement,
    leg_flows,
    load_flows,
    not_consumed,
    settle,
)
from tests.market.support import line, load, sample

NODES, INTERVALS = 6, 2
LMP = np.array([20.0, 40.0])


def two_buses() -> Network:
    """A source and one bus with a wye load, a delta load, a generator, a flexible load and a machine."""
    commands = (
        line("src", "end", ohm=0.1),
        load("wye", "end", (1,), 2, 100.0, 50.0),
        load("delta", "end", (2, 3), 1, 60.0, 0.0, between=True),
    )
    resources = (
        Resource("gen", "generator", "end", wye((1, 2, 3)), 90.0, 90.0),
        Resource("flex", "flexible_load", "end", wye((1,)), 20.0, 23.0, load="wye"),
    )
    network = sample("two", commands, resources).network
    return replace(network, machines=(Machine("generator.own", "end", wye((2,))),))


def flat_voltage() -> np.ndarray:
    """Nominal voltage, except 0.9 pu at phase 1 of the far bus."""
    row = np.exp(-2j * np.pi / 3 * np.array([0, 1, 2, 0, 1, 2]))
    row[3] *= 0.9
    return np.tile(row, (INTERVALS, 1))


def readings(losses: float = 0.0) -> Readings:
    """Half an hour each: 81 + 60 kW served, 30 kW generated, nothing but `losses` on the way."""
    load = np.tile(np.array([81.0 + 40.5j, 60.0 + 0j]), (INTERVALS, 1))
    injection = np.tile(np.array([30.0 + 0j, 0j]), (INTERVALS, 1))
    head = np.tile((load.sum(axis=1) - injection.sum(axis=1) + losses)[:1, None] / 3, (INTERVALS, 3))
    curtailed = np.array([[0j, 0j], [10.0 + 5.0j, 0j]])
    machine = np.zeros((INTERVALS, 1), dtype=np.complex128)
    lost = np.full(INTERVALS, losses)
    return Readings(0.5, LMP, flat_voltage(), load, curtailed, injection, machine, head, lost)


def prices(
    loss: float = 0.0, voltage: float = 0.0, congestion: float = 0.0, reactive: float = 0.0
) -> NodalPrices:
    """The LMP at the source; parts added at the far bus."""
    far = np.repeat([0.0, 1.0], 3)[None, :] * np.ones((INTERVALS, 1))
    real = LMP[:, None] + far * (loss + voltage + congestion)
    return NodalPrices(real, far * reactive, far * loss, far * voltage, far * congestion)


def test_every_payment_at_the_lmp_by_hand() -> None:
    found = settle(two_buses(), readings(), prices())
    assert found.load.usd == pytest.approx([0.5 * 141 * 0.02, 0.5 * 141 * 0.04])
    assert found.generation.usd == pytest.approx([0.5 * 30 * 0.02, 0.5 * 30 * 0.04])
    assert found.flexible.usd == pytest.approx([0.0, 0.5 * 8.1 * 0.04])
    assert found.wholesale_usd == pytest.approx([0.5 * 111 * 0.02, 0.5 * 111 * 0.04])
    assert found.net_revenue == pytest.approx([0.0, -0.5 * 8.1 * 0.04], abs=1e-12)
    assert found.imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_net_of_the_saving_a_flexible_load_is_paid_nothing_on_top() -> None:
    paper, net = (settle(two_buses(), readings(), prices(reactive=10.0), rule) for rule in ("paper", "net"))
    assert paper.flexible.usd[1] > 0.0
    assert net.flexible.usd == pytest.approx([0.0, 0.0])
    assert not net.flexible.owner_usd.any()
    assert np.array_equal(net.flexible.owner_kwh, paper.flexible.owner_kwh)
    assert net.net_revenue == pytest.approx(paper.net_revenue + paper.flexible.usd)
    assert net.imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_losses_are_collected_at_the_margin_and_bought_at_the_lmp() -> None:
    found = settle(two_buses(), readings(losses=3.0), prices(loss=2.0))
    assert found.parts.loss_collected == pytest.approx([0.5 * 111 * 0.002] * 2)
    assert found.parts.loss_cost == pytest.approx([0.5 * 3 * 0.02, 0.5 * 3 * 0.04])
    assert found.imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_reactive_energy_is_charged_and_curtailed_reactive_energy_is_paid() -> None:
    found = settle(two_buses(), readings(), prices(reactive=10.0))
    assert found.load.reactive_usd.sum(axis=1) == pytest.approx([0.5 * 40.5 * 0.01] * 2)
    assert found.flexible.reactive_usd.sum(axis=1) == pytest.approx([0.0, 0.5 * 5.0 * 0.81 * 0.01])
    assert found.parts.reactive == pytest.approx([0.5 * 40.5 * 0.01] * 2)


@pytest.mark.parametrize("part", ["voltage", "congestion"])
def test_limits_bring_in_their_price_times_what_is_drawn_behind_them(part: str) -> None:
    found = settle(two_buses(), readings(), prices(**{part: 5.0}))
    assert getattr(found.parts, part) == pytest.approx([0.5 * 111 * 0.005] * 2)
    assert found.imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_a_head_meter_that_reads_too_much_shows_as_imbalance() -> None:
    wrong = replace(readings(), head=readings().head + 1.0)
    assert settle(two_buses(), wrong, prices()).imbalance_usd == pytest.approx(0.5 * 3 * (0.02 + 0.04))


def test_a_price_that_its_parts_do_not_explain_shows_as_imbalance() -> None:
    wrong = replace(prices(), real=prices().real + 1.0)
    found = settle(two_buses(), readings(), wrong)
    assert found.imbalance_usd == pytest.approx(-0.5 * 0.001 * 2 * 111)


def test_a_machine_of_the_circuit_is_paid_like_a_generator() -> None:
    """What nobody dispatches still injects: it has a line of its own, or the ledger would not balance."""
    read = readings()
    own = replace(read, machine=read.machine + 12.0, head=read.head - 4.0)
    found = settle(two_buses(), own, prices(loss=2.0))
    assert found.machine.usd == pytest.approx([0.5 * 12 * 0.022, 0.5 * 12 * 0.042])
    assert found.accounts["machine"] == pytest.approx(0.5 * 12 * 0.064)
    assert found.imbalance_usd == pytest.approx(0.0, abs=1e-12)


def test_a_load_of_several_legs_pays_where_its_voltage_is() -> None:
    """An impedance on three phases, one of them at 0.9 pu: that leg draws 0.81 of the others."""
    network = sample("ring", (line("src", "end"), load("z", "end", (1, 2, 3), 2, 90.0, 30.0))).network
    power = np.full((INTERVALS, 1), (90.0 + 30.0j) * 2.81 / 3)
    flows = load_flows(network, power, flat_voltage())
    assert flows.power[0] == pytest.approx(np.array([0.81, 1.0, 1.0]) * (30.0 + 10.0j))


def test_accounts_sum_to_the_imbalance() -> None:
    found = settle(two_buses(), readings(losses=3.0), prices(loss=2.0, voltage=1.0, reactive=3.0))
    assert sum(found.accounts.values()) == pytest.approx(found.imbalance_usd, abs=1e-12)


def test_a_curtailed_impedance_spares_only_what_it_would_have_drawn() -> None:
    assert not_consumed(two_buses(), readings()) == pytest.approx(np.array([[0, 0], [8.1 + 4.05j, 0]]))


def test_a_delta_load_draws_what_a_meter_at_each_phase_would_read() -> None:
    network, read = two_buses(), readings()
    flows = load_flows(network, read.load, read.voltage)
    phase_b, phase_c = flows.power[0, np.isin(flows.node, (4, 5))]
    assert phase_b + phase_c == pytest.approx(60.0)
    current = np.conj(60.0 / (read.voltage[0, 4] - read.voltage[0, 5]))
    assert phase_b == pytest.approx(read.voltage[0, 4] * np.conj(current))
    assert phase_b == pytest.approx(30 - 30j / np.sqrt(3))


def test_generators_are_paid_equally_on_their_phases() -> None:
    network, read = two_buses(), readings()
    flows = leg_flows(network, injection_terminals(network), read.injection, read.voltage)
    assert flows.power[0] == pytest.approx([10.0, 10.0, 10.0])
    assert list(flows.owner) == [0, 0, 0]


def test_nodes_and_owners_carry_the_same_money() -> None:
    found = settle(two_buses(), readings(losses=3.0), prices(loss=2.0, reactive=3.0))
    for payments in (found.load, found.generation, found.flexible, found.machine):
        assert payments.owner_usd.sum(axis=1) == pytest.approx(payments.usd)
        assert payments.owner_kwh.sum() == pytest.approx(payments.energy_kwh.sum())


@pytest.fixture(scope="module")
def feeder_day() -> tuple[Network, Readings]:
    """Three loadings of the 123-node feeder, solved by OpenDSS."""
    network = ieee123.load()
    engine = OpenDssFeeder(ieee123.case(), network, regulators="held", tolerance=1e-9)
    asked = [network.listed_demand * ratio for ratio in (0.6, 0.8, 1.0)]
    injection = np.array([0.5 * r.kw_max * (r.load == "") for r in network.resources], dtype=np.complex128)
    states = [engine.solve(0.9 * demand, injection, controls=False) for demand in asked]
    return network, Readings(
        hours=1.0,
        lmp=np.array([18.0, 27.0, 95.0]),
        voltage=np.array([s.voltage for s in states]),
        load=np.array([s.load for s in states]),
        curtailed=0.1 * np.array(asked),
        injection=np.array([s.injection for s in states]),
        machine=np.array([s.machine for s in states]),
        head=np.array([s.head for s in states]),
        losses=np.array([s.losses.real for s in states]),
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0.0, 100.0))
def test_the_ledger_balances_at_any_prices_when_the_physics_does(
    feeder_day: tuple[Network, Readings], seed: int, size: float
) -> None:
    network, read = feeder_day
    found = settle(network, read, random_prices(network, read, np.random.default_rng(seed), size))
    assert abs(found.imbalance_usd) < 1e-6
    assert abs(sum(found.accounts.values())) < 1e-6


def random_prices(network: Network, read: Readings, rng: np.random.Generator, size: float) -> NodalPrices:
    shape = (len(read.lmp), len(network.node_ids))
    loss, voltage, congestion, reactive = (size * rng.standard_normal(shape) for _ in range(4))
    return NodalPrices(read.lmp[:, None] + loss + voltage + congestion, reactive, loss, voltage, congestion)


def test_settling_hour_by_hour_is_settling_the_day(feeder_day: tuple[Network, Readings]) -> None:
    network, read = feeder_day
    table = random_prices(network, read, np.random.default_rng(7), 5.0)
    whole = settle(network, read, table)
    singles = [settle(network, row(read, k), row_prices(table, k)) for k in range(3)]
    assert net(whole) == pytest.approx(sum(net(one) for one in singles))


def net(found: Settlement) -> float:
    return float(found.net_revenue.sum())


def row(read: Readings, k: int) -> Readings:
    names = ("lmp", "voltage", "load", "curtailed", "injection", "machine", "head", "losses")
    return replace(read, **{name: getattr(read, name)[k : k + 1] for name in names})


def row_prices(table: NodalPrices, k: int) -> NodalPrices:
    names = [name for name in NodalPrices.__dataclass_fields__ if getattr(table, name) is not None]
    return NodalPrices(*(getattr(table, name)[k : k + 1] for name in names))
