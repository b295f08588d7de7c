"""The three-phase market of one feeder, warm from interval to interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.clearing import Clearing, check_case
from market.offers import Offer, WholesalePrice, accept_offers
from market.pac.areas import partition
from market.pac.clear import Effort, Warmth, begin, negotiate_areas, negotiate_buses, with_effort
from market.pac.negotiate import USUAL, Tuning
from market.problem.atoms import AtomicProblem
from market.problem.prices import NetworkSolver, network_solver
from market.settings import MarketSettings
from market.three_phase.model import ThreePhaseModel
from market.three_phase.outcome import Solution, read_clearing

if TYPE_CHECKING:
    from market.central.three_phase import CentralThreePhase


class Market:
    """Clears one feeder again and again; each clearing starts from the last.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Method, limits and tolerances.
    tuning : Tuning, optional
        How agents negotiate, for studies of that.
    """

    def __init__(self, network: Network, settings: MarketSettings, tuning: Tuning = USUAL) -> None:
        self.settings, self.tuning = settings, tuning
        self.model = ThreePhaseModel(network, settings)
        self.area = partition(self.model.grid.tree.parent, settings.agents or self.model.grid.tree.n_atom)
        self.warmth: Warmth | None = None
        self._central: CentralThreePhase | None = None

    def clear(
        self, state: AcState, demand: ComplexArray, offers: Sequence[Offer], price: WholesalePrice
    ) -> Clearing:
        """Clear one interval around an AC state.

        Parameters
        ----------
        state : AcState
            Converged AC state, with the demand and injections it was solved for.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Offers; those that cannot be cleared are left out and named in the record.
        price : WholesalePrice
            LMP at the head.

        Raises
        ------
        ClearingError
            When the state, the demand or the price has no finite numbers.
        """
        check_case(state, demand, price)
        accepted, refused = accept_offers(self.model.grid.network, offers)
        anchor = self.model.anchor(state, demand, accepted)
        problem = self.model.problem(anchor, accepted, price)
        solver = network_solver(problem)
        if self.settings.method == "central":
            reference = self._reference().solve(anchor, accepted, price)
            solution, effort = Solution(reference.resources, reference.limits), Effort()
        else:
            solution, effort = self._negotiate(problem, solver)
        clearing = read_clearing(self.model.grid, anchor, solver, price, solution)
        return with_effort(clearing, effort, refused)

    def _negotiate(self, problem: AtomicProblem, solver: NetworkSolver) -> tuple[Solution, Effort]:
        start = begin(problem, solver, self.warmth)
        if self.settings.method == "pac-accelerated" and self.settings.agents:
            solution, effort, weight = negotiate_areas(
                problem, solver, self.area, start, self.settings, self.tuning
            )
        else:
            solution, effort, weight = negotiate_buses(problem, solver, start, self.settings, self.tuning)
        self.warmth = Warmth(solution.resources, solution.limits * problem.cost_unit, weight)
        return solution, effort

    def _reference(self) -> CentralThreePhase:
        """Make the central statement once; its library takes a second to import, so only when asked for."""
        if self._central is None:
            from market.central.three_phase import CentralThreePhase

            self._central = CentralThreePhase(self.model.grid.network, self.settings)
        return self._central
