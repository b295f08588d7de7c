"""Turn a solved nodal problem into a `Clearing`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.market.clearing import Clearing, Prices, SoftLimit
from dlmp_cosim.market.nodal.anchor import VA_PER_UNIT, Anchor
from dlmp_cosim.market.nodal.layout import POWER_UNIT, VOLTAGE_UNIT
from dlmp_cosim.market.nodal.model import NodalModel
from dlmp_cosim.market.offers import WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.prices import NetworkSolver, prices_by_cause
from dlmp_cosim.market.problem.solution import LEAST_LIMIT_PRICE, Solution, pays, settled_cost


@dataclass(frozen=True)
class Change:
    """What a dispatch changes from the anchor.

    Attributes
    ----------
    voltage : ndarray, shape (n_node,)
        Voltages [V].
    flow : ndarray, shape (n_flow,)
        Currents of the flows [A].
    dispatch : ndarray, shape (n_resource,)
        Power of every resource itself, not its change [kVA].
    """

    voltage: ComplexArray
    flow: ComplexArray
    dispatch: ComplexArray


def read_clearing(
    model: NodalModel, anchor: Anchor, solver: NetworkSolver, price: WholesalePrice, solution: Solution
) -> Clearing:
    """State the clearing that follows from a dispatch and the multipliers of the limits.

    Prices, flows and voltages are recovered exactly from the two (`market.problem.prices`), so parts sum to
    prices and predictions satisfy the network rows whatever tolerance a negotiation stopped at.

    Parameters
    ----------
    model : NodalModel
        The model.
    anchor : Anchor
        The AC state that it was differentiated at.
    solver : NetworkSolver
        The problem and its factorised rows.
    price : WholesalePrice
        Price at the head.
    solution : Solution
        What was agreed, in units of the problem.
    """
    problem, network, layout = solver.problem, model.network, model.layout
    x = np.concatenate([solver.state(solution.resources), solution.resources])
    change = _change(model, anchor, x)
    volts = _volts(model, anchor, x)
    nodes = network.head_node
    more = change.flow[layout.spanning.n_flow - len(nodes) :]
    head = anchor.state.head + _power_change(
        anchor.volts[nodes], anchor.head_current, change.voltage[nodes], more
    )
    base = np.where(network.base_v > 0, network.base_v, 1.0)
    return Clearing(
        dispatch=change.dispatch,
        voltage=volts / base,
        power=_branch_power(model, anchor, change),
        head=head,
        losses_kw=anchor.state.losses.real + _loss_change(model, anchor, change, head),
        prices=_prices(model, anchor, solver, price, solution.limits),
        cost=settled_cost(problem, x, solution.limits) * problem.cost_unit,
        limits=tuple(_limits(model, anchor, problem, x, solution.limits)),
    )


def read_step(
    model: NodalModel, anchor: Anchor, x: FloatArray, duals: FloatArray, price: WholesalePrice
) -> tuple[ComplexArray, FloatArray, FloatArray, float]:
    """Read what is expected of a step: dispatch [kVA], prices [$/MWh], voltages [pu] and head power [kW].

    Parameters
    ----------
    model : NodalModel
        The model.
    anchor : Anchor
        The AC state that it was differentiated at.
    x : ndarray
        All variables of the problem.
    duals : ndarray, shape (n_state,)
        Duals of its rows [$/h per unit].
    price : WholesalePrice
        Price at the head.
    """
    network, layout = model.network, model.layout
    change = _change(model, anchor, x)
    nodes = network.head_node
    more = change.flow[layout.spanning.n_flow - len(nodes) :]
    at_head = _power_change(anchor.volts[nodes], anchor.head_current, change.voltage[nodes], more)
    prices = np.where(anchor.live, -duals[layout.voltage[0]] / POWER_UNIT * 1e3, price.lmp)
    base = np.where(network.base_v > 0, network.base_v, 1.0)
    volts = np.abs(_volts(model, anchor, x)) / base
    return change.dispatch, prices, volts, float((anchor.state.head + at_head).real.sum())


def _change(model: NodalModel, anchor: Anchor, x: FloatArray) -> Change:
    """Undo the units of the problem."""
    layout = model.layout
    (u_real, u_imag), (p, q) = x[layout.voltage], x[layout.resource]
    flow_real, flow_imag = x[layout.flow]
    at = anchor.scale[layout.spanning.flow_node]
    return Change(
        voltage=(u_real + 1j * u_imag) * VOLTAGE_UNIT * anchor.scale,
        flow=np.conj((flow_real + 1j * flow_imag) * VA_PER_UNIT / at),
        dispatch=POWER_UNIT * (p * (1 + 1j * anchor.ratio) + 1j * q),
    )


def _volts(model: NodalModel, anchor: Anchor, x: FloatArray) -> ComplexArray:
    """Voltages [V]: magnitudes and angles each move by what the problem says, as its limits see them."""
    magnitude, angle = x[model.layout.voltage] * VOLTAGE_UNIT
    moved = np.where(anchor.live, (1 + magnitude) * np.exp(1j * angle), 0.0) * anchor.scale
    still = anchor.volts + (magnitude + 1j * angle) * anchor.scale
    return np.asarray(np.where(anchor.live, moved, still), dtype=np.complex128)


def _power_change(
    volts: ComplexArray, current: ComplexArray, more_volts: ComplexArray, more_current: ComplexArray
) -> ComplexArray:
    """First-order change of ``V conj(I)`` [kVA]."""
    change: ComplexArray = (more_volts * np.conj(current) + volts * np.conj(more_current)) / 1e3
    return change


def _branch_power(model: NodalModel, anchor: Anchor, change: Change) -> ComplexArray:
    """Power into every branch at every conductor [kVA]."""
    table = model.table.conductors(anchor.state.admittance)
    more = table @ np.concatenate([change.voltage, change.flow])
    at = model.network.conductor_node
    power: ComplexArray = anchor.state.power + _power_change(
        anchor.volts[at], anchor.current, change.voltage[at], more
    )
    return power


def _loss_change(model: NodalModel, anchor: Anchor, change: Change, head: ComplexArray) -> float:
    """Change of head power and injections less that of the loads [kW]."""
    legs, slopes = model.legs, anchor.legs
    voltage = np.append(change.voltage, 0.0)
    n = legs.n_load
    across = (voltage[legs.node] - voltage[legs.other])[:n]
    follow = slopes.follow[:n] * (np.conj(slopes.across[:n]) * across).real / 1e3
    asked = legs.set_point(slopes, anchor.demand - anchor.state.demand)
    real, reactive = legs.resource_slopes(slopes)
    power = change.dispatch[legs.resource]
    drawn = (real * power.real + reactive * power.imag).sum() + anchor.state.injection.sum()
    change_of_head = head.sum() - anchor.state.head.sum()
    return float((change_of_head - follow.sum() - asked.sum() - drawn).real)


def _prices(
    model: NodalModel, anchor: Anchor, solver: NetworkSolver, price: WholesalePrice, limits: FloatArray
) -> Prices:
    """Split the duals of Kirchhoff's law by cause; a node without a voltage takes the energy price."""
    layout, problem = model.layout, solver.problem
    added = [model.adder_gradient(anchor, price, problem.cost_unit)] if price.adder else []
    head = problem.linear[: problem.n_state] - sum(added)
    voltage, rating = limits.copy(), limits.copy()
    voltage[layout.loading] = 0.0
    rating[: layout.loading[0] if len(layout.loading) else None] = 0.0
    causes = [solver.duals(cause) for cause in (head, voltage, rating, *added)]
    duals = np.array(causes) * (-problem.cost_unit / POWER_UNIT * 1e3)
    real, reactive = duals[:, layout.voltage[0]].T, duals[:, layout.voltage[1]].T
    adders = [price.adder] * len(added)
    real[~anchor.live] = (price.lmp - price.adder, 0.0, 0.0, *adders)
    reactive[~anchor.live] = (price.reactive, 0.0, 0.0, *([0.0] * len(added)))
    return prices_by_cause(real, reactive, price)


def _limits(
    model: NodalModel, anchor: Anchor, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray
) -> list[SoftLimit]:
    """Every limit with a price, the dearest first."""
    layout, network = model.layout, model.network
    felt = np.abs(multipliers) > LEAST_LIMIT_PRICE
    found = [
        _rating_limit(model, problem, x, multipliers, k)
        for k in np.flatnonzero(felt[layout.loading]).tolist()
    ]
    points, volts = layout.points, anchor.volts
    by_node: dict[int, list[int]] = {}
    met = felt[layout.voltage[0][points.node]]
    for point, node in zip(points.to_ground[met].tolist(), points.node[met].tolist(), strict=True):
        by_node.setdefault(node, []).append(point)
    sites = [(int(layout.voltage[0][node]), abs(volts[node]), on) for node, on in by_node.items()]
    for k in np.flatnonzero(felt[layout.across]).tolist():
        size = abs(volts[points.first[k]] - volts[points.second[k]])
        sites.append((int(layout.across[k]), size, [int(points.between[k])]))
    found += [_voltage_limit(model, network, problem, x, multipliers, *site) for site in sites]
    return sorted(found, key=lambda limit: (-limit.price, limit.where))


def _rating_limit(
    model: NodalModel, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray, k: int
) -> SoftLimit:
    variable, conductor = int(model.layout.loading[k]), model.layout.rated[k]
    limit = float(model.network.conductor_rating[conductor] * model.settings.rating_scale)
    return SoftLimit(
        kind="rating",
        where=model.network.conductor_ids[conductor],
        value=float(x[variable]) * limit,
        limit=limit,
        price=float(multipliers[variable]) * problem.cost_unit / limit,
        exceeded=pays(problem, multipliers, variable),
    )


def _voltage_limit(
    model: NodalModel,
    network: Network,
    problem: AtomicProblem,
    x: FloatArray,
    multipliers: FloatArray,
    variable: int,
    size: float,
    points: list[int],
) -> SoftLimit:
    """Name the point whose limit is the tightest among those that one variable carries."""
    low = multipliers[variable] < 0
    base = model.layout.points.base_v
    point = (max if low else min)(points, key=base.__getitem__)
    nominal = float(base[point])
    return SoftLimit(
        kind="voltage_low" if low else "voltage_high",
        where=network.voltage_points[point].name,
        value=float(size / nominal * (1 + x[variable] * VOLTAGE_UNIT)),
        limit=model.settings.voltage_low_pu if low else model.settings.voltage_high_pu,
        price=abs(float(multipliers[variable])) * problem.cost_unit * nominal / size / VOLTAGE_UNIT,
        exceeded=pays(problem, multipliers, variable),
    )
