"""Turn a solved balanced problem into a `Clearing`: every phase of the feeder gets an equal share."""

from __future__ import annotations

import numpy as np

from feeders.network import Bus, ComplexArray, FloatArray
from market.balanced.equivalent import Equivalent
from market.balanced.layout import BASE_KVA
from market.balanced.model import BranchFlowModel
from market.balanced.tangents import Tangents
from market.clearing import Clearing, Prices, SoftLimit
from market.offers import Offer, WholesalePrice
from market.problem.atoms import AtomicProblem
from market.problem.prices import network_solver, prices_by_cause
from market.problem.solution import LEAST_LIMIT_PRICE, Solution, pays, settled_cost


def read_branch_flow(
    model: BranchFlowModel,
    same: Equivalent,
    tangents: Tangents,
    price: WholesalePrice,
    x: FloatArray,
    solution: Solution,
    offers: tuple[Offer, ...],
    demand: ComplexArray,
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
    """
    lay, network, problem = model.layout, model.network, tangents.problem
    v_atom = np.concatenate([[same.v_source], x[lay.v]])
    v_bus = v_atom[model.tree.atom_of_bus] * same.gain
    dispatch = _dispatch(model, offers, x)
    flow = _branch_flow(model, x, _drawn(same, demand, dispatch, v_bus))
    phases = np.array([len(branch.phases) for branch in network.branches])
    head = complex(x[lay.p[0]], x[lay.q[0]]) * BASE_KVA / len(network.head_ids)
    return Clearing(
        dispatch=dispatch,
        voltage_magnitude=np.repeat(np.sqrt(v_bus), [len(bus.phases) for bus in network.buses]),
        power_from=np.repeat(flow / phases, phases),
        head=np.full(len(network.head_ids), head),
        losses_kw=float(same.resistance @ x[lay.current]) * BASE_KVA,
        prices=_prices(model, tangents, price, x, solution),
        cost=settled_cost(problem, x, solution.limits) * problem.cost_unit,
        limits=tuple(_limits(model, same, problem, x, solution.limits)),
        exactness_gap=float(np.max(x[lay.current] * x[lay.v_from] - x[lay.p[1:]] ** 2 - x[lay.q[1:]] ** 2)),
    )


def _dispatch(model: BranchFlowModel, offers: tuple[Offer, ...], x: FloatArray) -> ComplexArray:
    ratio = {offer.resource: offer.reactive_ratio or 0.0 for offer in offers}
    fixed = np.array([ratio.get(name, 0.0) for name in model.network.resource_ids])
    real, reactive = x[model.layout.resource_p], x[model.layout.resource_q]
    return np.asarray(BASE_KVA * (real * (1 + 1j * fixed) + 1j * reactive), dtype=np.complex128)


def _branch_flow(model: BranchFlowModel, x: FloatArray, drawn: ComplexArray) -> ComplexArray:
    """Power into every branch, all phases [kVA]; merged branches carry what is behind them."""
    lay, network = model.layout, model.network
    flow = np.zeros(len(network.branches), dtype=np.complex128)
    lines = model.tree.entry_branch[1:]
    flow[lines] = (x[lay.p[1:]] + 1j * x[lay.q[1:]]) * BASE_KVA
    for k in range(len(network.branches) - 1, -1, -1):
        if network.branches[k].kind != "line":
            here = network.branches[k].to_bus
            behind = [c for c, branch in enumerate(network.branches) if branch.from_bus == here]
            flow[k] = drawn[k + 1] + flow[behind].sum()
    return flow


def _drawn(same: Equivalent, demand: ComplexArray, dispatch: ComplexArray, v_bus: FloatArray) -> ComplexArray:
    """Power drawn at every bus [kVA]."""
    exponent = same.feeder.load_exponent / 2
    drawn = np.zeros(len(v_bus), dtype=np.complex128)
    drawn -= 1j * same.feeder.capacitor * BASE_KVA * v_bus
    np.add.at(drawn, same.feeder.load_bus, demand * (1 + exponent * (v_bus[same.feeder.load_bus] - 1)))
    np.add.at(drawn, same.feeder.resource_bus, -dispatch)
    return drawn


def _prices(
    model: BranchFlowModel, tangents: Tangents, price: WholesalePrice, x: FloatArray, solution: Solution
) -> Prices:
    """Split the duals at the tangent of the solution by cause; see `market.prices`."""
    lay, n_state = model.layout, model.layout.n_network
    problem, solver = tangents.problem, network_solver(tangents.at(x))
    voltage, rating = solution.limits.copy(), solution.limits.copy()
    voltage[lay.loading] = 0.0
    rating[lay.v] = 0.0
    causes = np.column_stack([problem.linear[:n_state], voltage, rating])
    duals = solver.duals(causes) * problem.cost_unit / BASE_KVA * 1e3
    atom = model.tree.atom_of_bus
    counts = [len(bus.phases) for bus in model.network.buses]
    real = np.repeat(duals[lay.balance_p[atom]], counts, axis=0)
    reactive = np.repeat(duals[lay.balance_q[atom]], counts, axis=0)
    return prices_by_cause(real, reactive, price)


def _limits(
    model: BranchFlowModel, same: Equivalent, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray
) -> list[SoftLimit]:
    """Every limit with a price, once for each phase that it stands for, the dearest first."""
    lay, found = model.layout, []
    for line in np.flatnonzero(np.abs(multipliers[lay.v]) > LEAST_LIMIT_PRICE):
        k = int(lay.v[line])
        found += _voltage_limits(model, same, problem, x, multipliers, int(line), k)
    for line in np.flatnonzero(np.abs(multipliers[lay.loading]) > LEAST_LIMIT_PRICE):
        k = int(lay.loading[line])
        branch = model.network.branches[model.tree.entry_branch[line + 1]]
        limit = branch.rating_a * model.settings.rating_scale
        price = 2 * float(multipliers[k]) * problem.cost_unit / limit / len(branch.phases)
        value, beyond = limit * float(np.sqrt(max(x[k], 0.0))), pays(problem, multipliers, k)
        found += [
            SoftLimit("rating", f"{branch.name}.{p}", value, limit, price, beyond) for p in branch.phases
        ]
    return sorted(found, key=lambda limit: (-limit.price, limit.where))


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
    buses = np.flatnonzero(model.tree.atom_of_bus == line + 1)
    low = multipliers[k] < 0
    chosen = int(buses[np.argmin(same.gain[buses]) if low else np.argmax(same.gain[buses])])
    bus: Bus = model.network.buses[chosen]
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
