"""Turn a solved balanced problem into a `Clearing`: every conductor of a link gets an equal share."""

from __future__ import annotations

import numpy as np

from dlmp_cosim.feeders.balanced import conductor_links
from dlmp_cosim.feeders.network import Bus, ComplexArray, FloatArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.equivalent import Equivalent
from dlmp_cosim.market.balanced.layout import BASE_KVA
from dlmp_cosim.market.balanced.model import BranchFlowModel, node_atoms
from dlmp_cosim.market.balanced.tangents import Tangents
from dlmp_cosim.market.clearing import Clearing, Prices, SoftLimit
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.prices import network_solver, prices_by_cause
from dlmp_cosim.market.problem.solution import LEAST_LIMIT_PRICE, Solution, pays, settled_cost

NEGATIVE_LMP = (
    "the LMP is negative: power that is lost is paid for, so the second-order cone relaxation of the "
    "balanced model is never exact"
)
"""What a clearing says of itself then: agents on tangents stay physical, and the published methods do not."""


def read_branch_flow(
    model: BranchFlowModel,
    same: Equivalent,
    tangents: Tangents,
    price: WholesalePrice,
    x: FloatArray,
    solution: Solution,
    offers: tuple[Offer, ...],
    demand: ComplexArray,
    state: AcState,
) -> Clearing:
    """State the clearing behind a solution of the balanced problem.

    Parameters
    ----------
    model : BranchFlowModel
        The model.
    same : Equivalent
        Balanced feeder at the interval's taps.
    tangents : Tangents
        The problem, with cones, and their tangents.
    price : WholesalePrice
        LMP at the head.
    x : ndarray, shape (n,)
        Variables.
    solution : Solution
        Dispatch and multipliers of the limits.
    offers : tuple of Offer
        Offers that took part.
    demand : ndarray, shape (n_load,)
        Nominal demand before curtailment [kVA].
    state : AcState
        Last AC state; it lends the angles that the model does not know.
    """
    lay, network, problem = model.layout, model.network, tangents.problem
    v_atom = np.concatenate([[same.v_source], x[lay.v]])
    v_bus = v_atom[model.tree.atom_of_bus] * same.gain
    dispatch = _dispatch(model, offers, x)
    flow = _link_flow(model, x, _drawn(same, demand, dispatch, v_bus))
    head = complex(x[lay.p[0]], x[lay.q[0]]) * BASE_KVA / len(network.head_ids)
    slack = x[lay.current] * x[lay.v_from] - x[lay.p[1:]] ** 2 - x[lay.q[1:]] ** 2
    size = np.sqrt(v_bus)[model.feeder.position[network.node_bus]]
    return Clearing(
        dispatch=dispatch,
        voltage=size * np.exp(1j * np.angle(state.voltage)),
        power=_conductor_power(model, same, x, flow),
        head=np.full(len(network.head_ids), head),
        losses_kw=float(same.resistance @ x[lay.current]) * BASE_KVA,
        prices=_prices(model, same, tangents, price, x, solution),
        cost=settled_cost(problem, x, solution.limits) * problem.cost_unit,
        limits=tuple(_limits(model, same, problem, x, solution.limits)),
        exactness_gap=float(np.max(slack, initial=0.0)),
        notes=(NEGATIVE_LMP,) if price.lmp < 0.0 else (),
    )


def _dispatch(model: BranchFlowModel, offers: tuple[Offer, ...], x: FloatArray) -> ComplexArray:
    ratio = {offer.resource: offer.reactive_ratio or 0.0 for offer in offers}
    fixed = np.array([ratio.get(name, 0.0) for name in model.network.resource_ids])
    real, reactive = x[model.layout.resource_p], x[model.layout.resource_q]
    return np.asarray(BASE_KVA * (real * (1 + 1j * fixed) + 1j * reactive), dtype=np.complex128)


def _link_flow(model: BranchFlowModel, x: FloatArray, drawn: ComplexArray) -> ComplexArray:
    """Power into every link, shape (n_link,) [kVA]; merged ones carry what is behind them."""
    lay, feeder = model.layout, model.feeder
    flow = np.zeros(len(feeder.links), dtype=np.complex128)
    lines = model.tree.entry_link[1:]
    flow[lines] = (x[lay.p[1:]] + 1j * x[lay.q[1:]]) * BASE_KVA
    behind = drawn.copy()
    for k in range(len(flow) - 1, -1, -1):
        if k not in lines:
            flow[k] = behind[k + 1]
        behind[feeder.parent[k + 1]] += flow[k]
    return flow


def _conductor_power(
    model: BranchFlowModel, same: Equivalent, x: FloatArray, flow: ComplexArray
) -> ComplexArray:
    """Power into every branch at every conductor [kVA]: an equal share of what its link sends or receives."""
    ends = np.stack([flow, -flow])
    lost = (same.resistance + 1j * same.reactance) * x[model.layout.current] * BASE_KVA
    ends[1, model.tree.entry_link[1:]] += lost
    link, end = conductor_links(model.feeder, model.network)
    power = np.zeros(len(link), dtype=np.complex128)
    on = np.flatnonzero(link >= 0)
    at, count = (end[on], link[on]), np.zeros(ends.shape)
    np.add.at(count, at, 1.0)
    power[on] = ends[at] / count[at]
    return power


def _drawn(same: Equivalent, demand: ComplexArray, dispatch: ComplexArray, v_bus: FloatArray) -> ComplexArray:
    """Power drawn at every bus [kVA]."""
    constant, slope = same.feeder.bus_demand(demand)
    drawn = (constant + slope * v_bus - same.injected) * BASE_KVA
    np.add.at(drawn, same.feeder.resource_bus, -dispatch)
    return drawn


def _prices(
    model: BranchFlowModel,
    same: Equivalent,
    tangents: Tangents,
    price: WholesalePrice,
    x: FloatArray,
    solution: Solution,
) -> Prices:
    """Split the duals at the tangent of the solution by cause; see `market.prices`."""
    lay, n_state = model.layout, model.layout.n_network
    problem, solver = tangents.problem, network_solver(tangents.at(x), tangents.plan.network)
    voltage, rating = solution.limits.copy(), solution.limits.copy()
    voltage[lay.loading] = 0.0
    rating[lay.v] = 0.0
    added = []
    if price.adder:
        real = price.adder * BASE_KVA / 1e3 / problem.cost_unit
        share = np.zeros(n_state)
        share[lay.p[0]], share[lay.current] = real, model.settings.loss_weight * real * same.resistance
        added = [share]
    head = problem.linear[:n_state] - sum(added)
    causes = np.column_stack([head, voltage, rating, *added])
    duals = solver.duals(causes) * problem.cost_unit / BASE_KVA * 1e3
    atom = node_atoms(model)
    return prices_by_cause(duals[lay.balance_p[atom]], duals[lay.balance_q[atom]], price)


def _limits(
    model: BranchFlowModel, same: Equivalent, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray
) -> list[SoftLimit]:
    """Every limit with a price, once for each phase that it stands for, the dearest first."""
    lay, found = model.layout, []
    for line in np.flatnonzero(np.abs(multipliers[lay.v]) > LEAST_LIMIT_PRICE):
        k = int(lay.v[line])
        found += _voltage_limits(model, same, problem, x, multipliers, int(line), k)
    for line in np.flatnonzero(np.abs(multipliers[lay.loading]) > LEAST_LIMIT_PRICE):
        found += _rating_limits(model, problem, x, multipliers, int(line))
    return sorted(found, key=lambda limit: (-limit.price, limit.where))


def _rating_limits(
    model: BranchFlowModel, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray, line: int
) -> list[SoftLimit]:
    """Name every conductor at the sending end of a line."""
    network, k = model.network, int(model.layout.loading[line])
    link, end = conductor_links(model.feeder, network)
    sending = np.flatnonzero((link == model.tree.entry_link[line + 1]) & (end == 0))
    found = []
    for conductor in sending.tolist():
        limit = float(network.conductor_rating[conductor]) * model.settings.rating_scale
        found.append(
            SoftLimit(
                kind="rating",
                where=network.conductor_ids[conductor],
                value=limit * float(np.sqrt(max(x[k], 0.0))),
                limit=limit,
                price=2 * float(multipliers[k]) * problem.cost_unit / limit / len(sending),
                exceeded=pays(problem, multipliers, k),
            )
        )
    return found


def _voltage_limits(
    model: BranchFlowModel,
    same: Equivalent,
    problem: AtomicProblem,
    x: FloatArray,
    multipliers: FloatArray,
    line: int,
    k: int,
) -> list[SoftLimit]:
    """Name the bus of a merged group whose limit is the tightest, phase by phase."""
    buses = model.limited_bus[model.tree.atom_of_bus[model.limited_bus] == line + 1]
    low = multipliers[k] < 0
    chosen = int(buses[np.argmin(same.gain[buses]) if low else np.argmax(same.gain[buses])])
    bus: Bus = model.network.buses[model.network.bus_index[model.feeder.buses[chosen]]]
    limit = model.settings.voltage_low_pu if low else model.settings.voltage_high_pu
    slope = 2 * limit / float(same.gain[chosen]) / len(bus.phases)
    return [
        SoftLimit(
            kind="voltage_low" if low else "voltage_high",
            where=f"{bus.name}.{phase}",
            value=float(np.sqrt(x[k] * same.gain[chosen])),
            limit=limit,
            price=abs(float(multipliers[k])) * problem.cost_unit * slope,
            exceeded=pays(problem, multipliers, k),
        )
        for phase in bus.phases
    ]
