"""What a report shows of a run, read from its results file; and whether runs can be shown together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from federates.results.run import Results
from federates.study.scenario import ZONE
from feeders.errors import ResultsError
from feeders.network import FloatArray, Network
from feeders.radial import BusTree, bus_tree
from market.audit import judge_run
from runners.judge.ledger import Account, account_for, local_time, missing_part
from runners.judge.verdict import places, read_records

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
        One number per interval and node.
    dispatch : ndarray, shape (n, n_resource)
        Real power of every resource [kW].
    served : ndarray, shape (n, n_load)
        Real power of every load [kW].
    account : Account
        Who pays whom.
    verdict : mapping of str to object
        Judgement of the run.
    broken : sequence of mapping
        Limits that were broken, the worst first.
    scenario : mapping
        The scenario, table by table.
    """

    path: Path
    label: str
    network: Network
    times: tuple[datetime, ...]
    hours: float
    missing: str
    series: Mapping[str, FloatArray]
    nodal: Mapping[str, FloatArray]
    dispatch: FloatArray
    served: FloatArray
    account: Account
    verdict: Mapping[str, Any]
    broken: Sequence[Mapping[str, Any]]
    scenario: Mapping[str, Any]


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
    names = [view.label for view in views]
    return [
        replace(view, label=f"{view.label} ({view.path.stem})") if names.count(view.label) > 1 else view
        for view in views
    ]


def load_view(path: Path) -> RunView:
    """Read one run.

    Raises
    ------
    ResultsError
        When the file cannot be used, or no interval finished.
    """
    with Results(path) as results:
        account = account_for(results)
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
            series=_series(results, account),
            nodal={name: results.values(key) for name, key in NODAL.items()},
            dispatch=results.values("market/dispatch_real"),
            served=results.values("feeder/load_real"),
            account=account,
            verdict=verdict,
            broken=[
                {**asdict(place), "value": place.worst.value, "limit": place.worst.limit}
                for place in places(records)
            ],
            scenario=results.scenario,
        )


def _series(results: Results, account: Account) -> dict[str, FloatArray]:
    """Numbers per interval; what a clearing did not report is NaN."""
    last = [(record.get("rounds") or [{}])[-1] for record in results.records("market/clearing")]

    def reported(name: str) -> FloatArray:
        return np.array([np.nan if row.get(name) is None else float(row[name]) for row in last])

    return {
        "lmp": results.values("wholesale/lmp"),
        "dlmp_mean": results.values("market/dlmp_real").mean(axis=1),
        "wholesale": results.values("feeder/head_power_real").sum(axis=1),
        "generation": results.values("feeder/injection_real").sum(axis=1),
        "curtailed": account.metered.spared / results.period_h,
        "losses": results.values("feeder/losses_real"),
        "rounds": results.values("audit/rounds"),
        "negotiation_rounds": results.values("audit/negotiation_rounds"),
        "settled": results.values("audit/settled"),
        "voltage_error": results.values("audit/trial_voltage_error"),
        "head_error": np.abs(results.values("audit/trial_head_error")),
        "primal": reported("primal_residual"),
        "dual": reported("dual_residual"),
    }


def check_comparable(one: RunView, other: RunView) -> None:
    """Raise unless two runs are of the same feeder and the same time.

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


def positions(network: Network) -> list[tuple[float, float]]:
    """Place every bus for drawing: by its coordinates, at its parent's, or by depth and order in the tree."""
    tree = bus_tree(network)
    if not any(bus.x is not None for bus in network.buses):
        return _tree_positions(tree)
    placed = [(0.0, 0.0)] * len(network.buses)
    for k in tree.order.tolist():
        bus, parent = network.buses[k], int(tree.parent[k])
        if bus.x is not None and bus.y is not None:
            placed[k] = (bus.x, bus.y)
        elif parent >= 0:
            placed[k] = placed[parent]
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
