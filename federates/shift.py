"""Loads whose demand is shifted, not shed: what they put off comes back within a window.

To a market that looks ahead a load offers what it can put off, tells what waits and until when, and is told
when to catch up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from dlmp_cosim.federates.anchoring.demand import nominal_demand
from dlmp_cosim.federates.offering import Awarded, Interval, OfferingFederate, run_owner
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import NotNegative, Positive, Section
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.market.horizon.terms import Ahead, Rebound
from dlmp_cosim.market.offers import Offer


class ShiftSettings(Section):
    """What a scenario says of loads that shift."""

    share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        description="share of the demand that can be put off"
    )
    window_h: Positive = Field(description="time within which it comes back [h]")
    rebound: Annotated[float, Field(gt=0.0, le=2.0)] = Field(
        default=1.0, description="energy that comes back, per energy put off"
    )
    discomfort: NotNegative = Field(default=1.0, description="cost of each MWh put off [$/MWh]")


class Shift(OfferingFederate):
    """Owns flexible loads that shift; publishes the energy that waits.

    Parameters
    ----------
    study : Study
        Names the loads and how they shift.
    name : str, optional
        Name of the federate.

    Raises
    ------
    InputError
        When the market does not look ahead, or what it owns is no flexible load.
    """

    NAME = "shift"

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        where = f"{study.scenario_file} owner.{self.name}"
        self._rules = rules = read_settings(study.scenario, study.scenario_file, self.name, ShiftSettings)
        if not study.scenario.market.horizon:
            raise InputError(
                "loads that shift need a market that looks ahead",
                where=where,
                expected="[market] horizon, such as [{minutes = 60}]",
            )
        for resource in self.resources.values():
            if not resource.load or not resource.kw_more:
                raise InputError(
                    f"{resource.name!r} cannot consume more than its demand",
                    where=where,
                    expected="flexible loads, and a more_share for what comes back",
                )
        self._load_scale = study.scenario.feeder.load_scale
        self._waiting = {
            name: Rebound(rules.rebound, rules.window_h, resource.kw_more)
            for name, resource in self.resources.items()
        }

    def offer(self, now: Interval) -> list[Offer]:
        """Offer to put off a share of the demand, and to catch up with what waits."""
        network, rules = self.study.network, self._rules
        demand = nominal_demand(network, now.number, now.demand_ratio, self._load_scale)
        kw = dict(zip(network.load_ids, demand.real.tolist(), strict=True))
        return [
            Offer(
                name,
                p_min_kw=-self._waiting[name].kw_max,
                p_max_kw=rules.share * max(kw[resource.load], 0.0),
                cost_linear=rules.discomfort,
                ahead=Ahead(rebound=self._waiting[name]),
            )
            for name, resource in self.resources.items()
        ]

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Move what waits by what was put off or caught up with.

        Parameters
        ----------
        now : Interval
            The interval.
        awards : mapping of str to Awarded
            Curtailment of every load, negative where it catches up.

        Returns
        -------
        mapping of str to float
            Figures to publish: `energy` that waits after the interval [kWh].
        """
        total = 0.0
        for name, awarded in awards.items():
            owed = self._waiting[name].after(awarded.given_kw, now.hours)
            self._waiting[name] = replace(self._waiting[name], owed=owed)
            total += sum(item.energy_kwh for item in owed)
        return {"energy": total}


if __name__ == "__main__":
    raise SystemExit(run_owner(Shift, Shift.NAME))
