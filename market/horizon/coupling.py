"""What ties the power of one resource over the steps of a horizon: variables and rows of its own.

Every term becomes rows ``power @ p + own @ z = right`` in the resource's powers p, one a step, and in
variables z that nobody else sees. Limits that the future may make impossible are soft, so that rows always
have a solution. Powers are in units of 100 kW and energies in 100 kWh, as in the network's problems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray
from dlmp_cosim.market.horizon.terms import MISSED_PRICE, Comfort, Ramp, Rebound, Session, Store
from dlmp_cosim.market.offers import Offer

POWER_UNIT = 100.0
"""Unit of power [kW], and of energy over an hour [kWh]."""


@dataclass(frozen=True)
class Timing:
    """When steps are, and what energy is worth in the units of the problem.

    Attributes
    ----------
    hours : ndarray, shape (n_step,)
        Length of every step [h].
    price : float
        Cost of a unit of energy at 1 $/MWh, in units of the objective.
    mean_lmp : float
        Mean price of the horizon [$/MWh], for what is put off beyond it.
    """

    hours: FloatArray
    price: float
    mean_lmp: float

    @property
    def ends(self) -> FloatArray:
        """End of every step [h from the start of the first]."""
        return np.cumsum(self.hours)


@dataclass(frozen=True)
class Coupling:
    """The coupling in time of one resource.

    Attributes
    ----------
    resource : int
        Which one, in the order of the network.
    power : ndarray, shape (n_row, n_step)
        Rows in its powers.
    own : ndarray, shape (n_row, n_own)
        Rows in its own variables; of full row rank.
    right : ndarray, shape (n_row,)
        What they sum up to.
    lower, soft_lower, soft_upper, penalty, linear, quadratic : ndarray, shape (n_own,)
        Limits and costs of the own variables, as in `AtomicProblem`.
    parts : mapping of str to ndarray of int
        Which own variables are what, such as ``store.energy``.
    """

    resource: int
    power: FloatArray
    own: FloatArray
    right: FloatArray
    lower: FloatArray
    soft_lower: FloatArray
    soft_upper: FloatArray
    penalty: FloatArray
    linear: FloatArray
    quadratic: FloatArray
    parts: Mapping[str, IntArray]


@dataclass
class _Sheet:
    """Rows and variables while they are written down."""

    timing: Timing
    columns: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)
    rows: list[tuple[dict[int, float], dict[int, float], float]] = field(default_factory=list)
    parts: dict[str, IntArray] = field(default_factory=dict)

    def variable(
        self,
        lower: float = -math.inf,
        low: float = -math.inf,
        high: float = math.inf,
        weight: float = 1.0,
        cost: float = 0.0,
        curve: float = 0.0,
    ) -> int:
        """Add a variable: hard lower bound, soft limits, hours that a miss counts for, and its cost."""
        soft = math.isfinite(low) or math.isfinite(high)
        penalty = MISSED_PRICE * self.timing.price * weight if soft else 0.0
        self.columns.append((lower, low, high, penalty, cost, curve))
        return len(self.columns) - 1

    def row(self, power: Mapping[int, float], own: Mapping[int, float], right: float = 0.0) -> None:
        """Add a row: entries by step, and by own variable."""
        self.rows.append((dict(power), dict(own), right))

    def name(self, part: str, variables: Sequence[int]) -> None:
        """Remember what some variables are."""
        self.parts[part] = np.array(variables, dtype=np.int64)


def couple(resource: int, offers: Sequence[Offer], timing: Timing) -> Coupling:
    """State what an offer says of time.

    Parameters
    ----------
    resource : int
        The resource.
    offers : sequence of Offer
        Its offer in every step; the terms are those of the first.
    timing : Timing
        The steps.
    """
    sheet, ahead = _Sheet(timing), offers[0].ahead
    if ahead is not None and ahead.store is not None:
        _store(sheet, ahead.store, offers)
    if ahead is not None and ahead.sessions is not None:
        _sessions(sheet, ahead.sessions, offers[0])
    if ahead is not None and ahead.rebound is not None:
        _rebound(sheet, ahead.rebound, offers)
    if ahead is not None and ahead.ramp is not None:
        _ramp(sheet, ahead.ramp)
    if ahead is not None and ahead.comfort is not None:
        _comfort(sheet, ahead.comfort)
    return _written(resource, sheet)


def _written(resource: int, sheet: _Sheet) -> Coupling:
    n_step, n_own, n_row = len(sheet.timing.hours), len(sheet.columns), len(sheet.rows)
    power, own, right = np.zeros((n_row, n_step)), np.zeros((n_row, n_own)), np.zeros(n_row)
    for k, (by_step, by_own, value) in enumerate(sheet.rows):
        power[k, list(by_step)] = list(by_step.values())
        own[k, list(by_own)] = list(by_own.values())
        right[k] = value
    columns = np.array(sheet.columns, dtype=np.float64).reshape(-1, 6).T.copy()
    lower, low, high, penalty, linear, quadratic = columns
    return Coupling(resource, power, own, right, lower, low, high, penalty, linear, quadratic, sheet.parts)


def held_between(store: Store, offers: Sequence[Offer], hours: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and most energy at the end of every step, by a store's limits as far as they are in reach [kWh].

    What no power reaches is no cost of any plan: an end that is too high, or a start outside, is held at what
    it can do.

    Parameters
    ----------
    store : Store
        The store.
    offers : sequence of Offer
        Its powers in every step.
    hours : ndarray, shape (n_step,)
        Length of every step [h].
    """
    least, most = store.reach([o.p_min_kw for o in offers], [o.p_max_kw for o in offers], hours.tolist())
    low, high = np.minimum(store.min_kwh, most), np.maximum(store.max_kwh, least)
    low[-1] = min(max(store.min_kwh, store.end_kwh), most[-1])
    return np.minimum(low, high), high


def _store(sheet: _Sheet, store: Store, offers: Sequence[Offer]) -> None:
    """Follow the energy of a store; without losses and wear the net power alone says all."""
    hours, timing = sheet.timing.hours, sheet.timing
    decay = (1 - store.loss_per_hour) ** hours
    lossless = store.charge_efficiency == store.discharge_efficiency == 1.0 and not store.wear
    low, high = (limit / POWER_UNIT for limit in held_between(store, offers, hours))
    energy, drawn, given = [], [], []
    for t, h in enumerate(hours.tolist()):
        at_end = t == len(hours) - 1
        worth = -store.end_value * timing.price if at_end else 0.0
        energy.append(sheet.variable(low=low[t], high=high[t], cost=worth))
        power, own = {t: h}, {energy[t]: 1.0}
        if not lossless:
            wear = store.wear * timing.price * h
            drawn.append(sheet.variable(lower=0.0, cost=wear))
            given.append(sheet.variable(lower=0.0, cost=wear))
            sheet.row({t: 1.0}, {drawn[t]: 1.0, given[t]: -1.0})
            power = {}
            own |= {drawn[t]: -h * store.charge_efficiency, given[t]: h / store.discharge_efficiency}
        if t:
            own[energy[t - 1]] = -decay[t]
        sheet.row(power, own, 0.0 if t else decay[0] * store.energy_kwh / POWER_UNIT)
    sheet.name("store.energy", energy)
    if not lossless:
        sheet.name("store.drawn", drawn)
        sheet.name("store.given", given)


def open_share(session: Session, hours: FloatArray) -> FloatArray:
    """Share of every step in which a session may charge, shape (n_step,).

    Parameters
    ----------
    session : Session
        When it may charge.
    hours : ndarray, shape (n_step,)
        Length of every step [h].
    """
    ends = np.cumsum(hours)
    there = np.minimum(session.end_h, ends) - np.maximum(session.start_h, ends - hours)
    # A step that it touches by less than a millionth is none: rounding of times, not time.
    share: FloatArray = np.where(there > 1e-6 * hours, there / hours, 0.0)
    return share


def _sessions(sheet: _Sheet, sessions: Sequence[Session], now: Offer) -> None:
    """Take every session's energy by its deadline; what a deadline beyond the horizon allows may wait."""
    timing = sheet.timing
    by_step: dict[int, dict[int, float]] = {}
    short = []
    for session in sessions:
        if session.energy_kwh <= 0.0:
            continue
        own = {}
        share = open_share(session, timing.hours)
        for t in np.flatnonzero(share).tolist():
            most = session.kw_max * float(share[t]) / POWER_UNIT
            hours = float(timing.hours[t])
            taken = sheet.variable(lower=0.0, high=most, weight=hours)
            by_step.setdefault(t, {})[taken] = 1.0
            own[taken] = hours
        short.append(sheet.variable(lower=0.0, cost=session.value * timing.price))
        own[short[-1]] = 1.0
        later = max(session.end_h - max(session.start_h, float(timing.ends[-1])), 0.0)
        if later > 0.0:
            most = session.kw_max * later / POWER_UNIT
            own[sheet.variable(lower=0.0, high=most, cost=timing.mean_lmp * timing.price)] = 1.0
        sheet.row({}, own, session.energy_kwh / POWER_UNIT)
    if 0 not in by_step and now.p_min_kw < 0.0:
        # The offer of now leaves room though nobody is there to charge; those of later steps leave none.
        by_step[0] = {sheet.variable(low=0.0, high=0.0, weight=float(timing.hours[0])): 1.0}
    for t, entries in by_step.items():
        sheet.row({t: 1.0}, entries)
    sheet.name("sessions.short", short)


def _rebound(sheet: _Sheet, rebound: Rebound, offers: Sequence[Offer]) -> None:
    """Follow what is owed: it rises by what is curtailed, falls by what comes back, within the window."""
    timing, hours = sheet.timing, sheet.timing.hours
    curtailed, back, owed = [], [], []
    end_value = timing.mean_lmp if math.isnan(rebound.end_value) else rebound.end_value
    before = sum(item.energy_kwh for item in rebound.owed) / POWER_UNIT
    for t, h in enumerate(hours.tolist()):
        offer, at_end = offers[t], t == len(hours) - 1
        cost = offer.cost_linear * timing.price * h
        curve = offer.cost_quadratic * POWER_UNIT * timing.price * h
        most = max(offer.p_max_kw, 0.0) / POWER_UNIT
        curtailed.append(sheet.variable(lower=0.0, high=most, weight=h, cost=cost, curve=curve))
        back.append(sheet.variable(lower=0.0, high=rebound.kw_max / POWER_UNIT, weight=h))
        owed.append(sheet.variable(low=0.0, cost=end_value * timing.price if at_end else 0.0))
        sheet.row({t: 1.0}, {curtailed[t]: -1.0, back[t]: 1.0})
        own = {owed[t]: 1.0, curtailed[t]: -rebound.share * h, back[t]: h}
        if t:
            own[owed[t - 1]] = -1.0
        sheet.row({}, own, 0.0 if t else before)
        due = timing.ends[t] - rebound.window_h
        window = [s for s in range(t + 1) if timing.ends[s] > due]
        waiting = sum(item.energy_kwh for item in rebound.owed if item.end_h > timing.ends[t]) / POWER_UNIT
        if len(window) <= t or waiting < before:
            late = sheet.variable(high=0.0)
            fresh = {curtailed[s]: -rebound.share * float(hours[s]) for s in window}
            sheet.row({}, {owed[t]: 1.0, late: -1.0, **fresh}, waiting)
    sheet.name("rebound.owed", owed)
    sheet.name("rebound.curtailed", curtailed)
    sheet.name("rebound.back", back)


def _ramp(sheet: _Sheet, ramp: Ramp) -> None:
    """Hold the change from the middle of one step to that of the next; the first follows what ran before."""
    hours = sheet.timing.hours
    for t, h in enumerate(hours.tolist()):
        between = (h + float(hours[t - 1])) / 2 if t else h
        most = 60.0 * ramp.kw_per_minute * between / POWER_UNIT
        change = sheet.variable(low=-most, high=most, weight=h)
        power = {t: 1.0}
        if t:
            power[t - 1] = -1.0
        sheet.row(power, {change: -1.0}, 0.0 if t else ramp.from_kw / POWER_UNIT)


def _comfort(sheet: _Sheet, comfort: Comfort) -> None:
    """Follow a temperature as the energy that keeps it there."""
    energy_per_k = 1.0 / abs(comfort.kelvin_per_kwh) / POWER_UNIT
    sign = math.copysign(1.0, comfort.kelvin_per_kwh)
    decay = np.exp(-sheet.timing.hours / comfort.time_constant_h)
    kept: list[int] = []
    for t, h in enumerate(sheet.timing.hours.tolist()):
        kept.append(sheet.variable(low=comfort.min_k * energy_per_k, high=comfort.max_k * energy_per_k))
        own = {kept[t]: 1.0}
        if t:
            own[kept[t - 1]] = -float(decay[t])
        sheet.row({t: sign * h}, own, 0.0 if t else float(decay[0]) * comfort.deviation_k * energy_per_k)
    sheet.name("comfort.energy", kept)
