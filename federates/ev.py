"""A fleet of electric vehicles: each has an arrival, a deadline, and a range it needs at once for comfort.

A charging point offers demand: at least what its cars cannot put off, at most what they can take, at the
price that the day-ahead market lets them expect for the hours that they need.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from federates.offering import Awarded, Interval, OfferingFederate, run_owner
from federates.study.forecast import day_ahead_prices
from federates.study.owners import read_settings
from federates.study.scenario import Section
from federates.study.study import Study
from feeders.errors import InputError, unknown_name
from feeders.network import FloatArray, Resource
from market.offers import Offer

COLUMNS = ("car", "point", "arrival_h", "deadline_h", "energy_kwh", "comfort_kwh", "kw_max")
_ROUNDING = 1e-9


class EvSettings(Section):
    """What a scenario says of a fleet."""

    sessions: str = Field(description="table of charging sessions")


@dataclass
class Session:
    """One car at one charging point; the energy still to come falls while it charges.

    Attributes
    ----------
    car, point : str
        Who, and the resource that it is plugged into.
    arrival_h, deadline_h : float
        When it comes and when it leaves, from the start of the run [h].
    energy_kwh : float
        Energy that it still needs [kWh].
    comfort_kwh : float
        Part of it that it still needs at once [kWh].
    kw_max : float
        Fastest charging [kW].
    """

    car: str
    point: str
    arrival_h: float
    deadline_h: float
    energy_kwh: float
    comfort_kwh: float
    kw_max: float

    def most(self, start_h: float, hours: float) -> float:
        """Return the power that it can take on average in an interval [kW]."""
        here = min(start_h + hours, self.deadline_h) - max(start_h, self.arrival_h)
        return max(min(self.kw_max * max(here, 0.0), self.energy_kwh) / hours, 0.0)

    def least(self, start_h: float, hours: float) -> float:
        """Return the power that it cannot put off: comfort, and what the deadline forces [kW]."""
        later = max(self.deadline_h - max(start_h + hours, self.arrival_h), 0.0)
        due = max(self.energy_kwh - self.kw_max * later, self.comfort_kwh) / hours
        return min(max(due, 0.0), self.most(start_h, hours))

    def charge(self, kwh: float) -> None:
        """Take energy."""
        self.energy_kwh = max(self.energy_kwh - kwh, 0.0)
        self.comfort_kwh = max(self.comfort_kwh - kwh, 0.0)


class EvFleet(OfferingFederate):
    """Offers the charging points of a fleet; publishes the energy delivered, and missed at deadlines.

    Parameters
    ----------
    study : Study
        Names the points and the sessions.
    name : str, optional
        Name of the federate.
    """

    NAME = "ev"

    def __init__(self, study: Study, name: str = "") -> None:
        super().__init__(study, name)
        rules = read_settings(study.scenario, study.scenario_file, self.name, EvSettings)
        self.sessions = read_sessions(study.data_file(rules.sessions), self.resources)
        self._prices = day_ahead_prices(study)
        self.delivered = 0.0

    def offer(self, now: Interval) -> list[Offer]:
        """Offer every charging point; its price is the mean of its cars', by what each can put off."""
        start = now.number * now.hours
        offers = []
        for point in self.resources.values():
            cars = [session for session in self.sessions if session.point == point.name]
            most = np.array([car.most(start, now.hours) for car in cars])
            least = np.array([car.least(start, now.hours) for car in cars])
            prices = np.array([self._price(car, now) for car in cars])
            free = most - least
            price = float(free @ prices / free.sum()) if free.sum() > 0.0 else 0.0
            high = min(float(most.sum()), point.kw_max)
            offers.append(
                Offer(
                    point.name,
                    p_min_kw=-high,
                    p_max_kw=-min(float(least.sum()), high),
                    cost_linear=price,
                    s_max_kva=point.kva_max,
                )
            )
        return offers

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Share what a point was awarded among its cars: what cannot wait first, then by deadline."""
        start = now.number * now.hours
        for name, awarded in awards.items():
            cars = [session for session in self.sessions if session.point == name]
            cars.sort(key=lambda car: (car.deadline_h, car.car))
            for car, power in zip(cars, share_out(-awarded.kw, cars, start, now.hours), strict=True):
                car.charge(power * now.hours)
                self.delivered += power * now.hours
        end = start + now.hours + _ROUNDING
        missed = sum(session.energy_kwh for session in self.sessions if session.deadline_h <= end)
        return {"energy": self.delivered, "missed": missed}

    def _price(self, car: Session, now: Interval) -> float:
        """Return the highest price among the cheapest intervals that the car still needs [$/MWh]."""
        last = min(int(car.deadline_h / now.hours), len(self._prices))
        ahead: FloatArray = np.sort(self._prices[now.number : max(last, now.number + 1)])
        needed = int(np.ceil(car.energy_kwh / (car.kw_max * now.hours) - _ROUNDING))
        return float(ahead[min(max(needed, 1), len(ahead)) - 1])


def share_out(kw: float, cars: Sequence[Session], start_h: float, hours: float) -> list[float]:
    """Share a charging power among cars in their order: first what cannot wait, then the rest [kW]."""
    shares = []
    most = [car.most(start_h, hours) for car in cars]
    for car in cars:
        shares.append(min(car.least(start_h, hours), max(kw, 0.0)))
        kw -= shares[-1]
    for k, limit in enumerate(most):
        extra = min(limit - shares[k], max(kw, 0.0))
        shares[k] += extra
        kw -= extra
    return shares


def read_sessions(file: Path, points: Mapping[str, Resource]) -> list[Session]:
    """Read the charging sessions of a fleet.

    Raises
    ------
    InputError
        When the file cannot be used, a point is not the fleet's, or a car cannot be charged in its time.
    """
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(file)) from None
    sessions = []
    for k, row in enumerate(rows, 1):
        where = f"{file} session {k}"
        try:
            numbers = [float(row[name]) for name in COLUMNS[2:]]
            session = Session(row["car"], row["point"], *numbers)
        except (KeyError, TypeError, ValueError):
            raise InputError("is not a session", where=where, expected=",".join(COLUMNS)) from None
        if session.point not in points:
            raise unknown_name("charging point", session.point, points, where=where)
        _check(session, where)
        sessions.append(session)
    return sessions


def _check(session: Session, where: str) -> None:
    reach = session.kw_max * (session.deadline_h - session.arrival_h)
    if not 0.0 <= session.comfort_kwh <= session.energy_kwh <= reach + _ROUNDING:
        raise InputError(
            f"{session.car} needs {session.energy_kwh:g} kWh and can take {reach:g} kWh",
            where=where,
            expected="comfort_kwh <= energy_kwh <= kw_max * (deadline_h - arrival_h)",
        )


if __name__ == "__main__":
    raise SystemExit(run_owner(EvFleet, EvFleet.NAME))
