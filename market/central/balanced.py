"""The balanced second-order cone market stated centrally in CVXPY, from the `Network`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.balanced import balance
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.equivalent import Equivalent, at_state, equivalent
from dlmp_cosim.market.balanced.layout import BASE_KVA, cone_layout
from dlmp_cosim.market.balanced.model import PHASES, limited_buses
from dlmp_cosim.market.central.solver import incidence, offer_columns, pick, solve
from dlmp_cosim.market.models import ReferenceAnswer
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.reduction import reduce_tree
from dlmp_cosim.market.problem.units import cost_unit
from dlmp_cosim.market.settings import MarketSettings

NO_LIMIT = 1e3
"""Squared voltage that stands for no limit [pu**2]."""


@dataclass(frozen=True)
class ConeSolution:
    """What the reference solution says.

    Attributes
    ----------
    cost : float
        Optimal cost [$/h].
    x : ndarray, shape (n,)
        Variables in the order of `market.balanced.model.ConeLayout`.
    limits : ndarray, shape (n - 2 n_resource,)
        Multipliers of the soft limits.
    price_real, price_reactive : ndarray, shape (n_node,)
        Nodal prices [$/MWh] and [$/(MVAR*h)]: duals of the cone problem.
    exactness_gap : float
        Largest slack of a cone [pu]; the relaxation is exact when it is zero.
    """

    cost: float
    x: FloatArray
    limits: FloatArray
    price_real: FloatArray
    price_reactive: FloatArray
    exactness_gap: float


class CentralBranchFlow:
    """The balanced market of one network, to be solved at any taps and demand.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Limits, penalties and loss weight.
    solver : str, optional
        Any installed CVXPY solver for second-order cone programs.
    """

    def __init__(self, network: Network, settings: MarketSettings, solver: str = "CLARABEL") -> None:
        self.network, self.settings, self._solver = network, settings, solver
        self.feeder = balance(network, base_kva=BASE_KVA)
        self.tree = reduce_tree(self.feeder)
        self.layout = cone_layout(self.tree.n_atom, len(network.resources))
        self._numbers: dict[str, cp.Parameter] = {}
        n, n_line = self.tree.n_atom, self.tree.n_atom - 1
        self._p, self._q = cp.Variable(n), cp.Variable(n)
        self._current, self._v = cp.Variable(n_line), cp.Variable(n)
        self._gen, self._var = (cp.Variable(len(network.resources)) for _ in range(2))
        self._low, self._high = (cp.Variable(n, nonneg=True) for _ in range(2))
        self._over = cp.Variable(n_line, nonneg=True)
        self._constraints = {**self._flow(), **self._limits(), **self._offers()}
        self._problem = cp.Problem(cp.Minimize(self._cost()), list(self._constraints.values()))

    def answer(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> ReferenceAnswer:
        """Solve one case at the taps and the head voltage of an AC state.

        Parameters
        ----------
        state : AcState
            A converged AC state.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Accepted offers.
        price : WholesalePrice
            LMP at the head.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        same = at_state(equivalent(self.network, self.tree, state.admittance), self.network, state)
        found = self.solve(same, demand, offers, price)
        ratio = self._numbers["ratio"].value
        real, reactive = found.x[self.layout.resource_p], found.x[self.layout.resource_q]
        return ReferenceAnswer(
            cost=found.cost,
            price_real=found.price_real,
            price_reactive=found.price_reactive,
            award=np.asarray(BASE_KVA * (real * (1 + 1j * ratio) + 1j * reactive), dtype=np.complex128),
            slack=found.exactness_gap,
            seconds=self.solver_seconds,
        )

    def solve(
        self, same: Equivalent, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> ConeSolution:
        """Solve the market of a balanced equivalent.

        Parameters
        ----------
        same : Equivalent
            The equivalent at the taps and the head voltage to be cleared at.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Accepted offers, at most one per resource.
        price : WholesalePrice
            Price at the head, real and reactive.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        unit = cost_unit(price, BASE_KVA)
        self._set_network(same, demand)
        self._set_market(same, offers, price, unit)
        solve(self._problem, self._solver)
        return self._read(same, unit)

    @property
    def solver_seconds(self) -> float:
        """Time that the solver itself took for the last solution [s]."""
        return float(self._problem.solver_stats.solve_time)

    def _number(self, name: str, size: int, *, nonneg: bool = False) -> cp.Parameter:
        self._numbers[name] = cp.Parameter(size, name=name, nonneg=nonneg)
        return self._numbers[name]

    def _flow(self) -> dict[str, cp.Constraint]:
        """Balances, voltage drops and cones."""
        tree, n_line = self.tree, self.tree.n_atom - 1
        n, lines = tree.n_atom, np.arange(1, tree.n_atom)
        into = sp.eye(n) - incidence(tree.parent[1:], n, n_line) @ pick(lines, n)
        own = incidence(lines, n, n_line)
        home = tree.atom_of_bus[self.feeder.resource_bus]
        at = incidence(home, n, len(home))
        r, x = self._number("r", n_line), self._number("x", n_line)
        slope_p, slope_q = self._number("slope_p", n), self._number("slope_q", n)
        ratio = self._number("ratio", len(home))
        v_from = cp.multiply(self._number("from_gain", n_line), pick(tree.parent[1:], n) @ self._v)
        sent_p, sent_q, loss_q = self._p[1:], self._q[1:], cp.multiply(x, self._current)
        drop = 2 * (cp.multiply(r, sent_p) + cp.multiply(x, sent_q))
        squared = cp.multiply(self._number("z2", n_line), self._current)
        cone = cp.norm(cp.vstack([2 * sent_p, 2 * sent_q, self._current - v_from]), 2, axis=0)
        given_q = cp.multiply(ratio, self._gen) + self._var
        loss_p = cp.multiply(r, self._current)
        return {
            "balance_p": into @ self._p - own @ loss_p - cp.multiply(slope_p, self._v) + at @ self._gen
            == self._number("drawn_p", n),
            "balance_q": into @ self._q - own @ loss_q - cp.multiply(slope_q, self._v) + at @ given_q
            == self._number("drawn_q", n),
            "drop": self._v[1:] == v_from - drop + squared,
            "source": self._v[0] == self._number("source", 1),
            "cone": cone <= self._current + v_from,
        }

    def _limits(self) -> dict[str, cp.Constraint]:
        n = self.tree.n_atom
        return {
            "voltage_low": self._v + self._low >= self._number("low", n),
            "voltage_high": self._v - self._high <= self._number("high", n),
            "rating": cp.multiply(self._number("per_rating", n - 1), self._current) - self._over <= 1,
        }

    def _offers(self) -> dict[str, cp.Constraint]:
        n = len(self.network.resources)
        reach = cp.norm(cp.vstack([self._gen, self._var]), 2, axis=0)
        return {
            "p_min": self._gen >= self._number("p_min", n),
            "p_max": self._gen <= self._number("p_max", n),
            "q_min": self._var >= self._number("q_min", n),
            "q_max": self._var <= self._number("q_max", n),
            "s_max": reach <= self._number("s_max", n, nonneg=True),
        }

    def _cost(self) -> cp.Expression:
        n, limits = len(self.network.resources), self.settings
        voltage = limits.voltage_penalty * cp.sum(self._low[1:] + self._high[1:])
        penalty = voltage + limits.rating_penalty * cp.sum(self._over)
        return (
            self._number("head_p", 1) * self._p[0]
            + self._number("head_q", 1) * self._q[0]
            + self._number("cost", n) @ self._gen
            + self._number("curve", n, nonneg=True) @ cp.square(self._gen) / 2
            + self._number("weight", self.tree.n_atom - 1) @ self._current
            + self._number("per_unit", 1, nonneg=True) * PHASES * penalty / 2
        )

    def _set_network(self, same: Equivalent, demand: ComplexArray) -> None:
        numbers, n = self._numbers, self.tree.n_atom
        r, x = same.resistance, same.reactance
        numbers["r"].value, numbers["x"].value, numbers["z2"].value = r, x, r**2 + x**2
        numbers["from_gain"].value = same.from_gain
        numbers["source"].value = np.array([same.v_source])
        numbers["per_rating"].value = 1 / (same.rating * self.settings.rating_scale) ** 2
        feeder, atom = same.feeder, self.tree.atom_of_bus
        home, gain = atom[feeder.load_bus], same.gain[feeder.load_bus]
        parts = (("p", np.real, demand.real), ("q", np.imag, demand.imag))
        for k, (part, take, listed) in enumerate(parts):
            follow = listed * feeder.load_slope[k] / BASE_KVA
            constant = listed * feeder.load_factor[k] / BASE_KVA - follow
            given = np.bincount(atom, take(same.injected), n)
            numbers[f"drawn_{part}"].value = np.bincount(home, constant, n) - given
            shunt = np.bincount(atom, take(feeder.shunt) * same.gain, n)
            numbers[f"slope_{part}"].value = np.bincount(home, follow * gain, n) + shunt
        low, high = np.full(n, -NO_LIMIT), np.full(n, NO_LIMIT)
        seen = limited_buses(self.network, feeder)
        np.maximum.at(low, atom[seen], self.settings.voltage_low_pu**2 / same.gain[seen])
        np.minimum.at(high, atom[seen], self.settings.voltage_high_pu**2 / same.gain[seen])
        numbers["low"].value, numbers["high"].value = low, high

    def _set_market(
        self, same: Equivalent, offers: Sequence[Offer], price: WholesalePrice, unit: float
    ) -> None:
        scale, numbers = BASE_KVA / 1e3 / unit, self._numbers
        numbers["head_p"].value = np.array([price.lmp * scale])
        numbers["head_q"].value = np.array([price.reactive * scale])
        numbers["weight"].value = self.settings.loss_weight * price.lmp * scale * same.resistance
        numbers["per_unit"].value = np.array([1 / unit])
        by_name = {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in self.network.resource_ids]
        for key, column in offer_columns(table, BASE_KVA, unit).items():
            numbers[key].value = column

    def _read(self, same: Equivalent, unit: float) -> ConeSolution:
        lay, duals = self.layout, {name: c.dual_value for name, c in self._constraints.items()}
        x = np.zeros(lay.n)
        x[lay.p], x[lay.q], x[lay.current] = self._p.value, self._q.value, self._current.value
        x[lay.v] = self._v.value[1:]
        x[lay.v_from] = same.from_gain * self._v.value[self.tree.parent[1:]]
        x[lay.loading] = x[lay.current] * self._numbers["per_rating"].value
        x[lay.resource_p], x[lay.resource_q] = self._gen.value, self._var.value
        limits = np.zeros(lay.n_network)
        limits[lay.v] = (duals["voltage_high"] - duals["voltage_low"])[1:]
        limits[lay.loading] = duals["rating"]
        atom = self.tree.atom_of_bus[self.feeder.position[self.network.node_bus]]
        slack = x[lay.current] * x[lay.v_from] - x[lay.p[1:]] ** 2 - x[lay.q[1:]] ** 2
        per_mwh = unit / BASE_KVA * 1e3
        return ConeSolution(
            cost=float(self._problem.value) * unit,
            x=x,
            limits=limits,
            price_real=-duals["balance_p"][atom] * per_mwh,
            price_reactive=-duals["balance_q"][atom] * per_mwh,
            exactness_gap=float(slack.max(initial=0.0)),
        )
