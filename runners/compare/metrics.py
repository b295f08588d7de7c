"""What one run of a comparison comes to: limits broken, errors of the prediction, cost and prices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.market.audit import IntervalRecord
from dlmp_cosim.runners.judge.performance import Performance, performance
from dlmp_cosim.runners.judge.verdict import read_records


@dataclass(frozen=True)
class Metrics:
    """What one variant came to.

    Attributes
    ----------
    name : str
        Name of the variant.
    titles : tuple of str
        Title on every axis.
    intervals : int
        Intervals finished.
    violations, unpriced : int
        Limits broken in AC, over nodes, conductors and intervals, and how many of them had no price.
    minutes : float
        Time with at least one limit broken [min].
    worst_voltage_pu, worst_overload : float
        Largest excess of a voltage [pu], and of a current over its rating [pu of the rating].
    voltage_error_pu, head_error_kw : float
        Largest difference between the final prediction and AC, before controls acted.
    cost_usd : float
        Wholesale purchase and offered costs of what was dispatched, from AC quantities [$].
    dlmp_low, dlmp_high, dlmp_spread : float
        Lowest and highest price of real power, and the mean over time of highest less lowest [$/MWh].
    rounds_mean, rounds_max : float
        Clearings per interval.
    unsettled : int
        Intervals in which prediction and AC did not agree.
    voltage_low, voltage_high : float
        Lowest and highest AC voltage [pu].
    predicted_low : float
        Lowest voltage that the market expected [pu].
    metrics : Performance
        How the operator performed.
    """

    name: str
    titles: tuple[str, ...]
    intervals: int
    violations: int
    unpriced: int
    minutes: float
    worst_voltage_pu: float
    worst_overload: float
    voltage_error_pu: float
    head_error_kw: float
    cost_usd: float
    dlmp_low: float
    dlmp_high: float
    dlmp_spread: float
    rounds_mean: float
    rounds_max: float
    unsettled: int
    voltage_low: float
    voltage_high: float
    predicted_low: float
    metrics: Performance


def measure(run: Results, study: Study, titles: tuple[str, ...]) -> Metrics:
    """Measure a finished run.

    Parameters
    ----------
    run : Results
        Its results.
    study : Study
        Its study, for the terms of the assets.
    titles : tuple of str
        Titles of the variant.
    """
    records = read_records(run)
    price, voltage = run.values("market/dlmp_real"), run.values("feeder/voltage_magnitude")
    broken = [record.verdict.violations for record in records]
    rounds = run.values("audit/rounds")
    return Metrics(
        name=study.name,
        titles=titles,
        intervals=run.intervals,
        violations=sum(map(len, broken)),
        unpriced=sum(len(record.verdict.unpriced) for record in records),
        minutes=60 * run.period_h * sum(map(bool, broken)),
        worst_voltage_pu=max((v.excess for v in itertools.chain(*broken) if v.kind != "rating"), default=0.0),
        worst_overload=max((v.excess for v in itertools.chain(*broken) if v.kind == "rating"), default=0.0),
        voltage_error_pu=_largest(records, "voltage_error_pu"),
        head_error_kw=_largest(records, "head_error_kw"),
        cost_usd=realised_cost(run, study),
        dlmp_low=float(price.min()),
        dlmp_high=float(price.max()),
        dlmp_spread=float((price.max(axis=1) - price.min(axis=1)).mean()),
        rounds_mean=float(rounds.mean()),
        rounds_max=float(rounds.max()),
        unsettled=int((run.values("audit/settled") == 0).sum()),
        voltage_low=float(voltage.min()),
        voltage_high=float(voltage.max()),
        predicted_low=float(run.values("market/predicted_voltage_magnitude").min()),
        metrics=performance(run),
    )


def realised_cost(run: Results, study: Study) -> float:
    """Wholesale purchase and offered costs of the dispatch, from AC quantities [$].

    Parameters
    ----------
    run : Results
        What was realised.
    study : Study
        Gives the costs of its resources; offers may have said otherwise.
    """
    head = run.values("feeder/head_power_real").sum(axis=1)
    power = run.values("market/dispatch_real")
    by_name = {terms.resource: terms for terms in study.terms}
    terms = [by_name[name] for name in run.ids("market/dispatch_real")]
    linear: FloatArray = np.array([item.cost_linear for item in terms])
    quadratic: FloatArray = np.array([item.cost_quadratic for item in terms])
    offered = power @ linear + power**2 @ quadratic / 2
    return float((run.values("wholesale/lmp") * head + offered).sum() * run.period_h / 1e3)


def blocks(found: list[Metrics]) -> dict[tuple[str, ...], list[Metrics]]:
    """Group variants that differ in the last axis only."""
    groups: dict[tuple[str, ...], list[Metrics]] = {}
    for item in found:
        groups.setdefault(item.titles[:-1], []).append(item)
    return groups


def _largest(records: list[IntervalRecord], name: str) -> float:
    values = np.abs([getattr(record, name) for record in records])
    return float(np.nanmax(values)) if not np.isnan(values).all() else float("nan")
