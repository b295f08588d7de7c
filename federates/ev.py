"""A fleet of electric vehicles: each has an arrival, a deadline, and a range it needs at once for comfort.

A charging point offers demand: at least what its cars cannot put off, at most what they can take. A market
that looks ahead hears of every session; otherwise the point bids the price that the day-ahead market lets its
cars expect for the hours that they need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from dlmp_cosim.federates.offering import Awarded, Interval, OfferingFederate, run_owner
from dlmp_cosim.federates.study.csv_rows import read_rows
from dlmp_cosim.federates.study.forecast import day_ahead_prices
from dlmp_cosim.federates.study.owners import read_settings
from dlmp_cosim.federates.study.scenario import Section
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import InputError, unknown_name
from dlmp_cosim.feeders.network import FloatArray, Resource
from dlmp_cosim.feeders.readers.csv_table import plain_number
from dlmp_cosim.market.horizon.terms import Ahead
from dlmp_cosim.market.horizon.terms import Session as Due
from dlmp_cosim.market.offers import Offer

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
        """Return the power that it can take on average in an interval [kW].

        Parameters
        ----------
        start_h : float
            Start of the interval, from the start of the run [h].
        hours : float
            Length of the interval [h].
        """
        here = min(start_h + hours, self.deadline_h) - max(start_h, self.arrival_h)
        return max(min(self.kw_max * max(here, 0.0), self.energy_kwh) / hours, 0.0)

    def least(self, start_h: float, hours: float) -> float:
        """Return the power that it cannot put off: comfort, and what the deadline forces [kW].

        Parameters
        ----------
        start_h : float
            Start of the interval, from the start of the run [h].
        hours : float
            Length of the interval [h].
        """
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
        self.sessions = read_sessions(
            study.data_file(rules.sessions, f"owner.{self.name}.settings.sessions"), self.resources
        )
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
            ahead = None
            if self.study.scenario.market.horizon:
                price, ahead = 0.0, Ahead(sessions=dues(cars, start))
            high = min(float(most.sum()), point.kw_max)
            offers.append(
                Offer(
                    point.name,
                    p_min_kw=-high,
                    p_max_kw=-min(float(least.sum()), high),
                    cost_linear=price,
                    s_max_kva=point.kva_max,
                    ahead=ahead,
                )
            )
        return offers

    def award(self, now: Interval, awards: Mapping[str, Awarded]) -> Mapping[str, float]:
        """Share what a point was awarded among its cars: what cannot wait first, then by deadline.

        Parameters
        ----------
        now : Interval
            The interval.
        awards : mapping of str to Awarded
            Award of every charging point, negative while charging.

        Returns
        -------
        mapping of str to float
            Figures to publish: `energy` delivered so far, and `missed` at deadlines so far [kWh].
        """
        start = now.number * now.hours
        for name, awarded in awards.items():
            cars = [session for session in self.sessions if session.point == name]
            cars.sort(key=lambda car: (car.deadline_h, car.car))
            for car, power in zip(cars, share_out(-awarded.given_kw, cars, start, now.hours), strict=True):
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


def dues(cars: Sequence[Session], start_h: float) -> tuple[Due, ...]:
    """Tell of every car that is there or will come: comfort at once, then the rest by the deadline.

    Parameters
    ----------
    cars : sequence of Session
        Cars of one charging point, or of one fleet.
    start_h : float
        Start of the interval, from the start of the run [h].
    """
    sessions = []
    for car in cars:
        arrival = max(car.arrival_h - start_h, 0.0)
        ready = arrival + car.comfort_kwh / car.kw_max
        if car.deadline_h - start_h <= 0.0:
            continue
        if car.comfort_kwh > _ROUNDING:
            sessions.append(Due(car.comfort_kwh, ready, car.kw_max, arrival))
        if car.energy_kwh - car.comfort_kwh > _ROUNDING:
            rest = car.energy_kwh - car.comfort_kwh
            sessions.append(Due(rest, car.deadline_h - start_h, car.kw_max, ready))
    return tuple(sessions)


def share_out(kw: float, cars: Sequence[Session], start_h: float, hours: float) -> list[float]:
    """Share a charging power among cars in their order: first what cannot wait, then the rest [kW].

    Parameters
    ----------
    kw : float
        Charging power to share, 0 or more [kW].
    cars : sequence of Session
        Cars in the order in which they are served.
    start_h : float
        Start of the interval, from the start of the run [h].
    hours : float
        Length of the interval [h].
    """
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

    Parameters
    ----------
    file : Path
        Table of the sessions, a row each.
    points : mapping of str to Resource
        Charging points of the fleet, by name.

    Raises
    ------
    InputError
        When the file cannot be used, a point is not the fleet's, or a car cannot be charged in its time.
    """
    sessions = []
    for k, row in enumerate(read_rows(file), 1):
        where = f"{file} session {k}"
        try:
            numbers = [plain_number(row[name]) for name in COLUMNS[2:]]
            session = Session(row["car"], row["point"], *numbers)
        except (KeyError, ValueError):
            raise InputError("is not a session", where=where, expected=",".join(COLUMNS)) from None
        if session.point not in points:
            raise unknown_name("charging point", session.point, points, where=where)
        _check(session, where)
        sessions.append(session)
    _check_together(sessions, points, file)
    return sessions


def _check_together(sessions: Sequence[Session], points: Mapping[str, Resource], file: Path) -> None:
    """Raise InputError when the cars of a point need more, within some time, than the point can give."""
    for name, point in points.items():
        cars = [session for session in sessions if session.point == name]
        for begin in {car.arrival_h for car in cars}:
            for end in {car.deadline_h for car in cars}:
                inside = [car for car in cars if begin <= car.arrival_h and car.deadline_h <= end]
                needed, there = sum(car.energy_kwh for car in inside), point.kw_max * max(end - begin, 0.0)
                if needed > there + _ROUNDING:
                    raise InputError(
                        f"{', '.join(car.car for car in inside)} need {needed:g} kWh at {name} between "
                        f"{begin:g} and {end:g} h, and it can give {there:g} kWh",
                        where=str(file),
                        expected="deadlines that can be met",
                    )


def _check(session: Session, where: str) -> None:
    reach = session.kw_max * (session.deadline_h - session.arrival_h)
    sound = 0.0 <= session.comfort_kwh <= session.energy_kwh <= reach + _ROUNDING
    if not sound or math.isinf(reach):
        raise InputError(
            f"{session.car} needs {session.energy_kwh:g} kWh and can take {reach:g} kWh",
            where=where,
            expected="comfort_kwh <= energy_kwh <= kw_max * (deadline_h - arrival_h)",
        )


if __name__ == "__main__":
    raise SystemExit(run_owner(EvFleet, EvFleet.NAME))
