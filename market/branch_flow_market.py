"""The balanced market of one feeder.

Agents agree on tangents of their cones, taken at the last flow they agreed on. Where the second-order cone
relaxation is exact, its optimum lies on the surface of the cones, so that the
tangent there gives the same dispatch and the same duals; where it is not (binding upper voltages with reverse
flow), the tangent stays physical and the relaxation does not. The published methods negotiate the cones
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from feeders.network import ComplexArray, FloatArray, Network
from feeders.state import AcState
from market.areas import partition
from market.atoms import AtomicProblem, with_copies
from market.branch_flow import BASE_KVA, BranchFlowModel, equivalent, start_state
from market.branch_flow_outcome import read_branch_flow
from market.clearing import Clearing
from market.damping import loss_curvature
from market.negotiation import Effort, Warmth, begin, negotiate_areas, negotiate_buses, with_effort
from market.offers import Offer, WholesalePrice, accept_offers
from market.outcome import Solution
from market.pac import Start, negotiate
from market.prices import network_solver
from market.settings import MarketSettings
from market.tangents import solve_flow, tangent_problem

if TYPE_CHECKING:
    from market.central_branch_flow import CentralBranchFlow

MAX_TANGENTS = 12
"""Times that the cones may be replaced by new tangents in one clearing."""
TANGENT_SETTLED = 1e-4
"""Largest move of a flow between tangents that counts as none [pu of 1 MVA]."""


class BranchFlowMarket:
    """Clears the balanced equivalent of one feeder; each clearing starts from the last.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Method, limits, loss weight and tolerances.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        self.settings = settings
        self.model = BranchFlowModel(network, settings)
        self.area = partition(self.model.tree.parent, settings.agents or self.model.tree.n_atom)
        self.warmth: Warmth | None = None
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
        """
        accepted, refused = accept_offers(self.model.network, offers)
        same = equivalent(self.model.network, self.model.tree, state.tap)
        problem = self.model.problem(same, demand, accepted, price)
        x = start_state(self.model, same, state)
        method = self.settings.method
        if method == "central":
            reference = self._reference().solve(same, demand, accepted, price)
            x, solution, effort = (
                reference.x,
                Solution(reference.x[-2 * self._n :], reference.limits),
                Effort(),
            )
        elif method == "pac-accelerated":
            x, solution, effort = self._follow_tangents(problem, x)
        else:
            x, solution, effort = self._negotiate_cones(problem, x)
        clearing = read_branch_flow(self.model, same, problem, price, x, solution, accepted, demand)
        return with_effort(clearing, effort, refused)

    @property
    def _n(self) -> int:
        return len(self.model.network.resources)

    def _follow_tangents(self, problem: AtomicProblem, x: FloatArray) -> tuple[FloatArray, Solution, Effort]:
        """Negotiate on tangents until the flows that they were taken at stay."""
        total = Effort()
        warmth = self.warmth
        if warmth is not None:
            x = solve_flow(problem, x, np.clip(warmth.dispatch, *_reach(problem, 2 * self._n)))
        solution = Solution(x[-2 * self._n :], np.zeros(len(x) - 2 * self._n))
        for _ in range(MAX_TANGENTS):
            flat = _damped(tangent_problem(problem, x), self._curvature(), x)
            solver = network_solver(flat)
            start = begin(flat, solver, warmth)
            if self.settings.agents:
                solution, effort, weight = negotiate_areas(flat, solver, self.area, start, self.settings)
            else:
                solution, effort, weight = negotiate_buses(flat, solver, start, self.settings)
            total = replace(
                effort,
                rounds=total.rounds + effort.rounds,
                messages=total.messages + effort.messages,
                scalars=total.scalars + effort.scalars,
            )
            warmth = Warmth(solution.resources, solution.limits * problem.cost_unit, weight)
            before, x = x, solve_flow(problem, x, solution.resources)
            if np.max(np.abs((x - before)[: self.model.layout.n - 2 * self._n])) < TANGENT_SETTLED:
                break
        self.warmth = warmth
        return x, solution, total

    def _curvature(self) -> tuple[FloatArray, FloatArray]:
        """Damping of real and reactive powers; see `market.damping`."""
        tree, network = self.model.tree, self.model.network
        same = equivalent(network, tree, network.initial_taps)
        own = np.arange(self._n)
        home, ones = self.model.resource_atom, np.ones(self._n)
        reach = np.array([r.kw_max for r in network.resources]) / BASE_KVA
        free = [r.kva_max > r.kw_max and r.kind != "flexible_load" for r in network.resources]
        spare = np.where(free, [r.kva_max for r in network.resources], 0.0) / BASE_KVA
        wires = (np.arange(1, tree.n_atom), tree.parent[1:], same.resistance)
        weight = 1 + self.settings.loss_weight
        return (
            weight * loss_curvature(*wires, own, home, ones, reach),
            weight * loss_curvature(*wires, own, home, ones, spare),
        )

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
        )
        x, y = talk.x[:n], talk.y[:m]
        gradient = (problem.rows.T @ y - problem.linear)[: n - 2 * self._n]
        penalty = problem.penalty[: len(gradient)]
        limits = np.where(penalty > 0, np.clip(gradient, -penalty, penalty), 0.0)
        return x, Solution(x[-2 * self._n :], limits), Effort().add(talk)

    def _reference(self) -> CentralBranchFlow:
        """Make the central statement once; its library takes a second to import, so only when asked for."""
        if self._central is None:
            from market.central_branch_flow import CentralBranchFlow

            self._central = CentralBranchFlow(self.model.network, self.settings)
        return self._central


def _reach(problem: AtomicProblem, n: int) -> tuple[FloatArray, FloatArray]:
    return problem.lower[-n:], problem.upper[-n:]


def _damped(problem: AtomicProblem, curvature: tuple[FloatArray, FloatArray], x: FloatArray) -> AtomicProblem:
    """Keep resources with a flat cost near the flow that the tangents were taken at."""
    n = 2 * len(curvature[0])
    own = problem.quadratic[-n:]
    added = np.where(own > 0, 0.0, np.concatenate(curvature))
    quadratic, linear = problem.quadratic.copy(), problem.linear.copy()
    quadratic[-n:] += added
    linear[-n:] -= added * x[-n:]
    return replace(problem, quadratic=quadratic, linear=linear)
