"""A report's numbers as one compressed text, small enough for a page: a JSON header and binary columns."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from dlmp_cosim.feeders.network import FloatArray, Network
from dlmp_cosim.market.money.payment_schemes import TITLES
from dlmp_cosim.runners.judge.settle import summary
from dlmp_cosim.runners.plain_json import finite
from dlmp_cosim.runners.report.headline import figures, headline, sentence
from dlmp_cosim.runners.report.runs import RunView, differences, has_places, positions

NOTHING = 65535
"""Code of a missing number."""
LEVELS = NOTHING - 1
CLOCK = "%Y-%m-%dT%H:%M:%S"
RESOLUTION = {"$/MWh": 0.01, "pu": 1e-5, "share": 1e-3, "kW": 0.1}
"""What the page shows of big tables, by unit: finer steps are not kept."""
PRICES = ("dlmp_real", "dlmp_reactive", "loss", "voltage_part", "congestion", "substation")


class Columns:
    """Collects arrays as 16-bit codes in equal steps, each as differences along time and from its neighbour.

    Neighbouring columns of a table are neighbours on the feeder and move together: what is left is mostly
    zeros. The low bytes of all codes come before the high ones.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, values: FloatArray, resolution: float = 0.0) -> dict[str, Any]:
        """Add an array of one or two axes; returns what is needed to read it back.

        Parameters
        ----------
        values : ndarray, shape (n,) or (n, n_column)
            Numbers; NaN and infinities are missing.
        resolution : float
            Smallest step worth keeping [unit of the values].
        """
        table = values.reshape(len(values), -1)
        finite = np.isfinite(table)
        low = float(table[finite].min()) if finite.any() else 0.0
        high = float(table[finite].max()) if finite.any() else 0.0
        step = max((high - low) / LEVELS, resolution) or 1.0
        codes = np.where(finite, np.rint((np.where(finite, table, low) - low) / step), NOTHING)
        data = _shuffled(codes.astype(np.uint16))
        rows, columns = table.shape
        entry = {"at": self._size, "rows": rows, "columns": columns, "low": low, "step": step}
        self._parts.append(data)
        self._size += len(data)
        return entry

    def bytes(self) -> bytes:
        """All arrays, one after the other."""
        return b"".join(self._parts)


def _shuffled(codes: np.ndarray[Any, np.dtype[np.uint16]]) -> bytes:
    """Write codes, shape (n, n_column), column by column as differences, low bytes first."""
    along_time = np.diff(codes, axis=0, prepend=np.uint16(0))
    apart = np.diff(along_time, axis=1, prepend=np.uint16(0)).T
    return (apart & 0xFF).astype(np.uint8).tobytes() + (apart >> 8).astype(np.uint8).tobytes()


def pack(views: Sequence[RunView]) -> str:
    """Write everything that a page shows, as base64 of gzip: header length, JSON header, columns."""
    columns = Columns()
    header = {
        "runs": [_run(view, columns) for view in views],
        "differences": differences(views),
    }
    text = json.dumps(finite(header), separators=(",", ":")).encode()
    data = len(text).to_bytes(4, "little") + text + columns.bytes()
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def _run(view: RunView, columns: Columns) -> dict[str, Any]:
    market = view.scenario["market"]
    return {
        "label": view.label,
        "file": view.path.name,
        "title": TITLES[view.account.scenario],
        "missing": view.missing,
        "limits": [market["voltage_min_pu"], market["voltage_max_pu"]],
        "method": f"{market['model']}, {market['method']}",
        "period": round(3600 * view.hours),
        "start": int(view.times[0].timestamp()),
        "until": (view.times[-1] + timedelta(hours=view.hours)).strftime(CLOCK),
        "times": [time.strftime(CLOCK) for time in view.times],
        "sentence": sentence(view),
        "headline": [asdict(figure) for figure in headline(view)],
        "figures": [asdict(figure) for figure in figures(view)],
        "metrics": [asdict(figure) for figure in view.metrics],
        "verdict": dict(view.verdict),
        "broken": [dict(row, worst=None) for row in view.broken[:100]],
        "account": summary(view.account),
        **_feeder(view.network),
        **_tables(view, columns),
    }


def _tables(view: RunView, columns: Columns) -> dict[str, Any]:
    """Add the numbers of every interval."""
    predicted, limited = view.nodal["predicted_voltage"], view.point_voltage
    apart = predicted - view.nodal["voltage"]
    ends = {
        "voltage_low": np.fmin.reduce(limited, axis=1, initial=np.nan),
        "voltage_high": np.fmax.reduce(limited, axis=1, initial=np.nan),
        "predicted_low": np.fmin.reduce(predicted, axis=1, initial=np.nan),
        "predicted_high": np.fmax.reduce(predicted, axis=1, initial=np.nan),
    }
    price, volt = RESOLUTION["$/MWh"], RESOLUTION["pu"]
    return {
        "series": {name: columns.add(values) for name, values in {**view.series, **ends}.items()},
        "nodal": {
            **{name: columns.add(view.nodal[name], price) for name in PRICES if name in view.nodal},
            "voltage": columns.add(view.nodal["voltage"], volt),
            "prediction_error": columns.add(apart, volt),
        },
        "branch": {
            "loading": columns.add(view.branch["loading"], RESOLUTION["share"]),
            "power": columns.add(view.branch["power"], RESOLUTION["kW"]),
        },
        "dispatch": columns.add(view.dispatch, RESOLUTION["kW"]),
        "served": columns.add(view.served, RESOLUTION["kW"]),
        "taps": columns.add(view.taps, 1.0),
        "capacitors": columns.add(view.capacitors, 1.0),
        "stored": {name: columns.add(values) for name, values in view.stored.items()},
        "breaches": {name: columns.add(values) for name, values in view.breaches.items()},
    }


def _feeder(network: Network) -> dict[str, Any]:
    """Describe buses, branches, loads, resources and controls as the page draws them."""
    index = network.bus_index
    ends = {branch.name: index[branch.terminals[-1].bus] for branch in network.branches}
    shunts = [item for item in network.elements if item.kind == "capacitor" and not item.is_branch]
    return {
        "feeder": network.name,
        "placed": has_places(network),
        "buses": [
            {"name": bus.name, "phases": bus.phases, "x": x, "y": y}
            for bus, (x, y) in zip(network.buses, positions(network), strict=True)
        ],
        "branches": [
            {
                "name": branch.name,
                "kind": branch.kind,
                "ends": [index[end.bus] for end in branch.terminals[:2]],
                "rating": min(branch.rating_a),
            }
            for branch in network.branches
        ],
        "loads": [
            {"name": item.name, "bus": index[item.bus], "phases": item.phases} for item in network.loads
        ],
        "resources": [
            {"name": item.name, "bus": index[item.bus], "kind": item.kind, "kw_max": item.kw_max}
            for item in network.resources
        ],
        "substation": index[network.sources[0].terminal.bus],
        "regulators": [{"name": item.name, "bus": ends.get(item.element)} for item in network.regulators],
        "banks": [{"name": item.name} for item in network.capacitor_banks],
        "shunts": [index[item.terminals[0].bus] for item in shunts],
    }
