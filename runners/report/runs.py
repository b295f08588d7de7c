"""What a report shows of a run, read from its results file; and whether runs can be shown together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dlmp_cosim.federates.results.run import Results
from dlmp_cosim.federates.study.scenario import ZONE
from dlmp_cosim.feeders.errors import ResultsError
from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.feeders.radial import BusTree, bus_tree
from dlmp_cosim.market.audit import judge_run
from dlmp_cosim.runners.judge.figure import Figure
from dlmp_cosim.runners.judge.ledger import Account, account_for, local_time, missing_part
from dlmp_cosim.runners.judge.metrics_shown import metric_figures
from dlmp_cosim.runners.judge.performance import performance
from dlmp_cosim.runners.judge.verdict import places, read_records
from dlmp_cosim.runners.judge.voltage_quality import lit
from dlmp_cosim.runners.report.equipment import (
    branch_values,
    count_breaches,
    limited_nodes,
    limited_voltage,
    stored_energy,
)

NODAL = {
    "dlmp_real": "market/dlmp_real",
    "dlmp_reactive": "market/dlmp_reactive",
    "loss": "market/dlmp_real_loss",
    "voltage_part": "market/dlmp_real_voltage",
    "congestion": "market/dlmp_real_congestion",
    "voltage": "feeder/voltage_magnitude",
    "predicted_voltage": "market/predicted_voltage_magnitude",
}
"""Quantities of every node, by the report's names."""
OF_SUBSTATION = {"substation": "market/dlmp_real_substation"}
"""What a substation adds to the prices of a feeder of its own."""


@dataclass(frozen=True)
class RunView:
    """Everything that a report shows of one run; in kW, $/MWh and $/(MVAR*h), and pu.

    Attributes
    ----------
    path : Path
        The results file.
    label : str
        What the run is called.
    network : Network
        Its feeder.
    times : tuple of datetime
        Local start of each finished interval.
    hours : float
        Length of an interval [h].
    missing : str
        Which part of the run is missing; empty when nothing is.
    series : mapping of str to ndarray, shape (n,)
        One number per interval.
    nodal : mapping of str to ndarray, shape (n, n_node)
        One number per interval and node; NaN at nodes that no limit holds for, such as neutrals,
        and for the voltage of what is dark.
    point_voltage : ndarray, shape (n, n_point)
        Voltages that limits hold for [pu]; NaN of what is dark.
    dispatch : ndarray, shape (n, n_resource)
        Real power of every resource [kW].
    served : ndarray, shape (n, n_load)
        Real power of every load [kW].
    branch : mapping of str to ndarray, shape (n, n_branch)
        ``loading`` [share of the rating; NaN without one] and ``power`` into the first terminal [kW].
    taps : ndarray, shape (n, n_tap)
        Position of every regulator.
    capacitors : ndarray, shape (n, n_capacitor)
        Closed steps of every switched capacitor.
    stored : mapping of str to ndarray, shape (n,)
        Energy of every storage at the end of each interval [kWh].
    breaches : mapping of str to ndarray, shape (n,)
        Limits that AC breaks in each interval, by kind.
    account : Account
        Who pays whom.
    verdict : mapping of str to object
        Judgement of the run.
    broken : sequence of mapping
        Limits that were broken, the worst first.
    scenario : mapping
        The scenario, table by table.
    metrics : tuple of Figure
        How the operator performed.
    """

    path: Path
    label: str
    network: Network
    times: tuple[datetime, ...]
    hours: float
    missing: str
    series: Mapping[str, FloatArray]
    nodal: Mapping[str, FloatArray]
    point_voltage: FloatArray
    dispatch: FloatArray
    served: FloatArray
    branch: Mapping[str, FloatArray]
    taps: FloatArray
    capacitors: FloatArray
    stored: Mapping[str, FloatArray]
    breaches: Mapping[str, FloatArray]
    account: Account
    verdict: Mapping[str, Any]
    broken: Sequence[Mapping[str, Any]]
    scenario: Mapping[str, Any]
    metrics: tuple[Figure, ...] = ()


def load_views(paths: Sequence[Path]) -> list[RunView]:
    """Read runs that are to be shown together, each under a name of its own.

    Raises
    ------
    ResultsError
        When a file cannot be used, or two runs cannot be compared; says why.
    """
    views = [load_view(path) for path in paths]
    for other in views[1:]:
        check_comparable(views[0], other)
    return [replace(view, label=label) for view, label in zip(views, _labels(views), strict=True)]


def _labels(views: Sequence[RunView]) -> list[str]:
    """Call every run by its study, and by as much of its file beside it as tells it from the others."""
    ways: list[list[str]] = [
        [view.label for view in views],
        [f"{view.label} ({view.path.stem})" for view in views],
        [f"{view.label} ({view.path.parent.name}/{view.path.stem})" for view in views],
        [f"{view.label} ({view.path})" for view in views],
    ]
    return [next((way[k] for way in ways if way.count(way[k]) == 1), ways[-1][k]) for k in range(len(views))]


def load_view(path: Path) -> RunView:
    """Read one run.

    Raises
    ------
    ResultsError
        When the file cannot be used, or no interval finished.
    """
    with Results(path) as results:
        account = account_for(results)
        nodal = _nodal(results)
        records = read_records(results)
        verdict = asdict(judge_run(records))
        if not results.complete and verdict["status"] == "feasible":
            verdict["status"] = "unknown"
        return RunView(
            path=path,
            label=str(results.scenario["study"]["name"]),
            network=results.network,
            times=tuple(datetime.fromtimestamp(t, UTC).astimezone(ZONE) for t in results.time.tolist()),
            hours=results.period_h,
            missing=missing_part(results),
            series=_series(results, account) | {"dlmp_mean": known_mean(nodal["dlmp_real"], axis=1)},
            nodal=nodal,
            point_voltage=limited_voltage(results),
            dispatch=results.values("market/dispatch_real"),
            served=results.values("feeder/load_real"),
            branch=branch_values(results),
            taps=results.values("feeder/regulator_tap"),
            capacitors=results.values("feeder/capacitor_steps"),
            stored=stored_energy(results),
            breaches=count_breaches(records),
            account=account,
            verdict=verdict,
            broken=[
                {**asdict(place), "value": place.worst.value, "limit": place.worst.limit}
                for place in places(records)
            ],
            scenario=results.scenario,
            metrics=tuple(metric_figures(performance(results, account))),
        )


def _nodal(results: Results) -> dict[str, FloatArray]:
    neutral = ~limited_nodes(results.network)
    wanted = NODAL | {name: key for name, key in OF_SUBSTATION.items() if key in results}
    table = {name: results.values(key) for name, key in wanted.items()}
    table["voltage"] = lit(table["voltage"])
    for values in table.values():
        values[:, neutral] = np.nan
    return table


def _series(results: Results, account: Account) -> dict[str, FloatArray]:
    """Numbers per interval; what a clearing did not report is NaN."""
    last = [(record.get("rounds") or [{}])[-1] for record in results.records("market/clearing")]

    def reported(name: str) -> FloatArray:
        return np.array([np.nan if row.get(name) is None else float(row[name]) for row in last])

    return {
        "lmp": results.values("wholesale/lmp"),
        "wholesale": results.values("feeder/head_power_real").sum(axis=1),
        "generation": results.values("feeder/injection_real").sum(axis=1),
        "curtailed": account.metered.spared / results.period_h,
        "losses": results.values("feeder/losses_real"),
        "head_reactive": results.values("feeder/head_power_reactive").sum(axis=1),
        "rounds": results.values("audit/rounds"),
        "negotiation_rounds": results.values("audit/negotiation_rounds"),
        "settled": results.values("audit/settled"),
        "voltage_error": results.values("audit/trial_voltage_error"),
        "head_error": np.abs(results.values("audit/trial_head_error")),
        "primal": reported("primal_residual"),
        "dual": reported("dual_residual"),
    }


def known_mean(values: FloatArray, axis: int | None = None) -> Any:
    """Mean of the numbers that are there; NaN where none is.

    Parameters
    ----------
    values : ndarray
        Numbers, NaN where there is none.
    axis : int, optional
        Axis over which the mean is taken; all by default.
    """
    with np.errstate(invalid="ignore"):
        return np.nansum(values, axis=axis) / np.isfinite(values).sum(axis=axis)


def check_comparable(one: RunView, other: RunView) -> None:
    """Raise unless two runs are of the same feeder and the same time.

    Parameters
    ----------
    one, other : RunView
        The two runs.

    Raises
    ------
    ResultsError
        Naming both files and what differs.
    """
    reason = ""
    if one.network.node_ids != other.network.node_ids:
        reason = f"they are different feeders, {_feeder(one)} and {_feeder(other)}"
    elif one.hours != other.hours:
        reason = f"their intervals last {3600 * one.hours:g} s and {3600 * other.hours:g} s"
    elif one.times[0] != other.times[0]:
        begin = [local_time(int(view.times[0].timestamp())) for view in (one, other)]
        reason = f"they start at different times, {begin[0]} and {begin[1]}"
    if reason:
        raise ResultsError(f"{one.path} and {other.path} cannot be compared: {reason}")


def _feeder(view: RunView) -> str:
    return f"{view.network.name} with {len(view.network.node_ids)} nodes"


def differences(views: Sequence[RunView]) -> list[tuple[str, list[str]]]:
    """List the settings in which runs differ, with the value of each run."""
    tables = [dict(_flat(view.scenario)) for view in views]
    keys = sorted(set().union(*tables)) if tables else []
    rows = [(key, [str(table.get(key, "not set")) for table in tables]) for key in keys]
    apart = [(key, values) for key, values in rows if len(set(values)) > 1]
    return [(key, values) for key, values in apart if key not in ("study.name", "results.file")]


def _flat(scenario: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for table, values in scenario.items():
        if isinstance(values, Mapping):
            yield from ((f"{table}.{key}", value) for key, value in values.items())
        else:
            yield table, values


def has_places(network: Network) -> bool:
    """Tell whether any bus has drawing coordinates."""
    return any(bus.x is not None for bus in network.buses)


def positions(network: Network) -> list[tuple[float, float]]:
    """Place every bus for drawing: by its coordinates, at its parent's, or by depth and order in the tree.

    A source without coordinates, which is no rare thing, is placed at what comes after it.
    """
    tree = bus_tree(network)
    if not has_places(network):
        return _tree_positions(tree)
    own = [None if bus.x is None or bus.y is None else (bus.x, bus.y) for bus in network.buses]
    below = list(own)
    for k in reversed(tree.order.tolist()):
        parent = int(tree.parent[k])
        if parent >= 0:
            below[parent] = below[parent] or below[k]
    placed = [(0.0, 0.0)] * len(own)
    for k in tree.order.tolist():
        parent = int(tree.parent[k])
        above = placed[parent] if parent >= 0 else None
        placed[k] = own[k] or above or below[k] or (0.0, 0.0)
    return placed


def _tree_positions(tree: BusTree) -> list[tuple[float, float]]:
    """Depth to the right, leaves below each other, parents in the middle of their children."""
    n = len(tree.order)
    depth, row = [0.0] * n, [np.nan] * n
    children: list[list[int]] = [[] for _ in range(n)]
    for bus in tree.order.tolist():
        parent = int(tree.parent[bus])
        if parent >= 0:
            children[parent].append(bus)
            depth[bus] = depth[parent] + 1.0
    leaves = 0
    for bus in reversed(tree.order.tolist()):
        if children[bus]:
            row[bus] = float(np.mean([row[child] for child in children[bus]]))
        else:
            row[bus] = float(leaves)
            leaves += 1
    return list(zip(depth, row, strict=True))
