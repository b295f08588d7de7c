"""What a run comes down to: the verdict in words, and the figures that matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlmp_cosim.feeders.network import FloatArray
from dlmp_cosim.runners.judge.figure import Figure, known
from dlmp_cosim.runners.judge.settle import summary
from dlmp_cosim.runners.report.runs import RunView, known_mean

QUANTITY = {"voltage_low": ("voltage", "pu"), "voltage_high": ("voltage", "pu"), "rating": ("current", "A")}
WORD = {"feasible": "Feasible", "violated": "Violated", "unknown": "Cannot tell"}
CLOCK = "%H:%M"


def sentence(view: RunView) -> str:
    """Say in words how AC physics judges a run."""
    verdict = view.verdict
    n, status = len(view.times), str(verdict["status"])
    if view.verdict["violations"]:
        text = _violated(view)
    elif status == "feasible":
        text = (
            f"in every one of {n} intervals AC power flow keeps all voltages and currents within their limits"
        )
    else:
        text = view.missing or "a power flow did not converge"
    agreed = f"market and physics agree in {verdict['settled']} of {n} intervals"
    if not np.isfinite(view.series["voltage_error"]).any():
        agreed = "no market predicts this run"
    return f"{WORD[status]}: {text}; {agreed}."


def _violated(view: RunView) -> str:
    count, unpriced, worst = view.verdict["violations"], view.verdict["violations_unpriced"], view.broken[0]
    intervals = int(np.count_nonzero(sum(view.breaches.values())))
    return (
        f"AC power flow breaks limits {count:,} times, in {intervals} of {len(view.times)} intervals"
        f" ({unpriced:,} without a price from the market); the worst is {_worst(worst)}"
    )


def _worst(place: Mapping[str, Any]) -> str:
    if place["kind"] == "outage":
        return f"no supply at {place['where']}, in {place['intervals']} intervals"
    name, unit = QUANTITY[str(place["kind"])]
    return f"a {name} of {place['value']:.5g} {unit} at {place['where']}, limit {place['limit']:.5g} {unit}"


def headline(view: RunView) -> list[Figure]:
    """Return the five figures that open a report."""
    by_name = {figure.title: figure for figure in figures(view)}
    return [
        by_name[name]
        for name in ("average d-LMP", "highest voltage", "highest loading", "losses", "operator keeps")
    ]


def figures(view: RunView) -> list[Figure]:
    """Return the figures by which runs are compared."""
    return [*_prices(view), *_physics(view), *_energy(view), *_money(view)]


def _prices(view: RunView) -> list[Figure]:
    price = view.nodal["dlmp_real"]
    unit = "$/MWh"
    low, high = _ends(price)
    lmp = float(view.series["lmp"].mean())
    span = f"from {low:,.2f} to {high:,.2f}; LMP {lmp:,.2f}"
    return [
        Figure("average d-LMP", unit, 2, known_mean(price), span),
        Figure("lowest d-LMP", unit, 2, low, _where(view, price, view.network.node_ids, low)),
        Figure("highest d-LMP", unit, 2, high, _where(view, price, view.network.node_ids, high)),
    ]


def _physics(view: RunView) -> list[Figure]:
    voltage, points = view.point_voltage, view.network.point_ids
    low, high = _ends(voltage)
    market = view.scenario["market"]
    at_least = f"{_where(view, voltage, points, low)}; limit {market['voltage_min_pu']:g}"
    at_most = f"{_where(view, voltage, points, high)}; limit {market['voltage_max_pu']:g}; lowest {low:.4f}"
    return [
        Figure("lowest voltage", "pu", 4, low, at_least),
        Figure("highest voltage", "pu", 4, high, at_most),
        _loading(view),
        Figure("limits broken", "", 0, float(view.verdict["violations"]), "over all intervals"),
    ]


def _loading(view: RunView) -> Figure:
    loading, names = view.branch["loading"], [branch.name for branch in view.network.branches]
    most = _ends(loading)[1]
    if np.isnan(most):
        return Figure("highest loading", "%", 1, most, "no branch has a rating")
    return Figure("highest loading", "%", 1, 100.0 * most, _where(view, loading, names, most))


def _ends(values: FloatArray) -> tuple[float, float]:
    """Lowest and highest of the numbers that are there; NaN where none is."""
    return (
        float(np.fmin.reduce(values, axis=None, initial=np.nan)),
        float(np.fmax.reduce(values, axis=None, initial=np.nan)),
    )


def _where(view: RunView, values: FloatArray, names: Any, wanted: float) -> str:
    """Name the place and time of a value; nothing when it is none."""
    if np.isnan(wanted):
        return "no power flow converged"
    t, k = np.argwhere(values == wanted)[0]
    return f"{names[k]} at {view.times[t].strftime(CLOCK)}"


def _energy(view: RunView) -> list[Figure]:
    energy = summary(view.account)["energy_kwh"]
    share = 100.0 * energy["losses"] / energy["load"] if energy["load"] else float("nan")
    note = f"{share:.1f} % of {energy['load']:,.0f} kWh served"
    return [
        Figure("demand served", "kWh", 0, energy["load"]),
        Figure("from wholesale", "kWh", 0, energy["wholesale"]),
        Figure("generated on the feeder", "kWh", 0, energy["dg"]),
        Figure("curtailed", "kWh", 0, energy["flex"]),
        Figure("losses", "kWh", 0, energy["losses"], known(note, share)),
    ]


def _money(view: RunView) -> list[Figure]:
    money: Mapping[str, float] = summary(view.account)
    paid = f"of {money['load_usd']:,.2f} $ that loads pay"
    return [
        Figure("loads pay", "$", 2, money["load_usd"]),
        Figure("generators are paid", "$", 2, money["dg_usd"]),
        Figure("curtailment is paid", "$", 2, money["flex_usd"]),
        Figure("wholesale is paid", "$", 2, money["wholesale_usd"]),
        Figure("operator keeps", "$", 2, money["net_revenue_usd"], paid),
    ]
