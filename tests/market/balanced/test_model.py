"""The balanced problem: rows that hold at a flow found without it, costs and limits of the market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.market.balanced.equivalent import Equivalent
from dlmp_cosim.market.balanced.model import BranchFlowModel, start_state
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import boundary, objective, with_copies
from tests.market.branch_flow_support import (
    EASY,
    FORK_IMPEDANCE,
    FORK_PARENT,
    PRICE,
    TIGHT,
    Case,
    Flow,
    Stated,
    fork,
    fork_flow,
    offers,
    point,
    stated,
    sweep,
    with_settings,
    with_taps,
)
from tests.market.random_feeders import RandomCase, random_cases
from tests.market.support import capacitor, load, mixed, mixed_offers

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
BASE = stated(EASY)
LAY = BASE.model.layout
BUSES = EASY.network.bus_index
DISPATCH = np.array([120.0 + 40.0j, 60.0, 12.0 + 5.0j])
"""Some dispatch of `fork`; the last has its 25 kvar for 60 kW."""
RESOURCES = np.array([0.12, 0.06, 0.012, 0.04, 0.0, 0.0])
"""The same as variables of the problem: a fixed power factor needs no reactive variable."""


def misses(some: Stated, x: FloatArray) -> FloatArray:
    """What every row misses at a point."""
    return np.asarray(some.problem.rows @ x - some.problem.row_lower)


def slack(some: Stated, x: FloatArray) -> FloatArray:
    """Slack of every cone at a point."""
    p, q, current, v = x[some.problem.cones].T
    return np.asarray(current * v - p**2 - q**2)


EXPONENT = {1: 0, 5: 1, 2: 2}
"""Exponent of voltage of OpenDSS' load models."""


def tree_flow(network: Network, same: Equivalent, model: BranchFlowModel, power: ComplexArray) -> Flow:
    """Flow on the merged tree of any circuit, with the nominal `power` of its loads [pu]."""
    tree, n = model.tree, model.tree.n_atom
    where = {name: k for k, name in enumerate(same.feeder.buses)}
    constant, slope = np.zeros(n, dtype=np.complex128), np.zeros(n, dtype=np.complex128)
    for item, demand in zip(network.loads, power, strict=True):
        bus = where[item.bus]
        atom, half = tree.atom_of_bus[bus], EXPONENT[item.model] / 2
        constant[atom] += demand * (1 - half)
        slope[atom] += demand * half * same.gain[bus]
    for bank in (element for element in network.elements if element.kind == "capacitor"):
        bus = where[bank.terminals[0].bus]
        kvar = 1e3 * bank.admittance_s[0, 0].imag * network.buses[0].kv_base ** 2
        slope[tree.atom_of_bus[bus]] -= 1j * kvar / 1e3 * same.gain[bus]
    z = np.append(0.0, same.resistance + 1j * same.reactance)
    return sweep(tree.parent.tolist(), z, constant, slope, same.v_source, np.append(1.0, same.from_gain))


def test_rows_and_cones_hold_at_a_flow_of_sweeps() -> None:
    x = point(BASE.model, fork_flow(EASY, DISPATCH), BASE.same, RESOURCES)
    assert np.abs(misses(BASE, x)).max() < 1e-12
    assert np.abs(slack(BASE, x)).max() < 1e-12


def test_the_rows_of_one_line_by_hand() -> None:
    """300 kW and 100 kvar into the first line at a given current: every row written out."""
    r, x = FORK_IMPEDANCE[1].real, FORK_IMPEDANCE[1].imag
    sent = np.zeros(LAY.n)
    sent[LAY.p[[0, 1]]], sent[LAY.q[[0, 1]]] = 0.3, 0.1
    sent[LAY.current[0]], sent[LAY.v_from[0]], sent[LAY.v[0]] = 0.11, 0.98, 0.95
    row = BASE.problem.rows @ sent
    assert row[LAY.balance_p[0]] == pytest.approx(0.0)
    assert row[LAY.balance_p[1]] == pytest.approx(0.3 - r * 0.11)
    assert row[LAY.balance_q[1]] == pytest.approx(0.1 - x * 0.11)
    assert row[LAY.drop[0]] == pytest.approx(0.95 - 0.98 + 2 * (r * 0.3 + x * 0.1) - (r**2 + x**2) * 0.11)
    assert row[LAY.copy[0]] == pytest.approx(0.98)
    assert BASE.problem.row_lower[LAY.copy[0]] == BASE.same.v_source
    assert BASE.problem.row_lower[LAY.balance_p[1]] == pytest.approx(0.18)
    assert BASE.problem.row_lower[LAY.balance_q[1]] == pytest.approx(0.075)
    amps = 1e3 / (3 * 2.4)
    assert row[LAY.rating[0]] == pytest.approx(-0.11 * (amps / 400.0) ** 2)
    assert BASE.problem.row_lower[LAY.rating[0]] == 0.0


@pytest.mark.parametrize("model", [1, 5, 2])
def test_loads_follow_the_voltage_by_their_model(model: int) -> None:
    """Exact for constant power and constant impedance; in between the slope at nominal voltage."""
    case = Case(fork(model=model), TIGHT, offers())
    some = stated(case)
    demand = np.zeros(6, dtype=np.complex128)
    demand[1:] = 3 * (0.060 + 0.025j)
    given = np.zeros(6, dtype=np.complex128)
    given[[BUSES["c"], BUSES["e"], BUSES["b"]]] = DISPATCH / 1e3
    half = EXPONENT[model] / 2
    flow = sweep(FORK_PARENT, FORK_IMPEDANCE, demand * (1 - half) - given, demand * half, some.same.v_source)
    x = point(some.model, flow, some.same, RESOURCES)
    assert np.abs(misses(some, x)).max() < 1e-12


def test_capacitors_give_with_the_square_of_the_voltage() -> None:
    case = replace(EASY, sample=fork(extra=(capacitor("cap", "d", 2, 90.0),)))
    some = stated(case)
    slope = np.zeros(6, dtype=np.complex128)
    slope[BUSES["d"]] = -0.090j
    demand = np.append(0.0, np.full(5, 0.180 + 0.075j))
    flow = sweep(FORK_PARENT, FORK_IMPEDANCE, demand, slope, some.same.v_source)
    assert np.abs(misses(some, point(some.model, flow, some.same, np.zeros(6)))).max() < 1e-12


def test_demand_at_the_source_is_drawn_at_its_voltage() -> None:
    """A load and a capacitor right at the head, at 1.03 pu."""
    case = Case(fork(model=5, extra=at_the_head()), TIGHT)
    some = stated(case)
    v = some.same.v_source
    x = np.zeros(LAY.n)
    x[LAY.p[0]], x[LAY.q[0]] = 0.050 * v, (0.020 - 0.030) * v
    assert v == pytest.approx(1.03**2, abs=1e-4)
    assert misses(some, x)[[LAY.balance_p[0], LAY.balance_q[0]]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert some.problem.row_lower[LAY.copy[0]] == pytest.approx(v)


def at_the_head() -> tuple[str, ...]:
    """A source at 1.03 pu with a load of constant impedance and a capacitor at its bus."""
    raised = "edit vsource.source pu=1.03"
    return raised, load("head", "src", (1,), 2, 50.0, 20.0), capacitor("cap", "src", 1, 30.0)


@pytest.mark.parametrize("taps", [(4, 7, -3), (-16, -16, -10), (0, 0, 0)])
def test_rows_hold_behind_regulators_switches_and_laterals(taps: tuple[int, int, int]) -> None:
    circuit = mixed()
    network = circuit.network
    model = BranchFlowModel(network, TIGHT)
    same = with_taps(circuit, model.tree, taps)
    some = Stated(model, same, model.problem(same, network.listed_demand, (), PRICE))
    flow = tree_flow(network, same, model, network.listed_demand / 1e3)
    x = point(model, flow, same, np.zeros(2 * len(network.resources)))
    assert np.abs(misses(some, x)).max() < 1e-12
    assert np.abs(slack(some, x)).max() < 1e-12


@few
@given(random_cases(loops=False), st.integers(0, 2**16))
def test_rows_hold_at_the_flow_of_any_feeder(case: RandomCase, seed: int) -> None:
    """Switches, regulators, laterals, loads of every kind, and a start anywhere."""
    network = case.network
    model = BranchFlowModel(network, TIGHT)
    taps = np.random.default_rng(seed).integers(-16, 17, len(network.tap_ids))
    same = with_taps(case.sample, model.tree, taps.tolist())
    some = Stated(model, same, model.problem(same, case.demand, case.offers, PRICE))
    flow = tree_flow(network, same, model, case.demand / 1e3)
    x = point(model, flow, same, np.zeros(2 * len(network.resources)))
    assert np.abs(misses(some, x)).max(initial=0.0) < 1e-10
    assert np.abs(slack(some, x)).max(initial=0.0) < 1e-10


@few
@given(random_cases(loops=False))
def test_rows_read_their_own_atom_and_neighbours_only(case: RandomCase) -> None:
    some = stated(Case(case.sample, TIGHT, case.offers))
    reads, parent = boundary(some.problem), some.problem.parent
    for reader, owner in zip(reads.reader, reads.owner, strict=True):
        assert parent[reader] == owner or parent[owner] == reader
    lay = some.model.layout
    inner = np.flatnonzero(parent > 0)
    upward = set(zip(reads.reader.tolist(), reads.variable.tolist(), strict=True))
    expected = {(int(parent[j]), int(k[j])) for j in range(1, len(parent)) for k in (lay.p, lay.q)}
    expected |= {(int(j), int(lay.v[parent[j] - 1])) for j in inner}
    assert upward == expected, "flows of the children, and the parent's voltage"


def test_every_cone_is_owned_by_one_atom() -> None:
    """So that its projection needs no neighbour, with copies as well."""
    for problem in (BASE.problem, with_copies(BASE.problem)):
        owners = problem.variable_atom[problem.cones]
        assert np.all(owners == owners[:, :1])
        assert owners[:, 0].tolist() == [1, 2, 3, 4, 5]


def test_variables_and_rows_have_an_owner_each_and_the_network_is_square() -> None:
    n_resource = len(RESOURCES)
    places = np.concatenate(
        [LAY.p, LAY.q, LAY.current, LAY.v_from, LAY.v, LAY.loading, LAY.resource_p, LAY.resource_q]
    )
    assert sorted(places.tolist()) == list(range(LAY.n))
    rows = np.concatenate([LAY.balance_p, LAY.balance_q, LAY.drop, LAY.copy, LAY.rating])
    assert sorted(rows.tolist()) == list(range(LAY.m))
    assert LAY.m + len(LAY.current) == LAY.n - n_resource
    homes = [BUSES[item.bus] for item in EASY.network.resources]
    assert BASE.problem.variable_atom[LAY.resource_p].tolist() == homes
    assert BASE.problem.variable_atom[LAY.resource_q].tolist() == homes


@pytest.mark.parametrize("weight", [0.0, 2.0])
@pytest.mark.parametrize(
    "price", [PRICE, WholesalePrice(-15.0, reactive=-1.0), WholesalePrice(2.0), WholesalePrice(700.0)]
)
def test_the_objective_is_the_bill(price: WholesalePrice, weight: float) -> None:
    """Purchase at the head, offers, and losses at their weight, in dollars an hour."""
    some = stated(with_settings(replace(EASY, price=price), loss_weight=weight))
    flow = fork_flow(EASY, DISPATCH)
    x = point(some.model, flow, some.same, RESOURCES)
    bill = price.lmp * flow.head.real + price.reactive * flow.head.imag
    bill += weight * price.lmp * float(FORK_IMPEDANCE.real @ flow.current)
    for offer, power in zip(EASY.offers, DISPATCH.real, strict=True):
        bill += (offer.cost_linear * power + offer.cost_quadratic * power**2 / 2) / 1e3
    assert objective(some.problem, x) * some.problem.cost_unit == pytest.approx(bill, rel=1e-9)


@pytest.mark.parametrize(("lmp", "unit"), [(30.0, 30.0), (-40.0, 40.0), (3.0, 10.0), (0.0, 10.0)])
def test_the_unit_of_cost_is_the_price_but_never_next_to_nothing(lmp: float, unit: float) -> None:
    """One MWh for an hour at that price."""
    assert stated(replace(EASY, price=WholesalePrice(lmp))).problem.cost_unit == pytest.approx(unit)


@pytest.mark.parametrize(("limit", "beyond"), [("voltage_min_pu", -0.002), ("voltage_max_pu", 0.002)])
def test_a_voltage_beyond_its_limit_costs_the_penalty_for_each_phase(limit: str, beyond: float) -> None:
    """Squared voltages count half, so that near nominal voltage a pu costs what the settings say."""
    some = stated(with_settings(EASY, **{limit: 1.0 - beyond, "voltage_penalty": 5e3}))
    x = np.zeros(LAY.n)
    x[LAY.v], x[LAY.v_from] = 1.0, 1.0
    cost = objective(some.problem, x) * some.problem.cost_unit
    assert cost == pytest.approx(5 * 3 * 5e3 * 0.002, rel=5e-3)


def test_an_overloaded_line_costs_the_penalty_for_each_conductor() -> None:
    some = stated(with_settings(EASY, rating_penalty=2e3, rating_scale=0.5))
    x = np.zeros(LAY.n)
    x[LAY.v] = 1.0
    x[LAY.current[0]] = (1.004 * 0.5 * 3 * 2.4 * 400.0 / 1e3) ** 2
    x[LAY.loading[0]] = 1.004**2
    assert misses(some, x)[LAY.rating[0]] == pytest.approx(0.0)
    cost = objective(some.problem, x) * some.problem.cost_unit
    assert cost == pytest.approx(3 * 2e3 * 0.004, rel=5e-3)


def test_the_band_is_squared_and_narrowed_by_the_margin() -> None:
    problem = stated(
        with_settings(EASY, voltage_min_pu=0.95, voltage_max_pu=1.05, voltage_margin_pu=0.01)
    ).problem
    assert problem.soft_lower[LAY.v] == pytest.approx(0.96**2)
    assert problem.soft_upper[LAY.v] == pytest.approx(1.04**2)
    assert problem.soft_upper[LAY.loading] == pytest.approx(1.0)
    assert np.isinf(np.delete(problem.soft_lower, LAY.v)).all()
    assert np.all(problem.penalty[LAY.v_from] == 0.0), "a copy pays no penalty twice"


def test_a_merged_group_is_held_to_its_tightest_bus() -> None:
    """Bus a before a regulator, bus b behind it, raised: a sets the lower limit, b the upper one."""
    case = Case(mixed(), replace(TIGHT, voltage_min_pu=0.95, voltage_max_pu=1.05), mixed_offers())
    some = stated(case)
    lay, ratio = some.model.layout, some.same.gain[some.same.feeder.buses.index("b")]
    assert ratio > 1.0
    assert some.problem.soft_lower[lay.v[0]] == pytest.approx(0.95**2)
    assert some.problem.soft_upper[lay.v[0]] == pytest.approx(1.05**2 / ratio)


def test_offers_bound_their_resources_and_absent_ones_stand_still() -> None:
    problem = stated(replace(EASY, offers=offers()[:2])).problem
    p, q = LAY.resource_p, LAY.resource_q
    assert problem.lower[p].tolist() == [0.0, 0.0, 0.0]
    assert problem.upper[p] == pytest.approx([0.3, 0.15, 0.0])
    assert problem.lower[q] == pytest.approx([-0.15, 0.0, 0.0])
    assert problem.upper[q] == pytest.approx([0.15, 0.0, 0.0])
    assert problem.linear[p[2]] == problem.quadratic[p[2]] == 0.0
    must = stated(replace(EASY, offers=(Offer("gen", 20.0, 80.0, -5.0),))).problem
    assert (must.lower[p[0]], must.upper[p[0]]) == pytest.approx((0.02, 0.08))
    assert must.linear[p[0]] < 0


def test_a_fixed_power_factor_gives_reactive_power_with_the_real_one() -> None:
    """The flexible load at b gives 25 kvar with each 60 kW and nothing besides."""
    rows = BASE.problem.rows.toarray()
    flex, bus = LAY.resource_p[2], BUSES["b"]
    assert rows[LAY.balance_p[bus], flex] == 1.0
    assert rows[LAY.balance_q[bus], flex] == pytest.approx(25.0 / 60.0)
    assert BASE.problem.upper[LAY.resource_q[2]] == BASE.problem.lower[LAY.resource_q[2]] == 0.0
    gen = LAY.resource_p[0]
    assert rows[LAY.balance_q[BUSES["c"]], gen] == 0.0
    assert rows[LAY.balance_q[BUSES["c"]], LAY.resource_q[0]] == 1.0


def test_discs_are_the_apparent_power_limits_of_free_reactive_power() -> None:
    assert BASE.problem.discs.tolist() == [[LAY.resource_p[0], LAY.resource_q[0]]]
    assert BASE.problem.disc_radius == pytest.approx([0.33])
    fixed = replace(offers()[0], reactive_ratio=0.1)
    unlimited = replace(offers()[0], s_max_kva=np.inf)
    for offer in (fixed, unlimited):
        assert len(stated(replace(EASY, offers=(offer,))).problem.discs) == 0


def test_public_reach_is_the_nameplate_and_nothing_of_an_offer() -> None:
    reach = BASE.problem.reach
    assert reach is not None
    assert reach[LAY.resource_p] == pytest.approx([0.3, 0.15, 0.04])
    assert reach[LAY.resource_q] == pytest.approx([0.36, 0.0, 0.0])
    assert np.isinf(reach[: -len(RESOURCES)]).all()
    less = stated(replace(EASY, offers=(Offer("gen", 0.0, 1.0, 5.0),))).problem
    assert less.reach is not None
    assert np.array_equal(less.reach, reach)


def test_a_model_states_interval_after_interval_without_a_trace() -> None:
    model = BranchFlowModel(EASY.network, TIGHT)
    model.problem(BASE.same, 0.2 * EASY.demand, offers(9.0), WholesalePrice(-70.0))
    again = model.problem(BASE.same, EASY.demand, EASY.offers, PRICE)
    for name in ("linear", "quadratic", "lower", "upper", "row_lower", "penalty", "disc_radius"):
        assert np.array_equal(getattr(again, name), getattr(BASE.problem, name))
    assert (again.rows != BASE.problem.rows).nnz == 0


def test_a_start_at_a_balanced_ac_state_is_a_flow_already() -> None:
    """Without dispatch, OpenDSS and the model describe the same balanced feeder."""
    x = start_state(BASE.model, BASE.same, EASY.state)
    assert np.abs(misses(BASE, x)).max() < 1e-5
    assert np.abs(slack(BASE, x)).max() < 1e-12
    assert np.all(x[-len(RESOURCES) :] == 0.0)


def test_a_start_at_an_unbalanced_ac_state_adds_phases_up_and_averages_voltages() -> None:
    case = Case(mixed(), TIGHT, mixed_offers())
    some, state, network = stated(case), case.state, case.network
    lay = some.model.layout
    x = start_state(some.model, some.same, state)
    assert x[lay.p[0]] == pytest.approx(state.head.real.sum() / 1e3)
    fed = [some.same.feeder.buses[k + 1] for k in some.model.tree.entry_link[1:]].index("two")
    two = [network.conductor_ids.index(f"line.d-two:1.{p}") for p in (1, 3)]
    assert x[lay.p[fed + 1]] == pytest.approx(state.power.real[two].sum() / 1e3)
    assert x[lay.q[fed + 1]] == pytest.approx(state.power.imag[two].sum() / 1e3)
    nodes = [network.node_index[f"two.{p}"] for p in (1, 3)]
    assert x[lay.v[fed]] == pytest.approx(np.mean(np.abs(state.voltage[nodes]) ** 2))
    assert np.abs(slack(some, x)).max() < 1e-12
    assert np.abs(misses(some, x)[[*lay.copy, *lay.rating]]).max() < 1e-12
