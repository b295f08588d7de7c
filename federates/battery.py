"""A battery: it tells a market that looks ahead what it holds, and looks ahead by itself otherwise.

In a market of one interval the value of stored energy comes from a dynamic programme over the rest of the
run: what a kWh more would earn at day-ahead prices, at each interval and state of charge. It buys below that
value and sells above it, net of losses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from dlmp_cosim.federates.offering import Awarded, Interval, OfferingFederate, run_owner
from dlmp_cosim.federates.study.ancillary import CapacitySettings
from dlmp_cosim.federates.study.forecast import day_ahead_prices
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import NotNegative, Positive, Section
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.ancillary.products import PRODUCTS, Capacity
from dlmp_cosim.market.horizon.terms import Ahead, Later, Store
from dlmp_cosim.market.offers import Offer

Share = Annotated[float, Field(gt=0.0, le=1.0)]
LEVELS = 201
MINUTES_PER_HOUR = 60.0


class BatterySettings(Section):
    """What a scenario says of a battery."""

    energy_kwh: Positive = Field(description="capacity [kWh]")
    reserve_kwh: NotNegative = Field(default=0.0, description="energy that is never sold [kWh]")
    start_kwh: NotNegative = Field(description="energy at the start [kWh]")
    charge_efficiency: Share = Field(default=0.95, description="energy stored per energy drawn")
    discharge_efficiency: Share = Field(default=0.95, description="energy delivered per energy taken out")
    wear: NotNegative = Field(default=0.0, description="cost of each MWh delivered or drawn [$/MWh]")
    loss_per_hour: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=0.0, description="share of the energy lost in an hour, where the market looks ahead"
    )
    capacity: CapacitySettings | None = Field(
        default=None, description="what it sells to the ancillary market of a substation"
    )
    end_kwh: NotNegative | None = Field(
        default=None,
        description="least energy at the end of the market's horizon [kWh]; without it, it has a value",
    )


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
        if rules.end_kwh is not None and not rules.reserve_kwh <= rules.end_kwh <= rules.energy_kwh:
            raise InputError(
                f"end_kwh is {rules.end_kwh:g}",
                where=f"{study.scenario_file} owner.{self.name}.settings",
                expected=f"{rules.reserve_kwh:g} to {rules.energy_kwh:g}",
            )
        self.energy = rules.start_kwh
        self._sells, self._beside = self._sold(), 0.0
        self._levels = np.linspace(rules.reserve_kwh, rules.energy_kwh, LEVELS)
        hours = self.clock.period_s / 3600.0
        expected = day_ahead_prices(study)
        self._end_value = float(expected.mean()) * rules.discharge_efficiency
        self._worth = energy_values(expected, self._levels, rules, self._resource.kw_max * hours)

    def offer(self, now: Interval) -> list[Offer]:
        """Say what it holds, or sell above the value of the energy and buy below, as the LMP is nearer."""
        if self.study.scenario.market.horizon:
            return [self._offer_ahead(now)]
        rules, size = self._rules, self._resource.kw_max
        value = float(np.interp(self.energy, self._levels, self._worth[now.number + 1]))
        ask = value / rules.discharge_efficiency + rules.wear
        bid = value * rules.charge_efficiency - rules.wear
        room = self._left(
            max(self.energy - rules.reserve_kwh, 0.0) * rules.discharge_efficiency,
            max(rules.energy_kwh - self.energy, 0.0) / rules.charge_efficiency,
            now.hours,
        )
        give, take = (kwh / now.hours for kwh in room)
        sells = now.lmp > (ask + bid) / 2
        return [
            Offer(
                self._resource.name,
                p_min_kw=0.0 if sells else -min(size, take),
                p_max_kw=min(size, give) if sells else 0.0,
                cost_linear=ask if sells else bid,
                s_max_kva=self._resource.kva_max,
                capacity=self._capacity(room),
            )
        ]

    def _offer_ahead(self, now: Interval) -> Offer:
        """Tell a market that looks ahead what the battery holds; the market finds out what it is worth."""
        size, store, later = self._resource.kw_max, self._store(), len(self.later_steps(now))
        low, high = store.bounds(self.energy, now.hours)
        room = self._left(high * now.hours, -low * now.hours, now.hours) if self._beside else None
        if room is not None:
            low, high = -room[1] / now.hours, room[0] / now.hours
        return Offer(
            self._resource.name,
            p_min_kw=max(-size, low),
            p_max_kw=min(size, high),
            cost_linear=0.0,
            s_max_kva=self._resource.kva_max,
            ahead=Ahead(store=store, later=Later((-size,) * later, (size,) * later)),
            capacity=self._capacity(room),
        )

    def _sold(self) -> Mapping[str, float]:
        """Say what it asks for capacity: as its settings say, or else its line of the asset table."""
        if self._rules.capacity is not None:
            return self._rules.capacity.model_dump(exclude_none=True)
        lines = {terms.resource: terms.capacity for terms in self.study.terms}
        return lines.get(self._resource.name, {})

    def _capacity(self, room: tuple[float, float] | None) -> Capacity | None:
        """Offer capacity from full charging to full discharging, and the energy behind it.

        Parameters
        ----------
        room : (float, float) or None
            What it can give and take [kWh]; None where the market knows that from its store.
        """
        if not set(self._sells) & set(PRODUCTS):
            return None
        size = self._resource.kw_max
        up, down = room or (math.inf, math.inf)
        return Capacity(**self._sells, p_min_kw=-size, p_max_kw=size, up_kwh=up, down_kwh=down)

    def _left(self, give_kwh: float, take_kwh: float, hours: float) -> tuple[float, float]:
        """Energy that can be sold: without what it moves while it comes back from the last call [kWh]."""
        reach = self._sells.get("ramp_kw_per_minute", math.inf) * MINUTES_PER_HOUR * hours
        still, tail = abs(self._beside) - reach, 0.0
        while still > 0.0:
            tail += still * hours
            still -= reach
        up, down = (tail, 0.0) if self._beside > 0.0 else (0.0, tail)
        return max(give_kwh - up, 0.0), max(take_kwh - down, 0.0)

    def _store(self) -> Store:
        """State the battery as the market's terms have it."""
        rules = self._rules
        return Store(
            energy_kwh=self.energy,
            max_kwh=rules.energy_kwh,
            min_kwh=rules.reserve_kwh,
            charge_efficiency=rules.charge_efficiency,
            discharge_efficiency=rules.discharge_efficiency,
            loss_per_hour=rules.loss_per_hour,
            end_kwh=rules.reserve_kwh if rules.end_kwh is None else rules.end_kwh,
            end_value=self._end_value if rules.end_kwh is None else 0.0,
            wear=rules.wear,
        )

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Move the state of charge by what it gave: its award, and what was called beside it.

        Parameters
        ----------
        now : Interval
            The interval.
        awards : mapping of str to Awarded
            The storage's award, positive towards the grid.

        Returns
        -------
        mapping of str to float
            Figures to publish: `energy` after the interval [kWh].
        """
        awarded = awards[self._resource.name]
        power, self._beside = awarded.given_kw, 0.0 if awarded.out else awarded.response_kw
        if self.study.scenario.market.horizon:
            self.energy = self._store().after(self.energy, power, now.hours)
        else:
            self.energy += stored(power, self._rules) * now.hours
        return {"energy": self.energy}


def stored(kw: float, rules: BatterySettings) -> float:
    """Rate at which the stored energy rises when the battery gives `kw` to the grid [kW].

    Parameters
    ----------
    kw : float
        Power given to the grid, negative while charging [kW].
    rules : BatterySettings
        Efficiencies.
    """
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
