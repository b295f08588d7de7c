"""An aggregator: many small devices behind one bus, one offer for all, and every award shared among them.

It takes part in the retail market, in the wholesale market or in none, an interval at a time. In the
wholesale market every device runs as it likes at the LMP, and the operator may cut their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from dlmp_cosim.federates.devices import Car, Moment, Roof, read_devices
from dlmp_cosim.federates.ev import Session, dues, share_out
from dlmp_cosim.federates.offering import Awarded, Interval, OfferingFederate, run_owner
from dlmp_cosim.federates.study.csv_rows import read_rows
from dlmp_cosim.federates.study.forecast import day_ahead_prices
from dlmp_cosim.federates.study.irradiance import Place, clear_sky, read_irradiance
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import Section
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import FloatArray, Resource
from dlmp_cosim.feeders.readers.csv_table import plain_number
from dlmp_cosim.market.aggregate import Window, best, fitted, missed, shared, window
from dlmp_cosim.market.horizon.terms import Ahead
from dlmp_cosim.market.offers import Offer, Participation

FULL_SUN = 1000.0
"""Irradiance at which PV gives its nameplate [W/m2]."""
MARKETS = get_args(Participation)
COLUMNS = ("minutes", "market")


class AggregatorSettings(Section):
    """What a scenario says of an aggregator."""

    devices: str = Field(description="table of devices")
    market: Participation = Field(
        default="retail", description="where they take part: retail, wholesale or out"
    )
    markets: str = Field(
        default="", description="table of minutes,market that says so over time, in place of `market`"
    )
    irradiance: str = Field(default="", description="table of irradiance; empty: a clear sky")
    offers: Literal["together", "apart"] = Field(
        default="together", description="one offer for all, or one for each device, which is a resource then"
    )


class Aggregator(OfferingFederate):
    """Offers devices as one; publishes what that lost, what vetoes cost, and what was not delivered.

    Parameters
    ----------
    study : Study
        Names the devices and the resource that they are behind.
    name : str, optional
        Name of the federate.

    Raises
    ------
    InputError
        When its tables or its resources cannot be used, or the market looks ahead and it is no fleet of cars.
    """

    NAME = "aggregator"

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        where = f"{study.scenario_file} owner.{self.name}"
        self._rules = rules = read_settings(
            study.scenario, study.scenario_file, self.name, AggregatorSettings
        )
        self.devices = read_devices(study.data_file(rules.devices, f"owner.{self.name}.settings.devices"))
        self._check_resources(where)
        self._expected = day_ahead_prices(study)
        self._sun = self._irradiance() / FULL_SUN
        self._markets = self._participation(where)
        self._fleet = self._looks_ahead(where)
        self._window: Window = window([])
        self.lost = self.vetoed = 0.0

    def offer(self, now: Interval) -> list[Offer]:
        """Offer all devices as one, or each by itself, in the market that is this interval's."""
        moment, market = self._moment(now), self._markets[now.number]
        self._window = window([device.row(moment) for device in self.devices])
        if market == "out":
            self._window = _fixed(np.array([device.idle(moment) for device in self.devices]), self._window)
        if self._rules.offers == "apart":
            return [self._each(k, now, market) for k in range(len(self.devices))]
        (resource,) = self.resources.values()
        least, most = (
            _within(float(limit.sum()), resource.kw_max) for limit in (self._window.low, self._window.high)
        )
        if self._fleet:
            return [self._sessions(resource, now)]
        if market == "wholesale":
            wanted = _within(float(best(self._window, now.lmp).sum()), resource.kw_max)
            return [_scheduled(resource.name, wanted, least, most, self._window)]
        line = fitted(self._window, now.lmp)
        return [Offer(resource.name, least, most, line.linear, line.quadratic, market=market)]

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Share the award among the devices and move each.

        Parameters
        ----------
        now : Interval
            The interval.
        awards : mapping of str to Awarded
            The one award of all devices; by device where each is offered apart.

        Returns
        -------
        mapping of str to float
            Figures to publish: `lost` and `vetoed` so far and `cost` [$], `unplaced` [kW], `shortfall` [kWh].
        """
        moment, devices = self._moment(now), self._window
        if self._fleet:
            return self._charge(moment, *awards.values())
        if self._rules.offers == "apart":
            power = np.array([awards[device.name].given_kw for device in self.devices])
            left, price = 0.0, float(np.mean([item.dlmp_real for item in awards.values()]))
        else:
            (awarded,) = awards.values()
            power, left = shared(devices, awarded.given_kw)
            price = awarded.dlmp_real
        if self._markets[now.number] == "wholesale":
            self.vetoed += missed(devices, power, now.lmp) * now.hours
        else:
            self.lost += missed(devices, power, price) * now.hours
        for device, kw in zip(self.devices, power.tolist(), strict=True):
            device.move(kw, moment)
        return {
            "lost": self.lost,
            "vetoed": self.vetoed,
            "unplaced": left,
            "cost": devices.spent(power) * now.hours,
            "shortfall": self._shortfall(moment),
        }

    def _sessions(self, resource: Resource, now: Interval) -> Offer:
        """Tell a market that looks ahead of every car: a session of the fleet, free within its time."""
        most = _within(-float(self._window.low.sum()), resource.kw_max)
        least = min(-float(self._window.high.sum()), most)
        told = Ahead(sessions=dues(self._fleet, now.number * now.hours))
        return Offer(resource.name, -most, -least, 0.0, s_max_kva=resource.kva_max, ahead=told)

    def _charge(self, moment: Moment, awarded: Awarded) -> dict[str, float]:
        """Share the award among cars: what cannot wait first, then by deadline; nothing of that is lost."""
        cars = sorted(self._fleet, key=lambda car: (car.deadline_h, car.car))
        drawn = share_out(-awarded.given_kw, cars, moment.start_h, moment.hours)
        for car, kw in zip(cars, drawn, strict=True):
            car.charge(kw * moment.hours)
        left, short = awarded.given_kw + sum(drawn), self._shortfall(moment)
        return {"lost": 0.0, "vetoed": 0.0, "unplaced": left, "cost": 0.0, "shortfall": short}

    def _looks_ahead(self, where: str) -> tuple[Session, ...]:
        """Cars of a fleet of which a market that looks ahead is told; none where it does not look ahead."""
        if not self.study.scenario.market.horizon:
            return ()
        cars = tuple(device.session for device in self.devices if isinstance(device, Car))
        others = [device.name for device in self.devices if not isinstance(device, Car)]
        if others or self._rules.offers != "together" or set(self._markets) != {"retail"}:
            why = (
                f"{others[0]!r} is no car"
                if others
                else "it is not one offer in the retail market throughout"
            )
            raise InputError(
                f"the market looks ahead, and {why}",
                where=where,
                expected='under a [market] horizon, cars alone, offers = "together" and market = "retail"',
            )
        return cars

    def _each(self, k: int, now: Interval, market: Participation) -> Offer:
        """Offer one device by itself."""
        devices, name = self._window, self.devices[k].name
        low, high, cost = float(devices.low[k]), float(devices.high[k]), float(devices.cost[k])
        if market == "wholesale":
            wanted = high if cost < now.lmp else low
            return _scheduled(name, wanted, low, high, devices)
        return Offer(name, low, high, cost, market=market)

    def _moment(self, now: Interval) -> Moment:
        sun = float(np.clip(self._sun[now.number], 0.0, 1.0))
        return Moment(now.number * now.hours, now.hours, sun, self._expected[now.number :])

    def _shortfall(self, now: Moment) -> float:
        """Energy that cars lacked when they left, so far [kWh]."""
        end = now.start_h + now.hours + 1e-9
        sessions = [device.session for device in self.devices if isinstance(device, Car)]
        return sum(session.energy_kwh for session in sessions if session.deadline_h <= end)

    def _check_resources(self, where: str) -> None:
        """One resource for all, or one of its own for each device."""
        names = [device.name for device in self.devices]
        if self._rules.offers == "apart":
            if sorted(self.resources) != sorted(names):
                raise InputError(
                    f"owns {len(self.resources)} resources", where=where, expected="one of each device's name"
                )
            return
        if len(self.resources) != 1 or next(iter(self.resources.values())).load:
            raise InputError(
                f"owns {', '.join(self.resources)}", where=where, expected="one storage or generator at a bus"
            )

    def _irradiance(self) -> FloatArray:
        if not any(isinstance(device, Roof) for device in self.devices):
            return np.zeros(self.clock.intervals)
        if self._rules.irradiance:
            key = f"owner.{self.name}.settings.irradiance"
            return read_irradiance(self.study.data_file(self._rules.irradiance, key), self.clock)
        return clear_sky(self.clock, Place())

    def _participation(self, where: str) -> list[Participation]:
        """Say where the devices take part in every interval."""
        if not self._rules.markets:
            return [self._rules.market] * self.clock.intervals
        where = f"{where}.settings.markets"
        table = read_markets(self.study.data_file(self._rules.markets, where), where)
        minutes = [begin for begin, _ in table]
        starts = np.arange(self.clock.intervals) * self.clock.period_s / 60
        return [table[k][1] for k in (np.searchsorted(minutes, starts, side="right") - 1).tolist()]


def _scheduled(name: str, kw: float, low: float, high: float, devices: Window) -> Offer:
    """Schedule a power, which the operator may cut towards 0 as far as the devices can follow."""
    cut = min(max(0.0, low), high)
    mean = float(devices.cost.mean())
    return Offer(name, min(kw, cut), max(kw, cut), mean, market="wholesale")


def _fixed(power: FloatArray, devices: Window) -> Window:
    """Devices that do what they do."""
    return Window(power, power, devices.cost)


def _within(kw: float, most: float) -> float:
    return min(max(kw, -most), most)


def read_markets(file: Path, where: str) -> list[tuple[float, Participation]]:
    """Read where devices take part: minutes from the start of the run, and the market from then on.

    Parameters
    ----------
    file : Path
        A CSV file with the columns ``minutes,market``.
    where : str
        Key of the scenario, for messages.

    Raises
    ------
    InputError
        When it cannot be read, names another market, or does not rise from 0.
    """
    rows = read_rows(file, where)
    try:
        found = [(plain_number(row["minutes"]), row["market"]) for row in rows]
    except (KeyError, ValueError):
        raise InputError(f"{file} is no table of markets", where=where, expected=",".join(COLUMNS)) from None
    minutes = [begin for begin, _ in found]
    if not minutes or minutes[0] != 0.0 or not all(a < b for a, b in pairwise(minutes)):
        raise InputError(
            f"{file} does not begin at 0 minutes and rise", where=where, expected="minutes from 0, ascending"
        )
    for _, name in found:
        if name not in MARKETS:
            raise unknown_name("market", name, MARKETS, where=where)
    return [(begin, next(market for market in MARKETS if market == name)) for begin, name in found]


if __name__ == "__main__":
    raise SystemExit(run_owner(Aggregator, Aggregator.NAME))
