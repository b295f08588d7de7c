"""The offering federate of the built-in asset table: every resource on its own terms, every interval."""

from __future__ import annotations

from collections.abc import Mapping

from federates.base import main
from federates.clock import OFFER_SLOT, PRICE_SLOT
from federates.contract import OFFER_QUANTITY
from federates.demand import nominal_demand
from federates.link import Link, Value
from federates.messages import offers_text
from federates.study import Study
from feeders.assets import AssetTerms
from feeders.network import ComplexArray, Network, Resource
from market.offers import Offer

NAME = "assets"


class Assets:
    """Offers the resources that the asset table gives to one owner.

    Parameters
    ----------
    study : Study
        Names the table.
    owner : str
        Name of this federate.
    """

    def __init__(self, study: Study, owner: str = NAME) -> None:
        self._clock = study.clock
        self._network = study.network
        self._load_scale = study.scenario.feeder.load_scale
        self._key = f"{owner}/{OFFER_QUANTITY}"
        resources = {resource.name: resource for resource in self._network.resources}
        self._terms = [
            (resources[terms.resource], terms)
            for terms in study.terms
            if resources[terms.resource].owner == owner
        ]

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising."""
        return {}

    def run(self, link: Link) -> None:
        """Offer every resource once the interval's demand is known."""
        for interval in range(self._clock.intervals):
            link.wait_until(self._clock.at(interval, OFFER_SLOT))
            ratio = link.number("wholesale/demand_ratio", since=self._clock.at(interval, PRICE_SLOT))
            demand = nominal_demand(self._network, ratio, self._load_scale)
            offers = make_offers(self._terms, self._network, demand)
            link.publish(self._key, offers_text(interval, offers))

    def close(self) -> None:
        """Nothing to release."""


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
            **({} if resource.load else {"s_max_kva": resource.kva_max}),
            reactive_ratio=rule.reactive_ratio,
        )
        for resource, rule in terms
    ]


if __name__ == "__main__":
    raise SystemExit(main(NAME, Assets))
