"""The three-phase market of one feeder, warm from interval to interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.areas import partition
from market.clearing import Clearing
from market.negotiation import Warmth, begin, negotiate_areas, negotiate_buses
from market.offers import Offer, WholesalePrice, accept_offers
from market.outcome import read_clearing
from market.prices import network_solver
from market.settings import MarketSettings
from market.three_phase import ThreePhaseModel


class Market:
    """Clears one feeder again and again; each clearing starts from the last.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Method, limits and tolerances.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        self.settings = settings
        self.model = ThreePhaseModel(network, settings)
        self.area = partition(self.model.grid.tree.parent, settings.agents or self.model.grid.tree.n_atom)
        self.warmth: Warmth | None = None

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
        """
        accepted, refused = accept_offers(self.model.grid.network, offers)
        anchor = self.model.anchor(state, demand, accepted)
        problem = self.model.problem(anchor, accepted, price)
        solver = network_solver(problem)
        start = begin(problem, solver, self.warmth)
        if self.settings.method == "pac-accelerated" and self.settings.agents:
            solution, effort, weight = negotiate_areas(problem, solver, self.area, start, self.settings)
        else:
            solution, effort, weight = negotiate_buses(problem, solver, start, self.settings)
        self.warmth = Warmth(solution.resources, solution.limits * problem.cost_unit, weight)
        clearing = read_clearing(self.model.grid, anchor, solver, price, solution)
        return replace(
            clearing,
            refused=tuple(str(refusal) for refusal in refused),
            status="solved" if effort.converged else "not_converged",
            rounds=effort.rounds,
            messages=effort.messages,
            scalars=effort.scalars,
            primal_residual=effort.primal,
            dual_residual=effort.dual,
        )
