"""The balanced market model of the retail-market literature: second-order cone branch flow.

One phase stands for three. For the line that feeds bus j from bus i, with l its squared current and v squared
voltages, all in pu of 1 MVA:

    P_j - r l_j - sum_k P_jk - demand_j(v_j) + resources = 0          (price: its dual), and so for Q
    v_j - v_i + 2 (r P_j + x Q_j) - |z|**2 l_j = 0
    P_j**2 + Q_j**2 <= l_j v_i                                        (tight at an exact optimum)

Line j owns a copy of v_i, so that its cone is its own; the copy's row is the coordination with the parent.
Regulators and transformers are fixed ratios (the mean of a bank's taps), switches are merged, loads keep the
slope of their voltage dependence, and machines of the circuit run as the last AC state has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlmp_cosim.feeders.balanced import BalancedFeeder, balance, link_power
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.equivalent import Equivalent
from dlmp_cosim.market.balanced.layout import BASE_KVA, cone_layout, negotiated_units
from dlmp_cosim.market.offers import Offer, WholesalePrice, offer_terms
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.damping import nameplates
from dlmp_cosim.market.problem.pattern import Pattern, pattern
from dlmp_cosim.market.problem.reduction import reduce_tree
from dlmp_cosim.market.problem.units import cost_unit
from dlmp_cosim.market.settings import MarketSettings

PHASES = 3
"""Phases that the equivalent stands for: a soft limit counts for each."""


class BranchFlowModel:
    """Builds the balanced problem of one network again and again, with a fixed pattern.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Limits, penalties and loss weight.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        self.network, self.settings = network, settings
        self.feeder = balance(network, base_kva=BASE_KVA)
        self.tree = reduce_tree(self.feeder)
        self.layout = cone_layout(self.tree.n_atom, len(network.resources))
        self.load_atom = self.tree.atom_of_bus[self.feeder.load_bus]
        self.resource_atom = self.tree.atom_of_bus[self.feeder.resource_bus]
        self.limited_bus = limited_buses(network, self.feeder)
        self.reach = np.full(self.layout.n, np.inf)
        real, reactive = nameplates(network)
        self.reach[self.layout.resource_p] = real / BASE_KVA
        self.reach[self.layout.resource_q] = reactive / BASE_KVA
        self.units = negotiated_units(self.layout)
        self._pattern = _pattern(self)
        self._variable_atom, self._row_atom = _variable_atoms(self), _row_atoms(self)

    def problem(
        self, same: Equivalent, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> AtomicProblem:
        """State the market for a demand.

        Parameters
        ----------
        same : Equivalent
            The balanced feeder at the taps of the interval.
        demand : ndarray, shape (n_load,)
            Nominal demand before curtailment [kVA].
        offers : sequence of Offer
            Accepted offers.
        price : WholesalePrice
            LMP at the head.
        """
        lay, by_name = self.layout, {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in self.network.resource_ids]
        unit = cost_unit(price, BASE_KVA)
        constant, slope = _bus_demand(self, same, demand)
        ratio = np.array([0.0 if o is None else o.reactive_ratio or 0.0 for o in table])
        rhs = np.zeros(lay.m)
        rhs[lay.balance_p], rhs[lay.balance_q] = constant.real, constant.imag
        from_root = self.tree.parent[1:] == 0
        rhs[lay.copy[from_root]] = same.v_source * same.from_gain[from_root]
        terms = offer_terms(table, BASE_KVA, unit)
        linear, quadratic = np.zeros(lay.n), np.zeros(lay.n)
        lower, upper = np.full(lay.n, -np.inf), np.full(lay.n, np.inf)
        lower[lay.resource_p], upper[lay.resource_p] = terms.p_min, terms.p_max
        lower[lay.resource_q], upper[lay.resource_q] = terms.q_min, terms.q_max
        linear[lay.resource_p], quadratic[lay.resource_p] = terms.linear, terms.quadratic
        linear[lay.p[0]], linear[lay.q[0]] = price.lmp, price.reactive
        linear[lay.current] = self.settings.loss_weight * price.lmp * same.resistance
        linear[[lay.p[0], lay.q[0], *lay.current]] *= BASE_KVA / 1e3 / unit
        soft_lower, soft_upper, penalty = _soft_limits(self, same, unit)
        pairs, radius = _discs(self, table)
        return AtomicProblem(
            quadratic=quadratic,
            linear=linear,
            lower=lower,
            upper=upper,
            soft_lower=soft_lower,
            soft_upper=soft_upper,
            penalty=penalty,
            rows=self._pattern.matrix(_values(self, same, slope, ratio)),
            row_lower=rhs,
            row_upper=rhs,
            row_penalty=np.full(lay.m, np.inf),
            variable_atom=self._variable_atom,
            row_atom=self._row_atom,
            parent=self.tree.parent,
            discs=pairs,
            disc_radius=radius,
            cones=np.stack([lay.p[1:], lay.q[1:], lay.current, lay.v_from], axis=1),
            offset=0.0,
            cost_unit=unit,
            reach=self.reach,
        )


def _pattern(model: BranchFlowModel) -> Pattern:
    lay, parent, home = model.layout, model.tree.parent[1:], model.resource_atom
    atoms, inner = np.arange(model.tree.n_atom), np.arange(1, model.tree.n_atom)
    v_atom = np.concatenate([[-1], lay.v])
    blocks: dict[str, tuple[IntArray, IntArray]] = {}
    for name, row, flow in (("p", lay.balance_p, lay.p), ("q", lay.balance_q, lay.q)):
        blocks[f"{name}:receive"] = (row[atoms], flow[atoms])
        blocks[f"{name}:send"] = (row[parent], flow[inner])
        blocks[f"{name}:loss"] = (row[inner], lay.current)
        blocks[f"{name}:load"] = (row[atoms], v_atom)
    blocks["p:resource_p"] = (lay.balance_p[home], lay.resource_p)
    blocks["q:resource_p"] = (lay.balance_q[home], lay.resource_p)
    blocks["q:resource_q"] = (lay.balance_q[home], lay.resource_q)
    blocks["drop:v"] = (lay.drop, lay.v)
    blocks["drop:v_from"] = (lay.drop, lay.v_from)
    blocks["drop:p"] = (lay.drop, lay.p[1:])
    blocks["drop:q"] = (lay.drop, lay.q[1:])
    blocks["drop:current"] = (lay.drop, lay.current)
    blocks["copy:v_from"] = (lay.copy, lay.v_from)
    blocks["copy:v"] = (lay.copy, v_atom[parent])
    blocks["rating:loading"] = (lay.rating, lay.loading)
    blocks["rating:current"] = (lay.rating, lay.current)
    return pattern(blocks, (lay.m, lay.n))


def _values(
    model: BranchFlowModel, same: Equivalent, slope: ComplexArray, ratio: FloatArray
) -> dict[str, FloatArray | float]:
    r, x = same.resistance, same.reactance
    rating = (same.rating * model.settings.rating_scale) ** 2
    return {
        "p:receive": 1.0,
        "p:send": -1.0,
        "p:loss": -r,
        "p:load": -slope.real,
        "q:receive": 1.0,
        "q:send": -1.0,
        "q:loss": -x,
        "q:load": -slope.imag,
        "p:resource_p": 1.0,
        "q:resource_p": ratio,
        "q:resource_q": 1.0,
        "drop:v": 1.0,
        "drop:v_from": -1.0,
        "drop:p": 2 * r,
        "drop:q": 2 * x,
        "drop:current": -(r**2 + x**2),
        "copy:v_from": 1.0,
        "copy:v": -same.from_gain,
        "rating:loading": 1.0,
        "rating:current": -1 / rating,
    }


def _bus_demand(
    model: BranchFlowModel, same: Equivalent, demand: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    """Power drawn at every atom at v = 0 and its slope in v [pu]."""
    at_zero, follow = same.feeder.bus_demand(demand)
    constant, slope = (np.zeros(model.tree.n_atom, dtype=np.complex128) for _ in range(2))
    np.add.at(constant, model.tree.atom_of_bus, at_zero - same.injected)
    np.add.at(slope, model.tree.atom_of_bus, follow * same.gain)
    # The source's voltage is known, so its slope is a constant.
    constant[0] += slope[0] * same.v_source
    slope[0] = 0.0
    return constant, slope


def node_atoms(model: BranchFlowModel) -> IntArray:
    """Atom of every node of the network, shape (n_node,)."""
    return model.tree.atom_of_bus[model.feeder.position[model.network.node_bus]]


def limited_buses(network: Network, feeder: BalancedFeeder) -> IntArray:
    """Buses of a balanced feeder at which customers see a voltage.

    Parameters
    ----------
    network : Network
        The circuit; its voltage points are where customers are connected.
    feeder : BalancedFeeder
        Its balanced equivalent.

    Returns
    -------
    ndarray of int
        Positions in ``feeder.buses``, ascending.
    """
    names = {point.bus for point in network.voltage_points}
    return np.flatnonzero([name in names for name in feeder.buses])


def _soft_limits(
    model: BranchFlowModel, same: Equivalent, unit: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Voltage band of every atom (the tightest of its buses) and rating of every line."""
    lay, limits, buses = model.layout, model.settings, model.limited_bus
    low, high = np.full(model.tree.n_atom, -np.inf), np.full(model.tree.n_atom, np.inf)
    np.maximum.at(low, model.tree.atom_of_bus[buses], limits.voltage_low_pu**2 / same.gain[buses])
    np.minimum.at(high, model.tree.atom_of_bus[buses], limits.voltage_high_pu**2 / same.gain[buses])
    soft_lower, soft_upper, penalty = np.full(lay.n, -np.inf), np.full(lay.n, np.inf), np.zeros(lay.n)
    soft_lower[lay.v], soft_upper[lay.v] = low[1:], high[1:]
    penalty[lay.v] = PHASES * limits.voltage_penalty / 2 / unit
    soft_upper[lay.loading] = 1.0
    penalty[lay.loading] = PHASES * limits.rating_penalty / 2 / unit
    return soft_lower, soft_upper, penalty


def _discs(model: BranchFlowModel, table: list[Offer | None]) -> tuple[IntArray, FloatArray]:
    """Apparent-power limits that the boxes of an offer do not already imply."""
    limited = {
        k: offer.disc_kva / BASE_KVA
        for k, offer in enumerate(table)
        if offer is not None and offer.disc_kva is not None
    }
    chosen = np.array(list(limited), dtype=np.int64)
    pairs = np.stack([model.layout.resource_p[chosen], model.layout.resource_q[chosen]], axis=1)
    return pairs, np.array(list(limited.values()))


def _variable_atoms(model: BranchFlowModel) -> IntArray:
    lay, owner = model.layout, np.zeros(model.layout.n, dtype=np.int64)
    owner[lay.p] = owner[lay.q] = np.arange(model.tree.n_atom)
    for line in (lay.current, lay.v_from, lay.v, lay.loading):
        owner[line] = np.arange(1, model.tree.n_atom)
    owner[lay.resource_p] = owner[lay.resource_q] = model.resource_atom
    return owner


def _row_atoms(model: BranchFlowModel) -> IntArray:
    lay, owner = model.layout, np.zeros(model.layout.m, dtype=np.int64)
    owner[lay.balance_p] = owner[lay.balance_q] = np.arange(model.tree.n_atom)
    for line in (lay.drop, lay.copy, lay.rating):
        owner[line] = np.arange(1, model.tree.n_atom)
    return owner


def start_state(model: BranchFlowModel, same: Equivalent, state: AcState) -> FloatArray:
    """Variables of the problem at an AC state: phases added up, voltages averaged; resources at zero.

    Parameters
    ----------
    model : BranchFlowModel
        The model.
    same : Equivalent
        The balanced circuit at that state.
    state : AcState
        Converged AC state.
    """
    lay, tree, network, x = model.layout, model.tree, model.network, np.zeros(model.layout.n)
    bus = model.feeder.position[network.node_bus]
    squared = np.bincount(bus, np.abs(state.voltage) ** 2) / np.bincount(bus)
    power = link_power(model.feeder, network, state.power) / BASE_KVA
    into = np.append(state.head.sum() / BASE_KVA, power[tree.entry_link[1:]])
    x[lay.p], x[lay.q] = into.real, into.imag
    first = np.unique(tree.atom_of_bus, return_index=True)[1]
    v_atom = np.append(same.v_source, squared[first][1:])
    x[lay.v] = v_atom[1:]
    x[lay.v_from] = v_atom[tree.parent[1:]] * same.from_gain
    x[lay.current] = (x[lay.p[1:]] ** 2 + x[lay.q[1:]] ** 2) / x[lay.v_from]
    x[lay.loading] = x[lay.current] / (same.rating * model.settings.rating_scale) ** 2
    return x
