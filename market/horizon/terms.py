"""What an offer may say of time: everything that couples the power of one resource over several steps.

Powers are positive towards the grid, so charging, a session and a return are negative. All limits are elastic
at `MISSED_PRICE`: a resource whose terms cannot be met is held at what it can do, and named.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MISSED_PRICE = 1e4
"""Price at which a limit over time is missed when it cannot be held [$/MWh]."""


@dataclass(frozen=True)
class Store:
    """Energy kept from step to step: a battery, a daily budget (nothing is put in), a pool of any kind.

    Over a step of h hours ``energy = energy * (1 - loss_per_hour)**h + h * (charge_efficiency * drawn - given
    / discharge_efficiency)``.

    Attributes
    ----------
    energy_kwh : float
        Energy now [kWh].
    max_kwh, min_kwh : float
        Limits of the energy [kWh].
    charge_efficiency : float
        Energy stored per energy drawn.
    discharge_efficiency : float
        Energy given per energy taken out.
    loss_per_hour : float
        Share of the energy that is lost in an hour.
    end_kwh : float
        Least energy at the end of the horizon [kWh].
    end_value : float
        What a stored MWh is worth there [$/MWh].
    wear : float
        Cost of each MWh drawn and of each MWh given [$/MWh].
    """

    energy_kwh: float
    max_kwh: float
    min_kwh: float = 0.0
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    loss_per_hour: float = 0.0
    end_kwh: float = 0.0
    end_value: float = 0.0
    wear: float = 0.0

    def after(self, energy_kwh: float, kw: float, hours: float) -> float:
        """Energy after a step in which `kw` is given to the grid [kWh].

        Parameters
        ----------
        energy_kwh : float
            Energy before the step [kWh].
        kw : float
            Power given to the grid, negative when drawn from it [kW].
        hours : float
            Length of the step [h].
        """
        moved = -kw / self.discharge_efficiency if kw > 0 else -kw * self.charge_efficiency
        return self.kept(energy_kwh, hours) + hours * moved

    def kept(self, energy_kwh: float, hours: float) -> float:
        """Energy after a step in which nothing is drawn or given [kWh].

        Parameters
        ----------
        energy_kwh : float
            Energy before the step [kWh].
        hours : float
            Length of the step [h].
        """
        return float(energy_kwh * (1 - self.loss_per_hour) ** hours)

    def bounds(self, energy_kwh: float, hours: float) -> tuple[float, float]:
        """Powers that keep the energy within its limits over a step [kW]; what it has lost it cannot give.

        Parameters
        ----------
        energy_kwh : float
            Energy before the step [kWh].
        hours : float
            Length of the step [h].

        Returns
        -------
        tuple of float
            Least and largest power to the grid [kW]: drawing until it is full, giving until it is empty.
        """
        there = self.kept(energy_kwh, hours)
        take = max(self.max_kwh - there, 0.0) / self.charge_efficiency / hours
        give = max(there - self.min_kwh, 0.0) * self.discharge_efficiency / hours
        return -take, give

    def reach(
        self, p_min_kw: Sequence[float], p_max_kw: Sequence[float], hours: Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """Least and most energy that it can have at the end of every step, whatever its limits [kWh].

        Parameters
        ----------
        p_min_kw, p_max_kw : sequence of float
            Limits of its power to the grid in every step [kW].
        hours : sequence of float
            Length of every step [h].
        """
        least, most = [self.energy_kwh], [self.energy_kwh]
        for low, high, h in zip(p_min_kw, p_max_kw, hours, strict=True):
            least.append(max(self.after(least[-1], high, h), min(self.min_kwh, self.kept(least[-1], h))))
            most.append(min(self.after(most[-1], low, h), max(self.max_kwh, self.kept(most[-1], h))))
        return least[1:], most[1:]


@dataclass(frozen=True)
class Session:
    """Energy to be taken by a deadline: a vehicle at a charging point.

    Attributes
    ----------
    energy_kwh : float
        Energy still to come [kWh].
    end_h : float
        Deadline [h from the start of the interval].
    kw_max : float
        Fastest charging [kW].
    start_h : float
        When it may begin [h].
    value : float
        What a MWh is worth to it [$/MWh]: it goes without where charging would cost more.
    """

    energy_kwh: float
    end_h: float
    kw_max: float
    start_h: float = 0.0
    value: float = MISSED_PRICE


@dataclass(frozen=True)
class Owed:
    """What was curtailed before and has to come back.

    Attributes
    ----------
    energy_kwh : float
        Energy [kWh].
    end_h : float
        By when [h from the start of the interval].
    """

    energy_kwh: float
    end_h: float


@dataclass(frozen=True)
class Rebound:
    """Curtailment that comes back: demand shifted, not shed. The offer's cost is that of curtailing.

    What waits is served oldest first: a load may put off fresh demand while it serves what is due.

    Attributes
    ----------
    share : float
        Energy that comes back, per energy curtailed.
    window_h : float
        Within what time [h].
    kw_max : float
        Most power that comes back at a time, beside the demand [kW].
    owed : tuple of Owed
        What is to come back from before.
    end_value : float
        Cost of each MWh that is still owed at the end of the horizon [$/MWh].
    """

    share: float
    window_h: float
    kw_max: float
    owed: tuple[Owed, ...] = ()
    end_value: float = math.nan

    def after(self, kw: float, hours: float) -> tuple[Owed, ...]:
        """Say what is owed after a step in which `kw` less than the demand is consumed.

        Parameters
        ----------
        kw : float
            Curtailment, negative when more than the demand is consumed [kW].
        hours : float
            Length of the step [h].
        """
        waiting = sorted(self.owed, key=lambda item: item.end_h)
        due = sum(item.energy_kwh for item in waiting if item.end_h <= hours * (1 + 1e-9))
        served = max(due, -kw * hours, 0.0)
        fresh = self.share * max(kw * hours + served, 0.0)
        left = []
        for item in waiting:
            taken = min(item.energy_kwh, served)
            served -= taken
            if item.energy_kwh > taken:
                left.append(Owed(item.energy_kwh - taken, max(item.end_h - hours, 0.0)))
        return (*left, Owed(fresh, self.window_h)) if fresh > 0 else tuple(left)


@dataclass(frozen=True)
class Ramp:
    """How fast power may change.

    Attributes
    ----------
    kw_per_minute : float
        Largest rate [kW/min].
    from_kw : float
        Power before the first step [kW].
    """

    kw_per_minute: float
    from_kw: float


@dataclass(frozen=True)
class Comfort:
    """A temperature that lags behind a heat pump or an air conditioner, to first order.

    ``temperature`` is the deviation from what the undisturbed demand would keep; over a step of h hours it
    decays by ``exp(-h / time_constant_h)`` and moves by ``kelvin_per_kwh`` for each kWh consumed more.

    Attributes
    ----------
    deviation_k : float
        Deviation now [K].
    min_k, max_k : float
        Its limits [K].
    time_constant_h : float
        How fast it decays [h].
    kelvin_per_kwh : float
        What a kWh more does: positive when heating, negative when cooling [K/kWh].
    """

    deviation_k: float
    min_k: float
    max_k: float
    time_constant_h: float
    kelvin_per_kwh: float

    def after(self, deviation_k: float, kw: float, hours: float) -> float:
        """Deviation after a step in which `kw` less is consumed [K].

        Parameters
        ----------
        deviation_k : float
            Deviation before the step [K].
        kw : float
            Power consumed less than the undisturbed demand, negative when more [kW].
        hours : float
            Length of the step [h].
        """
        decay = math.exp(-hours / self.time_constant_h)
        return deviation_k * decay - self.kelvin_per_kwh * kw * hours


@dataclass(frozen=True)
class Later:
    """Limits and cost in later steps, one value a step; empty where they stay as they are.

    Attributes
    ----------
    p_min_kw, p_max_kw : tuple of float
        Real power limits [kW].
    cost_linear : tuple of float
        Marginal cost at 0 kW [$/MWh].
    """

    p_min_kw: tuple[float, ...] = ()
    p_max_kw: tuple[float, ...] = ()
    cost_linear: tuple[float, ...] = ()


@dataclass(frozen=True)
class Ahead:
    """All that an offer says of time.

    Attributes
    ----------
    store : Store, optional
        Energy kept.
    sessions : tuple of Session
        Energies by deadlines; the resource takes what they take.
    rebound : Rebound, optional
        Curtailment that comes back.
    ramp : Ramp, optional
        How fast power may change.
    comfort : Comfort, optional
        A temperature.
    later : Later
        Limits and cost in later steps.
    """

    store: Store | None = None
    sessions: tuple[Session, ...] | None = None
    rebound: Rebound | None = None
    ramp: Ramp | None = None
    comfort: Comfort | None = None
    later: Later = Later()

    @property
    def couples(self) -> bool:
        """Whether anything here ties one step to another."""
        return any(part is not None for part in (self.store, self.sessions, self.rebound, self.ramp)) or (
            self.comfort is not None
        )


def reason_against(ahead: Ahead) -> str:
    """Why terms cannot be cleared, whatever the resource; empty when they can."""
    for reason in _reasons(ahead):
        return reason
    return ""


def _reasons(ahead: Ahead) -> Iterator[str]:
    if ahead.sessions is not None and (ahead.store or ahead.rebound):
        yield "sessions stand alone: a store or a rebound would be tied to the same power"
    if ahead.store:
        yield from _store(ahead.store)
    for session in ahead.sessions or ():
        yield from _session(session)
    if ahead.rebound:
        yield from _rebound(ahead.rebound)
    if ahead.ramp:
        yield from _finite("ramp", ahead.ramp.kw_per_minute, ahead.ramp.from_kw)
        if not ahead.ramp.kw_per_minute > 0:
            yield f"ramp.kw_per_minute is {ahead.ramp.kw_per_minute:g}; expected more than 0"
    if ahead.comfort:
        yield from _comfort(ahead.comfort)
    later = ahead.later
    yield from _finite("later", *later.p_min_kw, *later.p_max_kw, *later.cost_linear)


def _store(store: Store) -> Iterator[str]:
    yield from _finite("store", *(float(value) for value in vars(store).values()))
    for name in ("charge_efficiency", "discharge_efficiency"):
        value = getattr(store, name)
        if not 0 < value <= 1:
            yield f"store.{name} is {value:g}; expected more than 0 and at most 1"
    if not 0 <= store.loss_per_hour < 1:
        yield f"store.loss_per_hour is {store.loss_per_hour:g}; expected 0 to below 1"
    if not store.min_kwh < store.max_kwh:
        yield f"store.min_kwh of {store.min_kwh:g} is not below max_kwh of {store.max_kwh:g}"
    if store.wear < 0:
        yield f"store.wear is {store.wear:g}; expected 0 or more"


def _session(session: Session) -> Iterator[str]:
    yield from _finite("sessions", *(float(value) for value in vars(session).values()))
    if session.energy_kwh < 0 or session.kw_max < 0 or session.value < 0:
        yield "a session's energy_kwh, kw_max or value is negative"
    if session.end_h <= session.start_h:
        yield f"a session ends at {session.end_h:g} h and starts at {session.start_h:g} h"


def _rebound(rebound: Rebound) -> Iterator[str]:
    yield from _finite("rebound", rebound.share, rebound.window_h, rebound.kw_max)
    yield from _finite("rebound", *(value for item in rebound.owed for value in vars(item).values()))
    if not 0 < rebound.share <= 2:
        yield f"rebound.share is {rebound.share:g}; expected more than 0 and at most 2"
    if not rebound.window_h > 0 or not rebound.kw_max > 0:
        yield "rebound.window_h and rebound.kw_max have to be more than 0"
    if any(item.energy_kwh < 0 for item in rebound.owed):
        yield "rebound.owed has a negative energy"


def _comfort(comfort: Comfort) -> Iterator[str]:
    yield from _finite("comfort", *(float(value) for value in vars(comfort).values()))
    if not comfort.min_k < comfort.max_k:
        yield f"comfort.min_k of {comfort.min_k:g} is not below max_k of {comfort.max_k:g}"
    if not comfort.time_constant_h > 0 or comfort.kelvin_per_kwh == 0:
        yield "comfort.time_constant_h has to be more than 0, and kelvin_per_kwh not 0"


def _finite(name: str, *values: float) -> Iterator[str]:
    if not all(map(math.isfinite, values)):
        yield f"a value of {name} is not a finite number"
