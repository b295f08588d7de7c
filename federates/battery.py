"""A battery that looks ahead: it knows the day-ahead prices and what its energy is worth later.

The value of stored energy comes from a dynamic programme over the rest of the run: what a kWh more would
earn, at each interval and state of charge. It buys below that value and sells above it, net of losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from federates.offering import Awarded, Interval, OfferingFederate, run_owner
from federates.study.forecast import day_ahead_prices
from federates.study.owners import read_settings
from federates.study.scenario import NotNegative, Positive, Section
from federates.study.study import Study
from feeders.errors import InputError
from feeders.network import FloatArray
from market.offers import Offer

Share = Annotated[float, Field(gt=0.0, le=1.0)]
LEVELS = 201


class BatterySettings(Section):
    """What a scenario says of a battery."""

    energy_kwh: Positive = Field(description="capacity [kWh]")
    reserve_kwh: NotNegative = Field(default=0.0, description="energy that is never sold [kWh]")
    start_kwh: NotNegative = Field(description="energy at the start [kWh]")
    charge_efficiency: Share = Field(default=0.95, description="energy stored per energy drawn")
    discharge_efficiency: Share = Field(default=0.95, description="energy delivered per energy taken out")
    wear: NotNegative = Field(default=0.0, description="cost of each MWh delivered or drawn [$/MWh]")


class Battery(OfferingFederate):
    """Owns one storage and its state of charge; publishes ``battery/energy`` after every award.

    Parameters
    ----------
    study : Study
        Names the storage, its settings and the price files.
    name : str, optional
        Name of the federate.
    """

    NAME = "battery"

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        (self._resource,) = self.resources.values()
        self._rules = read_settings(study.scenario, study.scenario_file, self.name, BatterySettings)
        rules = self._rules
        if not rules.reserve_kwh <= rules.start_kwh <= rules.energy_kwh:
            raise InputError(
                f"start_kwh is {rules.start_kwh:g}",
                where=f"{study.scenario_file} owner.{self.name}.settings",
                expected=f"{rules.reserve_kwh:g} to {rules.energy_kwh:g}",
            )
        self.energy = rules.start_kwh
        self._levels = np.linspace(rules.reserve_kwh, rules.energy_kwh, LEVELS)
        hours = self.clock.period_s / 3600.0
        self._worth = energy_values(
            day_ahead_prices(study), self._levels, rules, self._resource.kw_max * hours
        )

    def offer(self, now: Interval) -> list[Offer]:
        """Sell above the value of the energy, or buy below it, whichever the LMP is nearer to."""
        rules, size = self._rules, self._resource.kw_max
        value = float(np.interp(self.energy, self._levels, self._worth[now.number + 1]))
        ask = value / rules.discharge_efficiency + rules.wear
        bid = value * rules.charge_efficiency - rules.wear
        give = max(self.energy - rules.reserve_kwh, 0.0) * rules.discharge_efficiency / now.hours
        take = max(rules.energy_kwh - self.energy, 0.0) / rules.charge_efficiency / now.hours
        sells = now.lmp > (ask + bid) / 2
        return [
            Offer(
                self._resource.name,
                p_min_kw=0.0 if sells else -min(size, take),
                p_max_kw=min(size, give) if sells else 0.0,
                cost_linear=ask if sells else bid,
                s_max_kva=self._resource.kva_max,
            )
        ]

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Move the state of charge by what was awarded."""
        self.energy += stored(awards[self._resource.name].kw, self._rules) * now.hours
        return {"energy": self.energy}


def stored(kw: float, rules: BatterySettings) -> float:
    """Rate at which the stored energy rises when the battery gives `kw` to the grid [kW]."""
    return -kw / rules.discharge_efficiency if kw > 0.0 else -kw * rules.charge_efficiency


def energy_values(
    price: FloatArray, levels: FloatArray, rules: BatterySettings, most_kwh: float
) -> FloatArray:
    """Return what a stored kWh more is worth, at the start of each interval and at the end.

    Parameters
    ----------
    price : ndarray, shape (n_interval,)
        Expected price [$/MWh].
    levels : ndarray, shape (n_level,)
        Ascending energies [kWh].
    rules : BatterySettings
        Efficiencies and wear; energy left at the end is worth the mean price, less the losses.
    most_kwh : float
        Energy that an interval can move at the terminals [kWh].

    Returns
    -------
    ndarray, shape (n_interval + 1, n_level)
        Marginal values [$/MWh], falling with the energy unless a price is negative.
    """
    rise = levels[None, :] - levels[:, None]
    drawn = np.where(rise > 0.0, rise / rules.charge_efficiency, rise * rules.discharge_efficiency)
    possible = np.abs(drawn) <= most_kwh + 1e-9
    worth = np.empty((len(price) + 1, len(levels)))
    total = levels * float(price.mean()) * rules.discharge_efficiency
    worth[-1] = np.gradient(total, levels)
    for k in range(len(price) - 1, -1, -1):
        earned = -drawn * price[k] - np.abs(drawn) * rules.wear
        total = np.where(possible, earned + total[None, :], -np.inf).max(axis=1)
        worth[k] = np.gradient(total, levels)
    return worth


if __name__ == "__main__":
    raise SystemExit(run_owner(Battery, Battery.NAME))
