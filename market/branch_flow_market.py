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
from typing import TYPE_CHECKING

import numpy as np

from feeders.network import ComplexArray, FloatArray, IntArray, Network
from feeders.state import AcState
from market.areas import partition
from market.atoms import AtomicProblem, with_copies
from market.branch_flow import BranchFlowModel, start_state
from market.branch_flow_layout import BASE_KVA
from market.branch_flow_outcome import read_branch_flow
from market.clearing import Clearing, check_case
from market.damping import loss_curvature, nameplates
from market.equivalent import Equivalent, equivalent
from market.negotiation import Effort, Warmth, begin, negotiate_areas, negotiate_buses, with_effort
from market.offers import Offer, WholesalePrice, accept_offers
from market.outcome import Solution
from market.pac import USUAL, Start, Tuning, negotiate
from market.prices import network_solver
from market.settings import MarketSettings
from market.tangents import Tangents, in_units

if TYPE_CHECKING:
    from market.central_branch_flow import CentralBranchFlow

MAX_TANGENTS = 30
"""Times that the cones may be replaced by new tangents in one clearing."""
HEAD_P = 0
"""Position of the head power, whose cost is the LMP."""
TANGENT_SETTLED = 1e-4
"""Largest move of a flow between tangents that counts as none [pu of 1 MVA]."""

FIRST_TOLERANCE = 1e-2
"""Tolerance on the first tangents, which are taken at a guess: more would be lost with them."""


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
        self._taps: tuple[IntArray, Equivalent] | None = None
        self._central: CentralBranchFlow | None = None

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval; of the AC state only the taps and a starting point are used.

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
        same = self._at_taps(state.tap)
        problem = self.model.problem(same, demand, accepted, price)
        x = start_state(self.model, same, state)
        method = self.settings.method
        if method == "central":
            reference = self._reference().solve(same, demand, accepted, price)
            solution = Solution(reference.x[self._first :], reference.limits)
            x, effort = reference.x, Effort()
        elif method == "pac-accelerated":
            x, solution, effort = self._follow_tangents(problem, x)
        else:
            x, solution, effort = self._negotiate_cones(problem, x)
        clearing = read_branch_flow(self.model, same, problem, price, x, solution, accepted, demand)
        return with_effort(clearing, effort, refused)

    @property
    def _first(self) -> int:
        """Position of the first resource variable."""
        return self.model.layout.n - 2 * len(self.model.network.resources)

    def _follow_tangents(self, problem: AtomicProblem, x: FloatArray) -> tuple[FloatArray, Solution, Effort]:
        """Negotiate on tangents until the flows that they were taken at stay."""
        n, units, warmth, total = self._first, self.model.units, self.warmth, Effort()
        tangents, limits = Tangents(problem), np.zeros(n)
        if warmth is not None:
            powers = warmth.dispatch * units.variable[n:]
            x = tangents.flow(x, np.clip(powers, problem.lower[n:], problem.upper[n:]))
        for k in range(MAX_TANGENTS):
            flat = _damped(tangents.at(x), self._curvature, x)
            flat = in_units(flat, np.append(x[:n], np.zeros(len(x) - n)), units)
            loose = max(self.settings.tolerance, FIRST_TOLERANCE if k == 0 else 0.0)
            left = max(self.settings.max_rounds - total.rounds, 0)
            settings = replace(self.settings, tolerance=loose, max_rounds=left)
            solution, effort, warmth = self._negotiate(flat, warmth, settings)
            total, limits = total.and_then(effort), solution.limits
            before, x = x, tangents.flow(x, solution.resources * units.variable[n:])
            moved = float(np.max(np.abs((x - before)[:n])))
            within = max(effort.primal, effort.dual) <= self.settings.tolerance
            if moved < TANGENT_SETTLED and within:
                break
            if total.rounds >= self.settings.max_rounds:
                total = replace(total, converged=False)
                break
        else:
            total = replace(total, converged=False)
        self.warmth = warmth
        return x, Solution(x[n:], limits * units.cost / units.variable[:n]), total

    def _negotiate(
        self, flat: AtomicProblem, warmth: Warmth | None, settings: MarketSettings
    ) -> tuple[Solution, Effort, Warmth]:
        """Negotiate once on tangents."""
        solver = network_solver(flat)
        start = begin(flat, solver, warmth)
        if settings.agents:
            solution, effort, weight = negotiate_areas(flat, solver, self.area, start, settings, self.tuning)
        else:
            solution, effort, weight = negotiate_buses(flat, solver, start, settings, self.tuning)
        return solution, effort, Warmth(solution.resources, solution.limits * flat.cost_unit, weight)

    def _at_taps(self, taps: IntArray) -> Equivalent:
        """Balanced feeder at the present taps, which seldom change."""
        if self._taps is None or not np.array_equal(self._taps[0], taps):
            self._taps = (taps, equivalent(self.model.network, self.model.tree, taps))
        return self._taps[1]

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
        talk = negotiate(
            whole,
            Start(np.append(x, x[original]), y),
            method=self.settings.method if self.settings.method != "central" else "pac",
            tolerance=self.settings.tolerance,
            max_rounds=self.settings.max_rounds,
            tuning=self.tuning,
        )
        x, y = talk.x[:n], talk.y[:m]
        gradient = (problem.rows.T @ y - problem.linear)[: self._first]
        penalty = problem.penalty[: len(gradient)]
        limits = np.where(penalty > 0, np.clip(gradient, -penalty, penalty), 0.0)
        return x, Solution(x[self._first :], limits), Effort().add(talk)

    def _reference(self) -> CentralBranchFlow:
        """Make the central statement once; its library takes a second to import, so only when asked for."""
        if self._central is None:
            from market.central_branch_flow import CentralBranchFlow

            self._central = CentralBranchFlow(self.model.network, self.settings)
        return self._central


def _curvature(model: BranchFlowModel) -> tuple[FloatArray, FloatArray]:
    """Damping of real and reactive powers; see `market.damping`."""
    tree, network = model.tree, model.network
    same = equivalent(network, tree, network.initial_taps)
    own = np.arange(len(network.resources))
    home, ones = model.resource_atom, np.ones(len(own))
    wires = (np.arange(1, tree.n_atom), tree.parent[1:], same.resistance)
    weight = 1 + model.settings.loss_weight
    real, reactive = (
        weight * loss_curvature(*wires, own, home, ones, kw / BASE_KVA) for kw in nameplates(network)
    )
    return real, reactive


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
