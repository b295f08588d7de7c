"""Turn a solved three-phase problem into a `Clearing`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feeders.network import ComplexArray, FloatArray, IntArray
from market.clearing import Clearing, Prices, SoftLimit
from market.offers import WholesalePrice
from market.problem.atoms import AtomicProblem, objective
from market.problem.prices import NetworkSolver, prices_by_cause
from market.three_phase.layout import POWER_UNIT, Structure
from market.three_phase.terms import W_UNIT, Anchor

LEAST_LIMIT_PRICE = 1e-6
"""A limit whose multiplier is smaller than this share of the problem's unit is not reported."""
PENALTY_SHARE = 0.999
"""A limit whose multiplier is more than this share of its penalty is exceeded."""


@dataclass(frozen=True)
class Solution:
    """A solved problem, whatever solved it.

    Attributes
    ----------
    resources : ndarray, shape (n_resource_variable,)
        Resource variables, in the problem's units.
    limits : ndarray, shape (n_state,)
        Multipliers of the soft limits: positive at an upper limit, negative at a lower one.
    """

    resources: FloatArray
    limits: FloatArray


def read_clearing(
    grid: Structure,
    anchor: Anchor,
    solver: NetworkSolver,
    price: WholesalePrice,
    solution: Solution,
) -> Clearing:
    """State the clearing that follows from a dispatch and the multipliers of the limits.

    Prices, flows and voltages are recovered exactly from the two (`market.prices`), so parts sum to prices
    and predictions satisfy the network rows whatever tolerance the negotiation stopped at.
    """
    problem = solver.problem
    state = solver.state(solution.resources)
    x = np.concatenate([state, solution.resources])
    d_w = np.where(grid.layout.w >= 0, x[grid.layout.w], 0.0)[grid.tree.node_slot] * anchor.node_gain * W_UNIT
    power_from = _power_from(grid, anchor, x, d_w)
    n_root = int(grid.tree.slot_start[1])
    head_change = (x[grid.layout.p[:n_root]] + 1j * x[grid.layout.q[:n_root]]) * POWER_UNIT
    return Clearing(
        dispatch=_power(grid, anchor, x),
        voltage_magnitude=np.sqrt(np.maximum(anchor.w + d_w, 0.0)),
        power_from=power_from,
        head=anchor.state.head + head_change,
        losses_kw=anchor.state.losses.real + _loss_change(grid, anchor, power_from, d_w),
        prices=_prices(grid, solver, price, solution.limits),
        cost=settled_cost(problem, x, solution.limits) * problem.cost_unit,
        limits=tuple(_limits(grid, anchor, problem, x, solution.limits)),
    )


def settled_cost(problem: AtomicProblem, x: FloatArray, multipliers: FloatArray) -> float:
    """Cost without penalties for what a held limit misses within the tolerance, in units of the problem."""
    n = len(multipliers)
    missed = np.maximum(problem.soft_lower - x, 0.0) + np.maximum(x - problem.soft_upper, 0.0)
    held = [k for k in np.flatnonzero(missed[:n]) if not pays(problem, multipliers, int(k))]
    return objective(problem, x) - float(problem.penalty[held] @ missed[held])


def _prices(grid: Structure, solver: NetworkSolver, price: WholesalePrice, limits: FloatArray) -> Prices:
    """Split the duals by cause; the energy part is the price at the head."""
    lay, problem, n = grid.layout, solver.problem, solver.problem.n_state
    head = problem.linear[:n]
    voltage, rating = limits.copy(), limits.copy()
    voltage[lay.u] = 0.0
    rating[lay.w[lay.w >= 0]] = 0.0
    duals = solver.duals(np.column_stack([head, voltage, rating])) * problem.cost_unit / POWER_UNIT * 1e3
    slots = grid.tree.node_slot
    real, reactive = duals[lay.balance_p[slots]], duals[lay.balance_q[slots]]
    return prices_by_cause(real, reactive, price)


def _power_from(grid: Structure, anchor: Anchor, x: FloatArray, d_w: FloatArray) -> ComplexArray:
    """Predicted flow into every branch; merged branches carry what is behind them."""
    lines, lay = grid.lines, grid.layout
    change = np.zeros(len(anchor.state.power_from), dtype=np.complex128)
    change[lines.branch_phase] = (x[lay.p[lines.to_slot]] + 1j * x[lay.q[lines.to_slot]]) * POWER_UNIT
    drawn = _drawn_change(grid, anchor, x, d_w)
    for conductor, node, behind in grid.merged:
        change[conductor] = drawn[node] + change[behind].sum()
    return anchor.state.power_from + change


def _drawn_change(grid: Structure, anchor: Anchor, x: FloatArray, d_w: FloatArray) -> ComplexArray:
    """Change of the power drawn at every node [kVA], shape (n_node,)."""
    ends, terms, demand = grid.loads, grid.resources, anchor.state.demand[grid.loads.load]
    other = np.where(ends.other >= 0, d_w[ends.other], 0.0)
    at_load = demand * (anchor.load.share_own * d_w[ends.node] + anchor.load.share_other * other)
    at_load = at_load + (anchor.demand - anchor.state.demand)[ends.load] * anchor.load.share
    given = anchor.resource_share * _power(grid, anchor, x)[terms.resource]
    given = given - anchor.state.injection[terms.resource] * terms.share
    drawn = np.zeros(len(d_w), dtype=np.complex128)
    np.add.at(drawn, ends.node, at_load)
    np.add.at(drawn, terms.node, -given)
    drawn -= 1j * grid.capacitor_kvar * d_w
    return drawn


def _power(grid: Structure, anchor: Anchor, x: FloatArray) -> ComplexArray:
    """Power of every resource [kVA], shape (n_resource,)."""
    real, reactive = x[grid.layout.resource_p], x[grid.layout.resource_q]
    power: ComplexArray = POWER_UNIT * (real * (1 + 1j * anchor.ratio) + 1j * reactive)
    return power


def _loss_change(grid: Structure, anchor: Anchor, power_from: ComplexArray, d_w: FloatArray) -> float:
    lines, slope = grid.lines, anchor.branch
    moved = (power_from - anchor.state.power_from)[lines.branch_phase][lines.col]
    d_loss = (
        slope.loss_p * moved.real + slope.loss_q * moved.imag + slope.loss_w * d_w[lines.from_node][lines.col]
    )
    return float(d_loss.real.sum())


def _limits(
    grid: Structure, anchor: Anchor, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray
) -> list[SoftLimit]:
    """Every limit with a price, the dearest first."""
    felt = np.flatnonzero(np.abs(multipliers) > LEAST_LIMIT_PRICE)
    is_rating = np.isin(felt, grid.layout.u)
    found = [_rating_limit(grid, problem, x, multipliers, int(k)) for k in felt[is_rating]]
    found += [_voltage_limit(grid, anchor, problem, x, multipliers, int(k)) for k in felt[~is_rating]]
    return sorted(found, key=lambda limit: (-limit.price, limit.where))


def _rating_limit(
    grid: Structure, problem: AtomicProblem, x: FloatArray, multipliers: FloatArray, k: int
) -> SoftLimit:
    conductor = grid.layout.rated[int(np.flatnonzero(grid.layout.u == k)[0])]
    where = grid.network.branch_ids[grid.lines.branch_phase[conductor]]
    kv = grid.network.buses[grid.node_bus[grid.lines.from_node[conductor]]].kv_base
    limit = float(grid.lines.rating[conductor] * grid.settings.rating_scale / kv)
    return SoftLimit(
        kind="rating",
        where=where,
        value=float(x[k]) * limit,
        limit=limit,
        price=float(multipliers[k]) * problem.cost_unit / limit,
        exceeded=pays(problem, multipliers, k),
    )


def pays(problem: AtomicProblem, multipliers: FloatArray, k: int) -> bool:
    """Whether a limit has its penalty for a price: a held one costs less, however roughly it is held."""
    return bool(abs(multipliers[k]) > PENALTY_SHARE * problem.penalty[k])


def _voltage_limit(
    grid: Structure,
    anchor: Anchor,
    problem: AtomicProblem,
    x: FloatArray,
    multipliers: FloatArray,
    k: int,
) -> SoftLimit:
    """Name the node of a merged group whose limit is the tightest."""
    slot = int(np.flatnonzero(grid.layout.w == k)[0])
    nodes: IntArray = np.flatnonzero(grid.tree.node_slot == slot)
    low = multipliers[k] < 0
    w = anchor.w[nodes] + x[k] * anchor.node_gain[nodes] * W_UNIT
    node = int(nodes[np.argmin(w) if low else np.argmax(w)])
    value = float(np.sqrt(max(float(w.min() if low else w.max()), 0.0)))
    limit = grid.settings.voltage_low_pu if low else grid.settings.voltage_high_pu
    per_pu = 2 * limit / (W_UNIT * float(anchor.node_gain[node]))
    return SoftLimit(
        kind="voltage_low" if low else "voltage_high",
        where=grid.network.node_ids[node],
        value=value,
        limit=limit,
        price=abs(float(multipliers[k])) * problem.cost_unit * per_pu,
        exceeded=pays(problem, multipliers, k),
    )
