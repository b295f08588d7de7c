"""The market of any circuit stated centrally: the reference that models and negotiations are held against.

It starts from the `Network` and the AC state in rectangular coordinates, shares no structure and no
derivative with `market.nodal`, and eliminates the network before it optimises: with real and imaginary parts
stacked,

    J dV = B r + c,    J' lambda_i = gradient of limit i,    limit_i(r) = limit_i(0) + lambda_i . (B r + c)

with J the Jacobian of Kirchhoff's current law and r the powers of the resources. Limits join as they turn out
exceeded; one that is not exceeded has no price, so the optimum is that of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from dlmp_cosim.feeders.admittance import conductor_admittance
from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.circuit import POWER_UNIT, Sensitivity, differentiate, point_incidence
from dlmp_cosim.market.central.solver import offer_columns, solve
from dlmp_cosim.market.models import ReferenceAnswer
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.path_curvature import path_curvature
from dlmp_cosim.market.problem.units import cost_unit, damped_price
from dlmp_cosim.market.settings import MarketSettings

LEAST_VOLTAGE = 0.1
"""Share of its base below which a voltage carries no limit and no price of its own."""
EXCEEDED = 1e-8
"""How far a limit that takes no part may be exceeded [pu, share of a rating]."""
JOINING = 60
"""Limits that may join at a time, worst first."""


@dataclass(frozen=True)
class CentralSolution:
    """What the reference says.

    Attributes
    ----------
    cost : float
        Optimal cost with the damping of flat resources [$/h].
    dispatch : ndarray, shape (n_resource,)
        Complex power awarded [kVA].
    price_real, price_reactive : ndarray, shape (n_node,)
        Nodal prices [$/MWh] and [$/(MVAR*h)].
    voltage : ndarray, shape (n_point,)
        Multiplier of every voltage limit, positive at an upper one [$/h per pu].
    rating : ndarray, shape (n_conductor,)
        Multiplier of every rating [$/h per A].
    seconds : float
        Time that the solver itself took [s].
    """

    cost: float
    dispatch: ComplexArray
    price_real: FloatArray
    price_reactive: FloatArray
    voltage: FloatArray
    rating: FloatArray
    seconds: float


@dataclass(frozen=True)
class Limit:
    """Voltages or currents with limits: value at the anchor, gradient (a row each), bounds, penalty [$/h]."""

    value: FloatArray
    gradient: sp.csr_matrix
    low: FloatArray
    high: FloatArray
    penalty: FloatArray


@dataclass(frozen=True)
class CentralCase:
    """One AC state differentiated, and the program there; `ratio` is reactive power with each kW."""

    state: AcState
    price: WholesalePrice
    ratio: FloatArray
    circuit: Sensitivity
    limit: Limit
    program: Program


class CentralNodal:
    """The nodal market of one circuit, to be solved at any AC state.

    Parameters
    ----------
    network : Network
        The circuit.
    settings : MarketSettings
        Limits and penalties.
    solver : str, optional
        Any installed CVXPY solver for quadratic programs.
    """

    def __init__(self, network: Network, settings: MarketSettings, solver: str = "CLARABEL") -> None:
        self.network, self.settings, self._solver = network, settings, solver
        self.curvature = np.concatenate(path_curvature(network))

    def answer(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> ReferenceAnswer:
        """Solve one case and say what a negotiation is held against; parameters as in `solve`."""
        found = self.solve(state, demand, offers, price)
        return ReferenceAnswer(
            found.cost, found.price_real, found.price_reactive, found.dispatch, 0.0, found.seconds
        )

    def solve(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> CentralSolution:
        """Solve the market around an AC state.

        Parameters
        ----------
        state : AcState
            The anchor.
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
        case = self.case(state, demand, offers, price)
        program = case.program
        joined = np.zeros(0, dtype=np.int64)
        while True:
            r, multipliers, cost = program.solve(joined, self._solver)
            missed = program.missed(r, joined)
            if not len(missed):
                break
            joined = np.concatenate([joined, missed])
        return self.read(case, r, joined, multipliers, cost)

    def case(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> CentralCase:
        """Differentiate the circuit and set up its program.

        Parameters
        ----------
        state : AcState
            The anchor.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Accepted offers.
        price : WholesalePrice
            LMP at the head.
        """
        by_name = {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in self.network.resource_ids]
        ratio = np.array([0.0 if o is None else o.reactive_ratio or 0.0 for o in table])
        circuit = differentiate(self.network, state, demand, ratio)
        limit = self._limits(state)
        return CentralCase(state, price, ratio, circuit, limit, Program(self, circuit, limit, table, price))

    def read(
        self, case: CentralCase, r: FloatArray, joined: IntArray, multipliers: FloatArray, cost: float
    ) -> CentralSolution:
        """State a solved program in the units of the project.

        Parameters
        ----------
        case : CentralCase
            What was solved.
        r : ndarray, shape (2 n_resource,)
            Powers, in units.
        joined : ndarray of int
            Limits that took part.
        multipliers : ndarray
            Theirs [$/h per unit of each].
        cost : float
            Cost over that of the anchor's head power [$/h].
        """
        state, price, limit = case.state, case.price, case.limit
        prices = self._prices(case.circuit, limit, state, price, joined, multipliers)
        full = np.zeros(len(limit.value))
        full[joined] = multipliers
        n, points = len(self.network.resources), len(self.network.voltage_points)
        head = state.head.sum()
        powers = POWER_UNIT * (r[:n] * (1 + 1j * case.ratio) + 1j * r[n:])
        return CentralSolution(
            cost=cost + (price.lmp * head.real + price.reactive * head.imag) / 1e3,
            dispatch=np.asarray(powers, dtype=np.complex128),
            price_real=prices[0],
            price_reactive=prices[1],
            voltage=full[:points],
            rating=full[points:],
            seconds=case.program.seconds,
        )

    def _limits(self, state: AcState) -> Limit:
        """Every voltage in pu, then every branch current in A."""
        network, settings = self.network, self.settings
        volts, n = state.voltage * network.base_v, len(network.node_ids)
        pick = point_incidence(network)
        across = pick @ volts
        base = np.array([1e3 * p.kv_base for p in network.voltage_points])
        per_volt = np.conj(across) / np.maximum(np.abs(across), 1.0) / base
        through = conductor_admittance(network, state.admittance)
        current = through @ volts
        along = np.conj(current) / np.maximum(np.abs(current), 1e-12)
        seen = np.abs(across) >= LEAST_VOLTAGE * base
        rating = settings.rating_scale * network.conductor_rating
        gradient = sp.vstack([sp.diags(per_volt) @ pick, sp.diags(along) @ through]).tocsr()
        return Limit(
            value=np.concatenate([np.abs(across) / base, np.abs(current)]),
            gradient=gradient.reshape((len(base) + len(current), n)),
            low=np.concatenate(
                [np.where(seen, settings.voltage_low_pu, -np.inf), np.full(len(rating), -np.inf)]
            ),
            high=np.concatenate([np.where(seen, settings.voltage_high_pu, np.inf), rating]),
            penalty=np.concatenate(
                [np.full(len(base), settings.voltage_penalty), settings.rating_penalty / rating]
            ),
        )

    def _prices(
        self,
        circuit: Sensitivity,
        limit: Limit,
        state: AcState,
        price: WholesalePrice,
        joined: IntArray,
        multipliers: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Adjoint of all that has a price; power drawn at node i is a current ``conj(1 / V_i)`` out of it."""
        weight = self.settings.loss_weight * price.lmp
        gradient = circuit.head @ np.array([price.lmp, price.reactive]) + weight * circuit.losses
        # From $/h per pu or A to $/MWh: limits are told in volts, prices in watts.
        gradient = gradient + 1e6 * np.asarray(multipliers @ limit.gradient[joined])
        adjoint, _, _ = circuit.along(gradient[:, None])
        volts = state.voltage * self.network.base_v
        live = np.abs(volts) >= LEAST_VOLTAGE * self.network.base_v
        per_va = np.conj(1 / np.where(live, volts, 1.0))
        n = len(volts)
        real = -(adjoint[:n, 0] * per_va.real + adjoint[n:, 0] * per_va.imag)
        turned = -1j * per_va
        reactive = -(adjoint[:n, 0] * turned.real + adjoint[n:, 0] * turned.imag)
        return np.where(live, real, price.lmp), np.where(live, reactive, price.reactive)


@dataclass(frozen=True)
class Statement:
    """A program as stated; `ends` and `size` are those of the limits that have joined."""

    r: cp.Variable
    cost: cp.Expression
    offset: float
    constraints: list[cp.Constraint]
    ends: list[cp.Constraint]
    size: FloatArray

    def multipliers(self) -> FloatArray:
        """Multipliers of the limits that have joined, per unit of each, in units of the program."""
        if not self.ends:
            return np.zeros(len(self.size))
        return np.asarray((self.ends[0].dual_value - self.ends[1].dual_value) / self.size)


class Program:
    """The quadratic program in the powers of the resources, with the limits that have joined."""

    def __init__(
        self,
        market: CentralNodal,
        circuit: Sensitivity,
        limit: Limit,
        table: Sequence[Offer | None],
        price: WholesalePrice,
    ) -> None:
        running = circuit.running
        self._limit, self._circuit, self.unit = limit, circuit, cost_unit(price, POWER_UNIT)
        settings, unit = market.settings, self.unit
        self._columns = offer_columns(table, POWER_UNIT, unit)
        weight = settings.loss_weight * price.lmp
        gradient = circuit.head @ np.array([price.lmp, price.reactive]) + weight * circuit.losses
        _, slope, constant = circuit.along(gradient[:, None])
        n = len(table)
        own = np.concatenate([self._columns["curve"], np.zeros(n)])
        losses = (1 + settings.loss_weight) * damped_price(price) * POWER_UNIT**2 / 1e3 / unit
        damping = np.where(own > 0, 0.0, market.curvature * losses)
        self._curve = own + damping
        self._slope = slope[0] / 1e6 / unit + np.concatenate([self._columns["cost"], np.zeros(n)])
        self._slope += weight * circuit.losses_by_power / 1e3 / unit - damping * running
        self._offset = float(constant[0]) / 1e6 / unit + float(damping @ running**2) / 2
        self._rows: dict[int, tuple[FloatArray, float]] = {}
        self.seconds = 0.0

    def solve(self, joined: IntArray, solver: str) -> tuple[FloatArray, FloatArray, float]:
        """Powers, multipliers of the limits that have joined [$/h per unit of each], and cost [$/h].

        Parameters
        ----------
        joined : ndarray of int
            Limits that take part.
        solver : str
            An installed CVXPY solver.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        if not len(self._columns["p_min"]):
            return self._unmoved(joined)
        stated = self.state(joined)
        problem = cp.Problem(cp.Minimize(stated.cost), stated.constraints)
        solve(problem, solver)
        self.seconds += float(problem.solver_stats.solve_time or 0.0)
        cost = (float(problem.value) + self._offset) * self.unit
        return np.asarray(stated.r.value), stated.multipliers() * self.unit, cost

    def _unmoved(self, joined: IntArray) -> tuple[FloatArray, FloatArray, float]:
        """Answer as `solve` where nothing can be dispatched: limits that have joined pay their penalty."""
        limit, (_, value) = self._limit, self._told(joined)
        above = value > limit.high[joined]
        beyond = np.where(above, value - limit.high[joined], limit.low[joined] - value)
        cost = self._offset * self.unit + float(limit.penalty[joined] @ beyond)
        return np.zeros(0), np.where(above, 1.0, -1.0) * limit.penalty[joined], cost

    def state(self, joined: IntArray) -> Statement:
        """State the program with the limits that have joined."""
        columns, limit, n = self._columns, self._limit, len(self._columns["p_min"])
        r, over = cp.Variable(2 * n), cp.Variable(len(joined), nonneg=True)
        p, q = r[:n], r[n:]
        farthest = [np.maximum(abs(columns[f"{x}_min"]), abs(columns[f"{x}_max"])) for x in "pq"]
        disc = np.flatnonzero(np.hypot(*farthest) > columns["s_max"])
        reach = cp.norm(cp.vstack([p[disc], q[disc]]), 2, axis=0) if len(disc) else np.zeros(0)
        constraints = [
            p >= columns["p_min"],
            p <= columns["p_max"],
            q >= columns["q_min"],
            q <= columns["q_max"],
            *([reach <= columns["s_max"][disc]] if len(disc) else []),
        ]
        # Every row in the share of its own limit, so that volts and amperes weigh alike.
        size = np.where(np.isfinite(limit.low[joined]), 1.0, limit.high[joined])
        # CVXPY has no canonical form for squares of nothing.
        cost = self._slope @ r + self._curve @ cp.square(r) / 2 if n else cp.Constant(0.0)
        ends: list[cp.Constraint] = []
        if len(joined):
            slope, value = self._told(joined)
            told = (slope / size[:, None]) @ r + value / size if n else value / size
            below = np.where(np.isfinite(limit.low[joined]), limit.low[joined] / size, -1e3)
            ends = [told - over <= limit.high[joined] / size, told + over >= below]
            cost = cost + (limit.penalty[joined] * size / self.unit) @ over
        return Statement(r, cost, self._offset, [*constraints, *ends], ends, size)

    def missed(self, r: FloatArray, joined: IntArray) -> IntArray:
        """Limits exceeded that have not joined, the worst first.

        Parameters
        ----------
        r : ndarray, shape (2 n_resource,)
            Real powers, then free reactive ones, in units of `POWER_UNIT`.
        joined : ndarray of int
            Limits that take part already.
        """
        limit, circuit = self._limit, self._circuit
        change = circuit.factors.solve(circuit.given @ r + circuit.asked)
        n = len(change) // 2
        value = limit.value + np.real(limit.gradient @ (change[:n] + 1j * change[n:]))
        size = np.where(np.isfinite(limit.high) & np.isinf(limit.low), limit.high, 1.0)
        beyond = np.maximum(value - limit.high, limit.low - value) / size
        beyond[joined] = -np.inf
        worst = np.argsort(-beyond, kind="stable")[:JOINING]
        missed: IntArray = worst[beyond[worst] > EXCEEDED]
        return missed

    def _told(self, joined: IntArray) -> tuple[FloatArray, FloatArray]:
        """Slope and constant of limits in the powers; each takes one adjoint, once."""
        new = [k for k in joined.tolist() if k not in self._rows]
        if new:
            gradients = np.asarray(self._limit.gradient[new].todense()).T
            _, slope, constant = self._circuit.along(gradients)
            for k, row, more in zip(new, slope, constant, strict=True):
                self._rows[k] = (row, float(self._limit.value[k] + more))
        rows = [self._rows[k] for k in joined.tolist()]
        return np.array([row for row, _ in rows]), np.array([value for _, value in rows])
