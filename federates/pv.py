"""PV plants under passing clouds, with inverters that sell reactive power or stay at unity power factor."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from federates.offering import Interval, OfferingFederate, run_owner
from federates.study.irradiance import Place, clear_sky, passing_clouds, read_irradiance
from federates.study.owners import read_settings
from federates.study.scenario import NotNegative, Section
from federates.study.study import Study
from feeders.network import FloatArray
from market.offers import Offer

FULL_SUN = 1000.0
"""Irradiance at which a module gives its nameplate [W/m2]."""


class PvSettings(Section):
    """What a scenario says of PV plants."""

    irradiance: str = Field(
        default="", description="table of irradiance; empty: pvlib's clear sky with clouds"
    )
    cloud_cover: float = Field(default=0.4, ge=0.0, lt=1.0, description="share of the time under clouds")
    cost: NotNegative = Field(default=0.0, description="cost of a MWh [$/MWh]")
    sells_reactive: bool = Field(default=True, description="whether inverters offer reactive power")


class Pv(OfferingFederate):
    """Offers what the sun gives; the rest of an inverter's rating is free for reactive power.

    Parameters
    ----------
    study : Study
        Names the plants and the irradiance.
    name : str, optional
        Name of the federate.
    """

    NAME = "pv"

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        self._rules = read_settings(study.scenario, study.scenario_file, self.name, PvSettings)
        self._sun = self._irradiance() / FULL_SUN

    def offer(self, now: Interval) -> list[Offer]:
        """Offer every plant up to what the sun gives now."""
        share = float(np.clip(self._sun[now.number], 0.0, 1.0))
        offers = []
        for plant in self.resources.values():
            reactive = plant.kva_max if self._rules.sells_reactive else 0.0
            offers.append(
                Offer(
                    plant.name,
                    p_min_kw=0.0,
                    p_max_kw=share * plant.kw_max,
                    cost_linear=self._rules.cost,
                    q_min_kvar=-reactive,
                    q_max_kvar=reactive,
                    s_max_kva=plant.kva_max,
                )
            )
        return offers

    def _irradiance(self) -> FloatArray:
        rules, clock = self._rules, self.clock
        if rules.irradiance:
            return read_irradiance(self.study.data_file(rules.irradiance), clock)
        seed = self.study.scenario.study.seed
        return clear_sky(clock, Place()) * passing_clouds(
            clock.intervals, clock.period_s, seed, rules.cloud_cover
        )


if __name__ == "__main__":
    raise SystemExit(run_owner(Pv, Pv.NAME))
