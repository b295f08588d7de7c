"""The same markets stated centrally in CVXPY: the reference that negotiations are held against.

Both statements start from the `Network`, not from an `AtomicProblem`, and keep every bus, switch and
regulator. They are parametrised (disciplined parametrised programming), so that only numbers change from
interval to interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from feeders.network import ComplexArray, FloatArray, IntArray, Network
from market.central.solver import incidence, offer_columns, pick, solve
from market.offers import Offer, WholesalePrice
from market.settings import MarketSettings
from market.three_phase.layout import POWER_UNIT, Structure, structure
from market.three_phase.terms import LEAST_PRICE_UNIT, W_UNIT, Anchor, damping


@dataclass(frozen=True)
class CentralSolution:
    """What the reference solution says.

    Attributes
    ----------
    cost : float
        Optimal cost with the damping of flat resources [$/h].
    dispatch : ndarray, shape (n_resource,)
        Complex power awarded [kVA].
    price_real, price_reactive : ndarray, shape (n_node,)
        Nodal prices [$/MWh] and [$/(MVAR*h)].
    resources, limits : ndarray
        Resource variables and multipliers of the limits, as in `market.three_phase.outcome.Solution`.
    """

    cost: float
    dispatch: ComplexArray
    price_real: FloatArray
    price_reactive: FloatArray
    resources: FloatArray
    limits: FloatArray


class CentralThreePhase:
    """The three-phase market of one network, to be solved at any anchor.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Limits and penalties.
    solver : str, optional
        Any installed CVXPY solver for quadratic programs.
    """

    def __init__(self, network: Network, settings: MarketSettings, solver: str = "CLARABEL") -> None:
        self.grid: Structure = structure(network, settings)
        self._solver = solver
        self._numbers: dict[str, cp.Parameter] = {}
        self._state_variables()
        self._constraints = {**self._balances(), **self._voltages(), **self._limits(), **self._offers()}
        self._problem = cp.Problem(cp.Minimize(self._cost()), list(self._constraints.values()))

    def solve(self, anchor: Anchor, offers: Sequence[Offer], price: WholesalePrice) -> CentralSolution:
        """Solve the market at `anchor`.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        unit = max(abs(price.lmp), LEAST_PRICE_UNIT) * POWER_UNIT / 1e3
        self._set_network(anchor)
        self._set_market(anchor, offers, price, unit)
        solve(self._problem, self._solver)
        head = anchor.state.head.sum()
        offset = (price.lmp * head.real + price.reactive * head.imag) / 1e3
        per_mwh = unit / POWER_UNIT * 1e3
        real, reactive = self._p.value, self._q.value
        return CentralSolution(
            cost=float(self._problem.value) * unit + offset + self._damping_offset(anchor) * unit,
            dispatch=POWER_UNIT * (real * (1 + 1j * anchor.ratio) + 1j * reactive),
            price_real=-self._constraints["balance_p"].dual_value * per_mwh,
            price_reactive=-self._constraints["balance_q"].dual_value * per_mwh,
            resources=np.concatenate([real, reactive]),
            limits=self._multipliers(),
        )

    @property
    def solver_seconds(self) -> float:
        """Time that the solver itself took for the last solution [s]."""
        return float(self._problem.solver_stats.solve_time)

    def _multipliers(self) -> FloatArray:
        """Multipliers of the soft limits on the network variables of the layout, shape (n_state,)."""
        lay, tree = self.grid.layout, self.grid.tree
        free = np.flatnonzero(tree.node_slot >= tree.slot_start[1])
        limits = np.zeros(lay.m)
        duals = {
            name: self._constraints[name].dual_value for name in ("voltage_low", "voltage_high", "rating")
        }
        np.add.at(limits, lay.w[tree.node_slot[free]], duals["voltage_high"] - duals["voltage_low"])
        limits[lay.u] = duals["rating"][lay.rated]
        return limits

    def _number(self, name: str, size: int, *, nonneg: bool = False) -> cp.Parameter:
        self._numbers[name] = cp.Parameter(size, name=name, nonneg=nonneg)
        return self._numbers[name]

    def _state_variables(self) -> None:
        network, lines = self.grid.network, self.grid.lines
        self._flow_p, self._flow_q = (cp.Variable(len(network.branch_ids)) for _ in range(2))
        self._head_p, self._head_q = (cp.Variable(len(network.head_ids)) for _ in range(2))
        self._w = cp.Variable(len(network.node_ids))
        self._p, self._q = (cp.Variable(len(network.resources)) for _ in range(2))
        n_slot = len(self.grid.tree.slot_node)
        self._below, self._above = (cp.Variable(n_slot, nonneg=True) for _ in range(2))
        self._overload = cp.Variable(len(lines.rating), nonneg=True)

    def _balances(self) -> dict[str, cp.Constraint]:
        """Power into every node equals power out of it."""
        network, lines = self.grid.network, self.grid.lines
        ends = _branch_ends(network)
        n, n_b = len(network.node_ids), len(network.branch_ids)
        net = incidence(ends[1], n, n_b) - incidence(ends[0], n, n_b)
        at_head = sp.eye(n, len(network.head_ids))
        column = pick(lines.branch_phase[lines.col], n_b)
        w_from = pick(lines.from_node[lines.col], n)
        to_node = incidence(lines.to_node[lines.row], n, len(lines.row))
        here, there = pick(self.grid.loads.node, n), _pick_or_none(self.grid.loads.other, n)
        terms = self.grid.resources
        at_node = incidence(terms.node, n, len(terms.node))
        mine = pick(terms.resource, len(network.resources))
        constraints = {}
        for part, flow, head in (("p", self._flow_p, self._head_p), ("q", self._flow_q, self._head_q)):

            def number(name: str, size: int, part: str = part) -> cp.Parameter:
                return self._number(f"{part}:{name}", size)

            loss = (
                cp.multiply(number("loss_p", len(lines.row)), column @ self._flow_p)
                + cp.multiply(number("loss_q", len(lines.row)), column @ self._flow_q)
                + cp.multiply(number("loss_w", len(lines.row)), w_from @ self._w)
            )
            load = cp.multiply(number("load_own", here.shape[0]), here @ self._w) + cp.multiply(
                number("load_other", here.shape[0]), there @ self._w
            )
            given = cp.multiply(number("given_p", mine.shape[0]), mine @ self._p) + cp.multiply(
                number("given_q", mine.shape[0]), mine @ self._q
            )
            drawn = incidence(self.grid.loads.node, n, here.shape[0]) @ load
            if part == "q":
                drawn = drawn - cp.multiply(self.grid.capacitor_kvar * W_UNIT / POWER_UNIT, self._w)
            supply = net @ flow - to_node @ loss + at_head @ head + at_node @ given
            constraints[f"balance_{part}"] = supply - drawn - number("drawn", n) == 0
        return constraints

    def _voltages(self) -> dict[str, cp.Constraint]:
        """Squared voltage along every branch; the source is held."""
        network, lines = self.grid.network, self.grid.lines
        n, n_b, n_c = len(network.node_ids), len(network.branch_ids), len(lines.rating)
        column = pick(lines.branch_phase[lines.col], n_b)
        sum_row = incidence(lines.row, n_c, len(lines.row))
        pairs = (
            cp.multiply(self._number("w_w", len(lines.row)), pick(lines.from_node[lines.col], n) @ self._w)
            + cp.multiply(self._number("w_p", len(lines.row)), column @ self._flow_p)
            + cp.multiply(self._number("w_q", len(lines.row)), column @ self._flow_q)
        )
        start, end = _branch_ends(network)
        merged = np.setdiff1d(np.arange(n_b), lines.branch_phase)
        ratio = cp.multiply(self._number("ratio", len(merged)), pick(start[merged], n) @ self._w)
        return {
            "drop": pick(lines.to_node, n) @ self._w == sum_row @ pairs,
            "ratio": pick(end[merged], n) @ self._w == ratio,
            "source": self._w[: len(network.head_ids)] == 0,
        }

    def _limits(self) -> dict[str, cp.Constraint]:
        """Soft voltage limits, once for a group of merged buses, and soft ratings of every line conductor."""
        lines, tree = self.grid.lines, self.grid.tree
        free = np.flatnonzero(tree.node_slot >= tree.slot_start[1])
        w = cp.multiply(self._number("per_gain", len(free)), pick(free, len(tree.node_slot)) @ self._w)
        slot = pick(tree.node_slot[free], len(tree.slot_node))
        carried = pick(lines.branch_phase, len(self.grid.network.branch_ids))
        loading = (
            cp.multiply(self._number("u_p", len(lines.rating)), carried @ self._flow_p)
            + cp.multiply(self._number("u_q", len(lines.rating)), carried @ self._flow_q)
            + cp.multiply(
                self._number("u_w", len(lines.rating)),
                pick(lines.from_node, len(tree.node_slot)) @ self._w,
            )
        )
        return {
            "voltage_low": w + slot @ self._below >= self._number("low", len(free)),
            "voltage_high": w - slot @ self._above <= self._number("high", len(free)),
            "rating": loading - self._overload <= self._number("room", len(lines.rating)),
        }

    def _offers(self) -> dict[str, cp.Constraint]:
        n = len(self.grid.network.resources)
        reach = cp.norm(cp.vstack([self._p, self._q]), 2, axis=0)
        return {
            "p_min": self._p >= self._number("p_min", n),
            "p_max": self._p <= self._number("p_max", n),
            "q_min": self._q >= self._number("q_min", n),
            "q_max": self._q <= self._number("q_max", n),
            "s_max": reach <= self._number("s_max", n, nonneg=True),
        }

    def _cost(self) -> cp.Expression:
        n = len(self.grid.network.resources)
        limits = self.grid.settings
        slope, slope_q = self._number("slope_p", n), self._number("slope_q", n)
        curve, curve_q = self._number("curve_p", n, nonneg=True), self._number("curve_q", n, nonneg=True)
        voltage = limits.voltage_penalty * W_UNIT / 2
        penalty = voltage * cp.sum(self._below + self._above) + limits.rating_penalty * cp.sum(self._overload)
        return (
            self._number("head_p", 1) * cp.sum(self._head_p)
            + self._number("head_q", 1) * cp.sum(self._head_q)
            + slope @ self._p
            + slope_q @ self._q
            + curve @ cp.square(self._p) / 2
            + curve_q @ cp.square(self._q) / 2
            + self._number("per_unit", 1, nonneg=True) * penalty
            + self._number("weight_p", len(self.grid.lines.rating)) @ self._carried(self._flow_p)
            + self._number("weight_q", len(self.grid.lines.rating)) @ self._carried(self._flow_q)
            + self._number("weight_w", len(self.grid.network.node_ids)) @ self._w
        )

    def _carried(self, flow: cp.Variable) -> cp.Expression:
        return pick(self.grid.lines.branch_phase, len(self.grid.network.branch_ids)) @ flow

    def _set_network(self, anchor: Anchor) -> None:
        """Fill in the derivatives of the AC equations."""
        grid, slope, numbers = self.grid, anchor.branch, self._numbers
        per_w = W_UNIT / POWER_UNIT
        demand = anchor.state.demand[grid.loads.load]
        along = anchor.resource_share * (1 + 1j * anchor.ratio[grid.resources.resource])
        for part, take in (("p", np.real), ("q", np.imag)):
            numbers[f"{part}:loss_p"].value = take(slope.loss_p)
            numbers[f"{part}:loss_q"].value = take(slope.loss_q)
            numbers[f"{part}:loss_w"].value = take(slope.loss_w) * per_w
            numbers[f"{part}:load_own"].value = take(demand * anchor.load.share_own) * per_w
            numbers[f"{part}:load_other"].value = take(demand * anchor.load.share_other) * per_w
            numbers[f"{part}:given_p"].value = take(along)
            numbers[f"{part}:given_q"].value = take(1j * anchor.resource_share)
            numbers[f"{part}:drawn"].value = take(self._drawn(anchor))
        numbers["w_w"].value, numbers["w_p"].value, numbers["w_q"].value = (
            slope.w_w,
            slope.w_p / per_w,
            slope.w_q / per_w,
        )
        start, end = _branch_ends(grid.network)
        merged = np.setdiff1d(np.arange(len(grid.network.branch_ids)), grid.lines.branch_phase)
        numbers["ratio"].value = anchor.w[end[merged]] / anchor.w[start[merged]]
        rating = grid.lines.rating * grid.settings.rating_scale
        numbers["u_p"].value = slope.current_p * POWER_UNIT / rating
        numbers["u_q"].value = slope.current_q * POWER_UNIT / rating
        numbers["u_w"].value = slope.current_w * W_UNIT / rating
        numbers["room"].value = 1 - slope.current / rating

    def _drawn(self, anchor: Anchor) -> ComplexArray:
        """Demand that the anchor did not serve and generation that it had, at every node [100 kVA]."""
        grid = self.grid
        drawn = np.zeros(len(grid.network.node_ids), dtype=np.complex128)
        np.add.at(
            drawn, grid.loads.node, (anchor.demand - anchor.state.demand)[grid.loads.load] * anchor.load.share
        )
        running = anchor.state.injection[grid.resources.resource] * grid.resources.share
        np.add.at(drawn, grid.resources.node, running)
        return drawn / POWER_UNIT

    def _set_market(
        self, anchor: Anchor, offers: Sequence[Offer], price: WholesalePrice, unit: float
    ) -> None:
        """Fill in prices, limits and offers."""
        grid, numbers, limits = self.grid, self._numbers, self.grid.settings
        free = np.flatnonzero(grid.tree.node_slot >= grid.tree.slot_start[1])
        gain, w = anchor.node_gain[free], anchor.w[free]
        numbers["per_gain"].value = 1 / gain
        numbers["low"].value = (limits.voltage_low_pu**2 - w) / gain / W_UNIT
        numbers["high"].value = (limits.voltage_high_pu**2 - w) / gain / W_UNIT
        scale = POWER_UNIT / 1e3 / unit
        numbers["head_p"].value = np.array([price.lmp * scale])
        numbers["head_q"].value = np.array([price.reactive * scale])
        numbers["per_unit"].value = np.array([1 / unit])
        self._set_loss_weight(anchor, limits.loss_weight * price.lmp / 1e3 / unit)
        self._set_offers(anchor, offers, price, unit)

    def _set_loss_weight(self, anchor: Anchor, weight: float) -> None:
        lines, slope = self.grid.lines, anchor.branch
        n_c = len(lines.rating)
        self._numbers["weight_p"].value = weight * POWER_UNIT * np.bincount(lines.col, slope.loss_p.real, n_c)
        self._numbers["weight_q"].value = weight * POWER_UNIT * np.bincount(lines.col, slope.loss_q.real, n_c)
        by_w = np.bincount(lines.from_node[lines.col], slope.loss_w.real, len(anchor.w))
        self._numbers["weight_w"].value = weight * W_UNIT * by_w

    def _set_offers(
        self, anchor: Anchor, offers: Sequence[Offer], price: WholesalePrice, unit: float
    ) -> None:
        names = self.grid.network.resource_ids
        by_name = {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in names]
        self._damping = damping(self.grid, table, price, unit)
        columns, numbers = offer_columns(table, POWER_UNIT, unit), self._numbers
        for key in ("p_min", "p_max", "q_min", "q_max", "s_max"):
            numbers[key].value = columns[key]
        numbers["curve_p"].value = columns["curve"] + self._damping[0]
        numbers["slope_p"].value = columns["cost"] - self._damping[0] * anchor.power.real / POWER_UNIT
        numbers["curve_q"].value = self._damping[1]
        numbers["slope_q"].value = -self._damping[1] * anchor.power.imag / POWER_UNIT

    def _damping_offset(self, anchor: Anchor) -> float:
        real, reactive = anchor.power.real / POWER_UNIT, anchor.power.imag / POWER_UNIT
        return float(self._damping[0] @ real**2 + self._damping[1] @ reactive**2) / 2


def _branch_ends(network: Network) -> tuple[IntArray, IntArray]:
    """List the sending and receiving node of every branch conductor."""
    start = [network.node_index[f"{b.from_bus}.{phase}"] for b in network.branches for phase in b.phases]
    end = [network.node_index[f"{b.to_bus}.{phase}"] for b in network.branches for phase in b.phases]
    return np.array(start), np.array(end)


def _pick_or_none(index: IntArray, size: int) -> sp.csr_matrix:
    """Matrix that picks entries `index`, and nothing where an index is negative."""
    there = np.flatnonzero(index >= 0)
    return sp.csr_matrix((np.ones(len(there)), (there, index[there])), shape=(len(index), size))
