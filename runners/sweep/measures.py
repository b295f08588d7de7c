"""What one run of a sweep comes to: verdict, metrics and money, a column each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.study import Study
from dlmp_cosim.market.audit import judge_run
from dlmp_cosim.runners.compare.metrics import realised_cost
from dlmp_cosim.runners.judge.ledger import account_for
from dlmp_cosim.runners.judge.performance import Performance, performance
from dlmp_cosim.runners.judge.settle import summary as settled
from dlmp_cosim.runners.judge.summary import summarise
from dlmp_cosim.runners.judge.verdict import read_records
from dlmp_cosim.runners.tables.columns import Column

PRICE = "$/MWh"
OF_RUN: tuple[Column, ...] = (
    Column("verdict", "text", "", "feasible, violated or unknown, by AC states"),
    Column("intervals", "integer", "", "intervals finished"),
    Column("violations", "integer", "", "limits broken in AC, over places and intervals"),
    Column("violations_unpriced", "integer", "", "of these, limits that the market gave no price"),
    Column("violated_time", "number", "min", "time with any limit broken"),
    Column("voltage_excess", "number", "pu", "largest excess of a voltage limit"),
    Column("rating_excess", "number", "", "largest excess of a current, as a share of its rating"),
    Column("voltage_low", "number", "pu", "lowest voltage"),
    Column("voltage_high", "number", "pu", "highest voltage"),
    Column("settled", "integer", "", "intervals in which market and physics agreed"),
    Column("rounds_mean", "number", "", "clearings an interval"),
    Column("rounds_max", "number", "", "most clearings in an interval"),
    Column("voltage_error", "number", "pu", "largest difference of prediction and AC before controls acted"),
    Column("head_error", "number", "kW", "the same, of the power at the head"),
    Column("lmp_mean", "number", PRICE, "mean price at the head"),
    Column("dlmp_mean", "number", PRICE, "mean price of real power over nodes and intervals"),
    Column("dlmp_low", "number", PRICE, "lowest price of real power"),
    Column("dlmp_high", "number", PRICE, "highest price of real power"),
    Column("wholesale_energy", "number", "kWh", "energy bought at the head"),
    Column("generation_energy", "number", "kWh", "energy of resources on the feeder"),
    Column("curtailed_energy", "number", "kWh", "demand not consumed, at nominal voltage"),
    Column("served_energy", "number", "kWh", "energy served to loads"),
    Column("losses_energy", "number", "kWh", "energy lost"),
    Column("cost", "number", "$", "wholesale purchase and offered costs of the dispatch, from AC quantities"),
    Column("load_payment", "number", "$", "what loads pay"),
    Column("generation_payment", "number", "$", "what generators are paid"),
    Column("flexible_payment", "number", "$", "what flexible loads are paid"),
    Column("wholesale_payment", "number", "$", "what the wholesale market is paid"),
    Column("net_revenue", "number", "$", "what the operator keeps"),
    Column("imbalance", "number", "$", "what does not add up in the ledger"),
)  # fmt: skip
"""What `dlmp verdict`, `summary` and `settle` say of a run."""
OF_PERFORMANCE: tuple[tuple[str, Column], ...] = (
    ("peak.power_kw", Column("peak", "number", "kW", "largest power drawn at the head")),
    ("peak.export_kw", Column("export_peak", "number", "kW", "largest power given back at the head")),
    ("peak.load_factor", Column("load_factor", "number", "", "mean over largest power drawn")),
    ("peak.ramp_kw", Column("ramp", "number", "kW", "largest change at the head between intervals")),
    ("energy.losses_share", Column("losses_share", "number", "", "losses over what was served and lost")),
    ("voltage.outside_share", Column("outside_share", "number", "", "part of voltages outside the band")),
    ("voltage.violation_pu", Column("violation_index", "number", "pu", "mean excess of voltages (SAVMVI)")),
    ("voltage.fluctuation_pu", Column("fluctuation_index", "number", "pu", "mean change (SAVFI)")),
    ("voltage.unbalance", Column("unbalance_index", "number", "", "mean voltage unbalance (SAVUI)")),
    ("voltage.tap_steps", Column("tap_steps", "number", "", "steps that regulators moved")),
    ("resources.generation_share", Column("generation_used", "number", "", "part of what was offered")),
    ("resources.flexible_share", Column("flexible_used", "number", "", "part of what was offered")),
    ("curtailment.generation_kwh",
     Column("generation_curtailed", "number", "kWh", "worth running at the LMP and not asked for")),
    ("limits.priced", Column("priced_time", "number", "h", "time with a price on any limit")),
    ("limits.penalty", Column("penalty_time", "number", "h", "time with a penalty in prices")),
    ("emissions.total_t", Column("co2", "number", "t", "CO2, where the scenario states a rate")),
)  # fmt: skip
"""What `dlmp summary --metrics` says of it: attribute of `Performance`, and its column."""
MEASURES: tuple[Column, ...] = (*OF_RUN, *(column for _, column in OF_PERFORMANCE))
"""Columns of every summary, in order, after the axes."""


def measure_run(run: Results, study: Study) -> dict[str, Any]:
    """Measure a run.

    Parameters
    ----------
    run : Results
        Its results, of at least one interval.
    study : Study
        Its study, for the terms of its assets.

    Returns
    -------
    dict
        A value for every column of `MEASURES`; None for what there is not.
    """
    records = read_records(run)
    broken = [record.verdict.violations for record in records]
    excess = {
        kind: max((v.excess for found in broken for v in found if (v.kind == "rating") == kind), default=0.0)
        for kind in (True, False)
    }
    whole = account_for(run)
    account = settled(whole)
    short = asdict(summarise(run))
    status = judge_run(records).status
    row: dict[str, Any] = {
        "verdict": status if run.complete or status == "violated" else "unknown",
        "violated_time": 60.0 * run.period_h * sum(map(bool, broken)),
        "voltage_excess": excess[False],
        "rating_excess": excess[True],
        "cost": realised_cost(run, study) if _known_costs(run, study) else None,
        "imbalance": account["imbalance_usd"],
        "net_revenue": account["net_revenue_usd"],
        **_renamed(short, {f"{name}_energy": f"{name}_kwh" for name in ENERGIES}),
        **_renamed(account, {f"{name}_payment": f"{key}_usd" for name, key in PAYMENTS.items()}),
    }
    row |= {column.name: short[column.name] for column in OF_RUN if column.name not in row}
    found = performance(run, whole)
    row |= {column.name: _metric(found, path) for path, column in OF_PERFORMANCE}
    return {column.name: _cell(row[column.name]) for column in MEASURES}


def _metric(found: Performance, path: str) -> Any:
    """Look a metric up; None in a part that the run does not have."""
    part, _, name = path.partition(".")
    table = getattr(found, part)
    return None if table is None else getattr(table, name)


def _known_costs(run: Results, study: Study) -> bool:
    """Tell whether the asset table states the costs of all resources; owners state theirs in offers alone."""
    return set(run.network.resource_ids) <= {terms.resource for terms in study.terms}


ENERGIES = ("wholesale", "generation", "curtailed", "served", "losses")
PAYMENTS = {"load": "load", "generation": "dg", "flexible": "flex", "wholesale": "wholesale"}
"""Names of payments here, and in a settlement."""


def _renamed(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: table[key] for name, key in names.items()}


def _cell(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
