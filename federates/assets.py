"""The offering federate of the built-in asset table: every resource on its own terms, every interval."""

from __future__ import annotations

import math

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.offering import Interval, OfferingFederate, run_owner
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.network import ComplexArray, Network, Resource
from dlmp_cosim.feeders.readers.assets import AssetTerms
from dlmp_cosim.market.ancillary.products import PRODUCTS, Capacity
from dlmp_cosim.market.offers import Offer

NAME = "assets"


class Assets(OfferingFederate):
    """Offers the resources that the asset table gives to one owner.

    Parameters
    ----------
    study : Study
        Names the table.
    name : str, optional
        Name of this federate.
    """

    NAME = NAME

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        self._load_scale = study.scenario.feeder.load_scale
        self._terms = [
            (self.resources[terms.resource], terms)
            for terms in study.terms
            if terms.resource in self.resources
        ]

    def offer(self, now: Interval) -> list[Offer]:
        """Offer every resource for the demand of the interval."""
        network = self.study.network
        demand = nominal_demand(network, now.number, now.demand_ratio, self._load_scale)
        return make_offers(self._terms, network, demand)


def make_offers(
    terms: list[tuple[Resource, AssetTerms]], network: Network, demand: ComplexArray
) -> list[Offer]:
    """Offer generators up to their rating and flexible loads up to their share of the demand.

    Parameters
    ----------
    terms : list of (Resource, AssetTerms)
        What is offered, and on which terms.
    network : Network
        The feeder.
    demand : ndarray, shape (n_load,)
        Demand at nominal voltage [kVA].
    """
    kw = dict(zip(network.load_ids, demand.real.tolist(), strict=True))
    return [
        Offer(
            resource.name,
            p_min_kw=0.0,
            p_max_kw=rule.curtailable_share * max(kw[resource.load], 0.0)
            if resource.load
            else resource.kw_max,
            cost_linear=rule.cost_linear,
            cost_quadratic=rule.cost_quadratic,
            q_min_kvar=-rule.q_max_kvar,
            q_max_kvar=rule.q_max_kvar,
            s_max_kva=math.inf if resource.load else resource.kva_max,
            reactive_ratio=rule.reactive_ratio,
            capacity=Capacity(**rule.capacity) if set(rule.capacity) & set(PRODUCTS) else None,
        )
        for resource, rule in terms
    ]


if __name__ == "__main__":
    raise SystemExit(run_owner(Assets, NAME))
