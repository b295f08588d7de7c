"""The optimum of the AC power flow itself, from nothing but solutions of the AC engine.

It holds prices and dispatch of any model against physics: every derivative is a central difference between
two power flows, controls frozen. A sequence of quadratic programs moves the dispatch to where none of them
gains anything; there the multipliers of the limits, and central differences in power drawn at every node,
are the prices.

    price_i = d (cost of head power + sum_k mu_k limit_k) / d (power drawn at node i)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np

from dlmp_cosim.feeders.engine import AcEngine
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import GROUND, ComplexArray, FloatArray, IntArray, Network, Resource
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.audit import point_voltage
from dlmp_cosim.market.central.solver import offer_columns, solve
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.path_curvature import path_curvature
from dlmp_cosim.market.problem.units import cost_unit, damped_price
from dlmp_cosim.market.resources import curtails
from dlmp_cosim.market.settings import MarketSettings

PROBE = "probe "
"""What the names of probes begin with: no circuit has a space in a name."""
STEP_KW = 1.0
"""Half of the distance between two power flows of a difference [kW]."""
NEAR = 0.02
"""Limits this near take part [pu, share of a rating]."""
LEAST_VOLTAGE = 0.1
"""Voltage below which a node has no price of its own [pu]."""
BOUGHT = 3
"""Quantities that cost: real and reactive head power, and losses."""
MAX_STEPS = 60
"""Quadratic programs after which there is no optimum."""
IDLE_STEPS, SAME_COST = 15, 1e-8
"""Quadratic programs in a row that save no more than this share of the cost. They are solved to no more than
that: where the cost is so flat, a dispatch moves by some hundredths of a kilowatt from one to the next."""


@dataclass(frozen=True)
class AcOptimum:
    """Where no dispatch is cheaper.

    Attributes
    ----------
    dispatch : ndarray, shape (n_resource,)
        Complex power of every resource [kVA].
    cost : float
        Wholesale purchase, offers and penalties [$/h].
    price_real, price_reactive : ndarray, shape (n_node,)
        Prices [$/MWh] and [$/(MVAR*h)]; NaN where nothing can be drawn to ground, as behind a floating
        delta.
    state : AcState
        The AC state there, without the probes.
    steps : int
        Quadratic programs that it took.
    moved_kw : float
        Largest move of the last [kW].
    """

    dispatch: ComplexArray
    cost: float
    price_real: FloatArray
    price_reactive: FloatArray
    state: AcState
    steps: int
    moved_kw: float


def with_probes(network: Network) -> Network:
    """Add a resource at every node that draws nothing: prices are differences in what it draws."""
    probes = tuple(
        Resource(f"{PROBE}{bus.name} {phase}", "generator", bus.name, ((phase, GROUND),), STEP_KW, STEP_KW)
        for bus in network.buses
        for phase in bus.phases
    )
    return replace(network, resources=network.resources + probes)


def ac_optimum(
    engine: AcEngine,
    demand: ComplexArray,
    offers: Sequence[Offer],
    price: WholesalePrice,
    settings: MarketSettings,
    start: ComplexArray,
    *,
    tolerance_kw: float = 1e-3,
) -> AcOptimum:
    """Find the cheapest dispatch of one interval by power flows alone, and its prices.

    Parameters
    ----------
    engine : AcEngine
        Engine of a network `with_probes`, its controls where they are to stay; a tight tolerance (1e-10).
    demand : ndarray, shape (n_load,)
        Nominal demand before curtailment [kVA].
    offers : sequence of Offer
        Accepted offers.
    price : WholesalePrice
        Price at the head.
    settings : MarketSettings
        Limits and penalties.
    start : ndarray, shape (n_resource,)
        Dispatch to start at, as a market awards it, probes left out [kVA].
    tolerance_kw : float, optional
        Largest move of a resource that counts as none [kW].

    Raises
    ------
    ClearingError
        When a power flow does not converge, or the dispatch keeps moving.
    """
    physics = _Physics(engine, demand, {offer.resource: offer for offer in offers}, price, settings)
    powers, steps, moved, near, multipliers = _descend(physics, physics.powers(start), tolerance_kw)
    state = physics.solve(powers)
    if not state.converged:
        raise ClearingError("the power flow at the AC optimum did not converge")
    real, reactive = physics.prices(powers, state, near, multipliers)
    return AcOptimum(
        dispatch=physics.dispatch(powers),
        cost=physics.cost(powers, state),
        price_real=real,
        price_reactive=reactive,
        state=replace(state, injection=state.injection[: len(physics.resources)]),
        steps=steps,
        moved_kw=moved,
    )


class _Physics:
    """Power flows as functions of powers [kW, kvar]: those of all resources, real first, then free reactive.

    Quantities are head power [kW, kvar], losses [kW], voltages that limits hold for [pu] and conductor
    currents [A].
    """

    def __init__(
        self,
        engine: AcEngine,
        demand: ComplexArray,
        offers: dict[str, Offer],
        price: WholesalePrice,
        settings: MarketSettings,
    ) -> None:
        network = engine.network
        self.engine, self.network, self.demand, self.price = engine, network, demand, price
        self.bought = np.array([price.lmp, price.reactive, settings.loss_weight * price.lmp]) / 1e3
        self.resources = tuple(r for r in network.resources if not r.name.startswith(PROBE))
        self.table = [offers.get(r.name) for r in self.resources]
        self.columns = offer_columns(self.table, 1.0, 1.0)
        rating = settings.rating_scale * network.conductor_rating
        points = len(network.voltage_points)
        unlimited = np.full(BOUGHT, np.inf)
        self.high = np.concatenate([unlimited, np.full(points, settings.voltage_high_pu), rating])
        self.low = np.full(len(self.high), -np.inf)
        self.low[BOUGHT : BOUGHT + points] = settings.voltage_low_pu
        self.size = np.concatenate([np.ones(BOUGHT + points), np.where(np.isfinite(rating), rating, 1.0)])
        self.penalty = np.concatenate(
            [np.zeros(BOUGHT), np.full(points, settings.voltage_penalty), settings.rating_penalty / rating]
        )
        position = {name: k for k, name in enumerate(network.load_ids)}
        self._curtailed = [(k, position[r.load]) for k, r in enumerate(self.resources) if curtails(r)]

    def powers(self, dispatch: ComplexArray) -> FloatArray:
        """Undo `dispatch`, within the offers."""
        columns = self.columns
        real = np.clip(dispatch.real, columns["p_min"], columns["p_max"])
        reactive = np.clip(dispatch.imag - columns["ratio"] * real, columns["q_min"], columns["q_max"])
        return np.concatenate([real, reactive])

    def dispatch(self, powers: FloatArray) -> ComplexArray:
        """Complex power of every resource [kVA]."""
        real, reactive = np.split(powers, 2)
        return np.asarray(real * (1 + 1j * self.columns["ratio"]) + 1j * reactive, dtype=np.complex128)

    def solve(self, powers: FloatArray, probes: ComplexArray | None = None) -> AcState:
        """Solve the power flow, with what the probes draw [kVA]."""
        demand, given = self.demand.copy(), self.dispatch(powers)
        for k, load in self._curtailed:
            demand[load] -= given[k]
            given[k] = 0.0
        extra = len(self.network.resources) - len(given)
        drawn = np.zeros(extra, dtype=np.complex128) if probes is None else probes
        return self.engine.solve(demand, np.concatenate([given, -drawn]), controls=False)

    def quantities(self, state: AcState) -> FloatArray:
        """Everything that costs or is limited; NaN without a solution."""
        head = state.head.sum()
        points = point_voltage(self.network, state.voltage)
        return np.concatenate([[head.real, head.imag, state.losses.real], points, state.current])

    def differentiate(self, powers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Quantities, and their slopes in every power that can move, shape (n_quantity, n_power)."""
        values = self.quantities(self.solve(powers))
        if not np.isfinite(values).all():
            raise ClearingError("a power flow of the AC optimum did not converge")
        slopes = np.zeros((len(values), len(powers)))
        columns = self.columns
        low = np.concatenate([columns["p_min"], columns["q_min"]])
        high = np.concatenate([columns["p_max"], columns["q_max"]])
        for k in np.flatnonzero(high > low):
            step = np.zeros(len(powers))
            step[k] = STEP_KW
            ahead, behind = (self.quantities(self.solve(powers + sign * step)) for sign in (1, -1))
            slopes[:, k] = (ahead - behind) / (2 * STEP_KW)
        return values, slopes

    def near(self, values: FloatArray) -> tuple[IntArray, FloatArray]:
        """Limits that the next step could meet: their quantities, and 1 for an upper, -1 for a lower one."""
        limited = np.isfinite(self.high) & (values >= LEAST_VOLTAGE * self.size)
        above = np.flatnonzero(limited & (values > self.high - NEAR * self.size))
        below = np.flatnonzero(limited & (values < self.low + NEAR))
        return np.concatenate([above, below]), np.repeat([1.0, -1.0], [len(above), len(below)])

    def cost(self, powers: FloatArray, state: AcState) -> float:
        """Cost of a dispatch at its AC state [$/h]."""
        values, real = self.quantities(state), np.split(powers, 2)[0]
        offered = self.columns["cost"] @ real + self.columns["curve"] @ real**2 / 2
        beyond = np.maximum(values - self.high, 0.0) + np.maximum(self.low - values, 0.0)
        bought = self.bought @ values[:BOUGHT]
        return float(bought + offered + np.where(beyond > 0, self.penalty, 0.0) @ beyond)

    def prices(
        self, powers: FloatArray, state: AcState, near: IntArray, multipliers: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Prices of power drawn at every node; one without a voltage has the head's."""
        weight = np.zeros(len(self.high))
        weight[:BOUGHT] = 1e3 * self.bought
        np.add.at(weight, near, 1e3 * multipliers)
        n = len(self.network.node_ids)
        prices = np.tile([[self.price.lmp], [self.price.reactive]], n)
        for node in np.flatnonzero(np.abs(state.voltage) >= LEAST_VOLTAGE):
            for part, unit in enumerate((1.0, 1.0j)):
                drawn = np.zeros(n, dtype=np.complex128)
                drawn[node] = unit * STEP_KW
                ahead, behind = (self.quantities(self.solve(powers, sign * drawn)) for sign in (1, -1))
                prices[part, node] = weight @ (ahead - behind) / (2 * STEP_KW)
        return prices[0], prices[1]


def _descend(
    physics: _Physics, powers: FloatArray, tolerance_kw: float
) -> tuple[FloatArray, int, float, IntArray, FloatArray]:
    """Improve powers until they rest: with steps, the last move [kW], limits near, and their multipliers."""
    steps, idle, least = 0, 0, np.inf
    while True:
        values, slopes = physics.differentiate(powers)
        near, sign = physics.near(values)
        found, multipliers = _improve(physics, powers, values, slopes, near, sign)
        moved = float(np.max(np.abs(found - powers), initial=0.0))
        powers, steps = found, steps + 1
        cost = physics.cost(powers, physics.solve(powers))
        idle = 0 if cost < least - SAME_COST * abs(cost) else idle + 1
        least = min(least, cost)
        if moved < tolerance_kw or idle == IDLE_STEPS:
            return powers, steps, moved, near, multipliers
        if steps == MAX_STEPS:
            raise ClearingError(f"the AC optimum still moves by {moved:g} kW after {MAX_STEPS} steps")


def _improve(
    physics: _Physics,
    powers: FloatArray,
    values: FloatArray,
    slopes: FloatArray,
    near: IntArray,
    sign: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Next powers, and the multipliers of the limits that are near [$/h per unit of each].

    Without a resource nothing moves, and limits that are exceeded pay their penalty.
    """
    columns, n = physics.columns, len(physics.resources)
    if not n:
        beyond = sign * (values[near] - np.where(sign > 0, physics.high[near], physics.low[near])) > 0
        return powers, np.where(beyond, sign * physics.penalty[near], 0.0)
    unit = cost_unit(physics.price, 100.0)
    network = replace(physics.network, resources=physics.resources)
    curvature = np.concatenate(path_curvature(network)) * damped_price(physics.price) / 1e3
    own = np.concatenate([columns["curve"], np.zeros(n)])
    damping = np.where(own > 0, 0.0, curvature)
    linear = (
        physics.bought @ slopes[:BOUGHT] + np.concatenate([columns["cost"], np.zeros(n)]) - damping * powers
    )
    r, over = cp.Variable(2 * n), cp.Variable(len(near), nonneg=True)
    p, q = 100.0 * r[:n], 100.0 * r[n:]
    size = physics.size[near]
    told = (slopes[near] * 100.0 / size[:, None]) @ r + (values[near] - slopes[near] @ powers) / size
    bound = np.where(sign > 0, physics.high[near], physics.low[near]) / size
    ends = [cp.multiply(sign, told - bound) <= over] if len(near) else []
    boxes = [p >= columns["p_min"], p <= columns["p_max"], q >= columns["q_min"], q <= columns["q_max"]]
    rated = np.flatnonzero(np.isfinite([o.s_max_kva if o else np.inf for o in physics.table]))
    reach = [cp.norm(cp.vstack([p[k], q[k]])) <= columns["s_max"][k] for k in rated]
    cost = (100.0 / unit) * (linear @ r) + (1e4 / unit / 2) * ((own + damping) @ cp.square(r))
    penalty = (physics.penalty[near] * size / unit) @ over if len(near) else 0.0
    problem = cp.Problem(cp.Minimize(cost + penalty), [*boxes, *reach, *ends])
    solve(problem, "CLARABEL")
    multipliers = sign * ends[0].dual_value * unit / size if ends else np.zeros(0)
    return 100.0 * np.asarray(r.value), multipliers
