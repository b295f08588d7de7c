"""What every federate with resources to offer shares: when it offers, and how it hears of its award.

A federate of one's own overrides `OfferingFederate.offer` and, when it keeps a state,
`OfferingFederate.award`.
"""

from __future__ import annotations

import argparse
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dlmp_cosim.federates.contract.heard import price_at, read_heard
from dlmp_cosim.federates.contract.messages import offers_text
from dlmp_cosim.federates.contract.topics import OFFER_QUANTITY, award_topic
from dlmp_cosim.federates.runtime.base import Role, main
from dlmp_cosim.federates.runtime.clock import OFFER_SLOT, PRICE_SLOT, market_slot
from dlmp_cosim.federates.runtime.link import Link, Value
from dlmp_cosim.federates.study.ancillary import out_of_service
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.federates.study.wiring import AWARDED, RESPONDED
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray, Network, Resource
from dlmp_cosim.market.offers import Offer


@dataclass(frozen=True)
class Interval:
    """What an owner knows when it offers.

    Attributes
    ----------
    number : int
        Which interval, from 0.
    hours : float
        Its length [h].
    lmp : float
        LMP at the feeder head [$/MWh]; NaN when the federate does not read ``wholesale/lmp``.
    demand_ratio : float
        Demand as a share of the listed load; NaN when it does not read ``wholesale/demand_ratio``.
    """

    number: int
    hours: float
    lmp: float
    demand_ratio: float


@dataclass(frozen=True)
class Awarded:
    """What one resource was awarded, and the prices where it is connected (the mean of its phases).

    Attributes
    ----------
    kw, kvar : float
        Power, positive towards the grid [kW, kvar].
    dlmp_real : float
        Price of real power [$/MWh].
    dlmp_reactive : float
        Price of reactive power [$/(MVAR*h)].
    response_kw : float
        What it gave beside its award, as called by an ancillary market [kW].
    out : bool
        Whether it was out of service, and gave nothing.
    """

    kw: float
    kvar: float
    dlmp_real: float
    dlmp_reactive: float
    response_kw: float = 0.0
    out: bool = False

    @property
    def given_kw(self) -> float:
        """What it really gave, positive towards the grid [kW]."""
        return 0.0 if self.out else self.kw + self.response_kw


class OfferingFederate(ABC):
    """Offers resources every interval and hears what became of them.

    Parameters
    ----------
    study : Study
        The study; its scenario says which resources this federate owns.
    name : str, optional
        Name in the federation; `NAME` by default.

    Attributes
    ----------
    NAME : str
        Name of the federate unless another is given.
    resources : dict of str to Resource
        What it owns.

    Raises
    ------
    InputError
        When the scenario gives it no resource.
    """

    NAME: ClassVar[str]

    def __init__(self, study: Study, name: str = "") -> None:
        self.study, self.name, self.clock = study, name or self.NAME, study.clock
        self.resources: dict[str, Resource] = {
            resource.name: resource for resource in study.network.resources if resource.owner == self.name
        }
        if not self.resources:
            raise InputError(
                f"{self.name!r} owns no resource",
                where=str(study.scenario_file),
                expected=f'[[owner]] with name = "{self.name}" and [[owner.resource]] tables or takes',
            )

    @abstractmethod
    def offer(self, now: Interval) -> Sequence[Offer]:
        """Return the offers for an interval; what is not offered is not dispatched."""

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Take notice of the award of every resource, by name.

        Parameters
        ----------
        now : Interval
            The interval.
        awards : mapping of str to Awarded
            What became of every resource of this federate.

        Returns
        -------
        mapping of str to float
            Own figures to publish; its HELICS file lists each as ``<name>/<quantity>``.
        """
        del now, awards
        return {}

    def later_steps(self, now: Interval) -> tuple[float, ...]:
        """Length of every later step of the market's horizon [h]; none where it does not look ahead."""
        if not self.study.scenario.market.horizon:
            return ()
        # It brings all that forecasts need, which an owner of one interval at a time starts without.
        from dlmp_cosim.federates.study.outlook import horizon_spans

        found = horizon_spans(self.study.scenario, now.number)[1:]
        return tuple(span.intervals * now.hours for span in found)

    def initial(self) -> Mapping[str, Value]:
        """Publish nothing while initialising."""
        return {}

    def run(self, link: Link) -> None:
        """Offer at the start of every interval; hear of the award when the interval is settled.

        An owner with figures of its own hears in time to have them recorded with the interval. Any other
        hears when it next offers, which spares everybody a request for time.
        """
        network = self._network(link)
        settled: Interval | None = None
        for number in range(self.clock.intervals):
            link.wait_until(self.clock.at(number, OFFER_SLOT))
            if settled is not None:
                self._hear(link, settled, network)
            settled = self._look(link, number)
            link.publish(f"{self.name}/{OFFER_QUANTITY}", offers_text(number, self.offer(settled)))
            if len(link.publishes) > 1 or number == self.clock.intervals - 1:
                link.wait_until(self.clock.recording(number) - 1.0)
                self._hear(link, settled, network)
                settled = None

    def close(self) -> None:
        """Nothing to release; a federate that holds something overrides it."""
        return

    def _network(self, link: Link) -> Network:
        """Take the feeder's own network where it is read, and the scenario's otherwise."""
        network = self.study.network
        if "feeder/network" in link.keys:
            # It states anew what every part of a network is made of, which few owners have to read.
            from dlmp_cosim.feeders.readers.network_json import network_from_json

            network = network_from_json(link.text("feeder/network"), where="feeder/network")
        link.adopt(network)
        return network

    def _hear(self, link: Link, then: Interval, network: Network) -> None:
        """Take notice of the awards of an interval, where they are read."""
        if {AWARDED, award_topic(self.name).key} & set(link.keys):
            for quantity, value in self.award(then, self._awards(link, then.number, network)).items():
                link.publish(f"{self.name}/{quantity}", float(value))

    def _look(self, link: Link, number: int) -> Interval:
        since = self.clock.at(number, PRICE_SLOT)

        def read(key: str) -> float:
            return link.number(key, since=since) if key in link.keys else float("nan")

        return Interval(
            number, self.clock.period_s / 3600.0, read("wholesale/lmp"), read("wholesale/demand_ratio")
        )

    def _awards(self, link: Link, number: int, network: Network) -> dict[str, Awarded]:
        """Read awards and prices of the interval, and what was given beside them where that is read."""
        since = self.clock.at(number, market_slot(0))
        own = {k: item for k, item in enumerate(network.resources) if item.name in self.resources}
        rows = self._heard(link, network, own, since)
        beside = np.zeros(len(network.resources))
        if RESPONDED in link.keys:
            beside = link.vector(RESPONDED, since=since)
        disruptions = self.study.member.disruptions if self.study.member else ()
        out = out_of_service(disruptions, number, self.resources, known=False)
        return {
            item.name: Awarded(kw, kvar, real, reactive, float(beside[k]), item.name in out)
            for (k, item), (kw, kvar, real, reactive) in zip(own.items(), rows.tolist(), strict=True)
        }

    def _heard(self, link: Link, network: Network, own: Mapping[int, Resource], since: float) -> FloatArray:
        """Award and prices of every resource, shape (n, 4): in one piece, or out of those of all.

        All four are read, so that a missing one is noticed.
        """
        if award_topic(self.name).key in link.keys:
            return read_heard(link, self.name, len(own), since=since)
        keys = ("dispatch_real", "dispatch_reactive", "dlmp_real", "dlmp_reactive")
        kw, kvar, *prices = (link.vector(f"market/{key}", since=since) for key in keys)
        return np.array(
            [[kw[k], kvar[k], *(price_at(network, item, each) for each in prices)] for k, item in own.items()]
        )


def run_owner(build: Callable[[Study, str], Role], name: str, arguments: list[str] | None = None) -> int:
    """Run an offering federate as a process of its own, under its own name or that of ``--name``.

    Parameters
    ----------
    build : callable
        Makes the role from the study and the name: a subclass of `OfferingFederate`.
    name : str
        Name of the federate, unless the command line gives another.
    arguments : list of str, optional
        Command line; that of the process by default.

    Returns
    -------
    int
        Exit code, as of `federates.runtime.base.main`.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--name", default=name)
    chosen = parser.parse_known_args(arguments)[0].name
    return main(chosen, lambda study: build(study, chosen), arguments)
