"""PV plants under passing clouds, with inverters that sell reactive power or stay at unity power factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from dlmp_cosim.federates.offering import Interval, OfferingFederate, run_owner
from dlmp_cosim.federates.runtime.clock import Clock
from dlmp_cosim.federates.study.irradiance import Place, clear_sky, passing_clouds, read_irradiance
from dlmp_cosim.federates.study.outlook import horizon_spans, intervals_seen, read_forecast
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import NotNegative, Section
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.horizon.terms import Ahead, Later
from dlmp_cosim.market.offers import Offer

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
        self._sun = self._irradiance(self.clock) / FULL_SUN
        self._expected = self._expect()

    def offer(self, now: Interval) -> list[Offer]:
        """Offer every plant up to what the sun gives now."""
        share = float(np.clip(self._sun[now.number], 0.0, 1.0))
        shares = self._later_shares(now)
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
                    ahead=_later(plant.kw_max, shares),
                )
            )
        return offers

    def _later_shares(self, now: Interval) -> list[float]:
        """Say what share the sun is expected to give in later steps; nothing where it is to stay."""
        if self._expected is None:
            return []
        later = horizon_spans(self.study.scenario, now.number)[1:]
        means = [float(self._expected[span.first : span.after].mean()) for span in later]
        return [min(max(mean / FULL_SUN, 0.0), 1.0) for mean in means]

    def _expect(self) -> FloatArray | None:
        """Find the irradiance expected of every interval [W/m2]; None where the present one is to last."""
        scenario = self.study.scenario
        name = scenario.forecast.pv
        if not scenario.market.horizon or name == "persistence":
            return None
        seen = replace(self.clock, intervals=max(intervals_seen(scenario), self.clock.intervals))
        if name == "perfect":
            return self._irradiance(seen)
        return read_forecast(self.study, "pv", name, seen, ("persistence", "perfect"))

    def _irradiance(self, clock: Clock) -> FloatArray:
        rules = self._rules
        if rules.irradiance:
            return read_irradiance(
                self.study.data_file(rules.irradiance, f"owner.{self.name}.settings.irradiance"), clock
            )
        seed = self.study.scenario.study.seed
        return clear_sky(clock, Place()) * passing_clouds(
            clock.intervals, clock.period_s, seed, rules.cloud_cover
        )


def _later(kw_max: float, shares: Sequence[float]) -> Ahead | None:
    return Ahead(later=Later(p_max_kw=tuple(kw_max * share for share in shares))) if shares else None


if __name__ == "__main__":
    raise SystemExit(run_owner(Pv, Pv.NAME))
