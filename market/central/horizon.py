"""The market over a horizon stated centrally: the reference for every method that clears one.

Steps are those of `market.central.nodal`; the terms over time are stated here once more, in 100 kW and 100
kWh, which the solver finds easier than kWh, and share nothing with `market.horizon.coupling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np

from dlmp_cosim.feeders.network import FloatArray, IntArray, Network
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.central.circuit import POWER_UNIT
from dlmp_cosim.market.central.nodal import CentralCase, CentralNodal, CentralSolution, Statement
from dlmp_cosim.market.central.solver import solve
from dlmp_cosim.market.horizon.coupling import held_between
from dlmp_cosim.market.horizon.outlook import Outlook
from dlmp_cosim.market.horizon.terms import MISSED_PRICE, Comfort, Ramp, Rebound, Session, Store
from dlmp_cosim.market.offers import Offer
from dlmp_cosim.market.settings import MarketSettings


@dataclass(frozen=True)
class CentralCourse:
    """The optimum of a horizon.

    Attributes
    ----------
    cost : float
        Of all steps [$].
    time_cost : float
        Part of it that terms over time have: wear, what is missed, less what is left at the end [$].
    steps : tuple of CentralSolution
        Step by step.
    """

    cost: float
    time_cost: float
    steps: tuple[CentralSolution, ...]


class CentralHorizon:
    """The nodal market of one circuit over a horizon.

    Parameters
    ----------
    network : Network
        The circuit.
    settings : MarketSettings
        Limits and penalties.
    solver : str, optional
        Any installed CVXPY solver for quadratic programs.
    """

    def __init__(self, network: Network, settings: MarketSettings, solver: str = "CLARABEL") -> None:
        self._market, self._solver = CentralNodal(network, settings), solver
        self._ahead = CentralNodal(network, settings.later)

    def solve(
        self, states: Sequence[AcState], outlook: Outlook, offers: Sequence[Sequence[Offer]]
    ) -> CentralCourse:
        """Solve all steps.

        Parameters
        ----------
        states : sequence of AcState
            Where each step is anchored.
        outlook : Outlook
            The steps.
        offers : sequence of sequence of Offer
            Accepted offers, as they hold in each step.

        Raises
        ------
        ClearingError
            When the solver finds no optimum.
        """
        hours = outlook.hours
        markets = [self._market, *[self._ahead] * (len(states) - 1)]
        cases = [
            market.case(state, step.demand, [_plain(offer) for offer in mine], step.price)
            for market, state, step, mine in zip(markets, states, outlook.steps, offers, strict=True)
        ]
        joined = [np.zeros(0, dtype=np.int64) for _ in cases]
        while True:
            stated = [case.program.state(some) for case, some in zip(cases, joined, strict=True)]
            time_cost = self._solve(cases, stated, offers, outlook)
            missed = [
                case.program.missed(np.asarray(item.r.value), some)
                for case, item, some in zip(cases, stated, joined, strict=True)
            ]
            if not any(map(len, missed)):
                break
            joined = [np.concatenate(pair) for pair in zip(joined, missed, strict=True)]
        weight = hours / hours[0]
        unit = cases[0].program.unit
        steps = tuple(
            self._read(case, item, some, unit / w)
            for case, item, some, w in zip(cases, stated, joined, weight.tolist(), strict=True)
        )
        cost = sum(step.cost * h for step, h in zip(steps, hours.tolist(), strict=True)) + time_cost
        return CentralCourse(cost, time_cost, steps)

    def _solve(
        self,
        cases: Sequence[CentralCase],
        stated: Sequence[Statement],
        offers: Sequence[Sequence[Offer]],
        outlook: Outlook,
    ) -> float:
        """Solve all steps with the terms over time; what those cost [$]."""
        hours, names = outlook.hours, self._market.network.resource_ids
        clock = _Terms(hours, outlook.mean_lmp)
        place = {name: k for k, name in enumerate(names)}
        for k, offer in enumerate(offers[0]):
            if offer.ahead is not None and offer.ahead.couples:
                power = cp.hstack([item.r[place[offer.resource]] for item in stated])
                clock.add(power, [mine[k] for mine in offers])
        unit = cases[0].program.unit
        dollars = [
            item.cost * (case.program.unit * h / (unit * hours[0]))
            for case, item, h in zip(cases, stated, hours.tolist(), strict=True)
        ]
        time_cost = sum(clock.costs, cp.Constant(0.0))
        rows = [row for item in stated for row in item.constraints]
        total = sum(dollars, cp.Constant(0.0)) + time_cost / (unit * hours[0])
        solve(cp.Problem(cp.Minimize(total), [*rows, *clock.rows]), self._solver)
        return float(time_cost.value)

    def _read(
        self, case: CentralCase, stated: Statement, joined: IntArray, per_unit: float
    ) -> CentralSolution:
        """Read a step; its duals are per unit of the whole horizon's cost."""
        cost = (float(stated.cost.value) + stated.offset) * case.program.unit
        return self._market.read(
            case, np.asarray(stated.r.value), joined, stated.multipliers() * per_unit, cost
        )


def _plain(offer: Offer) -> Offer:
    """Leave the cost of curtailing out where it is that of what comes back."""
    if offer.ahead is None or offer.ahead.rebound is None:
        return offer
    return replace(offer, cost_linear=0.0, cost_quadratic=0.0)


class _Terms:
    """Terms over time as constraints and costs [$] in powers [100 kW]."""

    def __init__(self, hours: FloatArray, mean_lmp: float) -> None:
        self._hours, self._ends, self._mean_lmp = hours, np.cumsum(hours), mean_lmp
        self.rows: list[cp.Constraint] = []
        self.costs: list[cp.Expression] = []

    def add(self, power: cp.Expression, offers: Sequence[Offer]) -> None:
        """State all that an offer says of time."""
        ahead = offers[0].ahead
        if ahead is None:
            return
        if ahead.store is not None:
            self._store(power, ahead.store, offers)
        if ahead.sessions is not None:
            self._sessions(power, ahead.sessions)
        if ahead.rebound is not None:
            self._rebound(power, ahead.rebound, offers)
        if ahead.ramp is not None:
            self._ramp(power, ahead.ramp)
        if ahead.comfort is not None:
            self._comfort(power, ahead.comfort)

    def _pay(self, expression: cp.Expression, price: float) -> None:
        """Charge an energy [100 kWh] at a price [$/MWh]."""
        self.costs.append(price * POWER_UNIT / 1e3 * expression)

    def _between(
        self, value: cp.Expression, low: object, high: object, size: int, weight: object = 1.0
    ) -> None:
        """Hold values between limits, elastically."""
        over = cp.Variable(size, nonneg=True)
        self.rows += [value <= high + over, value >= low - over]
        self._pay(cp.sum(cp.multiply(weight, over)), MISSED_PRICE)

    def _store(self, power: cp.Expression, store: Store, offers: Sequence[Offer]) -> None:
        n, hours = len(self._hours), self._hours
        drawn, given, energy = cp.Variable(n, nonneg=True), cp.Variable(n, nonneg=True), cp.Variable(n + 1)
        kept = (1 - store.loss_per_hour) ** hours
        moved = store.charge_efficiency * drawn - given / store.discharge_efficiency
        self.rows += [
            power == given - drawn,
            energy[0] == store.energy_kwh / POWER_UNIT,
            energy[1:] == cp.multiply(kept, energy[:-1]) + cp.multiply(hours, moved),
        ]
        low, high = held_between(store, offers, hours)
        self._between(energy[1:], low / POWER_UNIT, high / POWER_UNIT, n)
        self._pay(hours @ (drawn + given), store.wear)
        self._pay(-energy[n], store.end_value)

    def _sessions(self, power: cp.Expression, sessions: Sequence[Session]) -> None:
        n, hours, ends = len(self._hours), self._hours, self._ends
        total: cp.Expression = cp.Constant(np.zeros(n))
        for session in sessions:
            if session.energy_kwh <= 0:
                continue
            there = np.maximum(
                np.minimum(session.end_h, ends) - np.maximum(session.start_h, ends - hours), 0.0
            )
            taken, short, later = (
                cp.Variable(n, nonneg=True),
                cp.Variable(nonneg=True),
                cp.Variable(nonneg=True),
            )
            self._between(taken, 0.0, session.kw_max / POWER_UNIT * there / hours, n, hours)
            beyond = max(session.end_h - max(session.start_h, float(ends[-1])), 0.0)
            self.rows += [
                hours @ taken + short + later == session.energy_kwh / POWER_UNIT,
                later <= session.kw_max / POWER_UNIT * beyond,
            ]
            self._pay(short, session.value)
            self._pay(later, self._mean_lmp)
            total = total + taken
        self.rows.append(power == -total)

    def _rebound(self, power: cp.Expression, rebound: Rebound, offers: Sequence[Offer]) -> None:
        n, hours, ends = len(self._hours), self._hours, self._ends
        curtailed, back = cp.Variable(n, nonneg=True), cp.Variable(n, nonneg=True)
        before = sum(item.energy_kwh for item in rebound.owed) / POWER_UNIT
        owed = before + cp.cumsum(cp.multiply(hours, rebound.share * curtailed - back))
        most = np.array([max(offer.p_max_kw, 0.0) / POWER_UNIT for offer in offers])
        self.rows.append(power == curtailed - back)
        self._between(curtailed, 0.0, most, n, hours)
        self._between(back, 0.0, rebound.kw_max / POWER_UNIT, n, hours)
        fresh = np.array(
            [[ends[s] > ends[t] - rebound.window_h and s <= t for s in range(n)] for t in range(n)]
        )
        waiting = [sum(item.energy_kwh for item in rebound.owed if item.end_h > end) for end in ends]
        allowed = rebound.share * (fresh * hours) @ curtailed + np.array(waiting) / POWER_UNIT
        over = cp.Variable(n, nonneg=True)
        under = cp.Variable(n, nonneg=True)
        self.rows += [owed <= allowed + over, owed >= -under]
        self._pay(cp.sum(over) + cp.sum(under), MISSED_PRICE)
        self._pay(owed[n - 1], self._mean_lmp if math.isnan(rebound.end_value) else rebound.end_value)
        for t, offer in enumerate(offers):
            self._pay(hours[t] * curtailed[t], offer.cost_linear)
            self._pay(hours[t] * cp.square(curtailed[t]) / 2, offer.cost_quadratic * POWER_UNIT)

    def _ramp(self, power: cp.Expression, ramp: Ramp) -> None:
        n, hours = len(self._hours), self._hours
        before = (
            cp.hstack([cp.Constant([ramp.from_kw / POWER_UNIT]), power[:-1]])
            if n > 1
            else cp.Constant([ramp.from_kw / POWER_UNIT])
        )
        minutes = 60 * np.concatenate([hours[:1], (hours[1:] + hours[:-1]) / 2])
        most = ramp.kw_per_minute / POWER_UNIT * minutes
        self._between(power - before, -most, most, n, hours)

    def _comfort(self, power: cp.Expression, comfort: Comfort) -> None:
        n, hours = len(self._hours), self._hours
        deviation = cp.Variable(n + 1)
        decay = np.exp(-hours / comfort.time_constant_h)
        moved = comfort.kelvin_per_kwh * POWER_UNIT * cp.multiply(hours, -power)
        self.rows += [
            deviation[0] == comfort.deviation_k,
            deviation[1:] == cp.multiply(decay, deviation[:-1]) + moved,
        ]
        per_kwh = 1 / abs(comfort.kelvin_per_kwh) / POWER_UNIT
        self._between(deviation[1:], comfort.min_k, comfort.max_k, n, per_kwh)
