"""The market model of any circuit: an `AtomicProblem` around the last AC state.

Variables are relative deviations from the state, so that prediction equals AC wherever the market leaves
things as they are; `market.nodal.anchor` and `market.nodal.table` say what the rows are. Powers are in units
of 100 kW, relative voltages in 0.005, cost in the price of 100 kW for an hour.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from dlmp_cosim.feeders.network import ComplexArray, FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.nodal.anchor import Anchor, anchor_at
from dlmp_cosim.market.nodal.layout import POWER_UNIT, Layout, lay_out
from dlmp_cosim.market.nodal.legs import Legs
from dlmp_cosim.market.nodal.ratings import overlooked, rated_conductors
from dlmp_cosim.market.nodal.rows import NetworkRows
from dlmp_cosim.market.nodal.table import current_table
from dlmp_cosim.market.nodal.terms import (
    Bounds,
    damp,
    discs,
    limit_ratings,
    limit_voltages,
    loss_price,
    offer_resources,
    price_head,
)
from dlmp_cosim.market.offers import Offer, WholesalePrice
from dlmp_cosim.market.problem.atoms import AtomicProblem
from dlmp_cosim.market.problem.path_curvature import path_curvature
from dlmp_cosim.market.problem.units import cost_unit
from dlmp_cosim.market.settings import MarketSettings


class NodalModel:
    """Builds the anchored problem of one circuit again and again, with a fixed pattern.

    Parameters
    ----------
    network : Network
        The circuit.
    settings : MarketSettings
        Limits and penalties.
    watched : collection of int, optional
        Conductors whose rating takes part whatever is listed behind them.
    """

    def __init__(self, network: Network, settings: MarketSettings, watched: Collection[int] = ()) -> None:
        self.network, self.settings = network, settings
        self.layout: Layout = lay_out(network, settings, watched)
        self.table = current_table(network)
        self.legs = Legs(network)
        self._rows = NetworkRows(network, self.layout, self.table, self.legs, settings.rating_scale)
        self._curvature = path_curvature(network)

    def overlooked(self, state: AcState) -> IntArray:
        """Conductors whose rating takes no part although a state comes near to it."""
        return overlooked(self.network, state, self.layout.rated, self.settings.rating_scale)

    def outgrown(self, headroom: float) -> IntArray:
        """Conductors whose rating takes no part, but could bind at so many times all that is listed."""
        scale, spanning = self.settings.rating_scale, self.layout.spanning
        return np.setdiff1d(rated_conductors(self.network, spanning, scale, headroom), self.layout.rated)

    def watching(self, conductors: IntArray) -> NodalModel:
        """Make a model that watches the ratings of these conductors too."""
        return NodalModel(self.network, self.settings, np.union1d(self.layout.rated, conductors).tolist())

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
        return anchor_at(self.network, self.legs, state, demand, {offer.resource: offer for offer in offers})

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
        layout, by_name = self.layout, {offer.resource: offer for offer in offers}
        table = [by_name.get(name) for name in self.network.resource_ids]
        unit = cost_unit(price, POWER_UNIT)
        bounds = self._bounds(anchor, table, price, unit)
        pairs, radius = discs(layout, table)
        rhs = self._rows.right_hand_side(anchor)
        head = anchor.state.head.sum()
        return AtomicProblem(
            quadratic=bounds.quadratic,
            linear=bounds.linear,
            lower=bounds.lower,
            upper=bounds.upper,
            soft_lower=bounds.soft_lower,
            soft_upper=bounds.soft_upper,
            penalty=bounds.penalty,
            rows=self._rows.matrix(anchor),
            row_lower=rhs,
            row_upper=rhs,
            row_penalty=np.full(layout.n_state, np.inf),
            variable_atom=layout.variable_atom,
            row_atom=layout.row_atom,
            parent=layout.spanning.parent,
            discs=pairs,
            disc_radius=radius,
            cones=np.zeros((0, 4), dtype=np.int64),
            offset=(price.lmp * head.real + price.reactive * head.imag) / 1e3 / unit + bounds.offset,
            cost_unit=unit,
            n_state=layout.n_state,
            reach=layout.reach,
        )

    def adder_gradient(self, anchor: Anchor, price: WholesalePrice, unit: float) -> FloatArray:
        """Cost gradient of what a substation adds to the price at the head, shape (n_state,).

        Parameters
        ----------
        anchor : Anchor
            From `anchor`.
        price : WholesalePrice
            Price at the head.
        unit : float
            Unit of cost of the problem [$/h].
        """
        bounds, real = Bounds.free(self.layout.n), price.adder * POWER_UNIT / 1e3 / unit
        costs = (real, 0.0, self.settings.loss_weight * real)
        price_head(self.network, self.layout, anchor, self.legs, bounds, costs)
        return np.asarray(bounds.linear[: self.layout.n_state])

    def _bounds(
        self, anchor: Anchor, table: list[Offer | None], price: WholesalePrice, unit: float
    ) -> Bounds:
        layout, settings = self.layout, self.settings
        bounds = Bounds.free(layout.n)
        limit_voltages(layout, anchor, settings, bounds, unit)
        limit_ratings(layout, settings, bounds, unit)
        offer_resources(layout, table, bounds, unit)
        damp(layout, self._curvature, anchor, loss_price(settings, price), bounds, unit)
        per_power = POWER_UNIT / 1e3 / unit
        costs = (
            price.lmp * per_power,
            price.reactive * per_power,
            settings.loss_weight * price.lmp * per_power,
        )
        price_head(self.network, layout, anchor, self.legs, bounds, costs)
        return bounds
