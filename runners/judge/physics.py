"""How far a settled market is from the optimum of the AC power flow itself, its controls standing still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import Progress

from dlmp_cosim.federates.anchoring.realised import realised_cost
from dlmp_cosim.federates.anchoring.rounds import RoundRules, anchor
from dlmp_cosim.federates.feeder import open_engine
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.errors import ClearingError
from dlmp_cosim.feeders.network import ComplexArray, FloatArray
from dlmp_cosim.feeders.state import AcState
from dlmp_cosim.market.clearing import Clearing
from dlmp_cosim.market.models import RetailMarket
from dlmp_cosim.market.settings import MarketSettings
from dlmp_cosim.runners.judge.gaps import make_market
from dlmp_cosim.runners.judge.walk import Case, Day

if TYPE_CHECKING:
    from dlmp_cosim.market.central.ac_optimum import AcOptimum

PASSES = (0.005, 0.05, 0.2)
"""Differences of price that pass: median, 95th percentile, largest [$/MWh, $/(MVAR*h)]."""
COST_GAP = 1e-4
"""Relative difference of cost that passes."""


@dataclass(frozen=True)
class PhysicsGaps:
    """Settled clearings against the AC optimum; field names are those of ``dlmp verify --ac --json``.

    Attributes
    ----------
    intervals, settled : int
        Intervals tried, and how many settled.
    rounds_max : int
        Most clearings that an interval took.
    real_median, real_p95, real_max : float
        Differences of real d-LMPs over all nodes and intervals [$/MWh].
    real_max_at : str
        Interval and node of the largest of them.
    reactive_median, reactive_p95, reactive_max, reactive_max_at
        The same for reactive ones [$/(MVAR*h)].
    cost_gap_max : float
        Largest relative difference in cost, both measured in AC.
    dispatch_gap_max_kw : float
        Largest difference of an award [kW].
    """

    intervals: int
    settled: int
    rounds_max: int
    real_median: float
    real_p95: float
    real_max: float
    real_max_at: str
    reactive_median: float
    reactive_p95: float
    reactive_max: float
    reactive_max_at: str
    cost_gap_max: float
    dispatch_gap_max_kw: float

    @property
    def passed(self) -> bool:
        """Whether prices and cost are as near to the AC optimum as they should be."""
        real = (self.real_median, self.real_p95, self.real_max)
        reactive = (self.reactive_median, self.reactive_p95, self.reactive_max)
        near = all(gap <= most for gaps in (real, reactive) for gap, most in zip(gaps, PASSES, strict=True))
        return near and self.cost_gap_max <= COST_GAP and self.settled == self.intervals


@dataclass(frozen=True)
class _Pair:
    """One interval both ways."""

    interval: int
    rounds: int
    settled: bool
    clearing: Clearing
    cost: float
    optimum: AcOptimum


def verify_physics(study: Study, settings: MarketSettings, every: int, progress: Progress) -> PhysicsGaps:
    """Settle every `every`-th interval and find the AC optimum beside it.

    Parameters
    ----------
    study : Study
        The study.
    settings : MarketSettings
        Model, method and limits.
    every : int
        Step of intervals.
    progress : Progress
        Where to show how far it is.
    """
    from dlmp_cosim.market.central.ac_optimum import ac_optimum, with_probes

    day, market = Day(study), make_market(study.network, settings)
    engine = open_engine(study, with_probes(study.network), held=True)
    section = study.scenario.market
    rules = RoundRules(
        study.clock.rounds_max,
        section.settle_voltage_pu,
        section.settle_head_kw,
        repriced=section.anchored,
        price=section.settle_price,
    )
    task = progress.add_task("AC optimum", total=len(range(0, day.intervals, every)))
    dispatches: list[ComplexArray] = []
    pairs = []
    for case, state in day.forecasts(dispatches, every):
        cost = partial(realised_cost, study.network, settings, case.offers, case.price)
        rounds, settled, clearing, answer = settle_interval(day, market, rules, case, state)
        engine.set_taps(answer.tap)
        engine.set_capacitors(answer.capacitor)
        start = clearing.dispatch
        best = ac_optimum(engine, case.demand, case.offers, case.price, settings, start)
        pairs.append(_Pair(case.interval, rounds, settled, clearing, cost(clearing, answer), best))
        dispatches[:] = [clearing.dispatch]
        progress.advance(task)
    return gather(pairs, study.network.node_ids)


def settle_interval(
    day: Day, market: RetailMarket, rules: RoundRules, case: Case, state: AcState
) -> tuple[int, bool, Clearing, AcState]:
    """Let market and physics agree on one interval, controls standing still.

    Parameters
    ----------
    day : Day
        Answers with AC states.
    market : RetailMarket
        Clears.
    rules : RoundRules
        What counts as agreed.
    case : Case
        The interval.
    state : AcState
        Its forecast state.

    Returns
    -------
    int, bool, Clearing, AcState
        Rounds, whether they agreed, the last clearing and its AC state.
    """
    outcome = anchor(
        rules,
        state,
        lambda at: market.clear(at, case.demand, case.offers, case.price),
        lambda _, clearing: day.answer(case, clearing.dispatch, controls=False),
        lambda _, answer: float(answer.head.real.sum()),
        (*day.network.tap_ids, *day.network.capacitor_ids),
    )
    last = outcome.accepted
    if last is None or last.clearing is None or last.state is None:
        raise ClearingError(f"interval {case.interval} has no clearing: {outcome.decision.reason}")
    return len(outcome.rounds), outcome.decision.settled, last.clearing, last.state


def gather(pairs: Sequence[_Pair], nodes: Sequence[str]) -> PhysicsGaps:
    """Sum up the differences.

    Parameters
    ----------
    pairs : sequence of _Pair
        Every interval both ways.
    nodes : sequence of str
        Names of the places that have prices.
    """
    real = np.abs([pair.clearing.prices.real - pair.optimum.price_real for pair in pairs])
    reactive = np.abs([pair.clearing.prices.reactive - pair.optimum.price_reactive for pair in pairs])
    intervals = [pair.interval for pair in pairs]
    return PhysicsGaps(
        len(pairs),
        sum(pair.settled for pair in pairs),
        max((pair.rounds for pair in pairs), default=0),
        *_spread(real, intervals, nodes),
        *_spread(reactive, intervals, nodes),
        cost_gap_max=max(
            abs(pair.cost - pair.optimum.cost) / max(abs(pair.optimum.cost), 1.0) for pair in pairs
        ),
        dispatch_gap_max_kw=max(
            float(np.abs(pair.clearing.dispatch.real - pair.optimum.dispatch.real).max(initial=0.0))
            for pair in pairs
        ),
    )


def _spread(
    gaps: FloatArray, intervals: Sequence[int], nodes: Sequence[str]
) -> tuple[float, float, float, str]:
    """Median, 95th percentile and largest difference wherever both have a price, and where that is."""
    both = gaps[np.isfinite(gaps)]
    row, node = np.unravel_index(np.nanargmax(gaps), gaps.shape)
    where = f"interval {intervals[int(row)]}, node {nodes[int(node)]}"
    return float(np.median(both)), float(np.percentile(both, 95)), float(both.max()), where
