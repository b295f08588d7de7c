"""The unbalanced market model: per-phase branch flow anchored at the last AC state.

Variables are deviations from a solved AC state, so that prediction equals AC wherever the market leaves
things as they are, and slopes are the analytic derivatives of the AC equations (`linearisation`). Per
phase, with i the parent of j and k the children of j:

    P_ij - loss_ij(P, Q, w_i) - sum_k P_jk - demand_j(w_j) + resources = 0        (price: its dual), and so
    for Q w_j - (d w_j / d w_i) w_i - (d w_j / d P) P - (d w_j / d Q) Q = 0

Powers are in units of 100 kW, squared voltages in 0.01 pu**2, cost in the price of 100 kW for an hour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feeders.network import ComplexArray, Network
from feeders.state import AcState
from market.offers import Offer, WholesalePrice
from market.problem.atoms import AtomicProblem
from market.problem.pattern import Pattern
from market.settings import MarketSettings
from market.three_phase.layout import POWER_UNIT, Structure, owners, row_pattern, structure
from market.three_phase.terms import (
    LEAST_PRICE_UNIT,
    Anchor,
    Bounds,
    anchor_at,
    damp,
    discs,
    limit_ratings,
    limit_voltages,
    offer_resources,
    price_head,
    right_hand_side,
    values,
)


class ThreePhaseModel:
    """Builds the anchored problem of one network again and again, with a fixed pattern.

    Parameters
    ----------
    network : Network
        The feeder.
    settings : MarketSettings
        Limits and penalties.
    """

    def __init__(self, network: Network, settings: MarketSettings) -> None:
        self.grid: Structure = structure(network, settings)
        self._pattern: Pattern = row_pattern(self.grid)
        self._owners = owners(self.grid)

    def anchor(self, state: AcState, demand: ComplexArray, offers: Sequence[Offer]) -> Anchor:
        """Differentiate the AC equations at `state`.

        Parameters
        ----------
        state : AcState
            A converged AC state.
        demand : ndarray, shape (n_load,)
            Nominal demand of the interval before curtailment [kVA].
        offers : sequence of Offer
            Offers of the interval, for their reactive ratios.
        """
        return anchor_at(self.grid, state, demand, offers)

    def problem(self, anchor: Anchor, offers: Sequence[Offer], price: WholesalePrice) -> AtomicProblem:
        """State the market around `anchor`: one offer for each resource that takes part.

        Parameters
        ----------
        anchor : Anchor
            From `anchor`, with the same offers.
        offers : sequence of Offer
            Accepted offers.
        price : WholesalePrice
            LMP at the head.
        """
        grid, by_name = self.grid, {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in grid.network.resource_ids]
        unit = max(abs(price.lmp), LEAST_PRICE_UNIT) * POWER_UNIT / 1e3
        bounds = Bounds.free(grid.layout.n)
        limit_voltages(grid, anchor, bounds, unit)
        limit_ratings(grid, bounds, unit)
        offer_resources(grid, table, bounds, unit)
        damp(grid, anchor, table, price, bounds, unit)
        price_head(grid, anchor, price, bounds, unit)
        variable_atom, row_atom = self._owners
        pairs, radius = discs(grid, table)
        rhs = right_hand_side(grid, anchor)
        head = anchor.state.head.sum()
        return AtomicProblem(
            quadratic=bounds.quadratic,
            linear=bounds.linear,
            lower=bounds.lower,
            upper=bounds.upper,
            soft_lower=bounds.soft_lower,
            soft_upper=bounds.soft_upper,
            penalty=bounds.penalty,
            rows=self._pattern.matrix(values(grid, anchor)),
            row_lower=rhs,
            row_upper=rhs,
            row_penalty=np.full(grid.layout.m, np.inf),
            variable_atom=variable_atom,
            row_atom=row_atom,
            parent=grid.tree.parent,
            discs=pairs,
            disc_radius=radius,
            cones=np.zeros((0, 4), dtype=np.int64),
            offset=(price.lmp * head.real + price.reactive * head.imag) / 1e3 / unit + bounds.offset,
            cost_unit=unit,
            n_state=grid.layout.m,
            reach=grid.reach,
        )
