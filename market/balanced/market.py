"""The balanced market of one feeder.

Agents agree on tangents of their cones, taken at the last flow they agreed on. Where the second-order cone
relaxation is exact, its optimum lies on the surface of the cones, so that the tangent
there gives the same dispatch and the same duals; where it is not (binding upper voltages with reverse
flow), the tangent stays physical and the relaxation does not. The published methods negotiate the cones
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.balanced.equivalent import Equivalent, at_state, equivalent
from dlmp_cosim.market.balanced.layout import BASE_KVA
from dlmp_cosim.market.balanced.model import BranchFlowModel, start_state
from dlmp_cosim.market.balanced.outcome import read_branch_flow
from dlmp_cosim.market.balanced.tangents import Tangents, in_units
from dlmp_cosim.market.clearing import Clearing, check_case
from dlmp_cosim.market.interior_point.clear import Room, negotiate_sweeps
from dlmp_cosim.market.interior_point.fronts import Plan, plan_for
from dlmp_cosim.market.offers import Offer, WholesalePrice, accept_offers
from dlmp_cosim.market.pac.areas import area_parents, partition
from dlmp_cosim.market.pac.clear import (
    SWEEPS,
    Effort,
    Warmth,
    begin,
    negotiate_areas,
    negotiate_buses,
    talk_within,
    with_effort,
)
from dlmp_cosim.market.pac.negotiate import USUAL, Start, Tuning
from dlmp_cosim.market.problem.atoms import AtomicProblem, with_copies
from dlmp_cosim.market.problem.damping import loss_curvature, nameplates
from dlmp_cosim.market.problem.graph import sweep_of_tree
from dlmp_cosim.market.problem.prices import NetworkSolver, network_solver
from dlmp_cosim.market.problem.solution import Solution
from dlmp_cosim.market.settings import MarketSettings

if TYPE_CHECKING:
    from dlmp_cosim.market.central.balanced import CentralBranchFlow

MAX_TANGENTS = 30
"""Times that the cones may be replaced by new tangents in one clearing."""
HEAD_P = 0
"""Position of the head power, whose cost is the LMP."""
TANGENT_SETTLED = 1e-4
"""Largest move of a flow between tangents that counts as none [pu of 1 MVA]."""

FIRST_TOLERANCE = 1e-2
"""Tolerance on first tangents that were taken at a guess: more would be lost with them."""
MAX_OPENINGS = 3
"""Times that resources may answer prices before they negotiate."""


class Opening(NamedTuple):
    """Where a clearing begins to negotiate.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Flow that the first tangents are taken at.
    solver : NetworkSolver
        Network on those tangents.
    start : Warmth
        Where to begin on them.
    settled : bool
        Whether the resources' answer to the prices there leads there, and no limit has a price.
    """

    x: FloatArray
    solver: NetworkSolver
    start: Warmth
    settled: bool


class BranchFlowMarket:
    """Clears the balanced equivalent of one feeder; each clearing starts from the last.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Method, limits, loss weight and tolerances.
    tuning : Tuning, optional
        How agents negotiate, for studies of that.
    """

    def __init__(self, network: Network, settings: MarketSettings, tuning: Tuning = USUAL) -> None:
        self.settings, self.tuning = settings, tuning
        self.model = BranchFlowModel(network, settings)
        self.area = partition(self.model.tree.parent, settings.agents or self.model.tree.n_atom)
        self.warmth: Warmth | None = None
        self._curvature = _curvature(self.model)
        self._standing: tuple[ComplexArray, Equivalent] | None = None
        self._central: CentralBranchFlow | None = None
        self._plan: Plan | None = None
        self._room = Room()
        areas = settings.method == "pac-accelerated" and settings.agents
        parent = self.model.tree.parent
        self._sweep = sweep_of_tree(area_parents(parent, self.area) if areas else parent)

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval; the AC state gives taps, the head's voltage and a start.

        Parameters
        ----------
        state : AcState
            Converged AC state.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Offers; those that cannot be cleared are left out and named in the record.
        price : WholesalePrice
            LMP at the head.

        Raises
        ------
        ClearingError
            When the state, the demand or the price has no finite numbers, or the voltage collapses.
        """
        check_case(state, demand, price)
        accepted, refused = accept_offers(self.model.network, offers)
        same = at_state(self._as_it_stands(state.admittance), self.model.network, state)
        tangents = Tangents(self.model.problem(same, demand, accepted, price), self._plan)
        self._plan = tangents.plan
        x = start_state(self.model, same, state)
        method = self.settings.method
        if method == "central":
            reference = self._reference().solve(same, demand, accepted, price)
            solution = Solution(reference.x[self._first :], reference.limits)
            x, effort = reference.x, Effort()
        elif method in ("pac-accelerated", "interior-point"):
            x, solution, effort = self._follow_tangents(tangents, x)
        else:
            x, solution, effort = self._negotiate_cones(tangents.problem, x)
        clearing = read_branch_flow(self.model, same, tangents, price, x, solution, accepted, demand, state)
        return with_effort(clearing, effort, refused)

    @property
    def _first(self) -> int:
        """Position of the first resource variable."""
        return self.model.layout.n_network

    def _follow_tangents(self, tangents: Tangents, x: FloatArray) -> tuple[FloatArray, Solution, Effort]:
        """Negotiate on tangents until the flows that they were taken at stay."""
        n, units, own, total = self._first, self.model.units, self.settings.tolerance, Effort()
        x, solver, start, settled = self._open(tangents, x)
        tolerance = own if settled else max(own, FIRST_TOLERANCE)
        for _ in range(MAX_TANGENTS):
            spent = total.swept(tangents.sweeps, self._sweep).rounds
            left = max(self.settings.negotiation_rounds - spent, 0)
            settings = replace(self.settings, tolerance=tolerance, negotiation_rounds=left)
            solution, effort, warmth = self._negotiate(solver, start, settings)
            total, tolerance = total.and_then(effort), own
            before, powers = x, solution.resources * units.variable[n:]
            x = tangents.flow(x, powers, units.plainly(solver))
            if self._moved(before, x) < TANGENT_SETTLED and max(effort.primal, effort.dual) <= own:
                break
            if total.swept(tangents.sweeps, self._sweep).rounds >= self.settings.negotiation_rounds:
                total = replace(total, converged=False)
                break
            solver, start = self._take(tangents, x, warmth)
        else:
            total = replace(total, converged=False)
        self.warmth = warmth
        total = total.swept(tangents.sweeps, self._sweep)
        return x, Solution(x[n:], solution.limits * units.cost / units.variable[:n]), total

    def _open(self, tangents: Tangents, x: FloatArray) -> Opening:
        """Take tangents where the resources' answers to prices lead, while those break no limit.

        What an answer costs is a sweep, much less than talks on tangents that are soon left behind.
        """
        n, units, problem, warmth = self._first, self.model.units, tangents.problem, self.warmth
        if warmth is not None:
            powers = warmth.dispatch * units.variable[n:]
            last = tangents.find_flow(x, np.clip(powers, problem.lower[n:], problem.upper[n:]))
            x = x if last is None else last
        for _ in range(MAX_OPENINGS):
            solver, start = self._take(tangents, x, warmth)
            if start.limits.any():
                return Opening(x, solver, start, settled=False)
            answered = tangents.find_flow(x, start.dispatch * units.variable[n:], units.plainly(solver))
            if answered is None or _breaks_limits(problem, answered):
                return Opening(x, solver, start, settled=False)
            if self._moved(x, answered) < TANGENT_SETTLED:
                return Opening(x, solver, start, settled=True)
            x, warmth = answered, start
            tangents.sweeps += SWEEPS
        return Opening(x, *self._take(tangents, x, warmth), settled=False)

    def _take(self, tangents: Tangents, x: FloatArray, warmth: Warmth | None) -> tuple[NetworkSolver, Warmth]:
        """Take tangents at a flow, and where to begin on them."""
        n, flat = self._first, _damped(tangents.at(x), self._curvature, x)
        centre = np.append(x[:n], np.zeros(len(x) - n))
        solver = network_solver(in_units(flat, centre, self.model.units), tangents.plan.network)
        return solver, begin(solver.problem, solver, warmth)

    def _moved(self, before: FloatArray, after: FloatArray) -> float:
        """Largest move of a flow [pu of 1 MVA]."""
        return float(np.max(np.abs((after - before)[: self._first])))

    def _negotiate(
        self, solver: NetworkSolver, start: Warmth, settings: MarketSettings
    ) -> tuple[Solution, Effort, Warmth]:
        """Negotiate once on tangents."""
        flat = solver.problem
        if settings.method == "interior-point":
            self._plan = plan_for(flat, self._plan)
            own = self._room, solver.factors
            solution, effort, warmth = negotiate_sweeps(flat, self._plan, start, settings, *own)
            return solution, effort.swept(SWEEPS, self._sweep), warmth
        if settings.agents:
            solution, effort, weight = negotiate_areas(flat, solver, self.area, start, settings, self.tuning)
        else:
            solution, effort, weight = negotiate_buses(flat, solver, start, settings, self.tuning)
        return solution, effort, Warmth(solution.resources, solution.limits * flat.cost_unit, weight)

    def _as_it_stands(self, admittance: ComplexArray) -> Equivalent:
        """Balanced circuit at the present taps and switches, which seldom change."""
        if self._standing is None or not np.array_equal(self._standing[0], admittance):
            same = equivalent(self.model.network, self.model.tree, admittance)
            self._standing = (admittance, same)
        return self._standing[1]

    def _negotiate_cones(self, problem: AtomicProblem, x: FloatArray) -> tuple[FloatArray, Solution, Effort]:
        """Run a published method on the cones, with copies."""
        lay = self.model.layout
        whole = with_copies(problem)
        n, m, extra = lay.n, lay.m, len(whole.linear) - lay.n
        ties = whole.rows[m:].tocoo()
        original = np.zeros(extra, dtype=np.int64)
        original[ties.row[ties.data < 0]] = ties.col[ties.data < 0]
        y = np.zeros(m + extra)
        y[lay.balance_p], y[lay.balance_q] = problem.linear[lay.p[0]], problem.linear[lay.q[0]]
        y[m:] = -np.asarray(whole.rows[:m].T @ y[:m])[n:]
        talk = talk_within(whole, Start(np.append(x, x[original]), y), self.settings, self.tuning)
        x, y = talk.x[:n], talk.y[:m]
        gradient = (problem.rows.T @ y - problem.linear)[: self._first]
        penalty = problem.penalty[: len(gradient)]
        limits = np.where(penalty > 0, np.clip(gradient, -penalty, penalty), 0.0)
        return x, Solution(x[self._first :], limits), Effort().add(talk)

    def _reference(self) -> CentralBranchFlow:
        """Make the central statement once; its library takes a second to import, so only when asked for."""
        if self._central is None:
            from dlmp_cosim.market.central.balanced import CentralBranchFlow

            self._central = CentralBranchFlow(self.model.network, self.settings)
        return self._central


def _curvature(model: BranchFlowModel) -> tuple[FloatArray, FloatArray]:
    """Damping of real and reactive powers; see `market.problem.damping`."""
    tree, network = model.tree, model.network
    same = equivalent(network, tree, network.initial_admittance)
    own = np.arange(len(network.resources))
    home, ones = model.resource_atom, np.ones(len(own))
    wires = (np.arange(1, tree.n_atom), tree.parent[1:], same.resistance)
    weight = 1 + model.settings.loss_weight
    real, reactive = (
        weight * loss_curvature(*wires, own, home, ones, kw / BASE_KVA) for kw in nameplates(network)
    )
    return real, reactive


def _breaks_limits(problem: AtomicProblem, x: FloatArray) -> bool:
    return bool(np.any((x < problem.soft_lower) | (x > problem.soft_upper)))


def _damped(problem: AtomicProblem, curvature: tuple[FloatArray, FloatArray], x: FloatArray) -> AtomicProblem:
    """Keep resources near the flow that the tangents were taken at, by what the curvature of losses costs.

    A cost that curves by itself needs less: with h the damping, c the cost's own curvature and H that of the
    losses, an error shrinks by (H - h) / (c + h) from tangent to tangent; h = H - c/2 at least halves it.
    """
    first = len(x) - 2 * len(curvature[0])
    quadratic, linear = problem.quadratic.copy(), problem.linear.copy()
    losses = np.concatenate(curvature) * abs(problem.linear[HEAD_P])
    added = np.maximum(losses - quadratic[first:] / 2, 0.0)
    quadratic[first:] += added
    linear[first:] -= added * x[first:]
    return replace(problem, quadratic=quadratic, linear=linear)
